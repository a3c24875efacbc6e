"""What this machine keeps: rounds until a collector has them, a short history, a few notes.

One SQLite file (the standard library's), every change a transaction on disk before it counts.
Bounded by bytes and by age: the oldest go first, and how many went is counted for ever. Several
processes may use it at once, as a ``run`` beside the agent does; within one, the caller takes
care that calls do not overlap.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HISTORY_ROUNDS = 1000
_VERSION = 2

# What waited under version 1 was signed by a key that speaks for no network: nobody would send it.
_SCHEMA = f"""
DROP TABLE IF EXISTS spool;
CREATE TABLE spool (
    sequence INTEGER PRIMARY KEY, probe TEXT NOT NULL, created_at REAL NOT NULL, body BLOB NOT NULL,
    signature BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS history (started_at REAL NOT NULL, summary BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS notes (key TEXT PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS counts (key TEXT PRIMARY KEY, value INTEGER NOT NULL);
PRAGMA user_version = {_VERSION};
"""


class SpoolError(Exception):
    """The spool cannot be used: disk full, read-only, damaged. The message names the path."""


@dataclass(frozen=True, slots=True)
class Item:
    """A signed batch that waits. `created_at` is Unix seconds."""

    sequence: int
    created_at: float
    body: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Added:
    """What adding did: the sequence number given, and how many old rounds had to go."""

    sequence: int
    dropped: int


@dataclass(frozen=True, slots=True)
class SpoolFigures:
    """What waits and what was lost. `refused` is by the collector's code."""

    pending: int
    size_bytes: int
    oldest_at: float | None
    dropped: int
    refused: dict[str, int]


class Spool:
    """An open spool; `SpoolError` from every method where the storage below fails."""

    def __init__(self, connection: sqlite3.Connection, path: Path, max_bytes: int, max_age_s: float) -> None:
        self._db = connection
        self._path = path
        self._max_bytes = max_bytes
        self._max_age_s = max_age_s

    @classmethod
    def open(cls, path: Path, *, max_bytes: int, max_age_s: float) -> Spool:
        """Open or make the spool at `path`, readable by its owner alone."""
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
        except OSError as error:
            raise SpoolError(f"{path}: {error.strerror or error}") from None
        with _translated(path):
            db = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
            try:
                _prepare(db, path)
            except BaseException:
                db.close()
                raise
        return cls(db, path, max_bytes, max_age_s)

    def close(self) -> None:
        """Let go of the file; a second call does nothing."""
        self._db.close()

    def add(self, probe: str, make: Callable[[int], tuple[bytes, bytes]], now: float) -> Added:
        """Store what `make(sequence)` returns (body and signature) for one pseudonym, durably when this
        returns.

        Sequence numbers rise for ever and survive the loss of the file: the next is at least the
        time in milliseconds, so a collector never takes a new round for an old one.
        """
        with self._transaction():
            sequence = max(self._count("sequence") + 1, int(now * 1000))
            body, signature = make(sequence)
            self._set("sequence", sequence)
            packed = zlib.compress(body, 6)
            self._db.execute(
                "INSERT INTO spool VALUES (?, ?, ?, ?, ?)", (sequence, probe, now, packed, signature)
            )
            dropped = self._drop_old(now)
            self._set("dropped", self._count("dropped") + dropped)
        return Added(sequence, dropped)

    def _drop_old(self, now: float) -> int:
        dropped = self._db.execute(
            "DELETE FROM spool WHERE created_at < ?", (now - self._max_age_s,)
        ).rowcount
        (size,) = self._db.execute("SELECT coalesce(sum(length(body)), 0) FROM spool").fetchone()
        oldest_first = self._db.execute(
            "SELECT sequence, length(body) FROM spool ORDER BY sequence"
        ).fetchall()
        for sequence, length in oldest_first[:-1]:  # the newest is never the one to go
            if size <= self._max_bytes:
                break
            self._db.execute("DELETE FROM spool WHERE sequence = ?", (sequence,))
            size -= length
            dropped += 1
        return int(dropped)

    def peek(self, probe: str) -> Item | None:
        """The oldest batch that waits for this pseudonym. One that the disk has spoilt is counted as
        refused and passed over: SQLite keeps no checksums, and a single bad block must not hold up all
        the others."""
        while (row := self._oldest(probe)) is not None:
            sequence, created_at, packed, signature = row
            try:
                return Item(sequence, created_at, zlib.decompress(packed), signature)
            except zlib.error:
                self.refuse(sequence, "damaged")
        return None

    def _oldest(self, probe: str) -> tuple[int, float, bytes, bytes] | None:
        with _translated(self._path):
            row: tuple[int, float, bytes, bytes] | None = self._db.execute(
                "SELECT sequence, created_at, body, signature FROM spool WHERE probe = ?"
                " ORDER BY sequence LIMIT 1",
                (probe,),
            ).fetchone()
        return row

    def done(self, sequence: int) -> None:
        """Forget a batch: only after its receipt."""
        with self._transaction():
            self._db.execute("DELETE FROM spool WHERE sequence = ?", (sequence,))

    def refuse(self, sequence: int, code: str) -> None:
        """Forget a batch the collector will never take, and count why."""
        with self._transaction():
            self._db.execute("DELETE FROM spool WHERE sequence = ?", (sequence,))
            self._set(f"refused:{code}", self._count(f"refused:{code}") + 1)

    def empty(self) -> int:
        """Forget all that waits; how many batches that were."""
        with self._transaction():
            return self._db.execute("DELETE FROM spool").rowcount

    def waiting(self, probe: str) -> int:
        """How many batches wait for this pseudonym."""
        with _translated(self._path):
            row = self._db.execute("SELECT count(*) FROM spool WHERE probe = ?", (probe,)).fetchone()
            return int(row[0])

    def figures(self) -> SpoolFigures:
        """What waits and what was lost, now."""
        with _translated(self._path):
            pending, size, oldest = self._db.execute(
                "SELECT count(*), coalesce(sum(length(body)), 0), min(created_at) FROM spool"
            ).fetchone()
            refused = self._db.execute("SELECT key, value FROM counts WHERE key LIKE 'refused:%'").fetchall()
            dropped = self._count("dropped")
        by_code = {key.removeprefix("refused:"): value for key, value in refused}
        return SpoolFigures(pending, size, oldest, dropped, by_code)

    def remember(self, started_at: float, summary: bytes) -> None:
        """Add a round's summary to the history, which keeps the last `HISTORY_ROUNDS`."""
        with self._transaction():
            self._db.execute("INSERT INTO history VALUES (?, ?)", (started_at, summary))
            self._db.execute(
                "DELETE FROM history WHERE rowid <= (SELECT max(rowid) FROM history) - ?", (HISTORY_ROUNDS,)
            )

    def history(self, limit: int) -> list[bytes]:
        """The last summaries, newest first."""
        with _translated(self._path):
            rows = self._db.execute("SELECT summary FROM history ORDER BY rowid DESC LIMIT ?", (limit,))
            return [row[0] for row in rows]

    def note(self, key: str, text: str) -> None:
        """Keep one line for ``status``."""
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (key, text))

    def notes(self) -> dict[str, str]:
        """Every note."""
        with _translated(self._path):
            return dict(self._db.execute("SELECT key, text FROM notes ORDER BY key").fetchall())

    def _count(self, key: str) -> int:
        row = self._db.execute("SELECT value FROM counts WHERE key = ?", (key,)).fetchone()
        return int(row[0]) if row else 0

    def _set(self, key: str, value: int) -> None:
        self._db.execute("INSERT OR REPLACE INTO counts VALUES (?, ?)", (key, value))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _translated(self._path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > _VERSION:
        raise SpoolError(f"{path}: written by a newer release (version {version}, this one knows {_VERSION})")
    # No write-ahead log: SQLite before 3.51.3 can corrupt one that two processes reset at once, as
    # the agent and a `run` beside it might. One write a minute does not need its speed.
    db.execute("PRAGMA journal_mode = TRUNCATE")
    db.execute("PRAGMA synchronous = FULL")
    if version < _VERSION:  # written once: `status` must work on a full disk, and beside a writer
        db.executescript(_SCHEMA)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """SQLite's words for a failing disk, with the path they leave out."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise SpoolError(f"{path}: {error}") from None
