"""The round that is not over yet: what is sure whatever a country's own homes still say in it. PURE.

Those who measure just after a block began say so seconds later, and a round is folded when it is over.
So while one is running it is folded as if everybody who was heard in the rounds just before, and not yet
in this one, were going to say that all is well, and as many of those who have spoken were to take it back
as time is left to speak again. Where a nation's event is sure even so, people are told now. Nothing is
suspected early and nothing ends early: for either, who is still to come matters. What the world sees is
taken as it was seen by now: a platform that fails everywhere a minute later may be told of too early.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from .ballots import Ballot, Place
from .bundling import start_of
from .fold import Network, Setting, State, advance
from .incidents import Incident, record
from .network import Condition
from .saved import Settled
from .thresholds import Thresholds
from .world import elsewhere
from .world import rates as rates_in

Said = Mapping[Place, Sequence[Ballot]]


def within_reach(state: State, limits: Thresholds) -> frozenset[str]:
    """The countries in which the next round may make a nation's event sure: it adds no more than two
    steps. In quiet times there are none, and nothing has to be looked at."""
    return frozenset(
        country
        for (country, _), one in state.nations.items()
        if one.condition is not Condition.CONFIRMED and one.score + 2 * limits.step >= limits.h
    )


def sure(
    before: Settled,
    now: Said,
    heard: Sequence[Said],
    countries: Collection[str],
    setting: Setting,
    left: float = 0.0,
) -> list[Incident]:
    """The incidents of `countries` that the running round makes sure, by what was said in it up to `now`.
    `before` is all that was folded, `heard` what was said in the rounds before, the oldest first, `left` the
    share of the round that is still to come. What the world sees is what others have said by now; where
    those are too few, nothing is sure."""
    limits, number = setting.limits, before.state.number + 1
    so_far = advance(before.state, number, now, setting)
    rates = rates_in({place: one.votes for place, one in so_far.networks.items()}, {}, limits)
    found = []
    for country in sorted(countries):
        abroad = {
            platform: {where: rate for where, rate in by_country.items() if where != country}
            for platform, by_country in rates.items()
            if elsewhere(by_country, country, limits) is not None
        }
        start = start_of(before, country)
        said = {
            place: ballots
            for place, ballots in _at_worst(now, heard, (number + 1) * limits.round_s - 1, left)
            if place.country == country and place.platform in abroad
        }
        state = advance(start.state, number, said, setting, abroad)
        platforms = {
            platform for (_, platform), one in state.nations.items() if one.condition is Condition.CONFIRMED
        }
        was_sure = {one.id for one in start.book if one.is_sure}
        found += [
            one
            for one in record(start.book, _as_heard(state, so_far), limits)
            if one.country == country and one.id not in was_sure and _is_about(one, platforms)
        ]
    return found


def _as_heard(state: State, so_far: State) -> State:
    """What it comes to, with the counts of those alone who have spoken: nobody is quoted who has not."""
    return replace(
        state,
        networks={
            # A network may be heard from for the first time in a round that was read after it was folded.
            place: replace(one, votes=so_far.networks.get(place, Network()).votes)
            for place, one in state.networks.items()
        },
    )


def _is_about(incident: Incident, platforms: Collection[str]) -> bool:
    return any(part.is_open and part.platform in platforms for part in incident.parts)


def _at_worst(
    now: Said, heard: Sequence[Said], at: float, left: float
) -> Iterator[tuple[Place, list[Ballot]]]:
    """The least that the round can come to: at its end, who is still to speak reaches everything, and of
    those who have failed a share reaches it again, those first whose word is oldest."""
    for place in sorted({*now, *(place for said in heard for place in said)}):
        spoken = {ballot.probe: ballot for ballot in now.get(place, ())}
        failing = sorted((one for one in spoken.values() if one.failed), key=lambda one: (one.at, one.probe))
        missing = {
            ballot.probe: ballot
            for said in heard
            for ballot in said.get(place, ())
            if ballot.probe not in spoken
        }
        turned = {one.probe: one for one in failing[: int(len(failing) * left)]}
        well = {probe: _well(ballot, at) for probe, ballot in (missing | turned).items()}
        yield place, [one for _, one in sorted((spoken | well).items())]


def _well(ballot: Ballot, at: float) -> Ballot:
    return replace(ballot, at=at, failed=False, broke="", artefacts=(), speed=())
