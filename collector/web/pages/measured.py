"""What was measured of detection, for the page that says how often it is wrong: read from the report itself,
so that nothing is retyped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

REPORT = "detection.md"
_DATE = re.compile(r"on (\d{4}-\d{2}-\d{2})")


@dataclass(frozen=True, slots=True)
class Measured:
    """The day of the measurement, and for each target what was wanted, what was measured, and whether it
    was met, in the report's words."""

    date: str
    targets: Sequence[tuple[str, str, str, str]]


@cache
def measured() -> Measured | None:
    """The report that came with this installation; None where none did."""
    packaged = files("collector.web").joinpath(REPORT)
    checkout = Path(__file__).parents[3] / "docs" / REPORT
    if packaged.is_file():
        return read(packaged.read_text(encoding="utf-8"))
    return read(checkout.read_text(encoding="utf-8")) if checkout.is_file() else None


def read(report: str) -> Measured | None:
    """The targets in a report; None where it has none."""
    date = _DATE.search(report)
    section = report.partition("\n## Targets\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    cells = [[cell.strip().strip("*") for cell in row.strip("|").split("|")] for row in rows]
    targets = [(one[0], one[1], one[2], one[3]) for one in cells if len(one) == 4]
    return Measured(date[1], targets) if date and targets else None
