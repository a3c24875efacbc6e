"""The embedded store's cells. The caller holds the transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice

from collector.detect.cells import Cell, CellKey, merge

from .packing import Torn, pack_cell, read, unpack_cell

_TAKEN_AT_ONCE = 100  # additions summed in memory before the table is touched

_COLUMNS = """
    minute INTEGER NOT NULL, country TEXT NOT NULL, asn INTEGER NOT NULL, platform TEXT NOT NULL,
    cell BLOB NOT NULL, PRIMARY KEY (minute, country, asn, platform)"""
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS cells ({_COLUMNS}) WITHOUT ROWID;
"""


def add(db: sqlite3.Connection, additions: Iterable[Mapping[CellKey, Cell]], table: str = "cells") -> None:
    """Add the sum of what comes to what is there; raises `Torn`."""
    summed: dict[CellKey, Cell] = {}
    for some in additions:
        for key, cell in some.items():
            summed[key] = merge(summed[key], cell) if key in summed else cell
    for key, cell in summed.items():
        name = (key.minute, key.country, key.asn, key.platform)
        row = db.execute(
            f"SELECT cell FROM {table}"  # noqa: S608 - ours, one of two
            " WHERE minute = ? AND country = ? AND asn = ? AND platform = ?",
            name,
        ).fetchone()
        whole = merge(_read(key, row[0]), cell) if row else cell
        db.execute(
            f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?, ?, ?)",  # noqa: S608
            (*name, pack_cell(whole)),
        )


def _read(key: CellKey, data: bytes) -> Cell:
    name = f"the cell of minute {key.minute}, {key.country} AS{key.asn} {key.platform}"
    return read(unpack_cell, data, name)


def cells(db: sqlite3.Connection, first_minute: int, last_minute: int) -> dict[CellKey, Cell]:
    """See `base.Store.cells`; raises `Torn`."""
    rows = db.execute(
        "SELECT minute, country, asn, platform, cell FROM cells WHERE minute BETWEEN ? AND ?",
        (first_minute, last_minute),
    )
    return {key: _read(key, row[4]) for row in rows for key in [CellKey(*row[:4])]}


def cells_from(db: sqlite3.Connection, first_minute: int) -> Iterator[tuple[CellKey, Cell]]:
    """See `base.Store.cells_from`."""
    for row in db.execute(
        "SELECT minute, country, asn, platform, cell FROM cells WHERE minute >= ?", (first_minute,)
    ):
        with suppress(Torn):
            yield CellKey(*row[:4]), unpack_cell(row[4])


def replace(db: sqlite3.Connection, first_minute: int, additions: Iterable[Mapping[CellKey, Cell]]) -> int:
    """See `base.Store.replace_cells`. Built beside the old, so that only what differs is written through the
    WAL."""
    rest = iter(additions)
    db.execute(f"CREATE TEMP TABLE fresh ({_COLUMNS}) WITHOUT ROWID")
    while some := list(islice(rest, _TAKEN_AT_ONCE)):
        add(db, some, "fresh")
    gone = db.execute(
        "DELETE FROM cells WHERE minute >= ? AND NOT EXISTS (SELECT 1 FROM fresh WHERE"
        " (fresh.minute, fresh.country, fresh.asn, fresh.platform)"
        " = (cells.minute, cells.country, cells.asn, cells.platform))",
        (first_minute,),
    )
    changed = db.execute(
        "INSERT OR REPLACE INTO cells SELECT fresh.* FROM fresh LEFT JOIN cells AS old"
        " USING (minute, country, asn, platform) WHERE old.cell IS NOT fresh.cell"
    )
    db.execute("DROP TABLE fresh")
    return gone.rowcount + changed.rowcount


def expire(db: sqlite3.Connection, before: float) -> None:
    """Drop the cells of minutes before a moment."""
    db.execute("DELETE FROM cells WHERE minute < ?", (int(before // 60),))


def counted(db: sqlite3.Connection) -> int:
    """How many cells there are."""
    (count,) = db.execute("SELECT count(*) FROM cells").fetchone()
    return int(count)
