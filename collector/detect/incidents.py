"""What the collector claims: incidents, made of alarms round by round. PURE.

One incident per country and event. A platform in trouble joins the incident that already speaks of it,
or one that began at nearly the same time; it ends when all its platforms are well again. What an
incident says of *why* stands apart from *that*: detection needs no cause, and a cause needs evidence.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from statistics import median

from . import silence
from .ballots import Count, Place, agreement
from .cells import CONNECTIVITY, HELD_BACK
from .fold import Network, State
from .nation import NationWatch
from .network import Condition
from .slow import Speeds
from .thresholds import Thresholds

WORLD = "*"  # the country of what is so everywhere


class Phase(StrEnum):
    """Where an incident or one platform's part in it stands. `DISMISSED` was suspected, never confirmed."""

    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"
    ENDED = "ended"
    DISMISSED = "dismissed"


class Scope(StrEnum):
    """How far it reaches."""

    NETWORK = "network"
    NATION = "nation"
    WORLD = "world"


class Cause(StrEnum):
    """Why, as far as it is shown. Each but the first rests on more than that something fails. Closed: it is
    a metric's label. From the weakest to the strongest: what was shown once stays shown."""

    DISRUPTION = "disruption"
    DEGRADATION = "degradation"
    THROTTLING = "throttling"
    LIKELY_BLOCKING = "likely_blocking"
    BLOCKING_CONFIRMED = "blocking_confirmed"
    COLLECTOR_BLOCKED = "collector_blocked"
    MOBILE_SHUTDOWN = "mobile_shutdown"
    SHUTDOWN = "shutdown"
    PLATFORM_OUTAGE = "platform_outage"


