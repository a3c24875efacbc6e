"""Throttling: how soon it is known, by how often homes compare speeds; how often it is said of nothing. PURE.

A home compares speeds every so many rounds, each from a round of its own on. Events go through the whole
fold, ratios, usual speeds and all. Years are counts of words that are slow, by the laws of `noise`: a home
that measures in a round is slow where it would fail there, and its word stands until its next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from collector.detect import nation, network, slow, world
from collector.detect.ballots import Ballot, Count, Place, Standing
from collector.detect.fold import Setting, State, advance
from collector.detect.incidents import Incident, record
from collector.detect.nation import NationWatch, Seen
from collector.detect.network import Condition, Watch
from collector.detect.thresholds import DEFAULT, Thresholds
from probe.verdict import Compared

from .events import ABROAD, ABROAD_HOMES, AFTER, APART, FIRST, HERE
from .noise import Noise, cumulative, failing, some_of, troubles
from .years import FOUR, SEVEN, Land

# Rounds until every home's usual speed is known: words wait twelve, and five must be there.
WARM_WORDS, WAIT = 6, 12
# How long an event lasts, in rounds: from one hour to four.
SHORTEST, LONGEST = 12.0, 48.0
# What is measured: usually about the same as of other objects, one line more and another less; under the
# ceiling of Russia 2021 (130 to 150 kbit/s) on a line of 8 Mbit/s; and by a home in the noise.
USUAL_SPREAD, USUAL_BPS = 0.4, 8_000_000.0
HELD, BUSY = Compared(57.0, 140_000.0), Compared(5.0, 900_000.0)


@dataclass(frozen=True, slots=True, order=True)
class Slow:
    """A case: `networks` of a nation with `homes` each, which compare speeds once in `every` rounds."""

    networks: int
    homes: int
    every: int
    efficacy: float = 0.9


@dataclass(frozen=True, slots=True)
class Slowed:
    """One event. Delays are in rounds from its moment to the end of the round that decided, None for never;
    `over` from its end, `ended` how many rounds its end was dated late; `dated` how many its start."""

    confirmed: float | None
    over: float | None
    dated: int | None
    ended: int | None
    incidents: int


def slowed(
    case: Slow, number: int, noise: Noise, chance: Random, limits: Thresholds = DEFAULT
) -> Iterator[Slowed]:
    """So many throttlings, each from another quiet state."""
    scene = _Scene(case, noise, chance, limits)
    state = State(number=FIRST)
    for _ in range(WARM_WORDS * case.every + WAIT):
        state = scene.after(state)
    for _ in range(number):
        for _ in range(APART):
            state = scene.after(state)
        yield scene.tried(state)


class _Scene:
    """The homes of a case, and what they measure."""

    def __init__(self, case: Slow, noise: Noise, chance: Random, limits: Thresholds) -> None:
        self._case, self._noise, self._chance, self._limits = case, noise, chance, limits
        shares = FOUR if case.networks == len(FOUR) else SEVEN
        places = [(Place(HERE, asn, "x"), case.homes) for asn in shares]
        places += [(Place(f"A{n}", 1, "x"), ABROAD_HOMES) for n in range(ABROAD)]
        self._homes = {
            place: [(f"{place.country}-{place.asn}-{n}", chance.uniform(0, case.every)) for n in range(homes)]
            for place, homes in places
        }
        standings = {probe: Standing(0.0) for homes in self._homes.values() for probe, _ in homes}
        self._setting = Setting(limits=limits, standings=standings, shares={HERE: shares})

    def after(
        self, state: State, hit: frozenset[str] = frozenset(), since: float = 0.0, until: float = 0.0
    ) -> State:
        """The state after one more round, in which those that are hit are held back between two moments."""
        number = state.number + 1
        said: dict[Place, list[Ballot]] = {}
        for place, homes in self._homes.items():
            for probe, phase in homes:
                at = number + phase % 1
                is_due = (number - int(phase)) % self._case.every == 0
                speed = self._measured(probe in hit and since <= at < until) if is_due else ()
                said.setdefault(place, []).append(
                    Ballot(probe=probe, at=at * self._limits.round_s, prefix=probe, failed=False, speed=speed)
                )
        return advance(state, number, said, self._setting)

    def _measured(self, is_held: bool) -> Compared:
        if is_held:
            return HELD
        if self._chance.random() < self._noise.p0:
            return BUSY
        return Compared(round(self._chance.lognormvariate(0.0, USUAL_SPREAD), 2), USUAL_BPS)

    def tried(self, state: State) -> Slowed:
        """One event from this state on."""
        since = state.number + 1 + self._chance.random()
        until = since + SHORTEST * (LONGEST / SHORTEST) ** self._chance.random()
        here = [probe for place, homes in self._homes.items() if place.country == HERE for probe, _ in homes]
        hit = frozenset(probe for probe in here if self._chance.random() < self._case.efficacy)
        confirmed: float | None = None
        over: float | None = None
        book: tuple[Incident, ...] = ()
        while state.number < until + AFTER + 2 * WAIT:
            state = self.after(state, hit, since, until)
            book = record(book, state, self._limits)
            now = state.number + 1
            if state.slow[HERE, "x"].condition is Condition.CONFIRMED and confirmed is None and now <= until:
                confirmed = now - since
            if now > until and confirmed is not None and over is None and not any(i.is_open for i in book):
                over = now - until
        sure = [i for i in book if i.country == HERE and any(p.confirmed is not None for p in i.parts)]
        ends = [i.ended for i in sure if i.ended is not None]
        return Slowed(
            confirmed=confirmed,
            over=over,
            dated=sure[0].since - int(since) if sure else None,
            ended=ends[-1] - int(until) - 1 if ends else None,
            incidents=len(sure),
        )


@dataclass(frozen=True, slots=True)
class SlowYear:
    """False words in `rounds` rounds of `lands` countries: changes of a nation or of a network to
    CONFIRMED."""

    every: int
    rounds: int
    lands: int
    networks: int
    nation_confirmed: int
    network_confirmed: int


@dataclass(slots=True)
class _Known:
    """One land: of each network the words slow by the round they were said in, modulo `every`."""

    land: Land
    first: int
    slow: list[list[int]]
    watches: list[Watch]
    nation: NationWatch = field(default_factory=NationWatch)

    def is_at_rest(self) -> bool:
        """Whether nothing is scored or alarmed."""
        return not (
            self.nation.score
            or self.nation.is_alarmed
            or any(one.score or one.is_alarmed for one in self.watches)
        )


def slow_year(
    some: Sequence[Land],
    rounds: int,
    every: int,
    noise: Noise,
    chance: Random,
    *,
    limits: Thresholds = DEFAULT,
    skip: bool = True,
) -> SlowYear:
    """So many rounds of those lands, in which nobody is held back."""
    known, sizes = list[_Known](), list[int]()
    for land in some:
        known.append(
            _Known(land, len(sizes), [[0] * every for _ in land.homes], [network.REST] * len(land.homes))
        )
        sizes += land.homes
    owner = [n for n, land in enumerate(some) for _ in land.homes]
    due = [[len(range(phase, size, every)) for phase in range(every)] for size in sizes]
    tables = {n: cumulative(n, noise) for row in due for n in row}
    touched: dict[int, list[tuple[int, int, float]]] = {}
    for trouble in troubles([land.homes for land in some], rounds, noise, chance):
        for number, since, until in trouble.parts():
            touched.setdefault(number, []).extend((at, hits, until - since) for at, hits in trouble.hits)
    nations = networks = 0
    for number in range(rounds):
        phase = number % every
        fresh = [failing(row[phase], tables[row[phase]], chance) for row in due]
        for at, hits, share in touched.pop(number, ()):
            more = some_of(due[at][phase], share * hits / sizes[at], chance)
            fresh[at] = max(fresh[at], more)
        for at, n in enumerate(fresh):
            one = known[owner[at]]
            one.slow[at - one.first][phase] = n
        rates = {one.land.name: sum(map(sum, one.slow)) / sum(one.land.homes) for one in known}
        for one in known:
            its = slice(one.first, one.first + len(one.land.homes))
            if skip and one.is_at_rest() and not any(fresh[its]):
                continue
            asked = _asked(one, number, fresh[its], [row[phase] for row in due[its]], rates, limits)
            nations, networks = nations + asked[0], networks + asked[1]
    return SlowYear(every, rounds, len(some), len(sizes), nations, networks)


def _asked(
    one: _Known,
    number: int,
    fresh: Sequence[int],
    due: Sequence[int],
    rates: Mapping[str, float],
    limits: Thresholds,
) -> tuple[bool, int]:
    """Put one land's words before its watches, as `slow.advance` does: whether the nation is confirmed now
    and was not, and how many networks are."""
    elsewhere = world.elsewhere(rates, one.land.name, limits)
    seen: dict[int, Seen] = {}
    confirmed = 0
    for n, size in enumerate(one.land.homes):
        votes = _count(sum(one.slow[n]), size)
        before = one.watches[n]
        watch = network.watch(before, number, votes, elsewhere, limits, _count(fresh[n], due[n]))
        if slow.is_everywhere([votes], elsewhere, limits) and not before.is_sure:
            watch = network.REST
        confirmed += watch.is_sure and not before.is_sure
        one.watches[n] = watch
        seen[n + 1] = Seen(watch, votes)
    was = one.nation
    one.nation = nation.watch(was, number, seen, one.land.shares, limits)
    is_sure = one.nation.condition is Condition.CONFIRMED
    if not is_sure and slow.is_everywhere([each.votes for each in seen.values()], elsewhere, limits):
        one.nation = NationWatch()
    return is_sure and was.condition is not Condition.CONFIRMED, confirmed


def _count(failing_homes: int, homes: int) -> Count:
    return Count(
        votes=float(homes), failing=float(failing_homes), prefixes=homes, failing_prefixes=failing_homes
    )
