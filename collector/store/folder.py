"""The embedded store's folder: one collector in it at a time, and what is in it its owner's alone."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import IO

from .base import StoreError

DATABASE = "reachwatch.sqlite"  # the file in the folder


def lock_folder(folder: Path) -> IO[str]:
    """Make the folder where there is none, and keep everybody else out for as long as what is returned is
    open; raises `StoreError` where somebody is in."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = open(folder / "lock", "w", opener=_private)  # noqa: SIM115 - the caller closes it
    except OSError as error:
        raise StoreError(f"{error.filename or folder}: {error.strerror or error}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise StoreError(f"{folder}: another collector uses this folder; stop it first") from None
    return lock


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def make_private(path: Path) -> None:
    """A database that its owner alone may read, whatever the folder lets through: it tells when homes are
    on. SQLite gives its WAL the same rights. One that is there is not opened, and keeps what it has."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
