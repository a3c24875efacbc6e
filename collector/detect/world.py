"""What the rest of the world sees of a platform in the same round. PURE.

Only peers abroad decide that a platform is down. The rate is a trimmed mean over countries, not over
probes: a country with many volunteers, or one that lies, weighs as one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from .ballots import Count, Place
from .thresholds import Thresholds


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldWatch:
    """One platform everywhere: `rate` is the trimmed failing share over all countries heard from, None
    where they are too few. `out_since` is the first round of an outage that goes on."""

    rate: float | None = None
    bad_rounds: int = 0
    good_rounds: int = 0
    out_since: int | None = None


Rates = Mapping[str, Mapping[str, float]]  # failing shares by platform and country
NOWHERE: Rates = MappingProxyType({})


def rates(votes: Mapping[Place, Count], abroad: Rates, limits: Thresholds) -> dict[str, dict[str, float]]:
    """By platform and country, the failing share of all votes of those with enough of them, beside what
    is told of others `abroad`."""
    sums: dict[tuple[str, str], list[float]] = {}
    for place, one in votes.items():
        both = sums.setdefault((place.platform, place.country), [0.0, 0.0])
        both[0] += one.failing
        both[1] += one.votes
    found = {platform: dict(shares) for platform, shares in abroad.items()}
    for (platform, country), (failing, total) in sums.items():
        if total >= limits.least_votes:
            found.setdefault(platform, {})[country] = failing / total
    return found


def elsewhere(rates: Mapping[str, float], home: str, limits: Thresholds) -> float | None:
    """The rate over all countries but `home`; None where they are too few to say."""
    return trimmed([rate for country, rate in rates.items() if country != home], limits)


def trimmed(rates: Collection[float], limits: Thresholds) -> float | None:
    """The mean of what is left when the same share is cut off at either end; None for too few."""
    if len(rates) < limits.world_countries:
        return None
    cut = int(len(rates) * limits.world_trim)
    kept = sorted(rates)[cut : len(rates) - cut]
    return round(sum(kept) / len(kept), 6)


def watch(before: WorldWatch, number: int, rates: Collection[float], limits: Thresholds) -> WorldWatch:
    """The platform after round `number`. Not knowing ends nothing."""
    rate = trimmed(rates, limits)
    if rate is None:
        return replace(before, rate=None)
    bad = before.bad_rounds + 1 if rate >= limits.outage_rate else 0
    good = before.good_rounds + 1 if rate < limits.end_share else 0
    since = before.out_since
    if since is None and bad >= limits.outage_rounds:
        since = number - bad + 1
    elif since is not None and good >= limits.end_rounds:
        since = None
    return WorldWatch(rate=rate, bad_rounds=bad, good_rounds=good, out_since=since)
