"""What the collector says now, taken from cells once and read by page, API, peers and /metrics.

PURE. One snapshot is taken every few seconds from the store's recent cells; nothing that serves
a request ever queries the store. A prefix's vote is its newest within the window, so ten rounds
of one home are one vote, and a home that moved on from `blocked` to `ok` counts as `ok`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import groupby
from types import MappingProxyType
from typing import TypeVar

from collector.detect.cells import FAILING, Cell, CellKey, Vote, merge
from collector.detect.quarantine import Orders, heard, is_mute
from collector.store.base import Seen, StoreFigures
from probe.wire.exchange import PeerView, Presence
from probe.wire.stage import Stage

K = TypeVar("K", tuple[str, str], tuple[str, int, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Votes on one platform from one place. `statuses` and `mechanisms` count rounds in the
    window; `votes` and `failing` count prefixes by their newest vote; `newest_at` is when the
    newest round was measured (Unix seconds; to the minute where it was no vote). `stages` counts
    observations: succeeded, failed."""

    votes: int = 0
    failing: int = 0
    statuses: Mapping[str, int] = field(default_factory=dict)
    mechanisms: Mapping[str, int] = field(default_factory=dict)
    stages: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    newest_at: float | None = None

    @property
    def ratio(self) -> float | None:
        """The share of prefixes that reach the platform; None where nobody voted."""
        return 1 - self.failing / self.votes if self.votes else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Immutable. `at` is Unix seconds, `window_s` seconds. Keys: ``(country, platform)`` and
    ``(country, asn, platform)``; `probes` counts probes heard from, by country."""

    at: float
    window_s: float
    platforms: tuple[str, ...]
    countries: Mapping[tuple[str, str], Tally]
    networks: Mapping[tuple[str, int, str], Tally]
    probes: Mapping[str, int]
    store: StoreFigures | None = None

    def peers(self, country: str) -> tuple[PeerView, ...]:
        """What probes in other countries see of each platform now."""
        return tuple(self._abroad(platform, country) for platform in self.platforms)

    def _abroad(self, platform: str, home: str) -> PeerView:
        others = [
            t for (country, p), t in self.countries.items() if p == platform and country != home and t.votes
        ]
        return PeerView(
            platform=platform,
            countries=len(others),
            votes=sum(tally.votes for tally in others),
            failing=sum(tally.failing for tally in others),
        )


def take(
    cells: Mapping[CellKey, Cell],
    seen: Iterable[Seen],
    *,
    now: float,
    window_s: float,
    platforms: Collection[str],
    store: StoreFigures | None = None,
    orders: Orders = MappingProxyType({}),
) -> Snapshot:
    """Fold recent cells into tallies. `seen` are the heartbeats of the last few minutes; a probe
    that said goodbye is not reporting, and `orders` tell who is not listened to."""
    since = now - window_s
    recent = [
        (k, c)
        for k, c in heard(cells, orders).items()
        if k.platform in platforms and (k.minute + 1) * 60 > since
    ]
    return Snapshot(
        at=now,
        window_s=window_s,
        platforms=tuple(platforms),
        countries=_tallies(recent, lambda k: (k.country, k.platform), since),
        networks=_tallies(recent, lambda k: (k.country, k.asn, k.platform), since),
        probes=Counter(
            s.country
            for s in seen
            if s.state is Presence.ALIVE and not is_mute(orders, s.probe, s.prefix, s.at)
        ),
        store=store,
    )


def _tallies(
    recent: Iterable[tuple[CellKey, Cell]], place: Callable[[CellKey], K], since: float
) -> dict[K, Tally]:
    ordered = sorted(recent, key=lambda item: (place(item[0]), item[0]))
    return {
        where: _tally(list(items), since)
        for where, items in groupby(ordered, key=lambda item: place(item[0]))
    }


def _tally(items: Sequence[tuple[CellKey, Cell]], since: float) -> Tally:
    cell = reduce(merge, (cell for _, cell in items))
    votes = _one_a_prefix(vote for vote in cell.votes.values() if vote.at >= since)
    return Tally(
        votes=len(votes),
        failing=sum(vote.status in FAILING for vote in votes),
        statuses=dict(sorted(cell.statuses.items())),
        mechanisms=dict(sorted(cell.mechanisms.items())),
        stages=_stages(cell),
        newest_at=max([*(vote.at for vote in votes), *_minutes(items)], default=None),
    )


def _one_a_prefix(votes: Iterable[Vote]) -> list[Vote]:
    """Each prefix's newest: ten probes behind one router are one witness."""
    newest: dict[str, Vote] = {}
    for vote in votes:
        newest[vote.prefix] = max(vote, newest.get(vote.prefix, vote))
    return list(newest.values())


def _minutes(items: Iterable[tuple[CellKey, Cell]]) -> Iterator[float]:
    """When rounds began that counted without a vote: their cell's minute, for want of the second."""
    return (key.minute * 60.0 for key, cell in items if cell.statuses)


def _stages(cell: Cell) -> dict[str, tuple[int, int]]:
    """Successes and failures by stage, in causal order."""
    good, bad = Counter[str](), Counter[str]()
    for (stage, failure), count in cell.results.items():
        (bad if failure else good)[stage] += count
    return {stage: (good[stage], bad[stage]) for stage in Stage if good[stage] or bad[stage]}
