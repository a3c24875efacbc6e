"""Where rounds and cells are kept. The rest of the collector knows `base.Store` alone.

A new store is a module here and a row in `STORES`; the contract tests run over the whole table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .base import Store, StoreError
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
