"""What the world sees of a platform in the same round: all of it, or all but one country. PURE.

Only peers abroad decide that a platform is down. The rate is a trimmed mean over countries, not over
probes: a country with many volunteers, or one that lies, weighs as one. A world in which too much
fails to be well is *in trouble*, long before it is an outage: what fails in one country may then be
the platform's, and homes that fail are its witnesses and not to be disarmed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from .ballots import Count, Place
from .thresholds import Thresholds

Rates = Mapping[str, Mapping[str, float]]  # failing shares by platform and country
NOWHERE: Rates = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldWatch:
    """One platform in some countries: `rate` is the trimmed failing share over those heard from, None
    where they are too few. `out_since` is the first round of an outage that goes on; `trouble` the first
    and the last bad round of the newest time in which it was not well."""

    rate: float | None = None
    bad_rounds: int = 0
    good_rounds: int = 0
    out_since: int | None = None
    trouble: tuple[int, int] | None = None

    def is_troubled(self, number: int, limits: Thresholds) -> bool:
        """Whether in round `number` what fails may still be the platform's trouble. What lasts longer than
        any outage is how things are."""
        if self.trouble is None or self.good_rounds >= limits.end_rounds:
            return False
        return (number - self.trouble[0]) * limits.round_s < limits.trouble_s

    def was_well(self, since: int) -> bool:
        """Whether it is known to be well now, and was in every round known from `since` on."""
        return self.rate is not None and (self.trouble is None or self.trouble[1] < since)


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
    good = before.good_rounds + 1 if rate < limits.trouble_rate else 0
    since = before.out_since
    if since is None and bad >= limits.outage_rounds:
        since = number - bad + 1
    elif since is not None and good >= limits.end_rounds:
        since = None
    trouble = before.trouble
    if rate >= limits.trouble_rate:
        goes_on = trouble is not None and before.good_rounds < limits.end_rounds
        trouble = (trouble[0] if trouble is not None and goes_on else number, number)
    return WorldWatch(rate=rate, bad_rounds=bad, good_rounds=good, out_since=since, trouble=trouble)
