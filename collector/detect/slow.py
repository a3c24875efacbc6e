"""Throttling, round by round: the same watch as for failures, over how fast a platform comes. PURE.

It stands beside the watch on failures, not inside it. Who is held back has reached the platform; and of
twelve rounds an agent compares speeds in one, so that among a round's votes a throttled nation looks
well. Here a home's newest word on speed stands for `speed_rounds`: shares and numbers are counted over
those, while the score takes each word once, in the round it was said. A vote counts in one of the two
watches (`ballots` says in which), and both speak of one country and platform, so that `incidents` makes
one part of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from . import likelihood, network, pace, world
from .ballots import Ballot, Count, Place, Standing, count
from .network import Watch
from .pace import Pace
from .thresholds import Thresholds
from .world import Rates


@dataclass(frozen=True, slots=True)
class Speeds:
    """One network's watch, its homes' pasts by probe, and the newest words as votes. `is_own`: the platform
    is slow everywhere."""

    watch: Watch = network.REST
    paces: Mapping[str, Pace] = field(default_factory=dict)
    votes: Count = field(default_factory=Count)
    is_own: bool = False


def advance(
    before: Mapping[Place, Speeds],
    number: int,
    ballots: Mapping[Place, Sequence[Ballot]],
    explained: Collection[tuple[str, str]],
    standings: Mapping[str, Standing],
    abroad: Rates,
    limits: Thresholds,
) -> dict[Place, Speeds]:
    """Every network after round `number`. `explained` are the countries and platforms of which throttling
    was confirmed already: there nothing is learnt of what is usual. `abroad` are shares of other countries
    that are told, not counted here."""
    measured = {place for place, some in ballots.items() if any(one.speed for one in some)}
    heard = {}
    for place in sorted({*before, *measured}):
        known = before.get(place, Speeds())
        is_explained = known.is_own or known.watch.is_sure or _nation(place) in explained
        heard[place] = _heard(known, number, ballots.get(place, ()), is_explained, limits)
    votes = {
        place: _count(one, number - limits.speed_rounds, standings, limits) for place, one in heard.items()
    }
    rates = world.rates(votes, abroad, limits)
    found = {}
    for place, one in heard.items():
        elsewhere = world.elsewhere(rates.get(place.platform, {}), place.country, limits)
        fresh = _count(one, number - 1, standings, limits)
        watch = network.watch(one.watch, number, votes[place], elsewhere, limits, fresh)
        is_own = is_everywhere([votes[place]], elsewhere, limits)
        if is_own and not one.watch.is_sure:
            watch = replace(network.REST, lived=watch.lived)
        if one.paces or watch.is_alarmed:
            found[place] = Speeds(watch, one.paces, votes[place], is_own)
    return found


def is_everywhere(votes: Collection[Count], elsewhere: float | None, limits: Thresholds) -> bool:
    """Whether the platform is slow by itself, and here no slower than that. Fresh words cannot tell: they
    are all slow here at once, while the world's rate, of words that stand for many rounds, climbs slowly.
    What stands for as many rounds here is like it."""
    if elsewhere is None or elsewhere < limits.end_share:
        return False
    failing, total = sum(one.failing for one in votes), sum(one.votes for one in votes)
    return likelihood.step(failing, total, elsewhere, limits) <= 0


def _nation(place: Place) -> tuple[str, str]:
    return place.country, place.platform


def _heard(
    known: Speeds, number: int, ballots: Iterable[Ballot], is_explained: bool, limits: Thresholds
) -> Speeds:
    """The network with a round's words. While they are explained the pasts stand still, and what was
    measured on the way there is forgotten."""
    lived = known.watch.lived + (not is_explained)
    paces = dict(known.paces)
    if is_explained:
        paces = {probe: replace(its, waiting=()) for probe, its in paces.items()}
    for ballot in ballots:
        if ballot.speed:
            its = paces.get(ballot.probe, pace.NEW)
            paces[ballot.probe] = pace.with_word(its, ballot, ballot.speed, number, lived, limits)
    if lived % limits.armed_from == 0:  # who has long gone is forgotten
        paces = {probe: its for probe, its in paces.items() if number - its.heard <= limits.forget_rounds}
    return replace(known, watch=replace(known.watch, lived=lived), paces=paces)


def _count(one: Speeds, after: int, standings: Mapping[str, Standing], limits: Thresholds) -> Count:
    """The words said later than in round `after`, as votes."""
    words = (its.word for its in one.paces.values() if its.heard > after)
    return count((word for word in words if word is not None), standings, limits)
