"""Years in which nobody interferes, as counts of votes: every alarm in them is false. PURE.

All lands are each other's world, round by round, so the world rate is in play. The watches are the
collector's own. A land at rest whose votes cannot raise any score is not asked: the step of a network is
largest where nothing fails elsewhere, so a count that adds nothing then adds nothing ever (a test holds
that leaving these rounds out changes no alarm).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import ceil
from random import Random

from collector.detect import likelihood, nation, network, world
from collector.detect.ballots import Count, Place
from collector.detect.fold import Network, State
from collector.detect.incidents import Incident, record
from collector.detect.nation import NationWatch, Seen
from collector.detect.network import Condition, Watch
from collector.detect.thresholds import DEFAULT, Thresholds
from collector.detect.world import WorldWatch

from .noise import Noise, cumulative, failing, some_of, troubles
from .peer import ROUNDS_AN_HOUR, Counts, Medians

PLATFORM = "x"
# An alarm belongs to the last trouble of its land that touched so many rounds before it, else to noise.
NEAR = 4


@dataclass(frozen=True, slots=True)
class Land:
    """Homes of each network, and users' shares by ASN (1, 2, …)."""

    name: str
    homes: tuple[int, ...]
    shares: Mapping[int, float]


def lands() -> tuple[Land, ...]:
    """Every number of homes, on four networks and on seven of very unequal weight, and two mixed lands."""
    even = (
        Land(f"{len(shares)} x {size}", (size,) * len(shares), shares)
        for size in HOMES
        for shares in (FOUR, SEVEN)
    )
    mixed = (
        Land("4, mixed", (20, 10, 5, 3), FOUR),
        Land("7, mixed", (20, 20, 10, 8, 5, 5, 3), SEVEN),
    )
    return (*even, *mixed)


HOMES = (3, 5, 8, 10, 20)
# Users' shares of the networks of a country whose largest provider has nearly half of it, and of one
# with many: shaped like markets as regulators publish them, not one country's.
FOUR: Mapping[int, float] = {1: 0.45, 2: 0.30, 3: 0.15, 4: 0.10}
SEVEN: Mapping[int, float] = {1: 0.35, 2: 0.20, 3: 0.15, 4: 0.12, 5: 0.08, 6: 0.06, 7: 0.04}


@dataclass(frozen=True, slots=True)
class Alarm:
    """A change to SUSPECTED or CONFIRMED. `asn` is 0 for the nation; `because` is the trouble near it."""

    number: int
    land: str
    asn: int
    homes: int
    condition: Condition
    because: str


@dataclass(frozen=True, slots=True)
class Year:
    """What was said in `rounds` rounds of every land. `told` counts incidents that were ever confirmed, by
    land; `asked` the rounds of lands that were not left out; the peers' alarms are by homes."""

    noise: str
    rounds: int
    asked: int
    alarms: tuple[Alarm, ...]
    told: Mapping[str, int]
    outages: int
    medians: Mapping[int, int]
    counts: Mapping[int, int]


