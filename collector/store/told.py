"""The embedded store's tables of what detection has said: its states, its chronicle, its incidents.

The caller holds the transaction: what is published is addressed to whoever is to hear it (`outbox`) with it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress

from collector.detect.chronicle import CountryRound, pack_round, unpack_round
from collector.detect.revisions import Revision
from collector.detect.saved import pack_revision, unpack_revision

from .packing import Torn, compress, decompress, read

SCHEMA = """
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
"""


def rounds_of(db: sqlite3.Connection, seconds: float) -> float:
    """See `base.Store.rounds_of`."""
    db.execute("INSERT INTO rounds SELECT ? WHERE NOT EXISTS (SELECT 1 FROM rounds)", (seconds,))
    (kept,) = db.execute("SELECT seconds FROM rounds").fetchone()
    return float(kept)


def settle(db: sqlite3.Connection, states: Mapping[int, bytes], keep: Collection[int]) -> None:
    """See `base.Store.settle`."""
    rows = [(number, compress(data)) for number, data in states.items()]
    db.executemany("INSERT OR REPLACE INTO settled VALUES (?, ?)", rows)
    known = [number for (number,) in db.execute("SELECT number FROM settled")]
    gone = [(number,) for number in known if number not in keep]
    db.executemany("DELETE FROM settled WHERE number = ?", gone)


def settled(db: sqlite3.Connection) -> list[bytes]:
    """See `base.Store.settled`; without what rotted, because detection folds again from the one before."""
    whole = []
    for (data,) in db.execute("SELECT data FROM settled ORDER BY number"):
        with suppress(Torn):
            whole.append(decompress(data))
    return whole


def publish(db: sqlite3.Connection, revisions: Iterable[Revision]) -> None:
    """Add revisions."""
    rows = [(one.incident.id, one.number, pack_revision(one)) for one in revisions]
    db.executemany("INSERT INTO revisions VALUES (?, ?, ?)", rows)


def revisions(db: sqlite3.Connection, incident: str | None) -> list[Revision]:
    """See `base.Store.revisions`; raises `Torn`."""
    rows = db.execute(
        "SELECT incident, number, data FROM revisions WHERE ?1 IS NULL OR incident = ?1"
        " ORDER BY incident, number",
        (incident,),
    )
    return [read(unpack_revision, data, f"revision {number} of {one}") for one, number, data in rows]


def tell(db: sqlite3.Connection, rounds: Iterable[CountryRound], empty: Iterable[tuple[str, int]]) -> None:
    """See `base.Store.tell`."""
    rows = [(one.country, one.number, compress(pack_round(one))) for one in rounds]
    db.executemany("DELETE FROM chronicle WHERE country = ? AND number = ?", empty)
    db.executemany("INSERT OR REPLACE INTO chronicle VALUES (?, ?, ?)", rows)


def chronicle(db: sqlite3.Connection, country: str | None, first: int, last: int) -> list[CountryRound]:
    """See `base.Store.chronicle`; raises `Torn`."""
    where, wanted = ("", ()) if country is None else ("country = ? AND ", (country,))
    asked = (
        f"SELECT country, number, data FROM chronicle WHERE {where}number BETWEEN ? AND ?"  # noqa: S608
        " ORDER BY number, country"
    )
    return [
        read(_round, data, f"what detection saw in {place} in round {number}")
        for place, number, data in db.execute(asked, (*wanted, first, last))
    ]


def _round(data: bytes) -> CountryRound:
    return unpack_round(decompress(data))


def expire(db: sqlite3.Connection, before: int) -> None:
    """Drop the chronicle before a round."""
    db.execute("DELETE FROM chronicle WHERE number < ?", (before,))


def ground(db: sqlite3.Connection, starts: Mapping[str, bytes]) -> None:
    """See `base.Store.ground`."""
    rows = [(incident, compress(data)) for incident, data in starts.items()]
    db.executemany("INSERT OR REPLACE INTO starts VALUES (?, ?)", rows)


def grounds(db: sqlite3.Connection, incident: str) -> bytes | None:
    """See `base.Store.grounds`; raises `Torn`."""
    row = db.execute("SELECT data FROM starts WHERE incident = ?", (incident,)).fetchone()
    return read(decompress, row[0], f"the state before {incident}") if row else None


def unground(db: sqlite3.Connection, incidents: Iterable[str]) -> None:
    """See `base.Store.unground`."""
    db.executemany("DELETE FROM starts WHERE incident = ?", [(one,) for one in incidents])
