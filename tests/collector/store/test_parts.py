"""A cell of many votes lies in parts, and nobody but the disk can tell."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from collector.detect.cells import Cell, CellKey, merge
from collector.store import open_store
from collector.store.base import Ingest
from collector.store.sqlite import SqliteStore
from tests.batches import ingest, someone
from tests.collector.store.test_contract import MINUTE

KEY = CellKey(MINUTE, "PK", 17557, "x")
MANY = [ingest(someone(n)) for n in range(60)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    opened = open_store(f"sqlite://{tmp_path}")
    assert isinstance(opened, SqliteStore)
    for one in MANY:
        opened.ingest([one])
    yield opened
    opened.close()


def parts(store: SqliteStore) -> list[bytes]:
    rows = store._db.execute("SELECT cells FROM cells ORDER BY part").fetchall()
    return [data for (data,) in rows]


def whole() -> Cell:
    found = MANY[0].cells[KEY]
    for one in MANY[1:]:
        found = merge(found, one.cells[KEY])
    return found


def test_it_is_read_whole(store: SqliteStore) -> None:
    assert len(parts(store)) > 2
    assert store.cells(MINUTE, MINUTE)[KEY] == whole()
    assert dict(store.cells_from(0)) == store.cells(0, MINUTE)


def test_what_comes_touches_the_last_part_alone(store: SqliteStore) -> None:
    before = parts(store)
    store.ingest([ingest(someone(99))])
    after = parts(store)
    assert before[:-1] == after[: len(before) - 1]
    assert before != after


def test_of_two_votes_of_one_home_the_newer_counts_in_whichever_part(store: SqliteStore) -> None:
    probe = someone(0).probe_id
    (cell,) = [MANY[0].cells[KEY]]
    newer = cell.votes[probe]._replace(at=cell.votes[probe].at + 1.0)
    again = replace(MANY[0].batch, sequence=2)
    store.ingest([Ingest(batch=again, cells={KEY: replace(cell, votes={probe: newer})})])
    assert store.cells(MINUTE, MINUTE)[KEY].votes[probe] == newer


def test_the_same_counts_made_anew_are_no_change_however_they_came(store: SqliteStore) -> None:
    shuffled = random.Random(1).sample(MANY, len(MANY))
    assert store.replace_cells(MINUTE, [one.cells for one in shuffled]) == 0
    assert len(parts(store)) == 1
    assert store.cells(MINUTE, MINUTE)[KEY] == whole()


def test_after_that_it_grows_in_parts_again(store: SqliteStore) -> None:
    store.replace_cells(MINUTE, [one.cells for one in MANY])
    more = ingest(someone(99))
    store.ingest([more])
    assert len(parts(store)) == 2
    assert store.cells(MINUTE, MINUTE)[KEY] == merge(whole(), more.cells[KEY])


def test_where_one_part_rotted_the_cell_is_made_again(store: SqliteStore) -> None:
    store._db.execute("UPDATE cells SET cells = substr(cells, 1, 9) WHERE part = 1")
    assert KEY not in dict(store.cells_from(0))
    assert store.replace_cells(MINUTE, [one.cells for one in MANY]) == len(MANY[0].cells)
    assert store.cells(MINUTE, MINUTE)[KEY] == whole()
