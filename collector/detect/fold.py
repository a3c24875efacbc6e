"""One round after another: the whole of detection as a fold. PURE.

`advance` takes the state after the last round and everything measured in the next one. The same
rounds give the same state, whatever order their batches came in; so what is late is answered by
folding again from before it, never by patching.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from . import nation, network, past, silence, slow, world
from .ballots import Ballot, Count, Place, Standing, counted
from .cells import CONNECTIVITY
from .nation import NationWatch, Seen
from .network import Condition, Watch
from .past import Past
from .quarantine import Orders, is_mute
from .slow import Speeds
from .spans import Span
from .thresholds import Thresholds
from .world import NOWHERE, Rates, WorldWatch


@dataclass(frozen=True, slots=True)
class Network:
    """Its watch, its probes' pasts by probe, and the votes of the last round."""

    watch: Watch = network.REST
    pasts: Mapping[str, Past] = field(default_factory=dict)
    votes: Count = field(default_factory=Count)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything that the next round depends on. `number` is the last round folded, `minute` the last
    minute that was listened to: silence does not wait for rounds. `worlds` are all countries together, by
    platform; `elsewhere` all but one, by that one and platform. `speeds` and `slow` are what `networks` and
    `nations` are, of throttling."""

    number: int = -1
    networks: Mapping[Place, Network] = field(default_factory=dict)
    nations: Mapping[tuple[str, str], NationWatch] = field(default_factory=dict)
    worlds: Mapping[str, WorldWatch] = field(default_factory=dict)
    speeds: Mapping[Place, Speeds] = field(default_factory=dict)
    slow: Mapping[tuple[str, str], NationWatch] = field(default_factory=dict)
    elsewhere: Mapping[tuple[str, str], WorldWatch] = field(default_factory=dict)
    minute: int = -1
    silences: Mapping[str, silence.Watch] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What detection is told beside the measurements. `shares` are users' shares by country and ASN;
    `mobile` the ASNs of mobile networks; `orders` tell whose votes are left out of the cells before any of
    them is read, and who is not listened to."""

    limits: Thresholds
    standings: Mapping[str, Standing] = field(default_factory=dict)
    shares: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    mobile: frozenset[int] = frozenset()
    orders: Orders = field(default_factory=dict)


def listen(
    state: State, number: int, spans: Collection[Span], setting: Setting, abroad: Sequence[float] = ()
) -> State:
    """The state after minute `number`, which must be the next, and of a round that is not folded yet.
    `spans` are those that reach into the six minutes before its end; others do no harm. `abroad` are the
    shares heard of countries of which there are no spans here."""
    watches = silence.advance(
        state.silences,
        _minute_of(number, spans, setting),
        setting.standings,
        setting.shares,
        setting.mobile,
        setting.limits,
        abroad,
    )
    return replace(state, minute=number, silences=watches)


def heard_in(number: int, spans: Collection[Span], setting: Setting) -> dict[str, float]:
    """By country, the share of homes that were heard at the end of a minute."""
    minute = _minute_of(number, spans, setting)
    return silence.heard(silence.homes_of(minute, setting.standings, setting.limits), minute, setting.limits)


def _minute_of(number: int, spans: Collection[Span], setting: Setting) -> silence.Minute:
    at, orders = number * 60.0, setting.orders
    some = [one for one in spans if not is_mute(orders, one.probe, one.prefix, at)] if orders else spans
    return silence.minute_of(some, number, setting.limits)


