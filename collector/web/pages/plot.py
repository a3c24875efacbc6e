"""What a chart, its table and its heat map show of a history. PURE: counts become what templates lay out.

One picture holds no more than a phone can show and a page may weigh: so many bins, so many networks, each
bin the worst of its rounds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from probe.wire.stage import Stage

from .chart import Tick, area, line, seen, strips, ticks
from .history import LEAST_HOMES, OTHER, Bin, Counts, History, worst

MOST_POINTS = 336  # along a line
MOST_BINS = 84  # along a strip, and rows of a table
MOST_NETWORKS = 12


@dataclass(frozen=True, slots=True)
class Line:
    """One platform's line."""

    platform: str
    path: str


@dataclass(frozen=True, slots=True)
class Strip:
    """One platform on one network: where it has votes, a path for each level, and the bins that tell it in
    words."""

    platform: str
    seen: str
    paths: Sequence[str]
    newest: Bin
    worst: Bin


@dataclass(frozen=True, slots=True)
class NetworkStrips:
    """One network, or those that are counted together: `asn` is then None."""

    asn: int | None
    strips: Sequence[Strip]


@dataclass(frozen=True, slots=True)
class Failure:
    """One way to fail, and in how many homes' rounds, by platform."""

    stage: str
    failure: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """From `begins` to `ends` in Unix seconds; `bins` are those of a strip. `most` is what the full height
    of `homes` stands for. `rows` are the newest first, with a bin for each platform."""

    begins: float
    ends: float
    platforms: tuple[str, ...]
    lines: Sequence[Line]
    ticks: Sequence[Tick]
    homes: str
    most: int
    bins: int
    rows: Sequence[tuple[float, Sequence[Bin]]]
    networks: Sequence[NetworkStrips]
    failures: Sequence[Failure]

    def most_frequent(self, platform: str, most: int = 3) -> list[Failure]:
        """The ways in which a platform fails most."""
        found = [one for one in self.failures if one.counts.get(platform)]
        return sorted(found, key=lambda one: -one.counts[platform])[:most]


def plot(history: History, platforms: Sequence[str], round_s: float) -> Plot:
    """The picture of a history; `round_s` is what its rounds are seconds of."""
    rounds = history.last - history.first + 1
    fine, coarse = -(-rounds // MOST_POINTS), -(-rounds // MOST_BINS)
    begins, ends = history.first * round_s, (history.last + 1) * round_s
    shown = [_of(history, one) for one in platforms]
    homes, most = area(worst(_most(shown), history.first, history.last, fine))
    return Plot(
        begins=begins,
        ends=ends,
        platforms=tuple(platforms),
        lines=[
            Line(one, line(worst(_of(history, one), history.first, history.last, fine), LEAST_HOMES))
            for one in platforms
        ],
        ticks=ticks(begins, ends),
        homes=homes,
        most=most,
        bins=-(-rounds // coarse),
        rows=_rows(history, platforms, coarse, round_s),
        networks=_networks(history, platforms, coarse),
        failures=_failures({one: history.broke.get(one, Counter()) for one in platforms}),
    )


def _of(history: History, platform: str) -> Counts:
    return history.platforms.get(platform, {})


def _most(platforms: Iterable[Counts]) -> Counts:
    """The homes of each round: those of the platform that most voted on."""
    found: Counts = {}
    for counts in platforms:
        for number, (_, of) in counts.items():
            found[number] = (0, max(of, found.get(number, (0, 0))[1]))
    return found


def _rows(
    history: History, platforms: Sequence[str], step: int, round_s: float
) -> list[tuple[float, Sequence[Bin]]]:
    columns = [worst(_of(history, one), history.first, history.last, step) for one in platforms]
    return [(bins[0].first * round_s, bins) for bins in reversed(list(zip(*columns, strict=True)))]


def _networks(history: History, platforms: Sequence[str], step: int) -> list[NetworkStrips]:
    largest = history.largest(MOST_NETWORKS)
    found = []
    for asn in dict.fromkeys(asn for asn, _ in largest):
        shown = [_strip(one, largest[asn, one], history, step) for one in platforms if (asn, one) in largest]
        if shown:
            found.append(NetworkStrips(None if asn == OTHER else asn, shown))
    return found


def _strip(platform: str, counts: Counts, history: History, step: int) -> Strip:
    bins = worst(counts, history.first, history.last, step)
    newest = worst(counts, history.last, history.last, 1)[0]
    shown = [one for one in bins if one.of >= LEAST_HOMES]
    return Strip(
        platform=platform,
        seen=seen(bins, LEAST_HOMES),
        paths=strips(bins, LEAST_HOMES),
        newest=newest,
        worst=max(shown, key=lambda one: (one.share, one.of), default=newest),
    )


def _failures(broke: Mapping[str, Counter[str]]) -> list[Failure]:
    """Every way to fail, in causal order of stages, then the most frequent first."""
    order = {str(stage): at for at, stage in enumerate(Stage)}
    found: dict[str, Counter[str]] = {}
    for platform, counts in broke.items():
        for how, homes in counts.items():
            found.setdefault(how, Counter())[platform] += homes
    split = [(*how.partition(" ")[::2], counts) for how, counts in found.items()]
    split.sort(key=lambda one: (order.get(one[0], len(order)), -one[2].total(), one[1]))
    return [Failure(stage, failure, counts) for stage, failure, counts in split]
