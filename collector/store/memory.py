"""A store that forgets when the process ends: for trying things out, and for tests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf

from collector.detect.ballots import Standing
from collector.detect.cells import Cell, CellKey, merge
from collector.detect.chronicle import CountryRound
from collector.detect.quarantine import Quarantine
from collector.detect.revisions import Revision
from collector.detect.spans import Span, is_near, union
from collector.tokens import Entry, Token, refusal
from probe.wire.exchange import Presence

from .base import Delivery, Enrolled, Ingest, Seen, SignedBatch, Stored, StoreError, StoreFigures, span_of


class MemoryStore:
    """See `base.Store` for what each method promises."""

    def __init__(self) -> None:
        self._keys: dict[str, bytes] = {}
        self._standings: dict[str, Standing] = {}
        self._tokens: dict[str, Token] = {}
        self._quarantines: dict[tuple[float, str], Quarantine] = {}
        self._rounds_of: float | None = None
        self._settled: dict[int, bytes] = {}
        self._revisions: dict[tuple[str, int], Revision] = {}
        self._subscribers: frozenset[str] = frozenset()
        self._outbox: dict[tuple[str, str, int], Delivery] = {}
        self._starts: dict[str, bytes] = {}
        self._chronicle: dict[tuple[str, int], CountryRound] = {}
        self._batches: dict[tuple[str, int], SignedBatch] = {}
        self._cells: dict[CellKey, Cell] = {}
        self._spans: dict[tuple[str, str, int], list[Span]] = {}
        self._dropped_until: float | None = None

    @classmethod
    def open(cls, _where: str) -> MemoryStore:
        """A new one, always empty."""
        return cls()

    def enrol(self, probe: str, public_key: bytes, at: float, token: str | None = None) -> Entry:
        """See `base.Store`."""
        if probe in self._keys:
            return Entry.KNOWN
        its = None
        if token is not None:
            kept = self._tokens.get(token)
            refused = refusal(kept, at)
            if kept is None or refused:
                return refused or Entry.UNKNOWN
            self._tokens[token] = replace(kept, used=kept.used + 1)
            its = kept.name
        self._keys[probe] = public_key
        self._standings[probe] = Standing(at, its)
        return Entry.ENROLLED

    def keys(self) -> Mapping[str, bytes]:
        """See `base.Store`."""
        return dict(self._keys)

    def enrolled(self) -> list[Enrolled]:
        """See `base.Store`."""
        seen = {one.probe: one for one in self.seen(0)}
        return [
            Enrolled(probe=probe, enrolled_at=its.since, token=its.token, seen=seen.get(probe))
            for probe, its in sorted(self._standings.items(), key=lambda item: (item[1].since, item[0]))
        ]

    def issue(self, token: Token) -> None:
        """See `base.Store`."""
        self._tokens[token.digest] = token

    def tokens(self) -> list[Token]:
        """See `base.Store`."""
        return sorted(self._tokens.values(), key=lambda token: (token.issued_at, token.digest))

    def order(self, quarantine: Quarantine) -> None:
        """See `base.Store`."""
        self._quarantines[quarantine.ordered_at, quarantine.subject] = quarantine

    def quarantines(self) -> list[Quarantine]:
        """See `base.Store`."""
        return [self._quarantines[key] for key in sorted(self._quarantines)]

    def standings(self) -> Mapping[str, Standing]:
        """See `base.Store`."""
        return dict(self._standings)

    def rounds_of(self, seconds: float) -> float:
        """See `base.Store`."""
        self._rounds_of = self._rounds_of or seconds
        return self._rounds_of

    def settle(self, states: Mapping[int, bytes], keep: Collection[int]) -> None:
        """See `base.Store`."""
        self._settled = {n: data for n, data in (self._settled | dict(states)).items() if n in keep}

    def settled(self) -> list[bytes]:
        """See `base.Store`."""
        return [self._settled[number] for number in sorted(self._settled)]

    def publish(self, revisions: Iterable[Revision]) -> None:
        """See `base.Store`."""
        added = {(one.incident.id, one.number): one for one in revisions}
        if added.keys() & self._revisions.keys():
            raise StoreError("published twice under one number")
        self._revisions |= added
        for (incident, number), one in added.items():
            for webhook in self._subscribers:
                self.post(Delivery(webhook=webhook, incident=incident, number=number, at=one.at))

    def revisions(self, incident: str | None = None) -> list[Revision]:
        """See `base.Store`."""
        return [self._revisions[key] for key in sorted(self._revisions) if incident in (None, key[0])]

    def subscribe(self, webhooks: Collection[str]) -> None:
        """See `base.Store`."""
        self._subscribers = frozenset(webhooks)

    def outbox(self, webhook: str | None = None, *, dead: bool = False) -> list[Delivery]:
        """See `base.Store`."""
        ordered = [self._outbox[name] for name in sorted(self._outbox)]
        return [one for one in ordered if one.dead == dead and webhook in (None, one.webhook)]

    def post(self, delivery: Delivery) -> None:
        """See `base.Store`."""
        self._outbox[delivery.webhook, delivery.incident, delivery.number] = delivery

    def delivered(self, delivery: Delivery) -> None:
        """See `base.Store`."""
        self._outbox.pop((delivery.webhook, delivery.incident, delivery.number), None)

    def tell(self, rounds: Iterable[CountryRound], empty: Iterable[tuple[str, int]] = ()) -> None:
        """See `base.Store`."""
        for name in empty:
            self._chronicle.pop(name, None)
        self._chronicle |= {(one.country, one.number): one for one in rounds}

    def chronicle(self, country: str | None, first: int, last: int) -> list[CountryRound]:
        """See `base.Store`."""
        kept = (one for one in self._chronicle.values() if country in (None, one.country))
        wanted = (one for one in kept if first <= one.number <= last)
        return sorted(wanted, key=lambda one: (one.number, one.country))

    def ground(self, starts: Mapping[str, bytes]) -> None:
        """See `base.Store`."""
        self._starts |= starts

    def grounds(self, incident: str) -> bytes | None:
        """See `base.Store`."""
        return self._starts.get(incident)

    def unground(self, incidents: Iterable[str]) -> None:
        """See `base.Store`."""
        for incident in incidents:
            self._starts.pop(incident, None)

    def ingest(self, group: Sequence[Ingest]) -> list[Stored]:
        """See `base.Store`."""
        return [self._ingest(item) for item in group]

    def _ingest(self, item: Ingest) -> Stored:
        name = (item.batch.probe, item.batch.sequence)
        if name in self._batches:
            return Stored.DUPLICATE
        self._batches[name] = item.batch
        _add(self._cells, item.cells)
        return Stored.NEW

    def see(self, heartbeats: Iterable[Seen]) -> None:
        """See `base.Store`."""
        for heartbeat in heartbeats:
            span = span_of(heartbeat)
            known = self._spans.setdefault((span.probe, span.country, span.asn), [])
            near = [one for one in known if is_near(one, span)]
            known[:] = [*(one for one in known if one not in near), union((span, *near))]

    def seen(self, since: float) -> list[Seen]:
        """See `base.Store`."""
        return _newest(one for known in self._spans.values() for one in known if one.last_at >= since)

    def spans(self, since: float, until: float) -> list[Span]:
        """See `base.Store`."""
        known = (one for some in self._spans.values() for one in some)
        return [one for one in known if one.last_at > since and one.first_at <= until]

    def forget(self, before: float) -> None:
        """See `base.Store`."""
        for known in self._spans.values():
            known[:] = [one for one in known if one.last_at >= before]

    def cells(self, first_minute: int, last_minute: int) -> dict[CellKey, Cell]:
        """See `base.Store`."""
        return {k: cell for k, cell in self._cells.items() if first_minute <= k.minute <= last_minute}

    def cells_from(self, first_minute: int) -> Iterator[tuple[CellKey, Cell]]:
        """See `base.Store`."""
        return ((key, cell) for key, cell in self._cells.items() if key.minute >= first_minute)

    def replace_cells(self, first_minute: int, additions: Iterable[Mapping[CellKey, Cell]]) -> int:
        """See `base.Store`."""
        fresh: dict[CellKey, Cell] = {}
        for cells in additions:
            _add(fresh, cells)
        old = dict(self.cells_from(first_minute))
        for key in old:
            del self._cells[key]
        self._cells |= fresh
        return sum(old.get(key) != fresh.get(key) for key in old.keys() | fresh.keys())

    def batches(
        self,
        probe: str | None = None,
        since: float = 0.0,
        until: float = inf,
        torn: Callable[[str], None] | None = None,
    ) -> Iterable[SignedBatch]:
        """See `base.Store`."""
        some = self._batches.values()
        kept = (b for b in some if since <= b.received_at < until and probe in (None, b.probe))
        return sorted(kept, key=lambda batch: batch.received_at)

    def expire(self, batches_before: float, cells_before: float, rounds_before: int) -> int:
        """See `base.Store`; here a segment is one batch."""
        old = [name for name, batch in self._batches.items() if batch.received_at < batches_before]
        for name in old:
            received_at = self._batches.pop(name).received_at
            self._dropped_until = max(received_at, self._dropped_until or received_at)
        for key in [key for key in self._cells if key.minute * 60 < cells_before]:
            del self._cells[key]
        for name in [name for name in self._chronicle if name[1] < rounds_before]:
            del self._chronicle[name]
        return len(old)

    def dropped_until(self) -> float | None:
        """See `base.Store`."""
        return self._dropped_until

    def compact(self) -> int:
        """See `base.Store`."""
        return 0

    def figures(self) -> StoreFigures:
        """See `base.Store`."""
        oldest = min((batch.received_at for batch in self._batches.values()), default=None)
        size = sum(len(batch.body) for batch in self._batches.values())
        return StoreFigures(size_bytes=size, oldest_batch_at=oldest)

    def close(self) -> None:
        """See `base.Store`."""


def _add(cells: dict[CellKey, Cell], additions: Mapping[CellKey, Cell]) -> None:
    for key, cell in additions.items():
        cells[key] = merge(cells.get(key, Cell()), cell)


def _newest(spans: Iterable[Span]) -> list[Seen]:
    """Each probe's newest heartbeat."""
    last: dict[str, Span] = {}
    for span in spans:
        known = last.get(span.probe)
        if known is None or (known.last_at, known.said_bye) <= (span.last_at, span.said_bye):
            last[span.probe] = span
    return [
        Seen(
            probe=span.probe,
            at=span.last_at,
            state=Presence.BYE if span.said_bye else Presence.ALIVE,
            country=span.country,
            asn=span.asn,
            prefix=span.prefix,
        )
        for span in last.values()
    ]
