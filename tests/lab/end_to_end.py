"""How long it takes, by the clock on the wall: from a censor's switch to a newsroom's webhook.

    python -m tests.lab.end_to_end [SCENARIO…]

Writes docs/end-to-end.md. As root; some six minutes an event.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from .campaign import ROOT, commit
from .nation import ROUND_S, Event, Measured, Nation, Word, nation
from .network import Lab, missing
from .scenarios import SCENARIOS

PAGE = ROOT / "docs" / "end-to-end.md"
USUAL = ("sni_reset", "sni_reset", "sni_reset", "sni_drop")
# In turn: the same again within six rounds of its end would be the same event.
PAIRS = (("x", "youtube"), ("facebook", "instagram"))
SETTLED_S = 20.0
OVER_S = 8.0 * ROUND_S
FAST = "sni_reset"


@dataclass(frozen=True, slots=True)
class Row:
    """One event, the rounds that the homes began while it lasted, and the machine's load then."""

    event: Event
    rounds: Sequence[Measured]
    load: float


@dataclass(frozen=True, slots=True)
class Missed:
    """A censor who was not told of, or whose end was not: `why` is what was waited for, and what was said."""

    scenario: str
    platforms: Sequence[str]
    why: str


def main(scenarios: Sequence[str]) -> int:
    """0 when all was measured; 2 where that cannot be."""
    unknown = [name for name in scenarios if name not in SCENARIOS]
    reason = f"no scenario {unknown[0]!r}" if unknown else missing()
    if reason:
        print(reason, file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the lab is taken down all the same
    with tempfile.TemporaryDirectory(prefix="end-to-end-") as folder:
        _measure(Path(folder), scenarios or USUAL)
    return 0


def _measure(folder: Path, scenarios: Sequence[str]) -> None:
    """Whatever was measured is written down, also where the rest could not be."""
    for part in ("lab", "nation"):
        (folder / part).mkdir()
    events: list[tuple[Event, float] | Missed] = []
    with Lab(folder / "lab") as lab:
        try:
            with nation(lab, folder / "nation") as homes:
                time.sleep(SETTLED_S)
                for number, scenario in enumerate(scenarios):
                    events.append(_one(homes, scenario, PAIRS[number % 2]))
        finally:
            if events:
                rounds = homes.rounds()
                PAGE.write_text(
                    page([one if isinstance(one, Missed) else _row(*one, rounds) for one in events])
                )


def _one(homes: Nation, scenario: str, platforms: tuple[str, ...]) -> tuple[Event, float] | Missed:
    """The event and the machine's load at its end. What failed is over before the next begins."""
    try:
        # At any second of a minute: rounds are whole ones.
        event = homes.event(scenario, platforms, after_s=random.uniform(0, ROUND_S))
    except TimeoutError as error:
        print(f"{scenario}: {error}", flush=True)
        homes.lab.switch("clean")
        time.sleep(OVER_S)
        return Missed(scenario, platforms, str(error))
    print(f"{scenario}: confirmed {event.confirmed.published - event.on[0]:.0f} s", flush=True)
    return event, os.getloadavg()[1]


def _row(event: Event, load: float, rounds: Iterable[Measured]) -> Row:
    during = [one for one in rounds if event.on[1] <= one.began < event.off[0]]
    return Row(event, during, load)


def page(all_rows: Sequence[Row | Missed]) -> str:
    """docs/end-to-end.md of these events."""
    numbered = list(enumerate(all_rows, 1))
    rows = [(number, row) for number, row in numbered if isinstance(row, Row)]
    fast = [row for _, row in rows if row.event.scenario == FAST]
    lines = [
        f"{_HEAD.format(date=f'{datetime.now(UTC):%Y-%m-%d}', commit=commit(), cores=os.cpu_count())}",
        "| | | at second | page | suspected | confirmed | webhook | off: ended | webhook | load |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(_line(number, row) for number, row in numbered),
        "",
        f"To *confirmed*, median of {len(fast)} with fast failing (`{FAST}`):"
        f" **{median([_to(row, 'confirmed') for row in fast]):.0f} s**; the goal is two rounds,"
        f" {2 * ROUND_S} s."
        if fast
        else "",
        *(f"\n{number}: {row.why}." for number, row in numbered if isinstance(row, Missed)),
        "",
        "## Where the time goes",
        "",
        "Seconds; median and most.",
        "",
        "| | a round | done → received | confirmed: before its round was over | published → received |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(_parts(number, row) for number, row in rows),
        "",
        _TAIL,
    ]
    return "\n".join(line for line in lines if line is not None) + "\n"


def _to(row: Row, word: str) -> float:
    said: Word = getattr(row.event, word)
    return said.published - (row.event.off[0] if word == "ended" else row.event.on[0])


def _line(number: int, row: Row | Missed) -> str:
    if isinstance(row, Missed):
        return f"| {number} | `{row.scenario}` {', '.join(row.platforms)} | | | | **missed** | | | | |"
    event = row.event
    shown = f"{event.page_bad - event.on[0]:.0f}" if event.page_bad else "none"
    cells = (
        str(number), f"`{event.scenario}` {', '.join(event.platforms)}", f"{event.on[0] % 60:.0f}", shown,
        f"{_to(row, 'suspected'):.0f}", f"{_to(row, 'confirmed'):.0f}",
        f"{event.confirmed.received - event.on[0]:.0f}", f"{_to(row, 'ended'):.0f}",
        f"{event.ended.received - event.off[0]:.0f}", f"{row.load:.0f}",
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _parts(number: int, row: Row) -> str:
    confirmed = row.event.confirmed
    over = max(
        datetime.fromisoformat(part["confirmed_at"]).timestamp()
        for part in confirmed.said["parts"]
        if part["confirmed_at"]
    )
    cells = (
        str(number),
        _spread(row.rounds, lambda one: one.took_s),
        _spread(row.rounds, lambda one: one.received - one.began - one.took_s),
        f"{over - confirmed.published:.0f}",
        f"{confirmed.received - confirmed.published:.1f}",
    )
    return f"| {' | '.join(cells)} |"


def _spread(rounds: Iterable[Measured], what: Callable[[Measured], float]) -> str:
    found = [what(one) for one in rounds]
    return f"{median(found):.1f}, {max(found):.1f}" if found else "none"


_HEAD = """# From the switch to the newsroom

Measured on {date}, at commit {commit}, on {cores} cores that had other work (the load is the five minutes'
average). As root, `make end-to-end` makes it anew.

In the [lab](../tests/lab/README.md) ten homes, five on each of two providers' lines, run the real agent as it
is shipped, but at one-minute rounds. A real collector, set to rounds of a minute, judges them, and posts to a
receiver. A censor is switched on for two platforms at both providers, at any second of a minute; once the
newsroom has the word *confirmed* it is switched off. Everything by the wall's clock, in seconds since the
switch.

Not real: the homes of six other countries, without whose word there is no world to compare with, send signed
rounds made for the occasion; and that the ten have a past, without which nobody has a say: their keys were
enrolled eight days before, and half an hour of clean rounds came by the same way as all others.

*page*: half of the votes fail on the page. *suspected*, *confirmed*: of the nation, published; where both
are in one round, the second word is the first. *webhook*: received.
"""

_TAIL = """A round is a minute of the clock. What begins at second 40 is in that round a third, and whole in
the next; two whole rounds make a nation sure where all homes fail, one and a half where more than half of
them fail in the first. A round is folded 15 s after it is over, because who began in its last second has
still to be done; but a nation is told of as soon as the round can only confirm it, whatever those say who
are still to come. An end is told when it can be: after three rounds in which all is well.
"""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
