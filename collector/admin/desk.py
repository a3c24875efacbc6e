"""What operations work with, and the two forms in which they answer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from collector.config import Retention
from collector.store.base import Store


class CannotDo(Exception):
    """An order that cannot be carried out; the message says why. Nothing has changed."""


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What an operation works with. `call` runs a function on the store's thread and waits for it. `out`
    takes a line of the answer, `note` one about how it goes on; `gone` tells that nobody waits for it any
    more. `round_s` is how long detection's rounds are, `webhooks` who is configured to be told of incidents.
    `ordered` is told from what moment on somebody's word weighs otherwise than before, `left` how many dead
    letters there are now. `by` is who orders it."""

    store: Store
    folder: Path
    keep: Retention
    round_s: float
    webhooks: Collection[str]
    call: Callable[..., Any]
    now: Callable[[], float]
    by: str
    out: Callable[[str], None]
    note: Callable[[str], None]
    gone: Callable[[], bool]
    ordered: Callable[[float], None]
    left: Callable[[int], None]


def timed(at: float | None) -> str | None:
    """A moment in Unix seconds as everybody reads it."""
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def columns(values: Iterable[object]) -> str:
    """Columns for eyes and for awk: a dash where there is nothing, what may hold spaces last."""
    return "  ".join("-" if value in (None, "") else str(value) for value in values)
