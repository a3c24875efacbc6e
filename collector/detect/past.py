"""One probe's past with one platform: whether its word counts.

A home that fails every third round anyway says nothing when it fails now. So only *armed* probes
vote: those that reached the platform in nearly all of their rounds until just now. The newest rounds
are left out of that, or a block would disarm its own witnesses.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

from .thresholds import Thresholds


@dataclass(frozen=True, slots=True)
class Past:
    """`seen` and `fine` hold a bit per round, the newest lowest, of the rounds up to `last`: measured
    at all, and reached. `failing` is the failing share, averaged exponentially over a day."""

    last: int
    seen: int
    fine: int
    failing: float


NEW = Past(0, 0, 0, 0.0)


def with_round(past: Past, number: int, *, reached: bool, limits: Thresholds) -> Past:
    """The past with one more round, later than the last."""
    keep = (1 << (limits.armed_from + 1)) - 1
    shift = min(number - past.last, limits.armed_from + 1)
    seen, fine = past.seen << shift & keep | 1, past.fine << shift & keep | reached
    return Past(number, seen, fine, _failing(past, not reached, limits))


def worn(past: Past, failed: bool, limits: Thresholds) -> Past:
    """The past with one more round in its average alone."""
    return replace(past, failing=_failing(past, failed, limits))


def _failing(past: Past, failed: bool, limits: Thresholds) -> float:
    share = _share(limits.round_s, limits.ewma_s)
    return past.failing + share * (failed - past.failing)


@cache
def _share(round_s: float, ewma_s: float) -> float:
    """What one round weighs; asked for each home's each round."""
    return 1 - math.exp(-round_s / ewma_s)


def is_armed(past: Past, number: int, limits: Thresholds) -> bool:
    """Whether nearly all of the rounds before `number` were well, the newest left out."""
    shift = number - past.last
    if shift > limits.armed_from:
        return False
    window = (1 << (limits.armed_from + 1)) - (1 << limits.armed_to)
    seen, fine = ((bits << shift & window).bit_count() for bits in (past.seen, past.fine))
    return seen >= limits.armed_rounds and fine >= limits.armed_ok * seen
