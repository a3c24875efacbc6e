"""What lookout and detector say to each other, through the pipes between their processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

from .detect.incidents import Cause
from .detect.revisions import Revision
from .detect.thresholds import Thresholds
from .detector import Findings


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """Which store, and what is configured; `now` is Unix seconds."""

    now: float
    folder: Path
    limits: Thresholds
    shares: Mapping[str, Mapping[int, float]]
    mobile: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """It is `now`, in Unix seconds. Since the last look these `minutes` were added to, heartbeats came of no
    earlier than `heard_since`, and a quarantine or a release changed what came from `ordered_since` on."""

    now: float
    minutes: Collection[int] = ()
    heard_since: float = inf
    ordered_since: float = inf


@dataclass(frozen=True, slots=True)
class Wish:
    """Something to be kept: a method of the store, and what it takes."""

    method: str
    args: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """What the store said to that."""

    value: Any = None


@dataclass(frozen=True, slots=True)
class Failed:
    """It could not be done. `is_over`: our own code broke, and this process cannot go on."""

    error: str
    is_over: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a look found. `findings` is None where it found nothing new; `published` is what is said otherwise
    than after the look before."""

    findings: Findings | None = None
    published: Mapping[str, Revision] = field(default_factory=dict)
    confirmed: Counter[Cause] = field(default_factory=Counter)
