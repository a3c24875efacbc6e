"""The embedded store: one folder, one SQLite file, whole groups as compressed segments.

Signed batches are never taken apart: a group becomes one segment, and beside it, in the same
transaction, stand the receipts that make a retry harmless and the cells that the group adds. One
connection does all writes and checkpoints (SQLite before 3.51.3 can corrupt a WAL that two
connections reset), and a lock on the folder keeps a second collector out. Retention drops whole
segments, because deleting rows gives nothing back.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple
from itertools import islice
from math import inf
from pathlib import Path
from typing import IO, TypeVar

from collector.detect.ballots import Standing
from collector.detect.cells import Cell, CellKey, merge
from collector.detect.chronicle import CountryRound, pack_round, unpack_round
from collector.detect.quarantine import Quarantine
from collector.detect.revisions import Revision
from collector.detect.saved import pack_revision, unpack_revision
from collector.detect.spans import Span, union
from collector.detect.thresholds import PAUSE_S
from collector.tokens import Entry, Token
from probe.wire.exchange import Presence

from . import roll
from .base import Delivery, Enrolled, Ingest, Seen, SignedBatch, Stored, StoreError, StoreFigures, span_of
from .packing import Torn, compress, decompress, pack_cell, pack_segment, unpack_cell, unpack_segment

T = TypeVar("T")

DATABASE = "reachwatch.sqlite"  # the file in the folder
# 3 keeps votes by probe; 4 what detection saw, tokens and quarantines; 5 speeds, and when probes were there
VERSION = 5
_COMPACTED_AT_ONCE = 512  # pages, 2 MiB: tens of milliseconds of the store's thread on a slow disk
# Batches of one segment were received within less, so that one index finds those of any time. A group that
# waited longer, because the disk stood still, becomes more than one.
_SEGMENT_S = 600.0
_TAKEN_AT_ONCE = 100  # additions summed in memory before the table is touched

_CELL_COLUMNS = """
    minute INTEGER NOT NULL, country TEXT NOT NULL, asn INTEGER NOT NULL, platform TEXT NOT NULL,
    cell BLOB NOT NULL, PRIMARY KEY (minute, country, asn, platform)"""

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS segments (
    id INTEGER PRIMARY KEY, first_at REAL NOT NULL, last_at REAL NOT NULL, batches INTEGER NOT NULL,
    data BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS segments_by_time ON segments (last_at);
CREATE TABLE IF NOT EXISTS receipts (
    probe TEXT NOT NULL, sequence INTEGER NOT NULL, segment INTEGER NOT NULL,
    PRIMARY KEY (probe, sequence)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS receipts_by_segment ON receipts (segment);
CREATE TABLE IF NOT EXISTS cells ({_CELL_COLUMNS}) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dropped (until REAL);
CREATE TABLE IF NOT EXISTS probes (
    probe TEXT PRIMARY KEY, public_key BLOB NOT NULL, enrolled_at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spans (
    probe TEXT NOT NULL, country TEXT NOT NULL, asn INTEGER NOT NULL, first_at REAL NOT NULL,
    last_at REAL NOT NULL, said_bye INTEGER NOT NULL, prefix TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS spans_by_probe ON spans (probe, country, asn);
CREATE INDEX IF NOT EXISTS spans_by_time ON spans (last_at, first_at);
CREATE TABLE IF NOT EXISTS rounds (seconds REAL NOT NULL);
CREATE TABLE IF NOT EXISTS settled (number INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS chronicle (
    country TEXT NOT NULL, number INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (country, number)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS chronicle_by_round ON chronicle (number);
CREATE TABLE IF NOT EXISTS starts (incident TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS revisions (
    incident TEXT NOT NULL, number INTEGER NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (incident, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS subscribers (webhook TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (
    webhook TEXT NOT NULL, incident TEXT NOT NULL, number INTEGER NOT NULL, at REAL NOT NULL,
    attempts INTEGER NOT NULL, due REAL NOT NULL, error TEXT NOT NULL, dead INTEGER NOT NULL,
    PRIMARY KEY (webhook, incident, number)) WITHOUT ROWID;
{roll.SCHEMA}
PRAGMA user_version = {VERSION};
"""
# A new store has dropped nothing.
_MEMORY = "INSERT INTO dropped SELECT NULL WHERE NOT EXISTS (SELECT 1 FROM dropped);"


