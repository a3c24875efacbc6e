"""What a country's rounds were, made small enough to draw: counts by round, platform and network. PURE.

A network stands for itself only in rounds in which it had enough prefixes; what is smaller is counted
together with other such networks, because a number on so few says something about somebody's home.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from collector.detect.chronicle import CountryRound, NetworkRound

LEAST_HOMES = 3  # what fewer say is not drawn
OTHER = -1  # the ASN of all networks that are not shown on their own

Counts = dict[int, tuple[int, int]]
"""By round, counted from the Unix epoch: homes that failed, of those that voted."""


@dataclass(slots=True)
class History:
    """Rounds `first` to `last`, both included. `broke` counts, by platform, homes that failed in a round by
    ``stage failure``, added up over rounds."""

    first: int
    last: int
    platforms: dict[str, Counts] = field(default_factory=dict)
    networks: dict[tuple[int, str], Counts] = field(default_factory=dict)
    broke: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, rounds: Iterable[CountryRound], min_prefixes: int) -> None:
        """Take up more rounds; each is given once."""
        for one in rounds:
            for network in one.networks:
                self._count(one.number, network, min_prefixes)

    def _count(self, number: int, network: NetworkRound, min_prefixes: int) -> None:
        asn = network.asn if network.prefixes >= min_prefixes else OTHER
        of = (network.failing_prefixes, network.prefixes)
        _added(self.platforms.setdefault(network.platform, {}), number, of)
        _added(self.networks.setdefault((asn, network.platform), {}), number, of)
        self.broke.setdefault(network.platform, Counter()).update(network.broke)

    def largest(self, most: int) -> dict[tuple[int, str], Counts]:
        """The networks, the `most` with the most homes on their own and all others together, the largest
        first and the others last."""
        size = Counter[int]()
        for (asn, _), counts in self.networks.items():
            size[asn] = max(size[asn], max(of for _, of in counts.values()))
        named = sorted((asn for asn in size if asn != OTHER), key=lambda asn: (-size[asn], asn))
        shown = {asn: at for at, asn in enumerate(named[:most])}
        found: dict[tuple[int, str], Counts] = {}
        for (asn, platform), counts in sorted(self.networks.items()):
            together = found.setdefault((asn if asn in shown else OTHER, platform), {})
            for number, of in counts.items():
                _added(together, number, of)
        return dict(sorted(found.items(), key=lambda item: shown.get(item[0][0], most)))


def _added(counts: Counts, number: int, of: tuple[int, int]) -> None:
    failing, votes = counts.get(number, (0, 0))
    counts[number] = (failing + of[0], votes + of[1])


def worst(counts: Mapping[int, tuple[int, int]], first: int, last: int, step: int) -> list[Bin]:
    """The rounds in bins of `step`, each its worst round, so that nothing short is smoothed away. Rounds of
    too few homes to be drawn stand for a bin only where it has no others, or they would hide those."""
    return [_bin(counts, at, min(last, at + step - 1)) for at in range(first, last + 1, step)]


@dataclass(frozen=True, slots=True)
class Bin:
    """Some rounds, of which the worst had `failing` of `of` homes; `of` is 0 where nobody voted."""

    first: int
    last: int
    failing: int
    of: int

    @property
    def share(self) -> float:
        """The failing share; 0 where nobody voted."""
        return self.failing / self.of if self.of else 0.0


def _bin(counts: Mapping[int, tuple[int, int]], first: int, last: int) -> Bin:
    found = [counts[number] for number in range(first, last + 1) if number in counts]
    bins = [Bin(first, last, failing, of) for failing, of in found]
    return max(
        bins, key=lambda one: (one.of >= LEAST_HOMES, one.share, one.of), default=Bin(first, last, 0, 0)
    )
