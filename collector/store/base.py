"""The Protocol every store keeps, as small as ingest, cells and page need.

A store takes *groups*: everything in one `ingest` call is durable when it returns, or nothing of
it is. Signed batches are kept byte for byte as received; the cells they add are merged in the
same transaction, and only for batches that were not there before, so a retry can never count
twice. The contract is written as tests in ``tests/collector/store/`` that run over every store.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Protocol

from collector.detect.ballots import Standing
from collector.detect.cells import Cell, CellKey
from collector.detect.chronicle import CountryRound
from collector.detect.quarantine import Quarantine
from collector.detect.revisions import Revision
from collector.detect.spans import Span
from collector.tokens import Entry, Token
from probe.wire.exchange import Presence


class StoreError(Exception):
    """The store cannot do what was asked: disk full, read-only, torn. The message says which."""


class Stored(StrEnum):
    """What became of one batch of a group."""

    NEW = "new"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedBatch:
    """A batch as received: the signed bytes, and where it was admitted to. No address.

    `received_at` is Unix seconds by our clock; `located_by` is ``database`` or ``declared``.
    """

    probe: str
    sequence: int
    received_at: float
    country: str
    asn: int
    located_by: str
    prefix: str
    signature: bytes
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingest:
    """One batch with the cells it adds."""

    batch: SignedBatch
    cells: Mapping[CellKey, Cell]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A heartbeat as received: `at` in Unix seconds by our clock."""

    probe: str
    at: float
    state: Presence
    country: str
    asn: int
    prefix: str