@dataclass(slots=True)
class _Known:
    """One land's watches, and the incidents it has."""

    land: Land
    first: int
    watches: list[Watch] = field(default_factory=list)
    nation: NationWatch = field(default_factory=NationWatch)
    votes: list[Count] = field(default_factory=list)
    book: tuple[Incident, ...] = ()
    told: set[str] = field(default_factory=set)
    near: tuple[int, str] = (-NEAR, "")

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing that the next round depends on is other than in the beginning."""
        return (
            not self.nation.score
            and not self.nation.is_alarmed
            and not any(one.score or one.bad_rounds or one.is_alarmed for one in self.watches)
        )


def lived(
    some: Sequence[Land],
    rounds: int,
    noise: Noise,
    chance: Random,
    *,
    limits: Thresholds = DEFAULT,
    skip: bool = True,
) -> Year:
    """So many rounds of those lands."""
    sizes = [size for land in some for size in land.homes]
    tables = {size: cumulative(size, noise) for size in set(sizes)}
    rows = [tables[size] for size in sizes]
    loud = [_loud(size, limits) for size in sizes]
    owner = [n for n, land in enumerate(some) for _ in land.homes]
    known = [_Known(land, owner.index(n)) for n, land in enumerate(some)]
    touched = _touched(some, rounds, noise, chance)
    awake = set(range(len(some)))
    alarms: list[Alarm] = []
    peers = _Peers(sizes)
    everywhere, outages, asked = WorldWatch(), 0, 0
    for number in range(rounds):
        counts = [failing(size, row, chance) for size, row in zip(sizes, rows, strict=True)]
        late: dict[int, int] = {}
        for hit in touched.pop(number, ()):
            late[hit.at] = late.get(hit.at, 0) + _add_trouble(counts, hit, sizes[hit.at], chance, limits)
            known[owner[hit.at]].near = (number, hit.kind)
        peers.hear(number, counts)
        asks = awake | {owner[n] for n, (k, least) in enumerate(zip(counts, loud, strict=True)) if k >= least}
        if not skip:
            asks = set(range(len(some)))
        rates = _rates(known, counts, sizes)
        everywhere, began = _everywhere(everywhere, number, rates, limits)
        outages += began
        for at in sorted(asks):
            asked += 1
            one = known[at]
            others = [rate for name, rate in rates.items() if name != one.land.name]
            elsewhere = world.trimmed(others, limits)
            alarms += _ask(one, number, counts, late, elsewhere, limits)
            _write(one, number, everywhere, elsewhere, limits)
            (awake.discard if one.is_at_rest else awake.add)(at)
    return Year(
        noise=noise.name,
        rounds=rounds,
        asked=asked,
        alarms=tuple(alarms),
        told={one.land.name: len(one.told) for one in known},
        outages=outages,
        medians=peers.medians_alarms,
        counts=peers.counts_alarms,
    )


def _loud(size: int, limits: Thresholds) -> int:
    """The fewest failing homes that can raise a network's score or be a bad round."""
    return next(
        k
        for k in range(size + 1)
        if likelihood.step(k, size, None, limits) > 0 or k >= limits.confirm_share * size
    )


@dataclass(frozen=True, slots=True)
class _Hit:
    """`homes` homes of a network in trouble in one round, from where to where in it; whose it is."""

    at: int
    homes: int
    since: float
    until: float
    kind: str


def _touched(some: Sequence[Land], rounds: int, noise: Noise, chance: Random) -> dict[int, list[_Hit]]:
    """Who is in trouble, by round."""
    found: dict[int, list[_Hit]] = {}
    for trouble in troubles([land.homes for land in some], rounds, noise, chance):
        for number, since, until in trouble.parts():
            row = found.setdefault(number, [])
            row += [_Hit(at, homes, since, until, trouble.kind) for at, homes in trouble.hits]
    return found


def _add_trouble(counts: list[int], hit: _Hit, size: int, chance: Random, limits: Thresholds) -> int:
    """Let the homes fail that measure within the trouble, whoever fails anyway; how many of those that
    measure last in the round do."""
    moments = sorted(chance.random() for _ in range(size))
    taken = chance.sample(range(size), hit.homes)
    seen = [home for home in taken if hit.since <= moments[home] < hit.until]
    anyway = some_of(counts[hit.at], (size - len(seen)) / size, chance)
    counts[hit.at] = min(size, len(seen) + anyway)
    last = ceil(size * limits.late_part)
    return min(last, sum(home >= size - last for home in seen) + some_of(anyway, last / size, chance))


def _rates(known: Sequence[_Known], counts: Sequence[int], sizes: Sequence[int]) -> dict[str, float]:
    rates = {}
    for one in known:
        its = slice(one.first, one.first + len(one.land.homes))
        rates[one.land.name] = sum(counts[its]) / sum(sizes[its])
    return rates


def _everywhere(
    before: WorldWatch, number: int, rates: Mapping[str, float], limits: Thresholds
) -> tuple[WorldWatch, bool]:
    """The platform everywhere, and whether its outage began now."""
    after = world.watch(before, number, rates.values(), limits)
    return after, after.out_since is not None and before.out_since is None


