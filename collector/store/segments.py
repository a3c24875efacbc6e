"""The embedded store's signed batches: whole groups as compressed segments, never taken apart.

A group becomes a segment, and beside it stand the receipts that make a retry harmless. Retention drops
whole segments, because deleting rows gives nothing back. The caller holds the transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from math import inf

from .base import Ingest, SignedBatch, Stored
from .packing import Torn, pack_segment, unpack_segment

# Batches of one segment were received within less, so that one index finds those of any time. A group that
# waited longer, because the disk stood still, becomes more than one.
_SEGMENT_S = 600.0

SCHEMA = """
CREATE TABLE IF NOT EXISTS segments (
    id INTEGER PRIMARY KEY, first_at REAL NOT NULL, last_at REAL NOT NULL, batches INTEGER NOT NULL,
    data BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS segments_by_time ON segments (last_at);
CREATE TABLE IF NOT EXISTS receipts (
    probe TEXT NOT NULL, sequence INTEGER NOT NULL, segment INTEGER NOT NULL,
    PRIMARY KEY (probe, sequence)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS receipts_by_segment ON receipts (segment);
CREATE TABLE IF NOT EXISTS dropped (until REAL);
INSERT INTO dropped SELECT NULL WHERE NOT EXISTS (SELECT 1 FROM dropped); -- a new store has dropped nothing
"""


def add(db: sqlite3.Connection, group: Sequence[Ingest]) -> list[Stored]:
    """Keep what is new of a group; one answer for each."""
    return [answer for some in _at_once(group) for answer in _add(db, some)]


def _at_once(group: Sequence[Ingest]) -> Iterator[Sequence[Ingest]]:
    """A group in its order, parted where it would be longer than a segment may."""
    begun, low, high = 0, inf, -inf
    for place, item in enumerate(group):
        low, high = min(low, item.batch.received_at), max(high, item.batch.received_at)
        if high - low >= _SEGMENT_S:
            yield group[begun:place]
            begun, low, high = place, item.batch.received_at, item.batch.received_at
    yield group[begun:]


def _add(db: sqlite3.Connection, group: Sequence[Ingest]) -> list[Stored]:
    (segment,) = db.execute("SELECT coalesce(max(id), 0) + 1 FROM segments").fetchone()
    answers = [_receipt(db, item.batch, segment) for item in group]
    new = [item.batch for item, answer in zip(group, answers, strict=True) if answer is Stored.NEW]
    if new:
        times = [batch.received_at for batch in new]
        row = (segment, min(times), max(times), len(new), pack_segment(new))
        db.execute("INSERT INTO segments VALUES (?, ?, ?, ?, ?)", row)
    return answers


def _receipt(db: sqlite3.Connection, batch: SignedBatch, segment: int) -> Stored:
    """The primary key decides, so that two copies in one group are found as well."""
    added = db.execute(
        "INSERT OR IGNORE INTO receipts VALUES (?, ?, ?)", (batch.probe, batch.sequence, segment)
    )
    return Stored.NEW if added.rowcount else Stored.DUPLICATE


def batches(
    db: sqlite3.Connection,
    probe: str | None,
    since: float,
    until: float,
    torn: Callable[[str], None] | None,
) -> Iterator[SignedBatch]:
    """See `base.Store.batches`; raises `Torn` where nobody is told of it."""
    chosen = "SELECT id FROM segments WHERE last_at >= ? AND last_at < ? ORDER BY id"
    wanted: tuple[object, ...] = (since, until + _SEGMENT_S)
    if probe is not None:
        chosen = (
            "SELECT DISTINCT segment FROM receipts JOIN segments ON segments.id = segment"
            " WHERE last_at >= ? AND last_at < ? AND probe = ? ORDER BY segment"
        )
        wanted = (*wanted, probe)
    for segment in [row[0] for row in db.execute(chosen, wanted)]:
        for batch in _unpacked(db, segment, torn):
            if since <= batch.received_at < until and probe in (None, batch.probe):
                yield batch


def _unpacked(db: sqlite3.Connection, segment: int, torn: Callable[[str], None] | None) -> list[SignedBatch]:
    try:
        row = db.execute("SELECT data FROM segments WHERE id = ?", (segment,)).fetchone()
        return unpack_segment(row[0]) if row else []  # it may have expired since
    except (Torn, sqlite3.DatabaseError) as error:
        damage = f"segment {segment} is damaged: {error}"
        if torn is None:
            raise Torn(damage) from None
        torn(damage)
        return []


def expire(db: sqlite3.Connection, before: float) -> int:
    """Drop segments last received before a moment; how many batches went."""
    dropped, until = db.execute(
        "SELECT coalesce(sum(batches), 0), max(last_at) FROM segments WHERE last_at < ?", (before,)
    ).fetchone()
    if dropped:
        db.execute("UPDATE dropped SET until = max(?, coalesce(until, ?))", (until, until))
    old = "SELECT id FROM segments WHERE last_at < ?"
    db.execute(f"DELETE FROM receipts WHERE segment IN ({old})", (before,))  # noqa: S608
    db.execute("DELETE FROM segments WHERE last_at < ?", (before,))
    return int(dropped)


def dropped_until(db: sqlite3.Connection) -> float | None:
    """See `base.Store.dropped_until`."""
    (until,) = db.execute("SELECT until FROM dropped").fetchone()
    return None if until is None else float(until)


def oldest(db: sqlite3.Connection) -> float | None:
    """When the oldest batch was received."""
    row = db.execute("SELECT first_at FROM segments ORDER BY last_at LIMIT 1").fetchone()
    return row[0] if row else None
