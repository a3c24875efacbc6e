"""Where rounds and cells are kept. The rest of the collector knows `base.Store` alone.

A new store is a module here and a row in `STORES`; the contract tests run over the whole table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from probe.wire.settings import ConfigError

from .base import Store, StoreError
from .folder import DATABASE
from .memory import MemoryStore
from .sqlite import SqliteStore

STORES: Mapping[str, Callable[[str], Store]] = {
    "memory": MemoryStore.open,
    "sqlite": SqliteStore.open,
}


def open_store(url: str) -> Store:
    """Open ``memory:`` or ``sqlite:///folder``; raises `StoreError`."""
    scheme, _, rest = url.partition(":")
    if scheme not in STORES:
        raise StoreError(f"{url}: no such store; there are {', '.join(STORES)}")
    return STORES[scheme](rest.removeprefix("//"))


def look_for(folder: Path) -> None:
    """Raise `ConfigError` for a folder without a store: opening would make a new one of a mistyped folder."""
    try:
        (folder / DATABASE).stat()
    except OSError as error:
        raise ConfigError(f"data_dir: {error.filename}: {error.strerror}") from None


@contextmanager
def stored(folder: Path) -> Iterator[Store]:
    """The store that is in a folder; raises `ConfigError` where none is, and `StoreError` where somebody uses
    it."""
    look_for(folder)
    with closing(open_store(f"sqlite://{folder}")) as store:
        yield store
