"""The embedded store: one folder, one SQLite file.

Each kind of thing has a module with its tables and what is asked of them: `segments`, `counts`, `presence`,
`told`, `outbox`, `roll`. Here is what they share: the connection, its transactions, and the words for what
fails. One connection does all writes and checkpoints (SQLite before 3.51.3 can corrupt a WAL that two
connections reset), and a lock on the folder keeps a second collector out.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import IO

from collector.detect.ballots import Standing
from collector.detect.cells import Cell, CellKey
from collector.detect.chronicle import CountryRound
from collector.detect.quarantine import Quarantine
from collector.detect.revisions import Revision
from collector.detect.spans import Span
from collector.tokens import Entry, Token

from . import counts, outbox, presence, roll, segments, told
from .base import Delivery, Enrolled, Ingest, Seen, SignedBatch, Stored, StoreError, StoreFigures
from .folder import DATABASE, lock_folder, make_private
from .packing import Torn

# 3 keeps votes by probe; 4 what detection saw, tokens and quarantines; 5 speeds, and when probes were there;
# 6 cells in parts; 7 a network's minute in a row
VERSION = 7
_COMPACTED_AT_ONCE = 512  # pages, 2 MiB: tens of milliseconds of the store's thread on a slow disk

_KINDS = (segments, counts, presence, told, outbox, roll)
_SCHEMA = "".join(kind.SCHEMA for kind in _KINDS) + f"PRAGMA user_version = {VERSION};"


class SqliteStore:
    """See `base.Store` for what each method promises."""

    def __init__(self, db: sqlite3.Connection, folder: Path, lock: IO[str] | None = None) -> None:
        self._db = db
        self._folder = folder
        self._lock = lock

    @classmethod
    def open(cls, where: str) -> SqliteStore:
        """Open or make the store in the folder `where`."""
        folder = Path(where)
        lock = lock_folder(folder)
        try:
            with _translated(folder):
                make_private(folder / DATABASE)
                db = sqlite3.connect(folder / DATABASE, isolation_level=None, check_same_thread=False)
                _prepare(db, folder)
        except BaseException:
            lock.close()
            raise
        return cls(db, folder, lock)

    @classmethod
    def read(cls, folder: Path) -> SqliteStore:
        """The store of a collector that runs, for another process of it that only reads: beside the one that
        writes and checkpoints, this one can do neither."""
        with _translated(folder):
            where = f"{(folder / DATABASE).absolute().as_uri()}?mode=ro"
            return cls(sqlite3.connect(where, uri=True, isolation_level=None), folder)

    def close(self) -> None:
        """See `base.Store`."""
        self._db.close()
        if self._lock:
            self._lock.close()

    def enrol(self, probe: str, public_key: bytes, at: float, token: str | None = None) -> Entry:
        """See `base.Store`."""
        with self._transaction():
            return roll.enrol(self._db, probe, public_key, at, token)

    def keys(self) -> Mapping[str, bytes]:
        """See `base.Store`."""
        with _translated(self._folder):
            return roll.keys(self._db)

    def standings(self) -> Mapping[str, Standing]:
        """See `base.Store`."""
        with _translated(self._folder):
            return roll.standings(self._db)

    def enrolled(self) -> list[Enrolled]:
        """See `base.Store`."""
        with _translated(self._folder):
            return roll.enrolled(self._db)

    def issue(self, token: Token) -> None:
        """See `base.Store`."""
        with self._transaction():
            roll.issue(self._db, token)

    def tokens(self) -> list[Token]:
        """See `base.Store`."""
        with _translated(self._folder):
            return roll.tokens(self._db)

    def order(self, quarantine: Quarantine) -> None:
        """See `base.Store`."""
        with self._transaction():
            roll.order(self._db, quarantine)

    def quarantines(self) -> list[Quarantine]:
        """See `base.Store`."""
        with _translated(self._folder):
            return roll.quarantines(self._db)

    def rounds_of(self, seconds: float) -> float:
        """See `base.Store`."""
        with self._transaction():
            return told.rounds_of(self._db, seconds)

    def settle(self, states: Mapping[int, bytes], keep: Collection[int]) -> None:
        """See `base.Store`."""
        with self._transaction():
            told.settle(self._db, states, keep)

    def settled(self) -> list[bytes]:
        """See `base.Store`."""
        with _translated(self._folder):
            return told.settled(self._db)

    def publish(self, revisions: Iterable[Revision]) -> None:
        """See `base.Store`."""
        with self._transaction():
            new = list(revisions)
            told.publish(self._db, new)
            outbox.address(self._db, new)

    def revisions(self, incident: str | None = None) -> list[Revision]:
        """See `base.Store`."""
        with _translated(self._folder):
            return told.revisions(self._db, incident)

    def subscribe(self, webhooks: Collection[str]) -> None:
        """See `base.Store`."""
        with self._transaction():
            outbox.subscribe(self._db, webhooks)

    def outbox(self, webhook: str | None = None, *, dead: bool = False) -> list[Delivery]:
        """See `base.Store`."""
        with _translated(self._folder):
            return outbox.outbox(self._db, webhook, dead=dead)

    def post(self, delivery: Delivery) -> None:
        """See `base.Store`."""
        with self._transaction():
            outbox.post(self._db, delivery)

    def delivered(self, delivery: Delivery) -> None:
        """See `base.Store`."""
        with self._transaction():
            outbox.delivered(self._db, delivery)

    def tell(self, rounds: Iterable[CountryRound], empty: Iterable[tuple[str, int]] = ()) -> None:
        """See `base.Store`."""
        with self._transaction():
            told.tell(self._db, rounds, empty)

    def chronicle(self, country: str | None, first: int, last: int) -> list[CountryRound]:
        """See `base.Store`."""
        with _translated(self._folder):
            return told.chronicle(self._db, country, first, last)

    def ground(self, starts: Mapping[str, bytes]) -> None:
        """See `base.Store`."""
        with self._transaction():
            told.ground(self._db, starts)

    def grounds(self, incident: str) -> bytes | None:
        """See `base.Store`."""
        with _translated(self._folder):
            return told.grounds(self._db, incident)

    def unground(self, incidents: Iterable[str]) -> None:
        """See `base.Store`."""
        with self._transaction():
            told.unground(self._db, incidents)

    def ingest(self, group: Sequence[Ingest]) -> list[Stored]:
        """See `base.Store`."""
        with self._transaction():
            answers = segments.add(self._db, group)
            new = (i.cells for i, answer in zip(group, answers, strict=True) if answer is Stored.NEW)
            counts.add(self._db, new)
        return answers

    def see(self, heartbeats: Iterable[Seen]) -> None:
        """See `base.Store`."""
        with self._transaction():
            for heartbeat in heartbeats:
                presence.see(self._db, heartbeat)

    def seen(self, since: float) -> list[Seen]:
        """See `base.Store`."""
        with _translated(self._folder):
            return presence.seen(self._db, since)

    def spans(self, since: float, until: float) -> list[Span]:
        """See `base.Store`."""
        with _translated(self._folder):
            return presence.spans(self._db, since, until)

    def forget(self, before: float) -> None:
        """See `base.Store`."""
        with self._transaction():
            presence.forget(self._db, before)

    def cells(self, first_minute: int, last_minute: int) -> dict[CellKey, Cell]:
        """See `base.Store`."""
        with _translated(self._folder):
            return counts.cells(self._db, first_minute, last_minute)

    def cells_from(self, first_minute: int) -> Iterator[tuple[CellKey, Cell]]:
        """See `base.Store`."""
        with _translated(self._folder):
            yield from counts.cells_from(self._db, first_minute)

    def replace_cells(self, first_minute: int, additions: Iterable[Mapping[CellKey, Cell]]) -> int:
        """See `base.Store`."""
        with self._transaction():
            return counts.replace(self._db, first_minute, additions)

    def batches(
        self,
        probe: str | None = None,
        since: float = 0.0,
        until: float = inf,
        torn: Callable[[str], None] | None = None,
    ) -> Iterator[SignedBatch]:
        """See `base.Store`."""
        with _translated(self._folder):
            yield from segments.batches(self._db, probe, since, until, torn)

    def expire(self, batches_before: float, cells_before: float, rounds_before: int) -> int:
        """See `base.Store`."""
        with self._transaction():
            counts.expire(self._db, cells_before)
            told.expire(self._db, rounds_before)
            return segments.expire(self._db, batches_before)

    def dropped_until(self) -> float | None:
        """See `base.Store`."""
        with _translated(self._folder):
            return segments.dropped_until(self._db)

    def compact(self) -> int:
        """See `base.Store`."""
        with _translated(self._folder):
            # A script, because `execute` would end a pragma without columns after its first page.
            self._db.executescript(f"PRAGMA incremental_vacuum({_COMPACTED_AT_ONCE})")
            (left,) = self._db.execute("PRAGMA freelist_count").fetchone()
            if not left:
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return int(left)

    def figures(self) -> StoreFigures:
        """See `base.Store`."""
        with _translated(self._folder):
            oldest = segments.oldest(self._db)
        size = sum(file.stat().st_size for file in self._folder.glob(f"{DATABASE}*"))
        free = shutil.disk_usage(self._folder).free
        return StoreFigures(size_bytes=size, oldest_batch_at=oldest, free_bytes=free)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _translated(self._folder):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")


def _prepare(db: sqlite3.Connection, folder: Path) -> None:
    try:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):  # 0 is a new file's
            which = "a newer" if version > VERSION else "an older"
            raise StoreError(
                f"{folder}: written by {which} release (version {version}, this one knows {VERSION})"
            )
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # heard before the first table alone
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")  # a receipt is given on the strength of this fsync
        db.executescript(_SCHEMA)
    except BaseException:
        db.close()
        raise


@contextmanager
def _translated(folder: Path) -> Iterator[None]:
    """SQLite's words for a failing disk, and for rows that rotted on it, with the folder they leave out."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{error.filename or folder}: {error.strerror or error}") from None
    except (sqlite3.DatabaseError, Torn) as error:
        raise StoreError(f"{folder}: {error}") from None
