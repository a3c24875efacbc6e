"""The figures of a benchmark as docs/costs.md shows them."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median, quantiles

from tests.lab.measured import MOST_BYTES, MOST_S

MOST_KB = MOST_BYTES / 1000


@dataclass(frozen=True, slots=True)
class Short:
    """What one round spent in a process of its own."""

    wall_s: float
    cpu_s: float
    resident_mib: float
    carried_kb: float
    packets: int
    observations: int


@dataclass(frozen=True, slots=True)
class Long:
    """What a process spent on many rounds; `packed_kb` is one batch as it is sent."""

    cpu_s: tuple[float, ...]
    resident_mib: float
    batch_kb: float
    packed_kb: float


@dataclass(frozen=True, slots=True)
class Escalated:
    """One round in which every platform was interfered with."""

    scenario: str
    statuses: tuple[str, ...]
    spent: Short


_SHORT: tuple[tuple[str, int, Callable[[Short], float]], ...] = (
    ("wall, s", 3, lambda one: one.wall_s),
    ("CPU, s", 3, lambda one: one.cpu_s),
    ("resident at most, MiB", 1, lambda one: one.resident_mib),
    ("the line, both ways, KB", 1, lambda one: one.carried_kb),
    ("packets, both ways", 0, lambda one: one.packets),
    ("observations", 0, lambda one: one.observations),
)
_LONG: tuple[tuple[str, int, Callable[[Long], Iterable[float]]], ...] = (
    ("CPU a round, s", 3, lambda one: one.cpu_s),
    ("resident after the last, MiB", 1, lambda one: (one.resident_mib,)),
    ("one batch as JSON, KB", 1, lambda one: (one.batch_kb,)),
    ("one batch as sent (zlib 6), KB", 2, lambda one: (one.packed_kb,)),
)


def written(
    before: str,
    after: str,
    short: Sequence[Sequence[Short]],
    long: Sequence[Sequence[Long]],
    escalated: Sequence[Escalated],
) -> str:
    """The whole document."""
    head = f"| | before ({before}) | after ({after}) | after ÷ before |\n|---|---|---|---|\n"
    alone = (
        _row(title, digits, *([figure(one) for one in side] for side in short))
        for title, digits, figure in _SHORT
    )
    together = (
        _row(title, digits, *([value for one in side for value in figures(one)] for side in long))
        for title, digits, figures in _LONG
    )
    return f"""# What a round costs

Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, Linux {platform.release()}, \
Python {platform.python_version()}.
Run it again for your own (`make bench BASE=HEAD` compares a revision with itself, which shows what chance \
does).
Measured in the test lab, where the network takes no time: what is compared is what the agent does.

## A clean round

`run --json --no-upload` of all four platforms over both families, no transfers due, the shipped timeouts; \
{len(short[0])} rounds of each revision in turns.
Medians, in brackets the quartiles.

{head}{"".join(alone)}
Rounds one after another in one process, kept as for a collector ({len(long[0])} processes of each \
revision in turns):

{head}{"".join(together)}
## A round in which all four platforms are interfered with

One round each of {after}, the shipped timeouts. The limits are {MOST_S:g} s and {MOST_KB / 1000:g} MB.

| scenario | said | wall, s | the line, KB | packets | CPU, s | observations | within |
|---|---|---|---|---|---|---|---|
{"".join(map(_escalated, escalated))}"""


def _row(title: str, digits: int, before: Sequence[float], after: Sequence[float]) -> str:
    ratio = median(after) / median(before)
    return f"| {title} | {_spread(before, digits)} | {_spread(after, digits)} | {ratio:.3f} |\n"


def _spread(values: Sequence[float], digits: int) -> str:
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _escalated(one: Escalated) -> str:
    spent = one.spent
    within = "yes" if spent.wall_s < MOST_S and spent.carried_kb < MOST_KB else "**no**"
    figures = f"{spent.wall_s:.1f} | {spent.carried_kb:.0f} | {spent.packets} | {spent.cpu_s:.2f}"
    said = ", ".join(one.statuses)
    return f"| `{one.scenario}` | {said} | {figures} | {spent.observations} | {within} |\n"
