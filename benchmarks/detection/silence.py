"""Silence: shutdowns and years of ordinary coming and going, by the collector's own watch. PURE.

Homes are spans, as the store keeps them. An event takes each home or spares it (its efficacy is the chance
of each) and begins at any second; the delay runs to the end of the minute that decided, with what the
collector waits for heartbeats under way. In a year nobody interferes, and every nation told of is false: a
home's line drops now and then, its people go to bed and say so or do not, networks and exchanges have bad
minutes. Only minutes around two losses of one network are asked: without those no network can be dark (it
takes half of three homes or more). Hazards are not learnt here, so that the least is expected, which is the
side of more alarms.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from collector.detect.ballots import Standing
from collector.detect.network import Condition
from collector.detect.silence import Watch, advance, minute_of
from collector.detect.spans import Span
from collector.detect.thresholds import DEFAULT, PAUSE_S, YEAR_S, Thresholds

from .noise import Noise
from .years import Land

GRACE_S = 5.0
HERE = "HH"
ABROAD = tuple(
    Span(
        probe=f"{country} {n}", country=country, asn=1, first_at=0.0, last_at=1e12, said_bye=False,
        prefix=f"{country} {n}",
    )
    for country in ("AA", "BB", "CC")
    for n in range(4)
)  # fmt: skip
# A line that drops by itself: how often a day, for how many minutes in the mean, exponentially.
DROPS_A_DAY, DROP_MINUTES = 0.3, 15.0
# Bedtime: every home goes off once a day around 23 h, with a goodbye in seven of ten cases, and is on again
# around 8 h; spreads in hours.
BED_H, UP_H, SPREAD_H, BYE_SHARE = 23.0, 32.0, 1.5, 0.7
DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Shutdown:
    """A country of some networks with so many homes each, and whom it takes."""

    networks: int
    homes: int
    efficacy: float


@dataclass(frozen=True, slots=True)
class Quiet:
    """A year of one land: nations told of, by what was the matter and the word."""

    homes: int
    alarms: Mapping[tuple[str, str], int]


CASES = tuple(
    Shutdown(networks, homes, efficacy)
    for networks, homes in ((2, 5), (4, 3), (4, 5), (4, 20), (7, 5))
    for efficacy in (1.0, 0.9, 0.7)
)


def delays(
    case: Shutdown, number: int, chance: Random, limits: Thresholds = DEFAULT
) -> Iterator[float | None]:
    """Minutes from the loss to CONFIRMED, None for never, of so many shutdowns."""
    for _ in range(number):
        at = 1e6 + chance.uniform(0, 3600)
        spans = list(ABROAD)
        for asn in range(case.networks):
            for n in range(case.homes):
                is_hit = chance.random() < case.efficacy
                last_at = at - chance.uniform(0, 60) if is_hit else 1e12
                spans.append(_span(asn, f"{asn} {n}", 0.0, last_at))
        watches: Mapping[str, Watch] = {}
        standings = _known(spans)
        first = int(at // 60) - 1
        for minute in range(first, first + 12):
            watches = advance(watches, minute_of(spans, minute, limits), standings, {}, (), limits)
            if watches[HERE].condition is Condition.CONFIRMED:
                yield ((minute + 1) * 60 + GRACE_S - at) / 60
                break
        else:
            yield None


def _span(asn: int, probe: str, first_at: float, last_at: float, *, said_bye: bool = False) -> Span:
    return Span(
        probe=probe,
        country=HERE,
        asn=asn,
        first_at=first_at,
        last_at=last_at,
        said_bye=said_bye,
        prefix=probe,
    )


def _known(spans: Sequence[Span]) -> dict[str, Standing]:
    return {span.probe: Standing(-1e9) for span in spans}


def quiet(land: Land, noise: Noise, chance: Random, limits: Thresholds = DEFAULT) -> Quiet:
    """One year of a land."""
    troubles = list(_troubles(land, noise, chance))
    lives = {
        (asn, n): _life(asn, f"{asn} {n}", troubles, chance)
        for asn, homes in enumerate(land.homes, 1)
        for n in range(homes)
    }
    ends = {key: [span.last_at for span in life] for key, life in lives.items()}
    standings = {**_known(ABROAD), **{f"{asn} {n}": Standing(-1e9) for asn, n in lives}}
    alarms: Counter[tuple[str, str]] = Counter()
    watches: Mapping[str, Watch] = {}
    done = 0
    for since, until in _asked(lives):
        minute = max(done, since)
        while minute <= until or (HERE in watches and watches[HERE].networks):
            at = (minute + 1) * 60.0
            spans = list(ABROAD)
            for key, life in lives.items():
                spans += life[bisect_right(ends[key], at - 2 * PAUSE_S) :][:3]
            before = watches.get(HERE, Watch()).condition
            watches = advance(
                watches, minute_of(spans, minute, limits), standings, {HERE: land.shares}, (), limits
            )
            now = watches[HERE].condition
            if now in (Condition.SUSPECTED, Condition.CONFIRMED) and now is not before:
                alarms[_because(at, troubles), now] += 1
            minute += 1
        done = minute
    return Quiet(sum(land.homes), alarms)


@dataclass(frozen=True, slots=True)
class _Trouble:
    at: float
    ends: float
    networks: frozenset[int]
    efficacy: float

    @property
    def because(self) -> str:
        return "nation" if len(self.networks) > 1 else "network"


def _troubles(land: Land, noise: Noise, chance: Random) -> Iterator[_Trouble]:
    asns = range(1, len(land.homes) + 1)
    for asn in asns:
        for at in _moments(noise.network_glitches, chance):
            yield _trouble(at, frozenset({asn}), noise, chance)
    for at in _moments(noise.nation_glitches, chance):
        reached = {asn for asn in asns if chance.random() < noise.reach}
        while len(reached) < 2:
            reached.add(chance.choice(list(asns)))
        yield _trouble(at, frozenset(reached), noise, chance)


def _trouble(at: float, networks: frozenset[int], noise: Noise, chance: Random) -> _Trouble:
    lasts = min(noise.glitch_most_s, chance.expovariate(1 / noise.glitch_s))
    return _Trouble(at, at + lasts, networks, chance.uniform(noise.least_efficacy, 1))


def _moments(a_year: float, chance: Random) -> Iterator[float]:
    at = chance.expovariate(a_year / YEAR_S)
    while at < YEAR_S:
        yield at
        at += chance.expovariate(a_year / YEAR_S)


def _life(asn: int, probe: str, troubles: Sequence[_Trouble], chance: Random) -> list[Span]:
    """A home's year as spans: what lies between the times in which it is not heard."""
    away = [
        (one.at, one.ends, False)
        for one in troubles
        if asn in one.networks and chance.random() < one.efficacy
    ]
    away += [
        (at, at + chance.expovariate(1 / (DROP_MINUTES * 60)), False)
        for at in _moments(DROPS_A_DAY * YEAR_S / DAY_S, chance)
    ]
    for day in range(int(YEAR_S / DAY_S)):
        bed, up = (day * 24 + chance.gauss(hour, SPREAD_H) for hour in (BED_H, UP_H))
        away.append((bed * 3600, max(bed + 1, up) * 3600, chance.random() < BYE_SHARE))
    found, since = list[Span](), 0.0
    for begins, ends, bye in sorted(away):
        last_at = begins - (0.0 if bye else chance.uniform(0, 60))
        first_at = ends + chance.uniform(0, 60)
        if last_at > since and first_at - last_at > PAUSE_S:
            found.append(_span(asn, probe, since, last_at, said_bye=bye))
        if first_at - last_at > PAUSE_S:
            since = max(since, first_at)
    return [*found, _span(asn, probe, since, max(since, YEAR_S))]


def _asked(lives: Mapping[tuple[int, int], Sequence[Span]]) -> list[tuple[int, int]]:
    """The minutes around two losses of one network within a window and a tick of it."""
    lost: dict[int, list[float]] = {}
    for (asn, _), life in lives.items():
        lost.setdefault(asn, []).extend(span.last_at for span in life[:-1] if not span.said_bye)
    found = []
    for moments in lost.values():
        moments.sort()
        for n, at in enumerate(moments):
            if bisect_left(moments, at + PAUSE_S + 60) - n >= 2:
                found.append((int((at + PAUSE_S) // 60) - 1, int((at + 3 * PAUSE_S) // 60) + 1))
    return sorted(found)


def _because(at: float, troubles: Sequence[_Trouble]) -> str:
    near = [one for one in troubles if one.at <= at <= one.ends + 4 * PAUSE_S]
    return max((one.because for one in near), default="noise", key=("network", "nation").index)
