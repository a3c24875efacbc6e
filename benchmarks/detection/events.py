"""Events, as ballots of homes through the whole fold, arming and all: how soon, how often, how it ends. PURE.

A home measures once a round, at a phase of its own give or take the agent's jitter; an event takes a home
or spares it for as long as it lasts (its efficacy is the chance of each), and begins and ends at any
moment within a round. Delays are the time from that moment to the end of the round that decided, in
rounds: what a collector that hears each round at its end can know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

from collector.detect.ballots import Ballot, Place, Standing
from collector.detect.fold import Setting, State, advance
from collector.detect.incidents import Cause, Incident, Scope, record
from collector.detect.network import ALARMED, Condition
from collector.detect.thresholds import DEFAULT, Thresholds
from probe.schedule import JITTER

from .noise import Noise, cumulative, failing
from .peer import PUBLISHED_H, ROUNDS_AN_HOUR, Counts, Medians
from .years import FOUR, SEVEN

# Until everybody is armed.
WARM = 26
# Rounds of noise between two trials that go out from the same quiet state.
APART = 3
# Rounds that are looked at after the end of an event: it must be over, and not be told again.
AFTER = 10
# How long an event lasts, in rounds: as often between half an hour and one as between two and four.
SHORTEST, LONGEST = 6.0, 48.0
# A platform is hit within so many rounds of the first.
TOGETHER = 2.0
# Whom the peers do not see in so many hours they do not see.
PEERS_WAIT_H = 48
HERE, ABROAD, ABROAD_HOMES = "HH", 8, 5
FIRST = 5_000_000


class Kind(StrEnum):
    """What happens: all networks of a nation, one of its four, four platforms at once, or the platform
    itself is out, everywhere."""

    NATION_4 = "nation of 4 networks"
    NATION_7 = "nation of 7 networks"
    NETWORK = "one network of 4"
    PLATFORMS = "4 platforms, nation of 4 networks"
    OUTAGE = "the platform is out everywhere"


@dataclass(frozen=True, slots=True)
class Case:
    """`homes` is of each network of the country; `efficacy` the chance that a home is hit; `lasts` is in
    rounds, where it is not drawn; `away` the chance that a home says nothing in a round."""

    kind: Kind
    homes: int
    efficacy: float
    noise: str = "as studied"
    lasts: float | None = None
    away: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What became of one event. Delays are in rounds, None for never. Of a network's case the networks'
    delays are the network's that is hit, of a nation's those of its first. `over` is from the end to the
    incident's, of one that `was_open` then; `dated` how many rounds its start was dated off."""

    suspected: float | None
    confirmed: float | None
    nation_suspected: float | None
    nation_confirmed: float | None
    was_open: bool
    over: float | None
    dated: int | None
    incidents: int
    called_blocking: bool
    medians_h: float | None
    counts_h: float | None


@dataclass(frozen=True, slots=True)
class _Home:
    place: Place
    probe: str
    prefix: str
    phase: float


@dataclass(frozen=True, slots=True)
class _Event:
    """From when on each probe is hit on each platform, in rounds, and until when."""

    since: float
    until: float
    hit: Mapping[tuple[str, str], float]

    def fails(self, home: _Home, at: float) -> bool:
        """Whether a measurement at `at` fails by it."""
        since = self.hit.get((home.probe, home.place.platform))
        return since is not None and since <= at < self.until


_NOTHING = _Event(0.0, 0.0, {})


def trials(
    case: Case, number: int, noise: Noise, chance: Random, limits: Thresholds = DEFAULT
) -> Iterator[Trial]:
    """So many events of one kind, each from another quiet state."""
    scene = _Scene(case, noise, chance, limits)
    state = State(number=FIRST)
    for _ in range(WARM):
        state = scene.after(state, _NOTHING)
    for _ in range(number):
        for _ in range(APART):
            state = scene.after(state, _NOTHING)
        yield scene.tried(state)


