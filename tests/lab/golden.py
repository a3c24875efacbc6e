"""Renew the golden rounds (see `tests.golden`), one run of the real agent in each scenario, and the page
of OONI's cases, which quotes them.

python -m tests.lab.golden [SCENARIO…]
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from tests import golden

from . import ooni_cases
from .campaign import LABS, Task, carry_out
from .compare import Ruling, ruling, word
from .network import missing
from .scenarios import SCENARIOS, Scenario
from .world import PLATFORMS


def task(scenario: Scenario) -> Task:
    """One platform touched, another not; over all scenarios it is each platform's turn."""
    turn = list(SCENARIOS).index(scenario.name)
    touched = scenario.only[turn % len(scenario.only)]
    others = [name for name in PLATFORMS if name != touched]
    return Task(scenario.name, 0, (touched, others[turn % len(others)]), (touched,))


def renew(scenarios: Iterable[Scenario]) -> list[str]:
    """Renew the rounds of these; what is not true of them, in words."""
    complaints = []
    for made, measured in carry_out(map(task, scenarios), LABS):
        if measured.round is None:
            complaints.append(f"{made.scenario}: {measured.trouble}")
            continue
        golden.write(made.scenario, measured.round)
        for platform, verdict in measured.verdicts().items():
            found = ruling(measured.truth(platform), verdict)
            if found is not Ruling.TRUE:
                complaints.append(f"{made.scenario}: {platform} {word(verdict)}: {found}")
    return complaints


def main() -> int:
    """0 if every round is renewed and true; 1 if not all are; 2 if what was asked for is not there."""
    wanted = sys.argv[1:] or list(SCENARIOS)
    unknown = [name for name in wanted if name not in SCENARIOS]
    trouble = f"no scenario {unknown[0]!r}" if unknown else missing()
    if trouble:
        print(trouble, file=sys.stderr)
        return 2
    complaints = renew([SCENARIOS[name] for name in wanted])
    ooni_cases.PAGE.write_text(ooni_cases.page())
    print("\n".join(complaints) or "all true")
    return int(bool(complaints))


if __name__ == "__main__":
    sys.exit(main())
