"""A copy of the embedded store, its way back, and whether it is whole.

All three read through a connection of their own, opened read-only and held in one transaction: what they
see is one moment, and ingest goes on beside them (WAL lets one write while another reads). A connection
that neither writes nor checkpoints cannot meet the SQLite bug that `sqlite` speaks of. While it reads, the
WAL can only grow.

A copy holds what the store holds, and nothing else: no address is in either.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from collector.detect.chronicle import unpack_round
from collector.detect.saved import unpack_revision

from .base import StoreError
from .folder import DATABASE, lock_folder
from .packing import Torn, decompress, unpack_cells, unpack_segment
from .sqlite import VERSION

STEPS_AT_ONCE = 1_000_000  # of SQLite's virtual machine, tens of milliseconds
PAGES_AT_ONCE = 2048  # 8 MiB between two looks at whether somebody still waits for it


def back_up(folder: Path, path: Path, tell: Callable[[int, int], None]) -> int:
    """Copy the store in `folder` into one file, which takes its name, whoever bore it before, once all
    of it is on the disk; returns its bytes. `tell` is told how many pages are copied, and of how many; what
    it raises ends the copy. Raises `StoreError`."""
    if path.parent.resolve() == folder.resolve():
        raise StoreError(f"{path}: is in the folder it would be a copy of; choose another place")
    with closing(_reading(folder / DATABASE)) as source:
        _copy(source, path, tell)
    return path.stat().st_size


def _copy(source: sqlite3.Connection, path: Path, tell: Callable[[int, int], None]) -> None:
    part = path.with_name(f"{path.name}.part")
    try:
        with _translated(path):
            if path.is_dir():
                raise IsADirectoryError(f"{path}: is a directory")
            part.unlink(missing_ok=True)
            # Nobody else may read it from its first byte on; SQLite would make it by the umask.
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            with closing(sqlite3.connect(part)) as target:
                source.backup(
                    target, pages=PAGES_AT_ONCE, progress=lambda _, left, of: tell(of - left, of), sleep=0
                )
                target.execute("PRAGMA journal_mode = DELETE")  # one file, and nothing beside it
            _sync(part)
            part.replace(path)
            _sync(path.parent)
    finally:
        part.unlink(missing_ok=True)


def restore(folder: Path, path: Path, tell: Callable[[int, int], None], aside: str | None) -> Path | None:
    """Put a copy in place of the store in `folder`. What is there goes into a folder `aside` within it,
    which is returned; where that is None there must be no store. The copy is looked over first; nothing has
    changed where `StoreError` is raised."""
    with closing(_reading(path)) as source:
        _look_over(source, path)
        with closing(lock_folder(folder)):
            _take_in_wal(folder / DATABASE)
            there = [folder / f"{DATABASE}{end}" for end in ("-shm", "-wal", "")]
            there = [file for file in there if file.exists()]
            if there and aside is None:
                raise StoreError(f"{folder}: there is a store already; --force puts it aside")
            fresh = folder / "restored"
            _copy(source, fresh, tell)
            put = _put_aside(there, folder / aside) if there and aside is not None else None
            fresh.replace(folder / DATABASE)
            _sync(folder)
    return put


def _look_over(source: sqlite3.Connection, path: Path) -> None:
    with _translated(path):
        (version,) = source.execute("PRAGMA user_version").fetchone()
        tables = {name for (name,) in source.execute("SELECT name FROM sqlite_schema")}
    if not {"segments", "receipts", "cells", "probes"} <= tables:
        raise StoreError(f"{path}: is no copy of a collector's store")
    if version != VERSION:
        raise StoreError(f"{path}: written by another release (version {version}, this one knows {VERSION})")
    if damage := next(_damage(source), None):
        raise StoreError(f"{path}: is damaged: {damage}")


def _put_aside(there: list[Path], aside: Path) -> Path:
    """The database last: one that had lost its WAL would be taken for whole."""
    with _translated(aside):
        aside.mkdir(mode=0o700)
        for file in there:
            file.replace(aside / file.name)
    return aside


def _take_in_wal(path: Path) -> None:
    """Leave nothing of the database in its WAL, so that a kill while both go aside cannot part them. What
    SQLite cannot read goes aside as it is."""
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(path, timeout=1.0, isolation_level=None)) as db:
            (is_busy, *_) = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.DatabaseError:
        return
    if is_busy:
        raise StoreError(f"{path}: somebody reads it; try again when they have done")


def check(folder: Path, gone: Callable[[], bool]) -> Iterator[str]:
    """What is damaged in the store, each in words; nothing where all is well. Ends early where `gone` says
    that nobody waits for it. Raises `StoreError` where it cannot even be opened."""
    with closing(_reading(folder / DATABASE)) as db:
        db.set_progress_handler(gone, STEPS_AT_ONCE)
        yield from _damage(db)


def _damage(db: sqlite3.Connection) -> Iterator[str]:
    try:
        for (said,) in db.execute("PRAGMA integrity_check"):
            if said != "ok":
                yield " ".join(said.split())
    except sqlite3.DatabaseError as error:
        yield f"the database: {error}"
        return
    for look in (_bad_segments, _stray_receipts, _bad_rows):
        try:
            yield from look(db)
        except sqlite3.DatabaseError as error:
            yield f"the database: {error}"


def _bad_segments(db: sqlite3.Connection) -> Iterator[str]:
    for (segment,) in db.execute("SELECT id FROM segments ORDER BY id").fetchall():
        count, data = db.execute("SELECT batches, data FROM segments WHERE id = ?", (segment,)).fetchone()
        try:
            batches = unpack_segment(data)
        except Torn as error:
            yield f"segment {segment} ({count} batches): {error}"
            continue
        held = {(batch.probe, batch.sequence) for batch in batches}
        asked = "SELECT probe, sequence FROM receipts WHERE segment = ?"
        receipts = set(db.execute(asked, (segment,)))
        if not len(batches) == len(held) == count or held != receipts:
            yield f"segment {segment}: holds {len(held)} batches, counts {count}, {len(receipts)} receipts"


def _stray_receipts(db: sqlite3.Connection) -> Iterator[str]:
    asked = "SELECT count(*) FROM receipts WHERE segment NOT IN (SELECT id FROM segments)"
    (stray,) = db.execute(asked).fetchone()
    if stray:
        yield f"{stray} receipts of segments that are not there"


def _bad_rows(db: sqlite3.Connection) -> Iterator[str]:
    for asked, unpack in _PACKED:
        for name, data in db.execute(asked):
            try:
                unpack(data)
            except (Torn, ValueError, TypeError):
                yield f"{name}: cannot be read"


def _round(data: bytes) -> object:
    return unpack_round(decompress(data))


# Of every row that holds something packed: what it is called, and its bytes.
_PACKED: tuple[tuple[str, Callable[[bytes], object]], ...] = (
    (
        "SELECT 'the cells of minute ' || minute || ', ' || country || ' AS' || asn, cells FROM cells",
        unpack_cells,
    ),
    ("SELECT 'detection''s state after round ' || number, data FROM settled", decompress),
    ("SELECT 'what detection saw in ' || country || ' in round ' || number, data FROM chronicle", _round),
    ("SELECT 'the state before ' || incident, data FROM starts", decompress),
    ("SELECT 'revision ' || number || ' of ' || incident, data FROM revisions", unpack_revision),
)


def _reading(path: Path) -> sqlite3.Connection:
    """One moment of a database, read-only; raises `StoreError` for what is none."""
    with _translated(path):
        _look_at(path)
        db = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
        try:
            db.execute("BEGIN")
            db.execute("SELECT 1 FROM sqlite_schema").fetchone()  # a transaction begins at its first look
        except sqlite3.DatabaseError:
            db.close()
            raise
    return db


def _look_at(path: Path) -> None:
    """Say why a file cannot be read, which SQLite does not. It is not opened for that: closing it again
    would take from the collector's own connection, in the same process, its locks on the file (POSIX.1-2024,
    fcntl: they go with the first descriptor of the process that is closed). Whoever else then reads it takes
    the WAL away from under the collector."""
    if stat.S_ISDIR(path.stat().st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not os.access(path, os.R_OK, effective_ids=True):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{error.filename or path}: {error.strerror or error}") from None
    except sqlite3.Error as error:
        raise StoreError(f"{path}: {error}") from None
