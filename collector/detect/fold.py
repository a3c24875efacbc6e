"""One round after another: the whole of detection as a fold. PURE.

`advance` takes the state after the last round and everything measured in the next one. The same
rounds give the same state, whatever order their batches came in; so what is late is answered by
folding again from before it, never by patching.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from . import nation, network, past, world
from .ballots import Ballot, Count, Place, Standing, counted
from .nation import NationWatch, Seen
from .network import Condition, Watch
from .past import Past
from .thresholds import Thresholds
from .world import WorldWatch

Rates = Mapping[str, Mapping[str, float]]  # failing shares by platform and country


@dataclass(frozen=True, slots=True)
class Network:
    """Its watch, its probes' pasts by probe, and the votes of the last round."""

    watch: Watch = network.REST
    pasts: Mapping[str, Past] = field(default_factory=dict)
    votes: Count = field(default_factory=Count)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything that the next round depends on. `number` is the last round folded."""

    number: int = -1
    networks: Mapping[Place, Network] = field(default_factory=dict)
    nations: Mapping[tuple[str, str], NationWatch] = field(default_factory=dict)
    worlds: Mapping[str, WorldWatch] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What detection is told beside the measurements. `shares` are users' shares by country and ASN."""

    limits: Thresholds
    standings: Mapping[str, Standing] = field(default_factory=dict)
    shares: Mapping[str, Mapping[int, float]] = field(default_factory=dict)


def advance(
    state: State,
    number: int,
    ballots: Mapping[Place, Sequence[Ballot]],
    setting: Setting,
    abroad: Rates = MappingProxyType({}),
) -> State:
    """The state after round `number`, which must be the next. A network not heard from is one with no
    votes, not one that is gone. `abroad` are failing shares of countries of which there are no ballots
    here, where a fold is about one country alone."""
    places = sorted({*state.networks, *ballots})
    armed = {place: _armed(state, place, ballots.get(place, ()), setting.limits) for place in places}
    votes = counted(armed, setting.standings, setting.limits)
    rates = rates_of(votes, abroad, setting.limits)
    worlds = {
        platform: world.watch(
            state.worlds.get(platform, WorldWatch()), number, rates.get(platform, {}).values(), setting.limits
        )
        for platform in sorted({*state.worlds, *abroad, *(place.platform for place in places)})
    }
    networks = {}
    for place in places:
        elsewhere = world.elsewhere(rates.get(place.platform, {}), place.country, setting.limits)
        before = state.networks.get(place, Network())
        watch = network.watch(before.watch, number, votes[place], elsewhere, setting.limits)
        stands_still = worlds[place.platform].out_since is not None
        after = Network(watch, before.pasts, votes[place])
        if not before.watch.is_alarmed and not stands_still:
            after = _lived(after, ballots.get(place, ()), setting.limits)
        elif not stands_still and not _is_explained(state, place):
            after = _worn(after, ballots.get(place, ()), setting.limits)
        networks[place] = after
    return State(
        number=number, networks=networks, nations=_nations(state, number, networks, setting), worlds=worlds
    )


def _armed(state: State, place: Place, ballots: Iterable[Ballot], limits: Thresholds) -> list[Ballot]:
    known = state.networks.get(place, Network())
    lived = known.watch.lived
    # While something is suspected, who was armed stays so until it is plainly the probe that fails; once
    # it is confirmed, what fails is explained.
    most = limits.armed_ewma
    if known.watch.is_alarmed:
        most = math.inf if _is_explained(state, place) else limits.expire_ewma
    armed = []
    for ballot in ballots:
        its = known.pasts.get(ballot.probe)
        if its is None:
            continue
        if its.failing < most and past.is_armed(its, lived + 1, limits):
            armed.append(ballot)
    return armed


def _is_explained(state: State, place: Place) -> bool:
    """Whether what fails there is an event's doing and says nothing about the probes."""
    nation = state.nations.get((place.country, place.platform), NationWatch())
    return Condition.CONFIRMED in (state.networks[place].watch.condition, nation.condition)


def _lived(known: Network, ballots: Iterable[Ballot], limits: Thresholds) -> Network:
    """The network with one more round in its probes' pasts."""
    lived = known.watch.lived + 1
    pasts = dict(known.pasts)
    for ballot in ballots:
        its = pasts.get(ballot.probe, past.NEW)
        pasts[ballot.probe] = past.with_round(its, lived, reached=not ballot.failed, limits=limits)
    if lived % limits.armed_from == 0:  # who has long gone is forgotten
        pasts = {probe: its for probe, its in pasts.items() if lived - its.last <= limits.forget_rounds}
    return replace(known, watch=replace(known.watch, lived=lived), pasts=pasts)


def _worn(known: Network, ballots: Iterable[Ballot], limits: Thresholds) -> Network:
    """The network while something is suspected: the pasts stand still, but who always fails wears out;
    without this a few flaky probes would be an event for ever."""
    pasts = dict(known.pasts)
    for ballot in ballots:
        if ballot.probe in pasts:
            pasts[ballot.probe] = past.worn(pasts[ballot.probe], ballot.failed, limits)
    return replace(known, pasts=pasts)


def rates_of(votes: Mapping[Place, Count], abroad: Rates, limits: Thresholds) -> dict[str, dict[str, float]]:
    """By platform and country, the failing share of all votes of those with enough of them."""
    sums: dict[tuple[str, str], list[float]] = {}
    for place, one in votes.items():
        both = sums.setdefault((place.platform, place.country), [0.0, 0.0])
        both[0] += one.failing
        both[1] += one.votes
    found = {platform: dict(rates) for platform, rates in abroad.items()}
    for (platform, country), (failing, total) in sums.items():
        if total >= limits.least_votes:
            found.setdefault(platform, {})[country] = failing / total
    return found


def _nations(
    state: State, number: int, networks: Mapping[Place, Network], setting: Setting
) -> dict[tuple[str, str], NationWatch]:
    by_nation: dict[tuple[str, str], dict[int, Seen]] = {}
    for place, one in networks.items():
        by_nation.setdefault((place.country, place.platform), {})[place.asn] = Seen(one.watch, one.votes)
    return {
        key: nation.watch(
            state.nations.get(key, NationWatch()),
            number,
            seen,
            setting.shares.get(key[0], {}),
            setting.limits,
        )
        for key, seen in by_nation.items()
    }
