"""What a campaign came to, as a page to read: docs/lab-report.md. All but `main` is pure.

python -m tests.lab.report FOLDER
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from probe.verdict import Verdict
from probe.wire.codec import validate

from .campaign import Made, commit
from .compare import ACCUSATIONS, Ruling, in_words, levels, ruling, word
from .measured import MOST_BYTES, MOST_S, SUPPOSED_COUNTRIES, Measured
from .scenarios import SCENARIOS, Truth
from .world import PLATFORMS

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "lab-report.md"


@dataclass(frozen=True, slots=True)
class Cell:
    """What one run said of one platform, and how that stands to the truth."""

    run: Measured
    platform: str
    truth: Truth
    verdict: Verdict | None

    @property
    def ruling(self) -> Ruling:
        """How it stands."""
        return ruling(self.truth, self.verdict)

    @property
    def is_touched(self) -> bool:
        """Whether the scenario is about it."""
        return self.run.where.whole_line or self.platform in self.run.touched

    @property
    def word(self) -> str:
        """What was said, in short."""
        return word(self.verdict) if self.verdict else "nothing"


@dataclass(frozen=True, slots=True)
class Row:
    """All runs of one scenario on lines where it is so, or on those where it is not."""

    name: str
    runs: tuple[Measured, ...]

    def cells(self) -> list[Cell]:
        """What one line alone said."""
        return [cell for run in self.runs for cell in _cells(run, run.verdicts())]

    def with_peers(self) -> list[Cell]:
        """What was said once peers had been asked, of who was touched."""
        asked = (run for run in self.runs if run.abroad is not None)
        cells = (cell for run in asked for cell in _cells(run, run.verdicts_with_peers(), peers=True))
        return [cell for cell in cells if cell.is_touched]


def _cells(run: Measured, verdicts: dict[str, Verdict], *, peers: bool = False) -> Iterator[Cell]:
    measured = {platform.name for platform in run.round.targets} if run.round else set(PLATFORMS)
    for platform in (name for name in PLATFORMS if name in measured):
        truth = run.truth(platform)
        yield Cell(run, platform, truth.told_by_peers if peers else truth, verdicts.get(platform))


def rows_of(runs: Iterable[Measured]) -> list[Row]:
    """The rows in the order of the table of scenarios."""
    position = list(SCENARIOS).index

    def key(run: Measured) -> tuple[int, bool]:
        return position(run.scenario), run.dialled not in run.where.isps

    found = []
    for (_, elsewhere), group in groupby(sorted(runs, key=key), key):
        some = tuple(sorted(group, key=lambda run: run.number))
        found.append(Row(some[0].scenario + (", other line" if elsewhere else ""), some))
    return found


def page(runs: Sequence[Measured], made: str) -> str:
    """The whole page; `made` says when and of what."""
    rows = rows_of(runs)
    parts = (
        _HEAD.format(made=made, countries=SUPPOSED_COUNTRIES),
        _summary(rows),
        _untrue(rows),
        _whole(rows),
    )
    return "\n".join(parts)


_HEAD = """\
# What the agent says in the lab

{made} As root, `make lab-report` makes it anew in half an hour.

The [lab](../tests/lab/README.md) is a country in a box: a home, two providers, the world behind them, and
a switch for what goes wrong. Each scenario knows what is true, so what the agent says can be false. In every
run the real agent takes one round on the home's line, with other addresses, the platforms in another order,
on either provider, and asks how fast things come. In runs 1, 3 and 5 all platforms are touched that the
scenario can be about, in 2 and 4 one half and then the other: the rest must be `ok`. Where the touched share
one slow way of the lab (`throttle_…`), it is one half and the other in turn: no round has time for four.

- *may say*: what a line that knows nothing but itself may honestly say. `blocked` must name these mechanisms
  and no others (in brackets: at work, not always to be proven); `partial`: some required roles still work.
- *said*: of the touched platforms, in brackets how well it is shown. Where platforms or runs differ, each
  is there with its count.
- *true*: runs in which every platform's verdict, touched or not, is one it may have.
- *with peers*: the same rounds judged again, given what a line abroad measured at the same moment.
  {countries} countries are supposed, all seeing the same; asked where one line may have to say `unreachable`.
