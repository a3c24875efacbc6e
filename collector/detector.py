"""The thin loop around detection: read cells and heartbeats, fold, publish what changed.

States are kept of a few rounds back, because some of what was measured comes late: what falls into a
round that was folded already is answered by folding again from the last state before it. After
`late_s` nothing can come any more; the state from then is stored, and a restart begins with it. Silence
goes by the minute, ahead of the rounds.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .detect import saved
from .detect.ballots import by_round
from .detect.bundling import start_of
from .detect.cells import Cell, CellKey
from .detect.chronicle import told
from .detect.fold import Setting, State, advance, listen
from .detect.incidents import Cause, Incident, record
from .detect.revisions import Revision, revised
from .detect.saved import Settled
from .detect.spans import Span
from .detect.thresholds import PAUSE_S, Thresholds
from .ingest.commit import Committer
from .store.base import Ingest, Seen, Stored

log = logging.getLogger("reachwatch.detector")

# A round is begun before its last second and told within so many seconds; who is later is late.
GRACE_S = 15.0
# A heartbeat is stored within so many seconds of its arrival.
HEARTBEAT_GRACE_S = 5.0
# Old rounds are folded again no more often than this, in seconds: late uploads come one by one.
LATE_S = 300.0
# Rounds of which states are kept: the newest, and of what lies behind every so many.
NEWEST = 4
SPARSE = ((144, 36), (1440, 288))
# Rounds that no collector was away for, three years of five minutes each: a machine without a clock of
# its own began in 1970 and was set right since.
ABSURD = 315_000
# Rounds from before an incident that its evidence shows at least: how it was when all was well.
QUIET = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What detection says now. `until` is the end of the last round folded, in Unix seconds; `took_s` how
    long the last fold took."""

    state: State
    book: tuple[Incident, ...]
    until: float
    took_s: float = 0.0