def span_of(heartbeat: Seen) -> Span:
    """The span that one heartbeat is."""
    return Span(
        probe=heartbeat.probe,
        country=heartbeat.country,
        asn=heartbeat.asn,
        first_at=heartbeat.at,
        last_at=heartbeat.at,
        said_bye=heartbeat.state is Presence.BYE,
        prefix=heartbeat.prefix,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """An enrolled probe, as an operator sees it: since when, with which token (its name), and where it was
    heard from last, None where it never was. Times are Unix seconds."""

    probe: str
    enrolled_at: float
    token: str | None
    seen: Seen | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One revision on its way to one webhook: published, or put back, at `at`, not to be tried before `due`
    (both Unix seconds). `error` is how the last of so many `attempts` failed; `dead` is what was given up."""

    webhook: str
    incident: str
    number: int
    at: float
    attempts: int = 0
    due: float = 0.0
    error: str = ""
    dead: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFigures:
    """What an operator watches about the store. `free_bytes` is the room left on its disk; None where
    it is on none."""

    size_bytes: int
    oldest_batch_at: float | None
    free_bytes: int | None = None


class Records(Protocol):
    """What detection reads of a store, and keeps in it. Every method raises `StoreError` where the storage
    below fails."""

    def rounds_of(self, seconds: float) -> float:
        """How long the rounds are, in seconds, that detection's words here are told in: as long as this
        was first asked with."""

    def standings(self) -> Mapping[str, Standing]:
        """What is known of every enrolled probe beside what it measured."""

    def quarantines(self) -> list[Quarantine]:
        """Every order, released ones too, by moment and subject."""

    def cells(self, first_minute: int, last_minute: int) -> dict[CellKey, Cell]:
        """Every cell of those minutes, both ends included."""

    def spans(self, since: float, until: float) -> list[Span]:
        """Every span last heard from after `since` that began by `until`, both Unix seconds."""

    def settle(self, states: Mapping[int, bytes], keep: Collection[int]) -> None:
        """Keep detection's states after some rounds; of all that are kept only those after the rounds in
        `keep` stay."""

    def settled(self) -> list[bytes]:
        """The states that are kept, the earliest round's first."""

    def tell(self, rounds: Iterable[CountryRound], empty: Iterable[tuple[str, int]] = ()) -> None:
        """Keep what detection saw, in place of what it had seen in the same countries and rounds; of those
        that are `empty`, given by country and number, nothing is kept."""

    def ground(self, starts: Mapping[str, bytes]) -> None:
        """Keep the state that each incident's evidence begins with, in place of the one kept before."""

    def publish(self, revisions: Iterable[Revision]) -> None:
        """Add revisions of incidents durably, all or none; nothing published is ever changed. With them,
        a delivery of each to each subscriber."""

    def revisions(self, incident: str | None = None) -> list[Revision]:
        """What was published, of one incident or of all, by incident and number."""


class Store(Records, Protocol):
    """Synchronous and used from one thread at a time; the caller keeps it off the event loop.
    Every method raises `StoreError` where the storage below fails."""

    def enrol(self, probe: str, public_key: bytes, at: float, token: str | None = None) -> Entry:
        """Remember a probe's key durably, and count it as a use of its token (given by its hash), if the
        token lets it; the same key again changes nothing and asks for none."""

    def keys(self) -> Mapping[str, bytes]:
        """Every enrolled probe's public key, by probe."""

    def enrolled(self) -> list[Enrolled]:
        """Every enrolled probe, in order of enrolment."""

    def issue(self, token: Token) -> None:
        """Keep a token, in place of what was kept of it before."""

    def tokens(self) -> list[Token]:
        """Every token, in order of issue."""

    def order(self, quarantine: Quarantine) -> None:
        """Keep an order, in place of what was kept of the same subject and moment before."""

    def subscribe(self, webhooks: Collection[str]) -> None:
        """To whom what is published from now on is delivered; what waits for others stays."""

    def outbox(self, webhook: str | None = None, *, dead: bool = False) -> list[Delivery]:
        """What waits to be delivered, or what was given up, to one webhook or to all; by webhook,
        incident and number."""

    def post(self, delivery: Delivery) -> None:
        """Keep how a delivery stands, in place of how it stood."""

    def delivered(self, delivery: Delivery) -> None:
        """Take a delivery out of the outbox."""

    def chronicle(self, country: str | None, first: int, last: int) -> list[CountryRound]:
        """What detection saw in those rounds, both ends included, oldest first; in one country, or of
        every round in all of them."""

    def grounds(self, incident: str) -> bytes | None:
        """The state that an incident's evidence begins with; None where none is kept."""

    def unground(self, incidents: Iterable[str]) -> None:
        """Drop those states: there are probes in them."""

    def ingest(self, group: Sequence[Ingest]) -> list[Stored]:
        """Store a group durably, batches and cells in one transaction; one answer per batch."""

    def see(self, heartbeats: Iterable[Seen]) -> None:
        """Remember heartbeats durably, all or none, as spans; the same ones in any order, and again, are
        remembered the same."""

    def seen(self, since: float) -> list[Seen]:
        """The probes heard from at or after `since`, with their newest heartbeat."""

    def forget(self, before: float) -> None:
        """Drop the spans that ended before a moment: when somebody's machine is on is nobody's business
        for longer than it is needed."""

    def cells_from(self, first_minute: int) -> Iterable[tuple[CellKey, Cell]]:
        """Every cell from that minute on that can be read, one after another: there may be more than memory
        holds."""

    def replace_cells(self, first_minute: int, additions: Iterable[Mapping[CellKey, Cell]]) -> int:
        """Put the sum of `additions`, all from `first_minute` on, in place of every cell from that
        minute on, in one transaction; returns how many cells came, went or changed. Where taking
        from `additions` raises, nothing has changed. They may be made of this store's batches."""

    def batches(
        self,
        probe: str | None = None,
        since: float = 0.0,
        until: float = inf,
        torn: Callable[[str], None] | None = None,
    ) -> Iterable[SignedBatch]:
        """Batches received at or after `since` and before `until`, oldest first, of one probe or of all.
        Between one and the next anything else may be asked of the store. Where `torn` is given it is told
        of what is damaged, and the rest comes."""

    def expire(self, batches_before: float, cells_before: float, rounds_before: int) -> int:
        """Drop whole segments last received before the first moment, cells before the second (both
        Unix seconds), the chronicle before that round; returns how many batches went."""

    def dropped_until(self) -> float | None:
        """No batch received after this moment was ever dropped; None where none was at all."""

    def compact(self) -> int:
        """Give back to the disk some of the room that dropped data left; returns how much is still to be
        given back, in pages. Short, so that ingest can go on between two calls."""

    def figures(self) -> StoreFigures:
        """As they are now. Cheap, however much is kept: it is asked every few seconds."""

    def close(self) -> None:
        """Finish what is open. A second call does nothing."""