def advance(
    state: State,
    number: int,
    ballots: Mapping[Place, Sequence[Ballot]],
    setting: Setting,
    abroad: Rates = NOWHERE,
    slow_abroad: Rates = NOWHERE,
) -> State:
    """The state after round `number`, which must be the next. A network not heard from is one with no
    votes, not one that is gone. `abroad` are failing shares of countries of which there are no ballots
    here, where a fold is about one country alone; `slow_abroad` those of homes held back."""
    places = sorted({*state.networks, *ballots})
    armed = {place: _armed(state, place, ballots.get(place, ()), setting.limits) for place in places}
    votes = counted(armed, setting.standings, setting.limits)
    rates = world.rates(votes, abroad, setting.limits)
    worlds = {
        platform: world.watch(
            state.worlds.get(platform, WorldWatch()), number, rates.get(platform, {}).values(), setting.limits
        )
        for platform in sorted({*state.worlds, *abroad, *(place.platform for place in places)})
    }
    elsewhere = _elsewhere(state, number, places, rates, setting.limits)
    networks = {}
    for place in places:
        theirs = elsewhere[place.country, place.platform]
        before = state.networks.get(place, Network())
        watch = network.watch(before.watch, number, votes[place], theirs.rate, setting.limits)
        stands_still = theirs.is_troubled(number, setting.limits)
        after = Network(watch, before.pasts, votes[place])
        if not before.watch.is_alarmed and not stands_still:
            after = _lived(after, ballots.get(place, ()), setting.limits)
        elif not stands_still and not _is_explained(state, place):
            after = _worn(after, ballots.get(place, ()), setting.limits)
        # Else it is as if it had never been. Who is there and has no say is kept: it may have had one before
        # this round was folded again.
        if after.pasts or after.watch.is_alarmed or place in ballots:
            networks[place] = after
    speeds, slow_nations = _slow(state, number, ballots, setting, slow_abroad)
    return replace(
        state,
        number=number,
        networks=networks,
        nations=_nations(state.nations, number, networks, setting),
        worlds=worlds,
        elsewhere=elsewhere,
        speeds=speeds,
        slow=slow_nations,
        silences=_told(state.silences, ballots),
    )


def _told(
    silences: Mapping[str, silence.Watch], ballots: Mapping[Place, Sequence[Ballot]]
) -> dict[str, silence.Watch]:
    """What those who are silent say of their lines."""
    lines: dict[str, dict[int, Sequence[Ballot]]] = {}
    for place, some in ballots.items():
        if place.platform == CONNECTIVITY:
            lines.setdefault(place.country, {})[place.asn] = some
    return {country: silence.told(watch, lines.get(country, {})) for country, watch in silences.items()}


def _elsewhere(
    state: State, number: int, places: Iterable[Place], rates: Rates, limits: Thresholds
) -> dict[tuple[str, str], WorldWatch]:
    """Each platform in all countries but one, for each one."""
    return {
        (home, platform): world.watch(
            state.elsewhere.get((home, platform), WorldWatch()),
            number,
            [rate for country, rate in rates.get(platform, {}).items() if country != home],
            limits,
        )
        for home, platform in sorted({(place.country, place.platform) for place in places})
    }


def _slow(
    state: State,
    number: int,
    ballots: Mapping[Place, Sequence[Ballot]],
    setting: Setting,
    abroad: Rates,
) -> tuple[dict[Place, Speeds], dict[tuple[str, str], NationWatch]]:
    """Networks and nations by how fast platforms come."""
    explained = {key for key, one in state.slow.items() if one.condition is Condition.CONFIRMED}
    speeds = slow.advance(state.speeds, number, ballots, explained, setting.standings, abroad, setting.limits)
    rates = world.rates({place: one.votes for place, one in speeds.items()}, abroad, setting.limits)
    votes: dict[tuple[str, str], list[Count]] = {}
    for place, one in speeds.items():
        votes.setdefault((place.country, place.platform), []).append(one.votes)
    nations = _nations(state.slow, number, speeds, setting)
    for key, watch in nations.items():
        elsewhere = world.elsewhere(rates.get(key[1], {}), key[0], setting.limits)
        is_own = slow.is_everywhere(votes[key], elsewhere, setting.limits)
        if is_own and watch.condition is not Condition.CONFIRMED:
            nations[key] = NationWatch()
    return speeds, nations


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


def _nations(
    before: Mapping[tuple[str, str], NationWatch],
    number: int,
    networks: Mapping[Place, Network] | Mapping[Place, Speeds],
    setting: Setting,
) -> dict[tuple[str, str], NationWatch]:
    by_nation: dict[tuple[str, str], dict[int, Seen]] = {}
    for place, one in networks.items():
        by_nation.setdefault((place.country, place.platform), {})[place.asn] = Seen(one.watch, one.votes)
    return {
        key: nation.watch(
            before.get(key, NationWatch()),
            number,
            seen,
            setting.shares.get(key[0], {}),
            setting.limits,
        )
        for key, seen in by_nation.items()
    }
