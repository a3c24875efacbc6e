"""The embedded store's cells. The caller holds the transaction.

A cell is kept in parts of some fifteen votes, and read as their sum: what is added touches the last part
alone. In one piece a large network's cell would be read and written whole, hundreds of votes of it, for each
batch that comes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import reduce
from itertools import groupby, islice
from sys import maxsize

from collector.detect.cells import Cell, CellKey, merge

from .packing import Torn, pack_cell, read, unpack_cell

_TAKEN_AT_ONCE = 100  # additions summed in memory before the table is touched
_PART_BYTES = 2048  # a part that has grown so large is added to no more

_COLUMNS = """
    minute INTEGER NOT NULL, country TEXT NOT NULL, asn INTEGER NOT NULL, platform TEXT NOT NULL,
    part INTEGER NOT NULL, cell BLOB NOT NULL, PRIMARY KEY (minute, country, asn, platform, part)"""
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS cells ({_COLUMNS}) WITHOUT ROWID;
"""


def add(
    db: sqlite3.Connection,
    additions: Iterable[Mapping[CellKey, Cell]],
    table: str = "cells",
    part_bytes: int = _PART_BYTES,
) -> None:
    """Add the sum of what comes to what is there; raises `Torn`."""
    summed: dict[CellKey, Cell] = {}
    for some in additions:
        for key, cell in some.items():
            summed[key] = merge(summed[key], cell) if key in summed else cell
    for key, cell in summed.items():
        name = (key.minute, key.country, key.asn, key.platform)
        row = db.execute(
            f"SELECT part, CASE WHEN length(cell) < ? THEN cell END FROM {table}"  # noqa: S608 - ours, one of two
            " WHERE minute = ? AND country = ? AND asn = ? AND platform = ? ORDER BY part DESC LIMIT 1",
            (part_bytes, *name),
        ).fetchone()
        last, data = row or (-1, None)
        part, added = (last + 1, cell) if data is None else (last, merge(_read(key, data), cell))
        db.execute(
            f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?, ?, ?, ?)",  # noqa: S608
            (*name, part, pack_cell(added)),
        )


def _read(key: CellKey, data: bytes) -> Cell:
    name = f"the cell of minute {key.minute}, {key.country} AS{key.asn} {key.platform}"
    return read(unpack_cell, data, name)


def cells(db: sqlite3.Connection, first_minute: int, last_minute: int) -> dict[CellKey, Cell]:
    """See `base.Store.cells`; raises `Torn`."""
    return {key: _sum(key, parts) for key, parts in _parts(db, first_minute, last_minute)}


def cells_from(db: sqlite3.Connection, first_minute: int) -> Iterator[tuple[CellKey, Cell]]:
    """See `base.Store.cells_from`."""
    for key, parts in _parts(db, first_minute, maxsize):
        with suppress(Torn):
            yield key, _sum(key, parts)


def _parts(
    db: sqlite3.Connection, first_minute: int, last_minute: int
) -> Iterator[tuple[CellKey, list[bytes]]]:
    rows = db.execute(
        "SELECT minute, country, asn, platform, cell FROM cells WHERE minute BETWEEN ? AND ?"
        " ORDER BY minute, country, asn, platform, part",
        (first_minute, last_minute),
    )
    for name, some in groupby(rows, lambda row: row[:4]):
        yield CellKey(*name), [row[4] for row in some]


def _sum(key: CellKey, parts: list[bytes]) -> Cell:
    return reduce(merge, (_read(key, data) for data in parts))


def replace(db: sqlite3.Connection, first_minute: int, additions: Iterable[Mapping[CellKey, Cell]]) -> int:
    """See `base.Store.replace_cells`. Built beside the old, so that only what differs is written through the
    WAL; both in one piece each, to be compared."""
    _put_together(db, first_minute)
    rest = iter(additions)
    db.execute(f"CREATE TEMP TABLE fresh ({_COLUMNS}) WITHOUT ROWID")
    while some := list(islice(rest, _TAKEN_AT_ONCE)):
        add(db, some, "fresh", maxsize)
    gone = db.execute(
        "DELETE FROM cells WHERE minute >= ? AND NOT EXISTS (SELECT 1 FROM fresh WHERE"
        " (fresh.minute, fresh.country, fresh.asn, fresh.platform)"
        " = (cells.minute, cells.country, cells.asn, cells.platform))",
        (first_minute,),
    )
    changed = db.execute(
        "INSERT OR REPLACE INTO cells SELECT fresh.* FROM fresh LEFT JOIN cells AS old"
        " USING (minute, country, asn, platform, part) WHERE old.cell IS NOT fresh.cell"
    )
    db.execute("DROP TABLE fresh")
    return gone.rowcount + changed.rowcount


def _put_together(db: sqlite3.Connection, first_minute: int) -> None:
    """Every cell from that minute on in one part; empty where it cannot be read."""
    several = db.execute(
        "SELECT DISTINCT minute, country, asn, platform FROM cells WHERE minute >= ? AND part > 0",
        (first_minute,),
    ).fetchall()
    for name in several:
        where = "WHERE minute = ? AND country = ? AND asn = ? AND platform = ?"
        parts = [data for (data,) in db.execute(f"SELECT cell FROM cells {where}", name)]  # noqa: S608
        whole = b""
        with suppress(Torn):
            whole = pack_cell(_sum(CellKey(*name), parts))
        db.execute(f"DELETE FROM cells {where}", name)  # noqa: S608
        db.execute("INSERT INTO cells VALUES (?, ?, ?, ?, 0, ?)", (*name, whole))


def expire(db: sqlite3.Connection, before: float) -> None:
    """Drop the cells of minutes before a moment."""
    db.execute("DELETE FROM cells WHERE minute < ?", (int(before // 60),))