class _Scene:
    """The homes of a case, and how they vote."""

    def __init__(self, case: Case, noise: Noise, chance: Random, limits: Thresholds) -> None:
        self._case, self._chance, self._limits = case, chance, limits
        self._noise = noise
        shares = SEVEN if case.kind is Kind.NATION_7 else FOUR
        self._asns = tuple(shares)
        self._platforms = ("facebook", "instagram", "x", "youtube") if case.kind is Kind.PLATFORMS else ("x",)
        self._networks: dict[Place, list[_Home]] = {}
        for platform in self._platforms:
            for asn in self._asns:
                self._settle(Place(HERE, asn, platform), case.homes, twins=True)
            for abroad in range(ABROAD):
                self._settle(Place(f"A{abroad}", 1, platform), ABROAD_HOMES, twins=False)
        self._tables = {size: cumulative(size, noise) for size in (case.homes, ABROAD_HOMES)}
        standings = {home.probe: Standing(0.0) for homes in self._networks.values() for home in homes}
        self._setting = Setting(limits=limits, standings=standings, shares={HERE: shares})

    def _settle(self, place: Place, homes: int, *, twins: bool) -> None:
        """One probe in each home, and in the first one two: they are one vote."""
        of = f"{place.country}-{place.asn}"
        prefixes = [f"{of}-{n}" for n in range(homes)]
        named = [(f"{prefix}-a", prefix) for prefix in prefixes]
        if twins:
            named.append((f"{prefixes[0]}-b", prefixes[0]))
        self._networks[place] = [
            _Home(place, probe, prefix, self._chance.random()) for probe, prefix in named
        ]

    def after(self, state: State, event: _Event) -> State:
        """The state after one more round."""
        number = state.number + 1
        said = {place: list(self._said(number, homes, event)) for place, homes in self._networks.items()}
        return advance(state, number, said, self._setting)

    def _said(self, number: int, homes: Sequence[_Home], event: _Event) -> Iterator[Ballot]:
        prefixes = sorted({home.prefix for home in homes})
        bad = failing(len(prefixes), self._tables[len(prefixes)], self._chance)
        anyway = frozenset(self._chance.sample(prefixes, bad)) if bad else frozenset()
        for home in homes:
            if self._chance.random() < self._case.away:
                continue
            jitter = self._chance.uniform(-JITTER, JITTER)
            at = number + min(max(home.phase + jitter, 0.0), 0.999)
            hit = event.fails(home, at)
            yield Ballot(
                probe=home.probe,
                at=at * self._limits.round_s,
                prefix=home.prefix,
                failed=hit or home.prefix in anyway,
                broke="tls tls_reset_error" if hit else "tcp generic_timeout_error",
            )

    def _event(self, first: int) -> _Event:
        """One that begins in round `first`."""
        since = first + self._chance.random()
        lasts = self._case.lasts or SHORTEST * (LONGEST / SHORTEST) ** self._chance.random()
        until = since + lasts
        hit: dict[tuple[str, str], float] = {}
        outage = self._case.kind is Kind.OUTAGE
        where = {
            country: self._case.efficacy * (self._chance.uniform(0.5, 1.0) if outage else 1.0)
            for country in sorted({place.country for place in self._networks})
        }
        starts = {platform: since + self._chance.uniform(0, TOGETHER) for platform in self._platforms}
        starts[self._platforms[0]] = since
        homes: dict[str, bool] = {}
        for place, some in self._networks.items():
            if place.country != HERE and not outage:
                continue
            if self._case.kind is Kind.NETWORK and place.asn != self._asns[0]:
                continue
            for home in some:
                if home.prefix not in homes:
                    homes[home.prefix] = self._chance.random() < where[place.country]
                if homes[home.prefix]:
                    hit[home.probe, place.platform] = starts[place.platform]
        return _Event(since, until, hit)

    def tried(self, state: State) -> Trial:
        """One event from this state on, of homes that measure at other moments than the last one's."""
        self._networks = {
            place: [replace(home, phase=self._chance.random()) for home in homes]
            for place, homes in self._networks.items()
        }
        event = self._event(state.number + 1)
        found: dict[str, float] = {}
        over: float | None = None
        book: tuple[Incident, ...] = ()
        confirmed: set[str] = set()
        called, open_in_the_end = False, False
        for _ in range(int(event.until) + AFTER - state.number):
            state = self.after(state, event)
            book = record(book, state, self._limits)
            ours = [one for one in book if one.country == HERE and _is_sure(one)]
            confirmed |= {one.id for one in ours}
            called |= any(part.cause is not Cause.DISRUPTION for one in ours for part in one.parts)
            now = state.number + 1
            is_open = any(one.is_open for one in ours)
            if state.number < event.until:
                open_in_the_end = is_open
                for word in self._words(state):
                    found.setdefault(word, now - event.since)
            elif over is None and open_in_the_end and not is_open:
                over = now - event.until
        medians_h, counts_h = self._peers(event)
        sure = [one for one in book if one.country == HERE and _is_sure(one)]
        return Trial(
            suspected=found.get("network suspected"),
            confirmed=found.get("network confirmed"),
            nation_suspected=found.get("nation suspected"),
            nation_confirmed=found.get("nation confirmed"),
            was_open=open_in_the_end,
            over=over,
            dated=sure[0].since - int(event.since) if sure else None,
            incidents=len(confirmed),
            called_blocking=called,
            medians_h=medians_h,
            counts_h=counts_h,
        )

    def _words(self, state: State) -> Iterator[str]:
        """What is said of the country, or of the network that is hit."""
        platform = self._platforms[0]
        asns = self._asns[:1] if self._case.kind is Kind.NETWORK else self._asns
        conditions = {state.networks[Place(HERE, asn, platform)].watch.condition for asn in asns}
        nation = state.nations[HERE, platform].condition
        for whose, said in (("network", conditions), ("nation", {nation})):
            if said & ALARMED:
                yield f"{whose} suspected"
            if Condition.CONFIRMED in said:
                yield f"{whose} confirmed"

    def _peers(self, event: _Event) -> tuple[float | None, float | None]:
        """Hours until each of OONI's detectors has published that any of the country's networks is blocked,
        if this event does not end: the same homes from the same moment on, noise by the same law."""
        platform = self._platforms[0]
        found: list[float | None] = [None, None]
        pairs: list[tuple[Medians | Counts, ...]] = [(Medians(), Counts()) for _ in self._asns]
        networks = [self._networks[Place(HERE, asn, platform)] for asn in self._asns]
        homes = [[home for home in some if home.probe.endswith("-a")] for some in networks]
        hits = [sum((home.probe, platform) in event.hit for home in some) for some in homes]
        hour = int(event.since) // ROUNDS_AN_HOUR
        for number in range(hour, hour + PEERS_WAIT_H):
            for some, hit, pair in zip(homes, hits, pairs, strict=True):
                bad = self._failing_in_hour(number, some, hit, event)
                for which, peer in enumerate(pair):
                    if peer.alarms(bad, len(some) * ROUNDS_AN_HOUR) and found[which] is None:
                        found[which] = number + 1 + PUBLISHED_H - event.since / ROUNDS_AN_HOUR
            if None not in found:
                break
        return found[0], found[1]

    def _failing_in_hour(self, hour: int, homes: Sequence[_Home], hit: int, event: _Event) -> int:
        bad = 0
        for number in range(hour * ROUNDS_AN_HOUR, (hour + 1) * ROUNDS_AN_HOUR):
            by_event = hit if number > event.since else 0
            if number == int(event.since):
                by_event = sum(event.fails(home, number + home.phase) for home in homes)
            anyway = failing(len(homes), self._tables[len(homes)], self._chance)
            bad += by_event + round(anyway * (len(homes) - by_event) / len(homes))
        return bad


def _is_sure(incident: Incident) -> bool:
    return incident.scope is not Scope.WORLD and any(part.confirmed is not None for part in incident.parts)
