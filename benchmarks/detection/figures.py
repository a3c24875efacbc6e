"""Numbers with their 95 % intervals. PURE."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, exp, inf, isinf, sqrt

# From so many on a Poisson count is as good as normal.
MANY = 300


@dataclass(frozen=True, slots=True)
class Figure:
    """A value between `low` and `high`; infinite where it is never reached."""

    value: float
    low: float
    high: float

    def shown(self, digits: int) -> str:
        """``2.03 (1.98 to 2.10)``."""
        value, low, high = (_shown(one, digits) for one in (self.value, self.low, self.high))
        return f"{value} ({low} to {high})"


def _shown(value: float, digits: int) -> str:
    return "never" if isinf(value) else f"{value:.{digits}f}"


def quantile(values: Sequence[float | None], share: float) -> Figure:
    """The `share` quantile by order statistics, without a law; None is never, later than anything."""
    found = sorted(inf if value is None else value for value in values)
    n = len(found)
    if not n:
        return Figure(inf, inf, inf)
    spread = 1.96 * sqrt(n * share * (1 - share))

    def ranked(rank: float) -> float:
        return found[min(n - 1, max(0, ceil(rank) - 1))]

    return Figure(ranked(n * share), ranked(n * share - spread), ranked(n * share + spread + 1))


def rate(events: int, exposure: float) -> Figure:
    """Events by so much exposure; the exact interval of a Poisson count (Garwood 1936)."""
    if events > MANY:
        reach = 1.96 * sqrt(events)
        return Figure(events / exposure, (events - reach) / exposure, (events + reach) / exposure)
    low = 0.0 if not events else _solved(lambda mean: 1 - _poisson(events - 1, mean), 0.025, events)
    high = _solved(lambda mean: -_poisson(events, mean), -0.025, events)
    return Figure(events / exposure, low / exposure, high / exposure)


def _poisson(most: int, mean: float) -> float:
    """P(at most so many)."""
    term = total = exp(-mean)
    for k in range(1, most + 1):
        term *= mean / k
        total += term
    return total


def _solved(rising: Callable[[float], float], wanted: float, events: int) -> float:
    low, high = 0.0, events + 5 * sqrt(events + 1) + 5
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < wanted else (low, middle)
    return (low + high) / 2


def proportion(hits: int, n: int) -> Figure:
    """A share and Wilson's interval (1927)."""
    if not n:
        return Figure(0.0, 0.0, 1.0)
    z = 1.96
    share, scale = hits / n, 1 + z * z / n
    middle = (share + z * z / (2 * n)) / scale
    reach = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / scale
    return Figure(share, max(0.0, middle - reach), min(1.0, middle + reach))


def mean(values: Sequence[float]) -> Figure:
    """The mean and its normal interval."""
    n = len(values)
    if n < 2:
        return Figure(values[0] if values else inf, 0.0, inf)
    middle = sum(values) / n
    reach = 1.96 * sqrt(sum((one - middle) ** 2 for one in values) / (n - 1) / n)
    return Figure(middle, middle - reach, middle + reach)