@dataclass
class Detector:
    """One collector's detection. `committed` is told what ingest has stored. `published` is each
    incident's last revision; `confirmed` counts incidents by the cause they had when they were first said
    to be sure, so that the counts never fall."""

    committer: Committer
    limits: Thresholds
    wall: Callable[[], float]
    monotonic: Callable[[], float]
    shares: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    findings: Findings = field(init=False)
    published: dict[str, Revision] = field(default_factory=dict)
    confirmed: Counter[Cause] = field(default_factory=Counter)
    mobile: frozenset[int] = frozenset()
    _kept: dict[int, Settled] = field(default_factory=dict)
    _listened: Settled = field(default_factory=lambda: Settled(state=State(), book=()))
    _touched: int | None = None
    _late_at: float = 0.0
    _settled: int | None = None
    _grounded: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.findings = Findings(state=State(), book=(), until=0.0)

    def committed(self, items: Sequence[Ingest], answers: Sequence[Stored]) -> None:
        """Note which rounds are to be folded again."""
        for item, answer in zip(items, answers, strict=True):
            for key in item.cells if answer is Stored.NEW else ():
                number = self._round(key.minute * 60)
                self._touched = number if self._touched is None else min(number, self._touched)

    def heard(self, heartbeats: Sequence[Seen]) -> None:
        """Note which minutes are to be listened to again: hardly ever any, heartbeats never come late."""
        until = (self._listened.state.minute + 1) * 60
        late = [seen.at for seen in heartbeats if seen.at < until]
        if late:
            number = self._round(min(late) - PAUSE_S)
            self._touched = number if self._touched is None else min(number, self._touched)
            self._listened = self._kept[max(self._kept)]

    def _round(self, at: float) -> int:
        return int(at // self.limits.round_s)

    async def start(self) -> None:
        """Take up where the last process stopped."""
        store = self.committer.store
        data = await self.committer.call(store.settled)
        settled = saved.unpack(data) if data else None
        self._begin(settled or self._nothing_before(self._round(self.wall())))
        for revision in await self.committer.call(store.revisions):
            self._said(revision)

    def _begin(self, settled: Settled) -> None:
        self._kept = {settled.state.number: settled}
        self._listened = settled

    def _nothing_before(self, head: int) -> Settled:
        """An empty state from before anything that can still come."""
        return Settled(state=State(number=head - self.limits.late_rounds - 1), book=())

    async def detect(self) -> None:
        """Fold every round that is complete, and again every one that was added to since; publish what
        is new."""
        head = self._round(self.wall() - GRACE_S) - 1
        if head - max(self._kept) > ABSURD:
            self._begin(self._nothing_before(head))
        begin, minute = self._first_to_fold(), int((self.wall() - HEARTBEAT_GRACE_S) // 60) - 1
        if begin > head and (head < max(self._kept) or minute <= self._listened.state.minute):
            return
        began = self.monotonic()
        setting = await self.setting()
        if begin <= head:
            await self._fold(begin, head, setting)
        now = await self._heard_since(head, minute, setting)
        await self._ground(now.book, begin)
        await self._publish(now)
        self.findings = Findings(
            state=now.state,
            book=now.book,
            until=(head + 1) * self.limits.round_s,
            took_s=self.monotonic() - began,
        )

    async def _fold(self, begin: int, head: int, setting: Setting) -> None:
        """Fold rounds; between the last state kept and the first of them there may be more, which are too."""
        self._kept = {number: kept for number, kept in self._kept.items() if number < begin}
        for number in range(max(self._kept) + 1, head + 1):
            self._kept[number] = await self._folded(self._kept[number - 1], number, setting)
            await self.committer.call(self.committer.store.tell, told(self._kept[number].state))
            self._forget(number)
        self._listened = self._kept[head]
        await self._settle()

    async def _heard_since(self, head: int, minute: int, setting: Setting) -> Settled:
        """What is known once the minutes after the last round are listened to as well. Not kept: the round
        that they are of begins with them when it is folded."""
        first = max(self._listened.state.minute + 1, (head + 1) * self._per_round)
        if first <= minute:
            spans = await self._spans(first, minute)
            self._listened = await asyncio.to_thread(
                self._hear, self._listened, range(first, minute + 1), spans, setting
            )
        return self._listened

    async def setting(self) -> Setting:
        """What is known beside the measurements."""
        standings = await self.committer.call(self.committer.store.standings)
        return Setting(limits=self.limits, standings=standings, shares=self.shares, mobile=self.mobile)

    @property
    def head(self) -> int:
        """The last round that was folded."""
        return self.findings.state.number

    def _first_to_fold(self) -> int:
        """The round after the last folded, or one before it that was added to: a recent one at once, one
        far back from time to time."""
        following = max(self._kept) + 1
        touched = self._touched
        if touched is None:
            return following
        if touched <= following - NEWEST:
            if self.wall() - self._late_at < LATE_S:
                return following
            self._late_at = self.wall()
        self._touched = None
        return min(following, max(touched, min(self._kept) + 1))

    @property
    def _per_round(self) -> int:
        return int(self.limits.round_s // 60)

    async def _spans(self, first: int, last: int) -> list[Span]:
        """All that minutes `first` to `last` are about."""
        since, until = (first + 1) * 60.0 - 2 * PAUSE_S, (last + 1) * 60.0
        return await self.committer.call(self.committer.store.spans, since, until)

    async def _folded(self, before: Settled, number: int, setting: Setting) -> Settled:
        first = number * self._per_round
        last = first + self._per_round - 1
        cells = await self.committer.call(self.committer.store.cells, first, last)
        spans = await self._spans(first, last)

        def folded() -> Settled:
            heard = self._hear(before, range(first, last + 1), spans, setting)
            return self._step(heard, number, cells, setting)

        return await asyncio.to_thread(folded)

    def _hear(
        self, before: Settled, minutes: Iterable[int], spans: Collection[Span], setting: Setting
    ) -> Settled:
        for minute in minutes:
            state = listen(before.state, minute, spans, setting)
            before = Settled(state=state, book=record(before.book, state, self.limits))
        return before

    def _step(self, before: Settled, number: int, cells: Mapping[CellKey, Cell], setting: Setting) -> Settled:
        ballots = by_round(cells.items(), self.limits).get(number, {})
        state = advance(before.state, number, ballots, setting)
        return Settled(state=state, book=record(before.book, state, self.limits))

    def _forget(self, head: int) -> None:
        """Keep the newest states, of those behind them fewer and fewer, and one from before anything that
        can still come."""
        settled = max(
            (number for number in self._kept if number <= head - self.limits.late_rounds),
            default=min(self._kept),
        )
        self._kept = {
            number: kept
            for number, kept in self._kept.items()
            if number >= settled
            and (
                number > head - NEWEST
                or number in (settled, min(self._kept))
                or any(number > head - back and number % every == 0 for back, every in SPARSE)
            )
        }

    async def _settle(self) -> None:
        """Store the oldest state kept, where it is another than the last time."""
        oldest = min(self._kept)
        if oldest != self._settled:
            data = await asyncio.to_thread(saved.pack, self._kept[oldest])
            await self.committer.call(self.committer.store.settle, data)
            self._settled = oldest

    async def _ground(self, book: Iterable[Incident], folded_from: int) -> None:
        """Store what each incident's evidence begins with, before it is published: the last state kept from
        well before it; and again where that state was folded again. When it is kept no more, nothing can
        change it any more."""
        starts = {}
        for incident in book:
            quiet = incident.since - QUIET
            before = max((number for number in self._kept if number < quiet), default=None)
            if before is not None and (incident.id not in self._grounded or folded_from <= before):
                start = start_of(self._kept[before], incident.country)
                starts[incident.id] = await asyncio.to_thread(saved.pack, start)
        if starts:
            await self.committer.call(self.committer.store.ground, starts)
            self._grounded |= starts.keys()

    async def _publish(self, now: Settled) -> None:
        first = now.state.number - self.limits.late_rounds
        new = list(revised(self.published, now.book, self.wall(), first))
        if not new:
            return
        await self.committer.call(self.committer.store.publish, new)
        for revision in new:
            log.warning(
                "incident id=%s revision=%d reason=%s", revision.incident.id, revision.number, revision.reason
            )
            self._said(revision)

    def _said(self, revision: Revision) -> None:
        before, now = self.published.get(revision.incident.id), revision.incident
        if now.is_sure and not (before is not None and before.incident.is_sure):
            self.confirmed[now.cause] += 1
        self.published[now.id] = revision
