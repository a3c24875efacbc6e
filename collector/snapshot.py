"""What the collector says now, taken from cells once and read by page, API, peers and /metrics.

PURE. One snapshot is taken every few seconds, so that whoever asks how things stand costs the store nothing.
A `Window` keeps what counts and is told what came, so that a look costs what is new and not all that a
hundred thousand homes said in ten minutes. A prefix's vote is its newest within the window, so ten rounds
of one home are one vote, and a home that moved on from `blocked` to `ok` counts as `ok`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

from collector.detect.cells import FAILING, Cell, CellKey, Vote
from collector.detect.quarantine import Orders, heard, is_mute
from collector.store.base import Seen, StoreFigures
from probe.wire.exchange import PeerView, Presence
from probe.wire.stage import Stage

K = TypeVar("K", tuple[str, str], tuple[str, int, str])
D = TypeVar("D", str, int)


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
    """A snapshot of these cells and no others."""
    window = Window(window_s=window_s, platforms=tuple(platforms), orders=orders)
    window.add(cells.items(), now)
    window.hear(seen)
    return window.snapshot(now, store)


PRESENCE_S = 180.0  # three heartbeats missed: no longer reporting


@dataclass
class Window:
    """What counts, of the last `window_s` seconds. `orders` tell who is not listened to; of other orders
    another window must be made, because what was left out is not kept. Time only goes on."""

    window_s: float
    platforms: tuple[str, ...]
    orders: Orders = field(default_factory=dict)
    _countries: dict[tuple[str, str], _Place] = field(default_factory=dict)
    _networks: dict[tuple[str, int, str], _Place] = field(default_factory=dict)
    _reporting: _Reporting = field(default_factory=lambda: _Reporting())

    def add(self, cells: Iterable[tuple[CellKey, Cell]], now: float) -> None:
        """Count what came: cells may come in pieces, and each piece once."""
        since = now - self.window_s
        for key, cell in cells:
            if key.platform in self.platforms and (key.minute + 1) * 60 > since:
                (listened,) = heard({key: cell}, self.orders).values()
                self._countries.setdefault((key.country, key.platform), _Place()).add(key.minute, listened)
                network = (key.country, key.asn, key.platform)
                self._networks.setdefault(network, _Place()).add(key.minute, listened)

    def hear(self, seen: Iterable[Seen]) -> None:
        """Take in heartbeats: they may come in pieces, and twice."""
        for one in seen:
            if not is_mute(self.orders, one.probe, one.prefix, one.at):
                self._reporting.add(one)

    def snapshot(self, now: float, store: StoreFigures | None = None) -> Snapshot:
        """What counts at `now`."""
        since = now - self.window_s
        self._reporting.expire(now - PRESENCE_S)
        return Snapshot(
            at=now,
            window_s=self.window_s,
            platforms=self.platforms,
            countries=_tallies(self._countries, since),
            networks=_tallies(self._networks, since),
            probes=+self._reporting.countries,
            store=store,
        )


def _tallies(places: dict[K, _Place], since: float) -> dict[K, Tally]:
    """The places in order; those of which nothing is left are forgotten."""
    for place in places.values():
        place.expire(since)
    for where in [where for where, place in places.items() if place.is_empty]:
        del places[where]
    return {where: places[where].tally() for where in sorted(places)}


@dataclass(slots=True)
class _Reporting:
    """How many probes report, by country: those whose newest heartbeat is no goodbye. `due` holds them by
    the minute of it, so that who fell silent is found without looking at all the rest."""

    newest: dict[str, Seen] = field(default_factory=dict)
    due: dict[int, set[str]] = field(default_factory=dict)
    countries: Counter[str] = field(default_factory=Counter)

    def add(self, seen: Seen) -> None:
        """Hear one heartbeat."""
        before = self.newest.get(seen.probe)
        if before is None or before.at <= seen.at:
            self._replace(seen.probe, before, seen)

    def expire(self, since: float) -> None:
        """Let go of who was heard last before `since`, in Unix seconds."""
        for minute in [minute for minute in self.due if minute * 60 < since]:
            for probe in [probe for probe in self.due[minute] if self.newest[probe].at < since]:
                self._replace(probe, self.newest[probe], None)

    def _replace(self, probe: str, before: Seen | None, after: Seen | None) -> None:
        if before is not None:
            del self.newest[probe]
            _drop(self.due, int(before.at // 60), probe)
            self.countries[before.country] -= before.state is Presence.ALIVE
        if after is not None:
            self.newest[probe] = after
            self.due.setdefault(int(after.at // 60), set()).add(probe)
            self.countries[after.country] += after.state is Presence.ALIVE


@dataclass(slots=True)
class _Counts:
    """Rounds and observations by what they were."""

    statuses: Counter[str] = field(default_factory=Counter)
    mechanisms: Counter[str] = field(default_factory=Counter)
    results: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, cell: Cell) -> None:
        self.statuses.update(cell.statuses)
        self.mechanisms.update(cell.mechanisms)
        self.results.update(cell.results)

    def subtract(self, other: _Counts) -> None:
        self.statuses -= other.statuses
        self.mechanisms -= other.mechanisms
        self.results -= other.results


@dataclass(slots=True)
class _Place:
    """One platform in one country or network. `votes` is each probe's newest, `homes` the probes of each
    prefix, `failing` how many prefixes' newest vote is a failure. `counts` is the sum of `minutes`; `due`
    holds the probes by the minute in which they voted, so that what grows old is found without looking
    at all the rest."""

    votes: dict[str, Vote] = field(default_factory=dict)
    homes: dict[str, set[str]] = field(default_factory=dict)
    due: dict[int, set[str]] = field(default_factory=dict)
    failing: int = 0
    newest_at: float = 0.0
    counts: _Counts = field(default_factory=_Counts)
    minutes: dict[int, _Counts] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether no cell of it is within the window."""
        return not self.minutes

    def add(self, minute: int, cell: Cell) -> None:
        """Count one cell's rounds in its minute, and hear its votes."""
        self.counts.add(cell)
        self.minutes.setdefault(minute, _Counts()).add(cell)
        for probe, vote in cell.votes.items():
            before = self.votes.get(probe)
            if before is None or before < vote:
                self._replace(probe, before, vote)

    def expire(self, since: float) -> None:
        """Let go of minutes that ended before `since` (Unix seconds), and of votes that are older."""
        for minute in [minute for minute in self.minutes if (minute + 1) * 60 <= since]:
            self.counts.subtract(self.minutes.pop(minute))
        for minute in [minute for minute in self.due if minute * 60 < since]:
            for probe in [probe for probe in self.due[minute] if self.votes[probe].at < since]:
                self._replace(probe, self.votes[probe], None)

    def tally(self) -> Tally:
        """What counts now."""
        # A round that was no vote counts in its cell's minute, for want of the second.
        newest = [minute * 60.0 for minute, counts in self.minutes.items() if counts.statuses]
        if self.votes:
            newest.append(self.newest_at)
        return Tally(
            votes=len(self.homes),
            failing=self.failing,
            statuses=dict(sorted(self.counts.statuses.items())),
            mechanisms=dict(sorted(self.counts.mechanisms.items())),
            stages=_stages(self.counts.results),
            newest_at=max(newest, default=None),
        )

    def _replace(self, probe: str, before: Vote | None, after: Vote | None) -> None:
        """Put a probe's word in place of the one before it; None is no word."""
        prefixes = {vote.prefix for vote in (before, after) if vote is not None}
        self.failing -= sum(self._fails(prefix) for prefix in prefixes)
        if before is not None:
            del self.votes[probe]
            _drop(self.homes, before.prefix, probe)
            _drop(self.due, int(before.at // 60), probe)
        if after is not None:
            self.votes[probe] = after
            self.homes.setdefault(after.prefix, set()).add(probe)
            self.due.setdefault(int(after.at // 60), set()).add(probe)
            self.newest_at = max(self.newest_at, after.at)
        self.failing += sum(self._fails(prefix) for prefix in prefixes)

    def _fails(self, prefix: str) -> bool:
        """Whether a prefix's newest vote is a failure: ten probes behind one router are one witness."""
        probes = self.homes.get(prefix)
        return probes is not None and max(self.votes[probe] for probe in probes).status in FAILING


def _drop(sets: dict[D, set[str]], key: D, item: str) -> None:
    sets[key].remove(item)
    if not sets[key]:
        del sets[key]


def _stages(results: Mapping[tuple[str, str], int]) -> dict[str, tuple[int, int]]:
    """Successes and failures by stage, in causal order."""
    good, bad = Counter[str](), Counter[str]()
    for (stage, failure), count in results.items():
        (bad if failure else good)[stage] += count
    return {stage: (good[stage], bad[stage]) for stage in Stage if good[stage] or bad[stage]}
