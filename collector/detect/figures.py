"""What the detector hands to `/metrics` after a run: one immutable object, in the words of the labels. PURE.

Until the first run nothing about detection is exposed, because a zero would be a claim.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from .ballots import Count
from .fold import State
from .incidents import Cause, Incident
from .network import ALARMED, Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceFigure:
    """One platform in one country or network: `score` is the CUSUM in nats; of `votes` armed votes in
    the newest round, `failing` failed."""

    condition: Condition
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

    condition: Condition
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
    throttling: Mapping[tuple[str, str], Condition] = field(default_factory=dict)
    silence: Mapping[str, SilenceFigure] = field(default_factory=dict)
    incidents_open: Mapping[tuple[str, Cause], int] = field(default_factory=dict)
    incidents_confirmed: Mapping[Cause, int] = field(default_factory=dict)

    def alarmed(self) -> frozenset[str]:
        """The countries in which anything is suspected or confirmed."""
        nations = {country for (country, _), figure in self.nations.items() if figure.condition in ALARMED}
        slow = {country for (country, _), word in self.throttling.items() if word in ALARMED}
        silent = {country for country, figure in self.silence.items() if figure.condition in ALARMED}
        return frozenset(nations | slow | silent)

    def countries(self) -> frozenset[str]:
        """Every country that anything is said of."""
        pairs = {country for country, _ in (*self.nations, *self.throttling)}
        return frozenset({*pairs, *self.silence, *(country for country, _, _ in self.networks)})


def figures_of(
    state: State, book: Collection[Incident], confirmed: Mapping[Cause, int], *, until: float, took_s: float
) -> DetectorFigures:
    """What a run found. `confirmed` counts the incidents ever confirmed by the cause they then had; `until`
    is the end of the last round folded, in Unix seconds."""
    votes: dict[tuple[str, str], list[Count]] = {}
    for place, one in state.networks.items():
        votes.setdefault((place.country, place.platform), []).append(one.votes)
    return DetectorFigures(
        newest_bin_end_at=until,
        duration_s=took_s,
        nations={
            key: _place(watch.condition, watch.score, votes.get(key, ()))
            for key, watch in state.nations.items()
        },
        networks={
            (place.country, place.asn, place.platform): _place(
                one.watch.condition, one.watch.score, (one.votes,)
            )
            for place, one in state.networks.items()
        },
        worlds={
            platform: WorldFigure(failing_ratio=watch.rate, is_out=watch.out_since is not None)
            for platform, watch in state.worlds.items()
        },
        throttling={key: watch.condition for key, watch in state.slow.items()},
        silence={
            country: SilenceFigure(condition=watch.condition, lost=watch.lost)
            for country, watch in state.silences.items()
        },
        incidents_open=dict(Counter((one.country, one.cause) for one in book if one.is_open)),
        incidents_confirmed=dict(confirmed),
    )


def _place(condition: Condition, score: float, votes: Collection[Count]) -> PlaceFigure:
    return PlaceFigure(
        condition=condition,
        score=score,
        votes=sum(one.prefixes for one in votes),
        failing=sum(one.failing_prefixes for one in votes),
    )
