"""The geometry of charts: bins become SVG paths. PURE.

A plot is `WIDE` by `HIGH` units, stretched by the browser to what there is room for. Where nobody voted, or
too few, the line breaks off: a gap is a gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate, groupby

from .history import Bin

WIDE, HIGH = 1000, 100
# The failing share from which a bin is drawn one step higher and darker.
LEVELS = (0.1, 0.3, 0.5, 0.8)
EDGE = 0.05  # on a phone a label nearer to an edge than this share of the width is cut off by it

_TICKS_S = (900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400, 172_800)
_MOST_TICKS = 7


@dataclass(frozen=True, slots=True)
class Tick:
    """A label on the axis of time, `at` so many hundredths of the width."""

    at: float
    label: str


def line(bins: Sequence[Bin], least: int) -> str:
    """The share that reaches it, as a path from left to right: 100 % at the top. A bin of fewer than
    `least` homes is a gap; one between two gaps is a dash as wide as a bin."""
    across = WIDE / max(1, len(bins))
    path, is_drawing = [], False
    for at, one in enumerate(bins):
        if one.of < least:
            is_drawing = False
            continue
        left, high = _short(at * across), _short(HIGH * one.share)
        path.append(f"{'V' if is_drawing else f'M{left} '}{high}H{_short((at + 1) * across)}")
        is_drawing = True
    return "".join(path)


def area(bins: Sequence[Bin]) -> tuple[str, int]:
    """How many voted, as a filled outline, and what its full height stands for."""
    most = max((one.of for one in bins), default=0)
    across = WIDE / max(1, len(bins))
    steps = [
        f"V{_short(HIGH - HIGH * one.of / most) if most else HIGH}H{_short((at + 1) * across)}"
        for at, one in enumerate(bins)
    ]
    return f"M0 {HIGH}{''.join(steps)}V{HIGH}z", most


def seen(bins: Sequence[Bin], least: int) -> str:
    """The ground of a strip: where there is anything to tell. What is left of the plot is a gap."""
    has_votes = [one.of >= least for one in bins]
    runs = [(key, len(list(group))) for key, group in groupby(has_votes)]
    ends = list(accumulate(length for _, length in runs))
    return "".join(
        f"M{end - length} 0h{length}V{len(LEVELS)}H{end - length}z"
        for (is_seen, length), end in zip(runs, ends, strict=True)
        if is_seen
    )


def strips(bins: Sequence[Bin], least: int) -> list[str]:
    """One path for each level, from none failing to all: bars that are higher the more fail, so that a
    strip is read without colours. Its plot is as many units wide as there are bins, and as many high as
    there are levels. A bin of fewer than `least` homes is left empty."""
    paths = [""] * (len(LEVELS) + 1)
    at = 0
    while at < len(bins):
        level, began = _level(bins[at], least), at
        while at < len(bins) and _level(bins[at], least) == level:
            at += 1
        if level is not None:
            high = max(level, 0.4)
            paths[level] += f"M{began} {_short(len(LEVELS) - high)}h{at - began}v{_short(high)}H{began}z"
    return paths


def level_of(share: float) -> int:
    """How many of the levels a failing share has reached."""
    return sum(share >= one for one in LEVELS)


def _level(one: Bin, least: int) -> int | None:
    return None if one.of < least else level_of(one.share)


def ticks(begins: float, ends: float) -> list[Tick]:
    """Round moments in UTC between two moments (Unix seconds), as few as a phone has room for."""
    span = ends - begins
    step = next((one for one in _TICKS_S if span / one <= _MOST_TICKS), 86_400 * (1 + int(span // 604_800)))
    first = -(-begins // step) * step
    form = "%H:%M" if step < 86_400 else "%m-%d"
    found = []
    while first <= ends:
        at = (first - begins) / span
        if EDGE <= at <= 1 - EDGE:
            found.append(Tick(round(100 * at, 2), f"{datetime.fromtimestamp(first, UTC):{form}}"))
        first += step
    return found


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
