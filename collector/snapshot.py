"""What the collector says now, taken from cells once and read by page, API, peers and /metrics.

PURE. One snapshot is taken every few seconds from the store's recent cells; nothing that serves
a request ever queries the store. A prefix's vote is its newest within the window.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from collector.detect.cells import FAILING, Cell, CellKey, Vote
from collector.store.base import Seen, StoreFigures
from probe.wire.exchange import PeerView, Presence


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Votes on one platform from one place. `statuses` and `mechanisms` count rounds in the
    window; `votes` and `failing` count prefixes by their newest vote."""

    votes: int
    failing: int
    statuses: Mapping[str, int]
    mechanisms: Mapping[str, int]
    newest_at: float | None

    @property
    def ratio(self) -> float | None:
        """The share of prefixes that reach the platform; None where nobody voted."""
        return 1 - self.failing / self.votes if self.votes else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Immutable; `at` and `window_s` in seconds. Keys: ``(country, platform)`` and
    ``(country, asn, platform)``."""

    at: float
    window_s: float
    countries: Mapping[tuple[str, str], Tally]
    networks: Mapping[tuple[str, int, str], Tally]
    probes: Mapping[str, int]
    store: StoreFigures | None