class SqliteStore:
    """See `base.Store` for what each method promises."""

    def __init__(self, db: sqlite3.Connection, folder: Path, lock: IO[str]) -> None:
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
                _make_private(folder / DATABASE)
                db = sqlite3.connect(folder / DATABASE, isolation_level=None, check_same_thread=False)
                _prepare(db, folder)
        except BaseException:
            lock.close()
            raise
        return cls(db, folder, lock)

    def close(self) -> None:
        """See `base.Store`."""
        self._db.close()
        self._lock.close()

    def enrol(self, probe: str, public_key: bytes, at: float, token: str | None = None) -> Entry:
        """See `base.Store`."""
        with self._transaction():
            return roll.enrol(self._db, probe, public_key, at, token)

    def keys(self) -> Mapping[str, bytes]:
        """See `base.Store`."""
        with _translated(self._folder):
            return dict(self._db.execute("SELECT probe, public_key FROM probes").fetchall())

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
            self._db.execute(
                "INSERT INTO rounds SELECT ? WHERE NOT EXISTS (SELECT 1 FROM rounds)", (seconds,)
            )
            (kept,) = self._db.execute("SELECT seconds FROM rounds").fetchone()
        return float(kept)

    def settle(self, states: Mapping[int, bytes], keep: Collection[int]) -> None:
        """See `base.Store`."""
        with self._transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO settled VALUES (?, ?)",
                [(number, compress(data)) for number, data in states.items()],
            )
            known = [number for (number,) in self._db.execute("SELECT number FROM settled")]
            gone = [(number,) for number in known if number not in keep]
            self._db.executemany("DELETE FROM settled WHERE number = ?", gone)

    def settled(self) -> list[bytes]:
        """See `base.Store`."""
        with _translated(self._folder):
            rows = self._db.execute("SELECT data FROM settled ORDER BY number").fetchall()
        whole = []
        for row in rows:
            with suppress(Torn):  # detection does without one: it folds again from the one before
                whole.append(decompress(row[0]))
        return whole

    def publish(self, revisions: Iterable[Revision]) -> None:
        """See `base.Store`."""
        new = list(revisions)
        rows = [(one.incident.id, one.number, pack_revision(one)) for one in new]
        addressed = [(one.incident.id, one.number, one.at) for one in new]
        with self._transaction():
            self._db.executemany("INSERT INTO revisions VALUES (?, ?, ?)", rows)
            self._db.executemany(
                "INSERT INTO outbox SELECT webhook, ?, ?, ?, 0, 0, '', 0 FROM subscribers", addressed
            )

    def revisions(self, incident: str | None = None) -> list[Revision]:
        """See `base.Store`."""
        asked = (
            "SELECT number, incident, data FROM revisions WHERE ?1 IS NULL OR incident = ?1"
            " ORDER BY incident, number"
        )
        with _translated(self._folder):
            rows = self._db.execute(asked, (incident,)).fetchall()
        return [self._read(unpack_revision, row[2], f"revision {row[0]} of {row[1]}") for row in rows]

    def subscribe(self, webhooks: Collection[str]) -> None:
        """See `base.Store`."""
        with self._transaction():
            self._db.execute("DELETE FROM subscribers")
            self._db.executemany("INSERT INTO subscribers VALUES (?)", [(name,) for name in webhooks])

    def outbox(self, webhook: str | None = None, *, dead: bool = False) -> list[Delivery]:
        """See `base.Store`."""
        asked = (
            "SELECT webhook, incident, number, at, attempts, due, error FROM outbox WHERE dead = ?1"
            " AND (?2 IS NULL OR webhook = ?2) ORDER BY webhook, incident, number"
        )
        with _translated(self._folder):
            rows = self._db.execute(asked, (dead, webhook)).fetchall()
        return [
            Delivery(
                webhook=webhook, incident=incident, number=number, at=at, attempts=attempts, due=due,
                error=error, dead=dead,
            )
            for webhook, incident, number, at, attempts, due, error in rows
        ]  # fmt: skip

    def post(self, delivery: Delivery) -> None:
        """See `base.Store`."""
        with self._transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?)", astuple(delivery)
            )

    def delivered(self, delivery: Delivery) -> None:
        """See `base.Store`."""
        name = (delivery.webhook, delivery.incident, delivery.number)
        with self._transaction():
            self._db.execute("DELETE FROM outbox WHERE webhook = ? AND incident = ? AND number = ?", name)

    def tell(self, rounds: Iterable[CountryRound], empty: Iterable[tuple[str, int]] = ()) -> None:
        """See `base.Store`."""
        rows = [(one.country, one.number, compress(pack_round(one))) for one in rounds]
        with self._transaction():
            self._db.executemany("DELETE FROM chronicle WHERE country = ? AND number = ?", empty)
            self._db.executemany("INSERT OR REPLACE INTO chronicle VALUES (?, ?, ?)", rows)

    def chronicle(self, country: str | None, first: int, last: int) -> list[CountryRound]:
        """See `base.Store`."""
        where, wanted = ("", ()) if country is None else ("country = ? AND ", (country,))
        asked = (
            f"SELECT country, number, data FROM chronicle WHERE {where}number BETWEEN ? AND ?"  # noqa: S608
            " ORDER BY number, country"
        )
        with _translated(self._folder):
            rows = self._db.execute(asked, (*wanted, first, last)).fetchall()
        return [
            self._read(
                lambda data: unpack_round(decompress(data)),
                row[2],
                f"what detection saw in {row[0]} in round {row[1]}",
            )
            for row in rows
        ]

    def ground(self, starts: Mapping[str, bytes]) -> None:
        """See `base.Store`."""
        with self._transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO starts VALUES (?, ?)",
                [(incident, compress(data)) for incident, data in starts.items()],
            )

    def grounds(self, incident: str) -> bytes | None:
        """See `base.Store`."""
        with _translated(self._folder):
            row = self._db.execute("SELECT data FROM starts WHERE incident = ?", (incident,)).fetchone()
        return self._read(decompress, row[0], f"the state before {incident}") if row else None

    def ingest(self, group: Sequence[Ingest]) -> list[Stored]:
        """See `base.Store`."""
        with self._transaction():
            return [answer for some in _at_once(group) for answer in self._ingest(some)]

    def _ingest(self, group: Sequence[Ingest]) -> list[Stored]:
        (segment,) = self._db.execute("SELECT coalesce(max(id), 0) + 1 FROM segments").fetchone()
        answers = [self._receipt(item.batch, segment) for item in group]
        new = [item for item, answer in zip(group, answers, strict=True) if answer is Stored.NEW]
        if new:
            self._add_segment(segment, [item.batch for item in new])
            self._add_cells(item.cells for item in new)
        return answers

    def _receipt(self, batch: SignedBatch, segment: int) -> Stored:
        """The primary key decides, so that two copies in one group are found as well."""
        added = self._db.execute(
            "INSERT OR IGNORE INTO receipts VALUES (?, ?, ?)", (batch.probe, batch.sequence, segment)
        )
        return Stored.NEW if added.rowcount else Stored.DUPLICATE

    def _add_segment(self, segment: int, batches: Sequence[SignedBatch]) -> None:
        times = [batch.received_at for batch in batches]
        row = (segment, min(times), max(times), len(batches), pack_segment(batches))
        self._db.execute("INSERT INTO segments VALUES (?, ?, ?, ?, ?)", row)

    def _add_cells(self, additions: Iterable[Mapping[CellKey, Cell]], table: str = "cells") -> None:
        summed: dict[CellKey, Cell] = {}
        for cells in additions:
            for key, cell in cells.items():
                summed[key] = merge(summed[key], cell) if key in summed else cell
        for key, cell in summed.items():
            name = (key.minute, key.country, key.asn, key.platform)
            row = self._db.execute(
                f"SELECT cell FROM {table}"  # noqa: S608 - ours, one of two
                " WHERE minute = ? AND country = ? AND asn = ? AND platform = ?",
                name,
            ).fetchone()
            whole = merge(self._cell(key, row[0]), cell) if row else cell
            self._db.execute(
                f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?, ?, ?)",  # noqa: S608
                (*name, pack_cell(whole)),
            )

    def see(self, heartbeats: Iterable[Seen]) -> None:
        """See `base.Store`."""
        with self._transaction():
            for heartbeat in heartbeats:
                self._join(span_of(heartbeat))

    def _join(self, span: Span) -> None:
        """Put a heartbeat to the spans it continues: nearly always one, and only its end moves."""
        rows = self._db.execute(
            "SELECT *, rowid FROM spans WHERE (probe, country, asn) = (?, ?, ?)"
            " AND first_at <= ? AND last_at >= ?",
            (span.probe, span.country, span.asn, span.last_at + PAUSE_S, span.first_at - PAUSE_S),
        ).fetchall()
        if not rows:
            values = (span.probe, span.country, span.asn, span.first_at, span.last_at)
            self._db.execute(
                "INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?, ?)", (*values, span.said_bye, span.prefix)
            )
            return
        whole = union((span, *(_span(row[:-1]) for row in rows)))
        # Where the row is stays: probes are heard in the same order every minute, so that neighbours change
        # together and few pages are written.
        self._db.execute(
            "UPDATE spans SET (first_at, last_at, said_bye, prefix) = (?, ?, ?, ?) WHERE rowid = ?",
            (whole.first_at, whole.last_at, whole.said_bye, whole.prefix, rows[0][-1]),
        )
        self._db.executemany("DELETE FROM spans WHERE rowid = ?", [row[-1:] for row in rows[1:]])

    def seen(self, since: float) -> list[Seen]:
        """See `base.Store`."""
        with _translated(self._folder):  # max() in SQLite brings its own row's other columns along
            rows = self._db.execute(
                "SELECT probe, max(last_at), said_bye, country, asn, prefix FROM spans"
                " WHERE last_at >= ? GROUP BY probe",
                (since,),
            ).fetchall()
        return [
            Seen(
                probe=probe,
                at=at,
                state=Presence.BYE if said_bye else Presence.ALIVE,
                country=country,
                asn=asn,
                prefix=prefix,
            )
            for probe, at, said_bye, country, asn, prefix in rows
        ]

    def spans(self, since: float, until: float) -> list[Span]:
        """See `base.Store`."""
        with _translated(self._folder):
            rows = self._db.execute(
                "SELECT * FROM spans WHERE last_at > ? AND first_at <= ?", (since, until)
            ).fetchall()
        return [_span(row) for row in rows]

    def forget(self, before: float) -> None:
        """See `base.Store`."""
        with self._transaction():
            self._db.execute("DELETE FROM spans WHERE last_at < ?", (before,))

    def cells(self, first_minute: int, last_minute: int) -> dict[CellKey, Cell]:
        """See `base.Store`."""
        with _translated(self._folder):
            rows = self._db.execute(
                "SELECT minute, country, asn, platform, cell FROM cells WHERE minute BETWEEN ? AND ?",
                (first_minute, last_minute),
            ).fetchall()
        return {key: self._cell(key, row[4]) for row in rows for key in [CellKey(*row[:4])]}

    def cells_from(self, first_minute: int) -> Iterator[tuple[CellKey, Cell]]:
        """See `base.Store`."""
        with _translated(self._folder):
            for row in self._db.execute(
                "SELECT minute, country, asn, platform, cell FROM cells WHERE minute >= ?", (first_minute,)
            ):
                with suppress(Torn):
                    yield CellKey(*row[:4]), unpack_cell(row[4])

    def replace_cells(self, first_minute: int, additions: Iterable[Mapping[CellKey, Cell]]) -> int:
        """See `base.Store`. Built beside the old, so that only what differs is written through the WAL."""
        rest = iter(additions)
        with self._transaction():
            self._db.execute(f"CREATE TEMP TABLE fresh ({_CELL_COLUMNS}) WITHOUT ROWID")
            while some := list(islice(rest, _TAKEN_AT_ONCE)):
                self._add_cells(some, "fresh")
            gone = self._db.execute(
                "DELETE FROM cells WHERE minute >= ? AND NOT EXISTS (SELECT 1 FROM fresh WHERE"
                " (fresh.minute, fresh.country, fresh.asn, fresh.platform)"
                " = (cells.minute, cells.country, cells.asn, cells.platform))",
                (first_minute,),
            )
            changed = self._db.execute(
                "INSERT OR REPLACE INTO cells SELECT fresh.* FROM fresh LEFT JOIN cells AS old"
                " USING (minute, country, asn, platform) WHERE old.cell IS NOT fresh.cell"
            )
            self._db.execute("DROP TABLE fresh")
        return gone.rowcount + changed.rowcount

    def batches(
        self,
        probe: str | None = None,
        since: float = 0.0,
        until: float = inf,
        torn: Callable[[str], None] | None = None,
    ) -> Iterator[SignedBatch]:
        """See `base.Store`."""
        chosen = "SELECT id FROM segments WHERE last_at >= ? AND last_at < ? ORDER BY id"
        wanted: tuple[object, ...] = (since, until + _SEGMENT_S)
        if probe is not None:
            chosen = (
                "SELECT DISTINCT segment FROM receipts JOIN segments ON segments.id = segment"
                " WHERE last_at >= ? AND last_at < ? AND probe = ? ORDER BY segment"
            )
            wanted = (*wanted, probe)
        with _translated(self._folder):
            segments = [row[0] for row in self._db.execute(chosen, wanted)]
        for segment in segments:
            for batch in self._unpacked(segment, torn):
                if since <= batch.received_at < until and probe in (None, batch.probe):
                    yield batch

    def _unpacked(self, segment: int, torn: Callable[[str], None] | None) -> list[SignedBatch]:
        try:
            row = self._db.execute("SELECT data FROM segments WHERE id = ?", (segment,)).fetchone()
            return unpack_segment(row[0]) if row else []  # it may have expired since
        except (Torn, sqlite3.DatabaseError) as error:
            damage = f"segment {segment} is damaged: {error}"
            if torn is None:
                raise StoreError(f"{self._folder}: {damage}") from None
            torn(damage)
            return []

    def expire(self, batches_before: float, cells_before: float, rounds_before: int) -> int:
        """See `base.Store`."""
        with self._transaction():
            dropped, until = self._db.execute(
                "SELECT coalesce(sum(batches), 0), max(last_at) FROM segments WHERE last_at < ?",
                (batches_before,),
            ).fetchone()
            if dropped:
                self._db.execute("UPDATE dropped SET until = max(?, coalesce(until, ?))", (until, until))
            old = "SELECT id FROM segments WHERE last_at < ?"
            self._db.execute(f"DELETE FROM receipts WHERE segment IN ({old})", (batches_before,))  # noqa: S608
            self._db.execute("DELETE FROM segments WHERE last_at < ?", (batches_before,))
            self._db.execute("DELETE FROM cells WHERE minute < ?", (int(cells_before // 60),))
            self._db.execute("DELETE FROM chronicle WHERE number < ?", (rounds_before,))
        return int(dropped)

    def dropped_until(self) -> float | None:
        """See `base.Store`."""
        with _translated(self._folder):
            (until,) = self._db.execute("SELECT until FROM dropped").fetchone()
        return None if until is None else float(until)

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
            batches, oldest = self._db.execute(
                "SELECT coalesce(sum(batches), 0), min(first_at) FROM segments"
            ).fetchone()
            (cells,) = self._db.execute("SELECT count(*) FROM cells").fetchone()
        size = sum(file.stat().st_size for file in self._folder.glob(f"{DATABASE}*"))
        free = shutil.disk_usage(self._folder).free
        return StoreFigures(
            batches=batches, cells=cells, size_bytes=size, oldest_batch_at=oldest, free_bytes=free
        )

    def _cell(self, key: CellKey, data: bytes) -> Cell:
        name = f"the cell of minute {key.minute}, {key.country} AS{key.asn} {key.platform}"
        return self._read(unpack_cell, data, name)

    def _read(self, unpack: Callable[[bytes], T], data: bytes, name: str) -> T:
        """What was packed into a row; raises `StoreError`, which names it, for what rotted on the disk."""
        try:
            return unpack(data)
        except (Torn, ValueError, TypeError):
            raise StoreError(f"{self._folder}: {name}: cannot be read") from None

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


def _at_once(group: Sequence[Ingest]) -> Iterator[Sequence[Ingest]]:
    """A group in its order, parted where it would be longer than a segment may."""
    begun, low, high = 0, inf, -inf
    for place, item in enumerate(group):
        low, high = min(low, item.batch.received_at), max(high, item.batch.received_at)
        if high - low >= _SEGMENT_S:
            yield group[begun:place]
            begun, low, high = place, item.batch.received_at, item.batch.received_at
    yield group[begun:]


def _span(row: tuple[str, str, int, float, float, int, str]) -> Span:
    probe, country, asn, first_at, last_at, said_bye, prefix = row
    return Span(
        probe=probe,
        country=country,
        asn=asn,
        first_at=first_at,
        last_at=last_at,
        said_bye=bool(said_bye),
        prefix=prefix,
    )


def lock_folder(folder: Path) -> IO[str]:
    """Make the folder where there is none, and keep everybody else out for as long as what is returned is
    open; raises `StoreError` where somebody is in."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = open(folder / "lock", "w", opener=_private)  # noqa: SIM115 - the caller closes it
    except OSError as error:
        raise StoreError(f"{error.filename or folder}: {error.strerror or error}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise StoreError(f"{folder}: another collector uses this folder; stop it first") from None
    return lock


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _make_private(path: Path) -> None:
    """A database that its owner alone may read, whatever the folder lets through: it tells when homes are
    on. SQLite gives its WAL the same rights. One that is there is not opened, and keeps what it has."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


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
        db.executescript(_SCHEMA + _MEMORY)
    except BaseException:
        db.close()
        raise


@contextmanager
def _translated(folder: Path) -> Iterator[None]:
    """SQLite's words for a failing disk, with the folder they leave out."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{error.filename or folder}: {error.strerror or error}") from None
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{folder}: {error}") from None
