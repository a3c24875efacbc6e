"""How much more likely k of n failing votes are under interference than on any ordinary day.

Beta-Binomial on both sides, because homes of one network fail together (a street's cable, a CDN's
bad hour): independent coins give hundreds of false alarms a year on the same noise. Page's CUSUM
(E. S. Page, Continuous inspection schemes, Biometrika 41, 1954) sums these steps.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, lgamma, log

from .thresholds import Thresholds


def log_ratio(k: float, n: float, p0: float, limits: Thresholds) -> float:
    """log P(k of n | interference) - log P(k of n | rate `p0`), in nats; not clipped. `k` and `n` may
    be fractions, because young keys count for a part of a vote."""
    return _log_ratio(round(k, 3), round(n, 3), round(p0, 4), limits)


@lru_cache(maxsize=65_536)
def _log_ratio(k: float, n: float, p0: float, limits: Thresholds) -> float:
    spread = (1 - limits.rho0) / limits.rho0
    quiet = _log_share(k, n, p0 * spread, (1 - p0) * spread)
    return _log_share(k, n, limits.event_a, limits.event_b) - quiet


def surprise(k: int, n: int, mean: float, rho: float) -> float:
    """-log P(k or more of n) in nats, where each of n falls with chance `mean` and they fall together with
    correlation `rho`."""
    spread = (1 - rho) / rho
    a, b = mean * spread, (1 - mean) * spread
    terms = [_log_choose(n, i) + _log_share(i, n, a, b) for i in range(k, n + 1)]
    most = max(terms)
    return max(0.0, -most - log(sum(exp(term - most) for term in terms)))


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def _log_share(k: float, n: float, a: float, b: float) -> float:
    """log P(k of n | a, b) less the binomial coefficient, which both sides share."""
    return _log_beta(k + a, n - k + b) - _log_beta(a, b)


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def base_rate(world: float | None, limits: Thresholds) -> float:
    """The failing share expected without interference here, given the rest of the world's."""
    return limits.p0 + (1 - limits.p0) * (world or 0.0)


def step(k: float, n: float, world: float | None, limits: Thresholds) -> float:
    """What one round adds to a network's score, in nats, within plus or minus `limits.step`. Never
    positive where no more fail than anywhere, or where too much of the world fails to tell."""
    p0 = base_rate(world, limits)
    raw = max(-limits.step, min(limits.step, log_ratio(k, n, min(p0, 0.99), limits)))
    return min(raw, 0.0) if k <= p0 * n or p0 > limits.hopeless else raw