@cache
def _count(failing_homes: int, homes: int, late: int | None, last: int) -> Count:
    """Of the homes the `last` measured last, and `late` of these failed; None where nobody drew it, because
    nothing but noise fails: then they fail as all do."""
    return Count(
        votes=float(homes),
        failing=float(failing_homes),
        prefixes=homes,
        failing_prefixes=failing_homes,
        late_votes=0.0 if late is None else float(last),
        late_failing=float(late or 0),
    )


def _ask(
    one: _Known,
    number: int,
    counts: Sequence[int],
    late: Mapping[int, int],
    elsewhere: float | None,
    limits: Thresholds,
) -> list[Alarm]:
    """Put one land's votes before its watches; what they say that they did not say before."""
    homes = one.land.homes
    before = one.watches or [network.REST] * len(homes)
    one.votes = [
        _count(counts[at], size, late.get(at), ceil(size * limits.late_part))
        for at, size in enumerate(homes, one.first)
    ]
    one.watches = [
        network.watch(watch, number, votes, elsewhere, limits)
        for watch, votes in zip(before, one.votes, strict=True)
    ]
    seen = {
        asn: Seen(watch, votes)
        for asn, (watch, votes) in enumerate(zip(one.watches, one.votes, strict=True), 1)
    }
    was = one.nation
    one.nation = nation.watch(was, number, seen, one.land.shares, limits)
    pairs = [(0, sum(homes), was.condition, one.nation.condition)]
    pairs += [
        (asn, homes[asn - 1], old.condition, new.watch.condition)
        for old, (asn, new) in zip(before, seen.items(), strict=True)
    ]
    because = one.near[1] if number - one.near[0] < NEAR else "noise"
    return [
        Alarm(number, one.land.name, asn, size, now, because)
        for asn, size, then, now in pairs
        if now is not then and now in network.ALARMED
    ]


def _write(
    one: _Known, number: int, everywhere: WorldWatch, elsewhere: float | None, limits: Thresholds
) -> None:
    """Keep the land's incidents, where it has any or is about to. Their causes are nobody's question here."""
    alarmed = one.nation.is_alarmed or any(watch.is_alarmed for watch in one.watches)
    if not alarmed and not any(incident.is_open for incident in one.book):
        return
    name = one.land.name
    state = State(
        number=number,
        networks={
            Place(name, asn, PLATFORM): Network(watch, {}, votes)
            for asn, (watch, votes) in enumerate(zip(one.watches, one.votes, strict=True), 1)
        },
        nations={(name, PLATFORM): one.nation},
        worlds={PLATFORM: everywhere},
        elsewhere={(name, PLATFORM): WorldWatch(rate=elsewhere)},
    )
    # What ended too long ago to go on is of no more use.
    recent = [
        incident
        for incident in one.book
        if incident.ended is None or number - incident.ended <= limits.reopen_rounds
    ]
    one.book = record(recent, state, limits)
    one.told |= {
        incident.id
        for incident in one.book
        if incident.country == name and any(part.confirmed is not None for part in incident.parts)
    }


class _Peers:
    """OONI's detectors, one of each for every network."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = sizes
        self._hour = [0] * len(sizes)
        self._medians = [Medians() for _ in sizes]
        self._counts = [Counts() for _ in sizes]
        self.medians_alarms: Counter[int] = Counter()
        self.counts_alarms: Counter[int] = Counter()

    def hear(self, number: int, counts: Sequence[int]) -> None:
        """Add a round's failing votes; the last round of an hour makes them look."""
        self._hour = [before + now for before, now in zip(self._hour, counts, strict=True)]
        if number % ROUNDS_AN_HOUR != ROUNDS_AN_HOUR - 1:
            return
        for at, size in enumerate(self._sizes):
            votes = size * ROUNDS_AN_HOUR
            self.medians_alarms[size] += self._medians[at].alarms(self._hour[at], votes)
            self.counts_alarms[size] += self._counts[at].alarms(self._hour[at], votes)
        self._hour = [0] * len(self._sizes)
