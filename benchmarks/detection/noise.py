"""What fails though nobody interferes: the laws that the simulated votes are drawn from. PURE.

Time is in rounds of the detector, as a float; a round is `[number, number + 1)`. Homes measure once a
round, so of a trouble that covers a part of a round only that part of the homes sees anything.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import comb, exp, lgamma
from random import Random

ROUND_S = 300.0
ROUNDS_A_YEAR = round(365.25 * 86_400 / ROUND_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Rates are a year, of one platform. A glitch that lasts longer than `glitch_most_s` is an outage that
    people notice, and an event; none of those is drawn. A hiccup is the platform's own, in every country."""

    name: str = "as studied"
    # The detector's own idea of an ordinary day (thresholds.py); `twice` is what it does not expect.
    p0: float = 0.02
    rho: float = 0.10
    network_glitches: float = 12.0
    nation_glitches: float = 4.0
    hiccups: float = 12.0
    glitch_s: float = 360.0
    glitch_most_s: float = 900.0
    hiccup_s: float = 1200.0
    hiccup_most_s: float = 7200.0
    # Of a network's homes a trouble takes a share, uniform from this to all.
    least_efficacy: float = 0.3
    # A glitch of a nation reaches each of its networks with this chance, and two at least.
    reach: float = 0.5


STUDIED = Noise()
QUIET = replace(STUDIED, name="no glitches", network_glitches=0.0, nation_glitches=0.0, hiccups=0.0)


def twice(noise: Noise) -> Noise:
    """Twice as many homes that fail in a round, and twice as many glitches and hiccups."""
    return replace(
        noise,
        name=f"twice {noise.name}",
        p0=2 * noise.p0,
        network_glitches=2 * noise.network_glitches,
        nation_glitches=2 * noise.nation_glitches,
        hiccups=2 * noise.hiccups,
    )


def cumulative(n: int, noise: Noise) -> list[float]:
    """P(at most k of n fail in a round), for every k below n: the Beta-Binomial's, to draw with `bisect`."""
    spread = (1 - noise.rho) / noise.rho
    a, b = noise.p0 * spread, (1 - noise.p0) * spread
    shares = (comb(n, k) * exp(_log_beta(k + a, n - k + b) - _log_beta(a, b)) for k in range(n))
    return list(accumulate(shares))


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def failing(n: int, table: Sequence[float], chance: Random) -> int:
    """How many of n homes fail in a round, by the table of n."""
    return bisect(table, chance.random()) if n else 0


def some_of(n: int, share: float, chance: Random) -> int:
    """How many of n, each with the chance `share`."""
    return sum(chance.random() < share for _ in range(n))


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that passes by itself: `kind` is who has it, `since` and `until` are in rounds, `hits` how
    many homes of which network it takes, by the network's place in the list of all."""

    kind: str
    since: float
    until: float
    hits: tuple[tuple[int, int], ...]

    def parts(self) -> Iterator[tuple[int, float, float]]:
        """Each round it touches, and from where to where in it, from 0 to 1."""
        for number in range(int(self.since), int(self.until) + 1):
            since, until = max(self.since - number, 0.0), min(self.until - number, 1.0)
            if until > since:
                yield number, since, until


def troubles(sizes: Sequence[Sequence[int]], rounds: int, noise: Noise, chance: Random) -> Iterator[Trouble]:
    """Every glitch and hiccup of so many rounds; `sizes` are the homes of each network of each land."""
    first = 0
    networks = []
    for homes in sizes:
        networks.append([(first + n, size) for n, size in enumerate(homes)])
        first += len(homes)
    short = (noise.glitch_s, noise.glitch_most_s)
    for land in networks:
        for network in land:
            for since, until in _times(rounds, noise.network_glitches, *short, chance):
                yield Trouble("network", since, until, _hit([network], noise.least_efficacy, 1.0, chance))
        for since, until in _times(rounds, noise.nation_glitches, *short, chance):
            reached = [one for one in land if chance.random() < noise.reach]
            if len(reached) < 2:
                reached = chance.sample(land, 2)
            yield Trouble("nation", since, until, _hit(reached, noise.least_efficacy, 1.0, chance))
    for since, until in _times(rounds, noise.hiccups, noise.hiccup_s, noise.hiccup_most_s, chance):
        efficacy = chance.uniform(0.1, 1.0)
        hits = [hit for land in networks for hit in _hit(land, 0.5 * efficacy, efficacy, chance)]
        yield Trouble("world", since, until, tuple(hits))


def _times(
    rounds: int, a_year: float, mean_s: float, most_s: float, chance: Random
) -> Iterator[tuple[float, float]]:
    """A Poisson process; durations are exponential, drawn again where they are too long."""
    at = 0.0
    while a_year:
        at += chance.expovariate(a_year / ROUNDS_A_YEAR)
        if at >= rounds:
            return
        length_s = most_s + 1
        while length_s > most_s:
            length_s = chance.expovariate(1 / mean_s)
        yield at, at + length_s / ROUND_S


def _hit(
    networks: Sequence[tuple[int, int]], least: float, most: float, chance: Random
) -> tuple[tuple[int, int], ...]:
    """How many homes of each network are taken; the efficacy is drawn once for all of them."""
    efficacy = chance.uniform(least, most)
    return tuple((network, some_of(size, efficacy, chance)) for network, size in networks)
