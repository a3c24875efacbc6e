"""PURE: what the detector hands to `/metrics` after a run: one immutable object, in the words of the labels.

Whoever runs the detector builds a `DetectorFigures` and gives it to `Metrics.detected`; until then
nothing about detection is exposed, because a zero would be a claim.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

WORLD = "*"  # the country of an incident that is so everywhere

# Every cause an incident may have; closed, because it is a metric's label.
CAUSES = (
    "disruption",
    "likely_blocking",
    "blocking_confirmed",
    "throttling",
    "shutdown",
    "mobile_shutdown",
    "degradation",
    "collector_blocked",
    "platform_outage",
)


class Level(IntEnum):
    """What may be said, as a number that a rule can compare. `INSUFFICIENT` is never shown as `OK`."""

    INSUFFICIENT = 0
    OK = 1
    SUSPECTED = 2
    CONFIRMED = 3

    @property
    def is_alarmed(self) -> bool:
        """Whether something is suspected or confirmed."""
        return self >= Level.SUSPECTED


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceFigure:
    """One platform in one country or network: `score` is the CUSUM in nats; of `votes` armed votes in
    the newest round, `failing` failed."""

    level: Level
    score: float
    votes: int
    failing: int

    @property
    def failing_ratio(self) -> float | None:
        """The share that failed; None where nobody voted."""
        return self.failing / self.votes if self.votes else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceFigure:
    """One country: `lost` probes fell silent without a goodbye."""

    level: Level
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldFigure:
    """One platform everywhere: `failing_ratio` is the trimmed mean over countries, None where too few
    voted."""

    failing_ratio: float | None
    is_out: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorFigures:
    """All of one run. `newest_bin_end_at` is Unix seconds, `duration_s` seconds. Keys:
    ``(country, platform)``, ``(country, asn, platform)``; incidents open now by ``(country, cause)``,
    and ever confirmed by cause."""

    newest_bin_end_at: float
    duration_s: float
    nations: Mapping[tuple[str, str], PlaceFigure] = field(default_factory=dict)
    networks: Mapping[tuple[str, int, str], PlaceFigure] = field(default_factory=dict)
    worlds: Mapping[str, WorldFigure] = field(default_factory=dict)
    throttling: Mapping[tuple[str, str], Level] = field(default_factory=dict)
    silence: Mapping[str, SilenceFigure] = field(default_factory=dict)
    incidents_open: Mapping[tuple[str, str], int] = field(default_factory=dict)
    incidents_confirmed: Mapping[str, int] = field(default_factory=dict)

    def alarmed(self) -> frozenset[str]:
        """The countries in which anything is suspected or confirmed."""
        nations = {country for (country, _), figure in self.nations.items() if figure.level.is_alarmed}
        slow = {country for (country, _), level in self.throttling.items() if level.is_alarmed}
        silent = {country for country, figure in self.silence.items() if figure.level.is_alarmed}
        return frozenset(nations | slow | silent)

    def countries(self) -> frozenset[str]:
        """Every country that anything is said of."""
        pairs = {country for country, _ in (*self.nations, *self.throttling)}
        return frozenset({*pairs, *self.silence, *(country for country, _, _ in self.networks)})
