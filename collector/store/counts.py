"""The embedded store's cells. The caller holds the transaction.

The cells of one network's minute lie together, all platforms in a row: a round adds to each of them, and rows
of their own would be read and written five times for it. They are kept in parts of some homes' rounds and
read as their sum: what is added touches the last part alone. In one piece a large network's minute would be
read and written whole, hundreds of votes of it, for each batch that comes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import groupby, islice
from sys import maxsize
from typing import NamedTuple

from collector.detect.cells import Cell, CellKey, merge

from .packing import Torn, pack_cells, read, unpack_cells

_TAKEN_AT_ONCE = 100  # additions summed in memory before the table is touched
_PART_BYTES = 4096  # a part that has grown so large is added to no more

_COLUMNS = """
    minute INTEGER NOT NULL, country TEXT NOT NULL, asn INTEGER NOT NULL, part INTEGER NOT NULL,
    cells BLOB NOT NULL, PRIMARY KEY (minute, country, asn, part)"""
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS cells ({_COLUMNS}) WITHOUT ROWID;
"""
_HERE = "minute = ? AND country = ? AND asn = ?"


class _Place(NamedTuple):
    """A network's minute."""

    minute: int
    country: str
    asn: int


Cells = dict[str, Cell]  # by platform


def add(
    db: sqlite3.Connection,
    additions: Iterable[Mapping[CellKey, Cell]],
    table: str = "cells",
    part_bytes: int = _PART_BYTES,
) -> None:
    """Add the sum of what comes to what is there; raises `Torn`."""
    summed: dict[_Place, Cells] = {}
    for some in additions:
        for key, cell in some.items():
            _put(summed.setdefault(_Place(key.minute, key.country, key.asn), {}), key.platform, cell)
    for place, cells in summed.items():
        row = db.execute(
            f"SELECT part, CASE WHEN length(cells) < ? THEN cells END FROM {table}"  # noqa: S608 - ours, one of two
            f" WHERE {_HERE} ORDER BY part DESC LIMIT 1",
            (part_bytes, *place),
        ).fetchone()
        last, data = row or (-1, None)
        part, added = (last + 1, cells) if data is None else (last, _sum(place, [data], cells))
        db.execute(
            f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?, ?, ?)",  # noqa: S608
            (*place, part, pack_cells(added)),
        )


def _put(cells: Cells, platform: str, cell: Cell) -> None:
    cells[platform] = merge(cells[platform], cell) if platform in cells else cell


def _sum(place: _Place, parts: Iterable[bytes], rest: Mapping[str, Cell] | None = None) -> Cells:
    """All parts of a place together, and the rest; raises `Torn`, which names the place."""
    name = f"the cells of minute {place.minute}, {place.country} AS{place.asn}"
    found: Cells = {}
    for cells in (*(read(unpack_cells, data, name) for data in parts), rest or {}):
        for platform, cell in cells.items():
            _put(found, platform, cell)
    return found


def cells(db: sqlite3.Connection, first_minute: int, last_minute: int) -> dict[CellKey, Cell]:
    """See `base.Store.cells`; raises `Torn`."""
    return {
        CellKey(*place, platform): cell
        for place, parts in _parts(db, first_minute, last_minute)
        for platform, cell in _sum(place, parts).items()
    }


def cells_from(db: sqlite3.Connection, first_minute: int) -> Iterator[tuple[CellKey, Cell]]:
    """See `base.Store.cells_from`."""
    for place, parts in _parts(db, first_minute, maxsize):
        with suppress(Torn):
            yield from ((CellKey(*place, platform), cell) for platform, cell in _sum(place, parts).items())


def _parts(
    db: sqlite3.Connection, first_minute: int, last_minute: int
) -> Iterator[tuple[_Place, list[bytes]]]:
    rows = db.execute(
        "SELECT minute, country, asn, cells FROM cells WHERE minute BETWEEN ? AND ?"
        " ORDER BY minute, country, asn, part",
        (first_minute, last_minute),
    )
    for place, some in groupby(rows, lambda row: row[:3]):
        yield _Place(*place), [row[3] for row in some]


def replace(db: sqlite3.Connection, first_minute: int, additions: Iterable[Mapping[CellKey, Cell]]) -> int:
    """See `base.Store.replace_cells`. Built beside the old, so that only what differs is written through the
    WAL; both in one piece each, to be compared."""
    _put_together(db, first_minute)
    rest = iter(additions)
    db.execute(f"CREATE TEMP TABLE fresh ({_COLUMNS}) WITHOUT ROWID")
    while some := list(islice(rest, _TAKEN_AT_ONCE)):
        add(db, some, "fresh", maxsize)
    gone = (
        "FROM cells WHERE minute >= ? AND NOT EXISTS (SELECT 1 FROM fresh WHERE"
        " (fresh.minute, fresh.country, fresh.asn) = (cells.minute, cells.country, cells.asn))"
    )
    other = (
        "FROM fresh LEFT JOIN cells AS old USING (minute, country, asn, part)"
        " WHERE old.cells IS NOT fresh.cells"
    )
    changed = sum(_differing(*row) for row in db.execute(f"SELECT cells, NULL {gone}", (first_minute,)))
    changed += sum(_differing(*row) for row in db.execute(f"SELECT old.cells, fresh.cells {other}"))
    db.execute(f"DELETE {gone}", (first_minute,))
    db.execute(f"INSERT OR REPLACE INTO cells SELECT fresh.* {other}")
    db.execute("DROP TABLE fresh")
    return changed


def _differing(*both: bytes | None) -> int:
    """How many cells of a place came, went or changed; of what cannot be read as many as take its place."""
    old, new = (_readable(data) for data in both)
    return sum(old.get(platform) != new.get(platform) for platform in old.keys() | new.keys())


def _readable(data: bytes | None) -> Cells:
    with suppress(Torn):
        return unpack_cells(data) if data else {}
    return {}


def _put_together(db: sqlite3.Connection, first_minute: int) -> None:
    """Every network's minute from that one on in one part; empty where it cannot be read."""
    several = db.execute(
        "SELECT DISTINCT minute, country, asn FROM cells WHERE minute >= ? AND part > 0", (first_minute,)
    ).fetchall()
    for row in several:
        parts = [data for (data,) in db.execute(f"SELECT cells FROM cells WHERE {_HERE}", row)]  # noqa: S608
        whole = b""
        with suppress(Torn):
            whole = pack_cells(_sum(_Place(*row), parts))
        db.execute(f"DELETE FROM cells WHERE {_HERE}", row)  # noqa: S608
        db.execute("INSERT INTO cells VALUES (?, ?, ?, 0, ?)", (*row, whole))


def expire(db: sqlite3.Connection, before: float) -> None:
    """Drop the cells of minutes before a moment."""
    db.execute("DELETE FROM cells WHERE minute < ?", (int(before // 60),))
