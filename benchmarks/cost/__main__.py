"""``python -m benchmarks.cost``: make rounds in turns, then meet what interferes, write docs/costs.md."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.lab.network import Lab

from . import interfered
from .line import CONTROLS, ENDPOINTS, Line, lacking
from .report import Aged, written
from .rivals import AGENT, BESIDE, HTTP, STAGES, Rival, Spent, agent, exporter

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
# The first rounds of a process import, compile and warm up.
WARM = 3
# Connections of the gate within a round: the controls before and after, and the portal's page.
GATE = 2 * len(CONTROLS) + 1


def main() -> int:
    """0 once the report is written; 2 where it cannot be made."""
    arguments = _parser().parse_args()
    trouble = lacking()
    if trouble:
        print(trouble, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, Line(Path(folder)) as line:
        rivals = dict(_rivals(line))
        spent = _in_turns(rivals, arguments.rounds)
        pushed = {name: rivals[name].pushed_bytes() for name in (AGENT, BESIDE)}
        weighed = subprocess.check_output([sys.executable, str(HERE / "imports.py")], env=line.environ)
        aged = _aged(rivals[AGENT], WARM + arguments.rounds + 1, arguments.aged)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, Lab(Path(folder)) as lab:
        met = [interfered.met(lab, name, flags) for name, flags in interfered.SCENARIOS]
    text = written(spent, pushed, aged, json.loads(weighed), met)
    arguments.out.write_text(text, encoding="utf-8")
    print(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, metavar="N", help="of each (default %(default)s)")
    parser.add_argument(
        "--aged", type=int, default=1000, metavar="N", help="the agent's rounds in the end (%(default)s)"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "costs.md", metavar="FILE")
    return parser


def _rivals(line: Line) -> Iterator[tuple[str, Rival]]:
    yield AGENT, agent(line, ENDPOINTS[GATE:], "agent")
    yield HTTP, exporter(line, ("http",), ENDPOINTS)
    yield STAGES, exporter(line, ("dns", "tcp", "tls", "http"), ENDPOINTS)
    yield BESIDE, agent(line, ENDPOINTS, "beside")


def _in_turns(rivals: Mapping[str, Rival], rounds: int) -> dict[str, list[Spent]]:
    """One round of each, then the next: what else this machine does touches all alike."""
    spent: dict[str, list[Spent]] = {name: [] for name in rivals}
    for number in range(WARM + rounds):
        if number % 10 == 0:
            print(f"round {number} of {WARM + rounds}", file=sys.stderr, flush=True)
        for name, rival in rivals.items():
            spent[name].append(rival.round())
    return {name: one[WARM:] for name, one in spent.items()}


def _aged(rival: Rival, begun: int, rounds: int) -> Sequence[Aged]:
    """What the process weighs as it gets older."""
    weighed = []
    for number in range(begun, rounds + 1):
        resident_mib = rival.round().resident_mib
        if number % 100 == 0:
            print(f"round {number} of {rounds}", file=sys.stderr, flush=True)
            weighed.append(Aged(number, resident_mib))
    return weighed


if __name__ == "__main__":
    sys.exit(main())