_STRENGTH = tuple(Cause)
# Of a silence the last word counts: what was measured meanwhile comes late, and may clear a nation.
_SILENT = frozenset({Cause.COLLECTOR_BLOCKED, Cause.MOBILE_SHUTDOWN, Cause.SHUTDOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnesses:
    """One network's worst round in an incident: homes that failed, of those armed and heard."""

    failing: int = 0
    of: int = 0
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Slowness:
    """What the homes that are held back measured, in the round in which they were most: medians of how
    many times as fast unrelated objects came, and of the platform's bits a second."""

    homes: int
    ratio: float
    bps: float
    is_extreme: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One platform in an incident, or `CONNECTIVITY`: the lines themselves, silent or cut. Rounds are the
    detector's: `since` the first that failed, `confirmed` the one that made it sure, `ended` the first that
    was well again; or, of what is `unheard`, the first in which nobody could tell any more. `national` is
    the first in which the nation failed, where it did. `networks` are those in trouble, of `networks_heard`
    that had votes enough, at most."""

    platform: str
    phase: Phase
    since: int
    confirmed: int | None = None
    ended: int | None = None
    scope: Scope = Scope.NETWORK
    cause: Cause = Cause.DISRUPTION
    broke: str = ""
    agreeing: float = 0.0
    artefacts: tuple[str, ...] = ()
    world: float | None = None
    networks: Mapping[int, Witnesses] = field(default_factory=dict)
    networks_heard: int = 0
    slow: Slowness | None = None
    unheard: bool = False
    national: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether it goes on."""
        return self.ended is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """`id` follows from where and when it began. `country` is `WORLD` for a platform's own outage."""

    id: str
    country: str
    parts: tuple[Part, ...]

    @property
    def is_open(self) -> bool:
        """Whether any part goes on."""
        return any(part.is_open for part in self.parts)

    @property
    def since(self) -> int:
        """The first round that failed."""
        return min(part.since for part in self.parts)

    @property
    def ended(self) -> int | None:
        """The first round in which all was well again; None while it goes on."""
        return None if self.is_open else max(part.ended or 0 for part in self.parts)

    @property
    def phase(self) -> Phase:
        """The strongest word that is true of it now."""
        phases = {part.phase for part in self.parts}
        order = (Phase.CONFIRMED, Phase.SUSPECTED, Phase.ENDED, Phase.DISMISSED)
        now = next(one for one in order if one in phases)
        # What was confirmed once is never again merely possible.
        return Phase.CONFIRMED if now is Phase.SUSPECTED and self.is_sure else now

    @property
    def is_sure(self) -> bool:
        """Whether any of its parts was ever confirmed."""
        return any(part.confirmed is not None for part in self.parts)

    @property
    def cause(self) -> Cause:
        """The strongest of its parts."""
        return max((part.cause for part in self.parts), key=_STRENGTH.index)

    @property
    def scope(self) -> Scope:
        """The widest of its parts."""
        order = (Scope.WORLD, Scope.NATION, Scope.NETWORK)
        return min((part.scope for part in self.parts), key=order.index)


def record(book: Collection[Incident], state: State, limits: Thresholds) -> tuple[Incident, ...]:
    """The incidents after a round, given those before it."""
    alarms: dict[tuple[str, str], Part] = {}
    for country, part in _alarms(state, limits):
        # Lines may be cut in one network and fall silent in another: one event of the lines.
        known = alarms.get((country, part.platform))
        alarms[country, part.platform] = part if known is None else _both(known, part)
    after = [_continued(incident, alarms, state, limits) for incident in book]
    spoken = {(one.country, part.platform) for one in after for part in one.parts if part.is_open}
    for key in sorted(alarms.keys() - spoken):
        country, part = key[0], alarms[key]
        at = next(
            (i for i, one in enumerate(after) if _joins(one, country, part, state.number, limits)), None
        )
        if at is None:
            after.append(Incident(id=_name(country, part, limits), country=country, parts=(part,)))
        else:
            after[at] = _with(after[at], part)
    # What ended so long ago that nothing can change it stands as it was published.
    oldest = state.number - limits.late_rounds
    kept = (one for one in after if one.ended is None or one.ended >= oldest)
    return tuple(sorted(kept, key=lambda one: (one.since, one.id)))


def _alarms(state: State, limits: Thresholds) -> Iterator[tuple[str, Part]]:
    """Every platform in trouble somewhere, as the part it would be if it were new."""
    fails = _parts(state, state.networks, state.nations, limits)
    slow = _parts(state, state.speeds, state.slow, limits)
    for key in sorted({*fails, *slow}):
        part = _one(fails[key], slow[key]) if key in fails and key in slow else (fails | slow)[key]
        yield key[0], _degraded(part) if part.platform == CONNECTIVITY else part
    for platform, world in state.worlds.items():
        # Where the controls fail everywhere it is the controls.
        if world.out_since is not None and platform != CONNECTIVITY:
            yield (
                WORLD,
                Part(
                    platform=platform,
                    phase=Phase.CONFIRMED,
                    since=world.out_since,
                    confirmed=state.number,
                    scope=Scope.WORLD,
                    cause=Cause.PLATFORM_OUTAGE,
                    world=world.rate,
                ),
            )
    for country, watch in state.silences.items():
        if watch.event is not None and watch.is_alarmed:
            yield country, _silence(watch, watch.event, limits)


def _degraded(part: Part) -> Part:
    """Lines that are up and reach no control abroad: of the lines, whatever else their votes have in
    common."""
    is_national = part.phase is Phase.CONFIRMED and part.scope is Scope.NATION
    return replace(part, cause=Cause.DEGRADATION if is_national else Cause.DISRUPTION)


def _silence(watch: silence.Watch, event: silence.Event, limits: Thresholds) -> Part:
    """A country that has fallen silent: of all platforms and of none."""
    is_sure = event.confirmed is not None
    return Part(
        platform=CONNECTIVITY,
        phase=Phase.CONFIRMED if is_sure else Phase.SUSPECTED,
        since=_round_of(event.since, limits),
        confirmed=_round_of(event.confirmed, limits) if event.confirmed is not None else None,
        scope=Scope.NATION if event.nationwide else Scope.NETWORK,
        cause=_cause_of(event, limits) if is_sure else Cause.DISRUPTION,
        networks={
            asn: Witnesses(failing=dark.homes, of=dark.of, confirmed=watch.is_sure_alone(dark, limits))
            for asn, dark in watch.networks.items()
        },
        networks_heard=event.networks,
        national=_round_of(event.since, limits) if event.nationwide else None,
    )


def _cause_of(event: silence.Event, limits: Thresholds) -> Cause:
    if event.was_heard_elsewhere(limits):
        return Cause.COLLECTOR_BLOCKED
    if not event.nationwide:
        return Cause.DISRUPTION
    return Cause.SHUTDOWN if event.beyond_mobile else Cause.MOBILE_SHUTDOWN


def _round_of(minute: int, limits: Thresholds) -> int:
    return int(minute * 60 // limits.round_s)


def _parts(
    state: State,
    networks: Mapping[Place, Network] | Mapping[Place, Speeds],
    nations: Mapping[tuple[str, str], NationWatch],
    limits: Thresholds,
) -> dict[tuple[str, str], Part]:
    """By country and platform, what one of the two watches is alarmed by."""
    alarmed: dict[tuple[str, str], dict[int, Network | Speeds]] = {}
    for place, one in networks.items():
        if one.watch.is_alarmed:
            alarmed.setdefault((place.country, place.platform), {})[place.asn] = one
    return {
        key: _part(state, key, nation, alarmed.get(key, {}), limits)
        for key, nation in nations.items()
        if nation.is_alarmed
        or any(one.watch.condition is Condition.CONFIRMED for one in alarmed.get(key, {}).values())
    }


def _one(fails: Part, slow: Part) -> Part:
    """Homes that fail and homes that are held back are one event. What most of them see says which."""
    both, failing, held = _both(fails, slow), *(_homes(part) for part in (fails, slow))
    most = slow if held > failing and not fails.artefacts else fails
    return replace(both, cause=most.cause, broke=most.broke, agreeing=most.agreeing)


def _homes(part: Part) -> int:
    return sum(one.failing for one in part.networks.values())


def _part(
    state: State,
    key: tuple[str, str],
    nation: NationWatch,
    alarmed: Mapping[int, Network | Speeds],
    limits: Thresholds,
) -> Part:
    sure = [one for one in alarmed.values() if one.watch.condition is Condition.CONFIRMED]
    is_sure = bool(sure) or nation.condition is Condition.CONFIRMED
    broke, agreeing = agreement([one.votes for one in alarmed.values()])
    elsewhere = state.elsewhere[key]
    is_slow = broke == HELD_BACK and agreeing > limits.confirm_share
    # Where words are few, one slow by chance is long on its network's score, and soon gone from the nation's.
    climbs = [nation] if is_slow and nation.since is not None else [one.watch for one in alarmed.values()]
    since = min((one.since for one in climbs if one.since is not None), default=state.number)
    # Of a nation, of enough of it, and of nothing that the world has had since it began: the table's word.
    is_national = nation.condition is Condition.CONFIRMED and nation.share >= limits.nation_share
    is_likely = is_national and elsewhere.was_well(since) and agreeing >= limits.agreement
    artefacts = _artefacts([one.votes for one in alarmed.values()])
    cause = _cause(is_sure=is_sure, is_likely=is_likely, is_shown=bool(artefacts))
    return Part(
        platform=key[1],
        phase=Phase.CONFIRMED if is_sure else Phase.SUSPECTED,
        since=since,
        confirmed=state.number if is_sure else None,
        scope=Scope.NATION if nation.is_alarmed else Scope.NETWORK,
        cause=Cause.THROTTLING if is_slow and not artefacts else cause,
        broke=broke,
        agreeing=round(agreeing, 3),
        artefacts=artefacts,
        world=elsewhere.rate,
        networks={
            asn: Witnesses(
                failing=one.votes.failing_prefixes,
                of=one.votes.prefixes,
                confirmed=one.watch.condition is Condition.CONFIRMED,
            )
            for asn, one in sorted(alarmed.items())
        },
        networks_heard=max(nation.networks, len(alarmed)),
        national=nation.since if nation.is_alarmed else None,
        slow=_slowness([one.votes for one in alarmed.values()], limits) if is_slow else None,
    )


def _slowness(votes: Iterable[Count], limits: Thresholds) -> Slowness | None:
    """None where nobody's ratio is known: handshakes can be held back as well."""
    speeds = [speed for one in votes for speed in one.speeds]
    if not speeds:
        return None
    ratio = median(speed.ratio for speed in speeds)
    return Slowness(
        homes=len(speeds),
        ratio=round(ratio, 2),
        bps=round(median(speed.bps for speed in speeds)),
        is_extreme=ratio >= limits.extreme_ratio,
    )


def _artefacts(votes: Iterable[Count]) -> tuple[str, ...]:
    """The mechanisms that two homes or more have shown beyond doubt: one could be a liar."""
    together: dict[str, int] = {}
    for one in votes:
        for mechanism, homes in one.artefacts.items():
            together[mechanism] = together.get(mechanism, 0) + homes
    return tuple(sorted(mechanism for mechanism, homes in together.items() if homes > 1))


def _cause(*, is_sure: bool, is_likely: bool, is_shown: bool) -> Cause:
    if is_sure and is_shown:
        return Cause.BLOCKING_CONFIRMED
    return Cause.LIKELY_BLOCKING if is_likely else Cause.DISRUPTION


def _continued(
    incident: Incident, alarms: Mapping[tuple[str, str], Part], state: State, limits: Thresholds
) -> Incident:
    parts = []
    for part in incident.parts:
        now = alarms.get((incident.country, part.platform))
        if part.is_open and now is not None:
            parts.append(_both(part, now))
        elif part.is_open:
            parts.append(_over(part, state, incident.country, limits))
        else:
            parts.append(_told(part, state, incident.country, limits))
    return replace(incident, parts=tuple(parts))


def _over(part: Part, state: State, country: str, limits: Thresholds) -> Part:
    sure = part.confirmed is not None
    # Its last rounds were the proof that it is over: it was well from the first of them.
    over, heard_at = state.number - limits.end_rounds, _heard_at(part, state, country)
    ended = max(part.since + 1, min(over, heard_at) + 1)
    event = _event(part, state, country)
    if event is not None and event.over is not None:
        ended = max(ended, _round_of(event.over, limits))
    phase = Phase.ENDED if sure else Phase.DISMISSED
    return replace(part, phase=phase, ended=ended, unheard=heard_at < over)


def _heard_at(part: Part, state: State, country: str) -> int:
    """The newest round in which a network of the part had votes."""
    places = [Place(country, asn, part.platform) for asn in part.networks]
    watches = [
        known[place].watch for known in (state.networks, state.speeds) for place in places if place in known
    ]
    return max((one.heard_at for one in watches if one.heard_at is not None), default=state.number)


def _event(part: Part, state: State, country: str) -> silence.Event | None:
    watch = state.silences.get(country)
    return watch.event if watch is not None and part.platform == CONNECTIVITY else None


def _told(part: Part, state: State, country: str, limits: Thresholds) -> Part:
    """A silence that is over and of which nobody has anything to tell: the machines were off, and why is not
    known."""
    event = _event(part, state, country)
    if event is None or not event.was_never_told_of(state.minute, limits):
        return part
    is_its = part.since <= _round_of(event.since, limits) <= (part.ended or 0)
    return replace(part, cause=Cause.DISRUPTION) if is_its else part


def _both(before: Part, now: Part) -> Part:
    """A part that goes on: what was shown once stays, and each network's worst round is kept."""
    networks = dict(before.networks)
    for asn, seen in now.networks.items():
        known = networks.get(asn, Witnesses())
        worst = max(known, seen, key=lambda one: (one.failing, -one.of))
        networks[asn] = replace(worst, confirmed=known.confirmed or seen.confirmed)
    # What comes again within a few rounds of its end never ended: it is as sure as it was.
    sure = before.confirmed is not None or now.confirmed is not None
    cause = now.cause if now.cause in _SILENT else max(before.cause, now.cause, key=_STRENGTH.index)
    # A network that is the last to recover must not date a nation's throttling by its own score.
    is_dated = before.cause is Cause.THROTTLING and before.confirmed is not None
    better = now.broke and (
        now.agreeing >= before.agreeing if now.cause is before.cause else now.cause is cause
    )
    return replace(
        before,
        phase=Phase.CONFIRMED if sure else Phase.SUSPECTED,
        since=before.since if is_dated else min(before.since, now.since),
        confirmed=now.confirmed if before.confirmed is None else before.confirmed,
        ended=None,
        unheard=False,
        national=now.national if before.national is None else before.national,
        scope=Scope.NATION if Scope.NATION in (before.scope, now.scope) else before.scope,
        cause=cause,
        broke=now.broke if better else before.broke,
        agreeing=now.agreeing if better else before.agreeing,
        artefacts=tuple(sorted({*before.artefacts, *now.artefacts})),
        networks=dict(sorted(networks.items())),
        networks_heard=max(before.networks_heard, now.networks_heard),
        slow=max((one.slow for one in (now, before) if one.slow), key=lambda one: one.homes, default=None),
    )


def _joins(incident: Incident, country: str, part: Part, number: int, limits: Thresholds) -> bool:
    """Whether a platform's new trouble belongs to an incident: the same again just after it ended, or
    another platform's that began with it."""
    if incident.country != country:
        return False
    if any(
        one.platform == part.platform and one.ended is not None and number - one.ended <= limits.reopen_rounds
        for one in incident.parts
    ):
        return True
    return incident.is_open and any(
        abs(one.since - part.since) <= limits.together_rounds for one in incident.parts
    )


def _with(incident: Incident, part: Part) -> Incident:
    known = next((one for one in incident.parts if one.platform == part.platform), None)
    if known is None:
        return replace(incident, parts=tuple(sorted((*incident.parts, part), key=lambda one: one.platform)))
    parts = tuple(_both(one, part) if one is known else one for one in incident.parts)
    return replace(incident, parts=parts)


def _name(country: str, part: Part, limits: Thresholds) -> str:
    """Where, and the minute in which the first failing round began: the same data, the same name."""
    where = part.platform if country == WORLD else country.lower()
    return f"{where}-{datetime.fromtimestamp(part.since * limits.round_s, UTC):%Y%m%dT%H%MZ}"
