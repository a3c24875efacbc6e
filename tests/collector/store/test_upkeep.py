"""A copy while writing goes on, its way back, and what a look over the store finds."""

from __future__ import annotations

import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from collector.store import open_store, upkeep
from collector.store.base import Store, StoreError
from collector.store.folder import DATABASE
from collector.tokens import Token, digest_of
from tests.batches import NOW, ingest, someone


def silent(_done: int, _of: int) -> None:
    """Nobody asks how it goes on."""


def fill(store: Store, first: int = 1, count: int = 60) -> None:
    for n in range(first, first + count):
        store.ingest([ingest(someone(), sequence=n)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a store with a token, a key, 60 batches."""
    folder = tmp_path / "store"
    store = open_store(f"sqlite://{folder}")
    fill(store)
    store.issue(Token(digest=digest_of("t"), label="", issued_at=NOW, issued_by="me", uses=9))
    store.enrol("p", b"key", NOW, digest_of("t"))
    store.close()
    return folder


def told(folder: Path) -> list[object]:
    store = open_store(f"sqlite://{folder}")
    try:
        return [dict(store.keys()), store.tokens(), list(store.batches()), store.cells(0, 10**9)]
    finally:
        store.close()


def test_a_copy_restored_is_the_store_it_was_made_of(folder: Path, tmp_path: Path) -> None:
    size = upkeep.back_up(folder, tmp_path / "copy", silent)
    assert (tmp_path / "copy").stat().st_size == size
    assert upkeep.restore(tmp_path / "new", tmp_path / "copy", silent, None) is None
    assert told(tmp_path / "new") == told(folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "new", "store"]


def test_only_its_owner_may_read_a_copy(folder: Path, tmp_path: Path) -> None:
    upkeep.back_up(folder, tmp_path / "copy", silent)
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600


def test_a_copy_is_of_one_moment_and_writing_goes_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "PAGES_AT_ONCE", 3)
    store = open_store(f"sqlite://{folder}")
    steps = 0

    def write(_done: int, _of: int) -> None:
        nonlocal steps
        steps += 1
        fill(store, 1000 + steps, 1)

    upkeep.back_up(folder, tmp_path / "copy", write)
    assert steps > 10
    assert len(list(store.batches())) == 60 + steps
    store.close()
    upkeep.restore(tmp_path / "new", tmp_path / "copy", silent, None)
    assert list(upkeep.check(tmp_path / "new", lambda: False)) == []
    assert len(told(tmp_path / "new")[2]) == 60  # type: ignore[arg-type]


def test_a_copy_given_up_leaves_the_one_from_before(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("yesterday's")

    def enough(_done: int, _of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upkeep.back_up(folder, tmp_path / "copy", enough)
    assert (tmp_path / "copy").read_text() == "yesterday's"
    assert not (tmp_path / "copy.part").exists()


KILLED = """
import sys, time
from pathlib import Path
from collector.store import upkeep
upkeep.PAGES_AT_ONCE = 1
def slow(done, of):
    print(done, flush=True)
    time.sleep(0.01)
upkeep.back_up(Path(sys.argv[1]), Path(sys.argv[2]), slow)
"""


@pytest.mark.slow
def test_a_kill_leaves_no_half_file_under_the_name_and_the_next_copy_is_made(
    folder: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    argv = [sys.executable, "-c", KILLED, str(folder), str(copy)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for _ in range(3):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
    assert not copy.exists()
    assert (tmp_path / "copy.part").exists()
    upkeep.back_up(folder, copy, silent)
    upkeep.restore(tmp_path / "new", copy, silent, None)
    assert told(tmp_path / "new") == told(folder)
    assert not (tmp_path / "copy.part").exists()


LOOKED_AT = """
import os, subprocess, sys
from pathlib import Path
from collector.store import open_store, upkeep
from tests.batches import ingest, someone
folder, what = Path(sys.argv[1]), sys.argv[2]
store = open_store(f"sqlite://{folder}")
store.ingest([ingest(someone(), sequence=900)])
if what == "check":
    assert list(upkeep.check(folder, lambda: False)) == []
else:
    upkeep.back_up(folder, folder.parent / "copy", lambda done, of: None)
reader = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute('SELECT 1 FROM probes'); d.close()"
subprocess.run([sys.executable, "-c", reader, str(folder / "reachwatch.sqlite")], check=True)
store.ingest([ingest(someone(), sequence=901)])
os._exit(9)
"""


@pytest.mark.slow
@pytest.mark.parametrize("what", ["check", "backup"])
def test_what_is_acknowledged_after_a_look_over_the_store_survives_a_reader_and_a_kill(
    folder: Path, what: str
) -> None:
    """A reader that comes and goes takes the WAL with it unless the collector's locks tell it to leave it."""
    ran = subprocess.run([sys.executable, "-c", LOOKED_AT, str(folder), what], check=False)
    assert ran.returncode == 9
    store = open_store(f"sqlite://{folder}")
    assert {900, 901} <= {one.sequence for one in store.batches()}
    store.close()


def test_a_store_is_not_overwritten_unless_it_is_put_aside(folder: Path, tmp_path: Path) -> None:
    upkeep.back_up(folder, tmp_path / "copy", silent)
    store = open_store(f"sqlite://{folder}")
    fill(store, 500, 1)
    store.close()
    before = told(folder)
    with pytest.raises(StoreError, match="there is a store already; --force puts it aside"):
        upkeep.restore(folder, tmp_path / "copy", silent, None)
    assert told(folder) == before
    aside = upkeep.restore(folder, tmp_path / "copy", silent, "before")
    assert aside == folder / "before"
    assert len(told(folder)[2]) == 60  # type: ignore[arg-type]
    assert told(folder / "before") == before


def leave_wal(folder: Path) -> None:
    """Let a process write one batch more and be killed."""
    killed = "import sys,os;from tests.batches import *;from collector.store import open_store;"
    killed += "s=open_store('sqlite://'+sys.argv[1]);s.ingest([ingest(someone(),sequence=900)]);os._exit(9)"
    subprocess.run([sys.executable, "-c", killed, str(folder)], check=False)
    assert (folder / f"{DATABASE}-wal").stat().st_size


def test_what_a_wal_still_holds_goes_aside_with_its_database(folder: Path, tmp_path: Path) -> None:
    upkeep.back_up(folder, tmp_path / "copy", silent)
    leave_wal(folder)
    upkeep.restore(folder, tmp_path / "copy", silent, "before")
    assert len(told(folder)[2]) == 60  # type: ignore[arg-type]
    assert len(told(folder / "before")[2]) == 61  # type: ignore[arg-type]


def test_a_kill_while_the_store_goes_aside_parts_no_database_from_its_wal(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upkeep.back_up(folder, tmp_path / "copy", silent)
    leave_wal(folder)
    plain = Path.replace

    def killed(file: Path, target: Path) -> Path:
        if file.name == DATABASE:
            raise KeyboardInterrupt
        return plain(file, target)

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        upkeep.restore(folder, tmp_path / "copy", silent, "before")
    assert len(told(folder)[2]) == 61  # type: ignore[arg-type]


def test_a_store_that_somebody_reads_is_not_put_aside(folder: Path, tmp_path: Path) -> None:
    upkeep.back_up(folder, tmp_path / "copy", silent)
    leave_wal(folder)
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM probes").fetchone()
        with pytest.raises(StoreError, match="somebody reads it; try again when they have done"):
            upkeep.restore(folder, tmp_path / "copy", silent, "before")
    assert len(told(folder)[2]) == 61  # type: ignore[arg-type]


def test_a_store_that_nobody_can_read_goes_aside_as_it_is(folder: Path, tmp_path: Path) -> None:
    upkeep.back_up(folder, tmp_path / "copy", silent)
    (folder / DATABASE).write_bytes(b"no database" * 999)
    upkeep.restore(folder, tmp_path / "copy", silent, "before")
    assert (folder / "before" / DATABASE).read_bytes() == b"no database" * 999
    assert len(told(folder)[2]) == 60  # type: ignore[arg-type]


def test_a_folder_in_use_is_left_alone(folder: Path, tmp_path: Path) -> None:
    upkeep.back_up(folder, tmp_path / "copy", silent)
    store = open_store(f"sqlite://{folder}")
    with pytest.raises(StoreError, match="another collector uses this folder"):
        upkeep.restore(folder, tmp_path / "copy", silent, "before")
    store.close()
    assert not (folder / "before").exists()


def spoilt(path: Path, order: str) -> None:
    db = sqlite3.connect(path)
    db.execute(order)
    db.commit()
    db.close()


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ("PRAGMA user_version = 3", "written by another release (version 3, this one knows 7)"),
        ("DROP TABLE segments", "is no copy of a collector's store"),
        ("UPDATE segments SET data = x'00' WHERE id = 7", "is damaged: segment 7 (1 batches): "),
    ],
)
def test_a_copy_that_is_not_fit_is_refused_and_the_store_stays(
    folder: Path, tmp_path: Path, order: str, said: str
) -> None:
    upkeep.back_up(folder, tmp_path / "copy", silent)
    spoilt(tmp_path / "copy", order)
    before = told(folder)
    with pytest.raises(StoreError) as caught:
        upkeep.restore(folder, tmp_path / "copy", silent, "before")
    assert said in str(caught.value)
    assert told(folder) == before


@pytest.mark.parametrize("make", [None, lambda path: path.write_bytes(b"no database" * 99), Path.mkdir])
def test_what_is_no_copy_at_all_is_one_clear_line(
    tmp_path: Path, make: Callable[[Path], object] | None
) -> None:
    if make:
        make(tmp_path / "copy")
    with pytest.raises(StoreError, match=r"copy: (No such file|file is not a database|Is a directory)"):
        upkeep.restore(tmp_path / "new", tmp_path / "copy", silent, None)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [("store/copy", "is in the folder it would be a copy of"), ("no/copy", "No such"), ("dir", "director")],
)
def test_a_place_that_will_not_do_for_a_copy_is_said(
    folder: Path, tmp_path: Path, name: str, said: str
) -> None:
    (tmp_path / "dir").mkdir()
    with pytest.raises(StoreError, match=said):
        upkeep.back_up(folder, tmp_path / name, silent)
    assert list(tmp_path.glob("**/*.part")) == []


