"""What rots on the disk is named, is `StoreError`, and takes nothing else with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from collector.detect.chronicle import CountryRound
from collector.store import open_store, upkeep
from collector.store.base import Store, StoreError
from collector.store.sqlite import SqliteStore
from tests.batches import ingest, someone
from tests.collector.store.test_contract import MINUTE, published


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A store with something of every kind, each packed row of which is cut short."""
    opened = open_store(f"sqlite://{tmp_path}")
    assert isinstance(opened, SqliteStore)
    opened.ingest([ingest(someone())])
    opened.settle({1: b"one" * 99, 2: b"two" * 99}, {1, 2})
    opened.ground({"pk-1": b"start" * 99})
    opened.publish(published("pk-1", 1, 2))
    opened.tell([CountryRound(number=7, country="PK")])
    for table, column in (
        ("cells", "cells"),
        ("starts", "data"),
        ("revisions", "data"),
        ("chronicle", "data"),
    ):
        opened._db.execute(f"UPDATE {table} SET {column} = substr({column}, 1, 9)")
    opened._db.execute("UPDATE settled SET data = substr(data, 1, 9) WHERE number = 2")
    yield opened
    opened.close()


CELLS = f"the cells of minute {MINUTE}, PK AS17557: cannot be read"
ASKED: dict[str, tuple[Callable[[Store], object], str]] = {
    "cells": (lambda store: store.cells(0, 10**9), CELLS),
    "a batch of the same minute": (lambda store: store.ingest([ingest(someone(2))]), CELLS),
    "an incident's start": (lambda store: store.grounds("pk-1"), "the state before pk-1: cannot be read"),
    "revisions": (lambda store: store.revisions("pk-1"), "revision 1 of pk-1: cannot be read"),
    "the chronicle": (
        lambda store: store.chronicle(None, 0, 9), "what detection saw in PK in round 7: cannot be read",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", ASKED)
def test_a_row_that_rotted_is_a_store_error_that_names_it(store: SqliteStore, what: str) -> None:
    ask, said = ASKED[what]
    with pytest.raises(StoreError, match=said):
        ask(store)


def test_what_could_not_be_counted_is_not_taken_either(store: SqliteStore) -> None:
    with pytest.raises(StoreError):
        store.ingest([ingest(someone(2))])
    assert [one.probe for one in store.batches()] == [someone(1).probe_id]


def test_detection_goes_on_from_the_states_that_are_whole(store: SqliteStore) -> None:
    assert store.settled() == [b"one" * 99]


def test_a_cell_that_rotted_is_made_again(store: SqliteStore) -> None:
    assert list(store.cells_from(0)) == [], "history is gone through without it"
    store.replace_cells(MINUTE, [ingest(someone()).cells])
    assert store.cells(0, 10**9) == ingest(someone()).cells


def test_a_look_over_the_store_names_each(store: SqliteStore, tmp_path: Path) -> None:
    found = [said.removesuffix(": cannot be read") for said in upkeep.check(tmp_path, lambda: False)]
    assert found == [
        f"the cells of minute {MINUTE}, PK AS17557",
        "detection's state after round 2",
        "what detection saw in PK in round 7",
        "the state before pk-1",
        "revision 1 of pk-1",
        "revision 2 of pk-1",
    ]