- *s*, *KB*: the longest round, and the most that crossed the home's line, both ways, headers included.
- *rules*: those that spoke of the touched, by [their ids](../probe/verdict/rules.py).
"""


def _summary(rows: Sequence[Row]) -> str:
    cells = [cell for row in rows for cell in row.cells()]
    asked = [cell for row in rows for cell in row.with_peers()]
    runs = [run for row in rows for run in row.runs]
    slowest, largest = max(runs, key=_seconds), max(runs, key=lambda run: run.bytes)
    lines = [
        ("scenarios", f"{len({run.scenario for run in runs})}"),
        ("rounds measured", f"{len(runs)}, and {sum(r.abroad is not None for r in runs)} abroad beside them"),
        ("verdicts", f"{len(cells)}, and {len(asked)} with peers"),
        ("false accusations", _count(cells, asked, Ruling.ACCUSED)),
        ("interference missed", _count(cells, asked, Ruling.MISSED)),
        ("otherwise not what is true", _count(cells, asked, *_LESSER)),
        ("rounds with trouble", f"{sum(bool(run.trouble) for run in runs)}"),
        ("not the same each time", ", ".join(r.name for r in rows if _changes(r)) or "none"),
        (f"rounds over {MOST_S:g} s or {MOST_BYTES / 1e6:g} MB", f"{sum(not run.is_within for run in runs)}"),
        ("slowest round", f"{_seconds(slowest):.0f} s, {slowest.scenario}"),
        ("largest round", f"{largest.bytes / 1000:.0f} KB, {largest.scenario}"),
    ]
    return "## In short\n\n" + _table(("", ""), lines)


_LESSER = (Ruling.NOTHING, Ruling.OTHER, Ruling.MECHANISM, Ruling.SCOPE)


def _count(alone: Iterable[Cell], asked: Iterable[Cell], *kinds: Ruling) -> str:
    one, other = (sum(cell.ruling in kinds for cell in cells) for cells in (alone, asked))
    return f"**{one}**" if not other else f"**{one}**, and {other} with peers"


def _seconds(run: Measured) -> float:
    return run.round.duration_s if run.round else 0.0


def _changes(row: Row) -> bool:
    """Whether some platform, touched each time, is not told the same each time."""
    words = {(cell.platform, cell.word) for cell in row.cells() if cell.is_touched}
    return len(words) > len({platform for platform, _ in words})


def _untrue(rows: Iterable[Row]) -> str:
    """Every verdict that is not what is true, one line each, and every run that went wrong."""
    found = []
    for row in rows:
        for cells, peers in ((row.cells(), ""), (row.with_peers(), ", with peers")):
            found += [_complaint(row, cell, peers) for cell in cells if cell.ruling is not Ruling.TRUE]
        found += [
            (row.name, f"{run.number}", "", "trouble", run.trouble, "", "") for run in row.runs if run.trouble
        ]
    if not found:
        return "## What is not true\n\nNothing.\n"
    return "## What is not true\n\n" + _table(
        ("scenario", "run", "platform", "what", "said", "may say", "rules"), found
    )


def _complaint(row: Row, cell: Cell, peers: str) -> tuple[str, ...]:
    rules = ", ".join(reason.rule for reason in cell.verdict.reasons) if cell.verdict else ""
    scope = f", {cell.verdict.scope}" if cell.verdict and cell.ruling is Ruling.SCOPE else ""
    what, said = f"{cell.ruling}{peers}", f"{cell.word}{scope}"
    return row.name, f"{cell.run.number}", cell.platform, what, said, may_say(cell.truth), rules


def _whole(rows: Iterable[Row]) -> str:
    head = ("scenario", "may say", "said", "true", "with peers", "s", "KB", "rules")
    return "## Every scenario\n\n" + _table(head, [_line(row) for row in rows])


def _line(row: Row) -> tuple[str, ...]:
    cells, elsewhere = row.cells(), row.runs[0].dialled not in row.runs[0].where.isps
    touched = [cell for cell in cells if cell.is_touched]
    false = {cell.run.number for cell in cells if cell.ruling is not Ruling.TRUE}
    others = [c for c in cells if not c.is_touched and c.ruling is not Ruling.TRUE]
    said = _said(touched) + (f"; untouched: {_said(others)}" if others else "")
    truth = row.runs[0].truth(row.runs[0].touched[0])
    return (
        row.name if elsewhere else f"`{row.name}`",
        may_say(truth),
        said,
        f"{len(row.runs) - len(false)}/{len(row.runs)}",
        _said(row.with_peers()),
        f"{max(map(_seconds, row.runs)):.0f}",
        f"{max(run.bytes for run in row.runs) / 1000:.0f}",
        " ".join(dict.fromkeys(r.rule for c in touched if c.verdict for r in c.verdict.reasons)),
    )


def may_say(truth: Truth) -> str:
    """What is true, in a cell."""
    perhaps = "".join(f" (+{mechanism})" for mechanism in sorted(truth.perhaps))
    partial = ", partial" if truth.partial else ""
    words = []
    for status in sorted(truth.statuses):
        accuses = status in ACCUSATIONS
        words.append(in_words(status, truth.mechanisms) + (perhaps + partial if accuses else ""))
    return " or ".join(words)


def _said(cells: Sequence[Cell]) -> str:
    """The words, folded: one where all agree, else each with who and how often."""
    by_word: dict[str, list[Cell]] = {}
    for cell in cells:
        by_word.setdefault(cell.word, []).append(cell)
    if len(by_word) == 1:
        return "".join(f"{said}{_levels(some)}" for said, some in by_word.items())
    return "; ".join(f"{said}{_levels(some)}: {_who(some)}" for said, some in by_word.items())


def _levels(cells: Iterable[Cell]) -> str:
    accusing = (c.verdict for c in cells if c.verdict and c.verdict.status in ACCUSATIONS)
    found = sorted({level for verdict in accusing for level in levels(verdict)})
    return f" ({', '.join(found)})" if found else ""


def _who(cells: Iterable[Cell]) -> str:
    counted = Counter(cell.platform for cell in cells)
    return ", ".join(f"{count}x {platform}" for platform, count in counted.items())


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(cells)} |\n"

    return line(head) + line("---" for _ in head) + "".join(map(line, lines))


def read(folder: Path) -> list[Measured]:
    """Every run in a folder."""
    return [validate(Measured, file.read_bytes()) for file in sorted(folder.glob("*.json"))]


def main() -> int:
    """0 if nothing false was said; 1 otherwise, which the page says too."""
    folder = Path(sys.argv[1])
    runs, made = read(folder), Made.read(folder)
    judged = "" if made.commit == commit() else f", judged by the rules of {commit()}"
    PAGE.write_text(page(runs, f"Measured on {made.date}, at commit {made.commit}{judged}."))
    cells = [cell for row in rows_of(runs) for cell in (*row.cells(), *row.with_peers())]
    return int(any(cell.ruling is not Ruling.TRUE for cell in cells))


if __name__ == "__main__":
    sys.exit(main())