SWAPPED = "segment 3: holds 1 batches, counts 1, 1 receipts"
DAMAGE = [
    ("UPDATE segments SET data = substr(data, 1, 40) WHERE id = 3", "segment 3 (1 batches): breaks off"),
    ("UPDATE segments SET batches = 2 WHERE id = 3", "segment 3: holds 1 batches, counts 2, 1 receipts"),
    ("DELETE FROM receipts WHERE sequence = 3", "segment 3: holds 1 batches, counts 1, 0 receipts"),
    ("UPDATE receipts SET sequence = 99 WHERE sequence = 3", SWAPPED),
    ("DELETE FROM segments WHERE id = 3", "1 receipts of segments that are not there"),
    (
        "UPDATE cells SET cells = x'7b' WHERE asn = 17557",
        "the cells of minute 28380424, PK AS17557: cannot be read",
    ),
    ("INSERT INTO settled VALUES (1, x'00')", "detection's state after round 1: cannot be read"),
]  # fmt: skip


@pytest.mark.parametrize(("order", "said"), DAMAGE)
def test_what_is_damaged_is_named(folder: Path, order: str, said: str) -> None:
    assert list(upkeep.check(folder, lambda: False)) == []
    spoilt(folder / DATABASE, order)
    assert list(upkeep.check(folder, lambda: False)) == [said]


def test_a_page_overwritten_is_found_wherever_it_is(folder: Path) -> None:
    whole = (folder / DATABASE).read_bytes()
    missed = []
    for page in range(1, len(whole) // 4096):
        (folder / DATABASE).write_bytes(whole[: page * 4096] + b"\xff" * 4096 + whole[(page + 1) * 4096 :])
        if not list(upkeep.check(folder, lambda: False)):
            missed.append(page)
    assert missed == []


def test_a_look_that_nobody_waits_for_ends(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "STEPS_AT_ONCE", 10)
    assert any("interrupted" in said for said in upkeep.check(folder, lambda: True))
