"""What may be said of each country and platform now. PURE: findings and snapshot become standings.

What it may not do: call well what too few have looked at, or what has not been looked at for a while. So
`OK` needs a newest round of the detector with votes enough; all else has a word of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from collector.detect.ballots import Place
from collector.detect.fold import Network
from collector.detect.incidents import WORLD, Cause, Incident, Part, Phase, Scope
from collector.detect.nation import NationWatch
from collector.detect.network import Condition
from collector.detect.slow import Speeds
from collector.detect.thresholds import Thresholds
from collector.detector import Findings
from collector.snapshot import Snapshot, Tally

STALE_ROUNDS = 3  # so many rounds that nobody examined, and the last ones are not news any more


class Kind(StrEnum):
    """The word for one platform in one country, the most urgent first."""

    CONFIRMED = "confirmed"
    SUSPECTED = "suspected"
    PART = "part"
    OK = "ok"
    FEW = "few"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Of `of` homes `failing` failed in the newest round, on `networks` networks; where `is_slow`, they are
    those that reach it and are held back. Of `FEW`, the counts are of whoever reported within the snapshot's
    window, which nothing is concluded from."""

    platform: str
    kind: Kind
    failing: int = 0
    of: int = 0
    networks: int = 0
    is_slow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Land:
    """One country now: `probes` heard from in the last minutes, `incidents` open in it."""

    country: str
    probes: int
    standings: tuple[Standing, ...]
    incidents: tuple[Incident, ...] = ()

    @property
    def kind(self) -> Kind:
        """The most urgent of its platforms'."""
        return min((one.kind for one in self.standings), key=list(Kind).index, default=Kind.NONE)


@dataclass(slots=True)
class _Votes:
    failing: int = 0
    of: int = 0
    networks: int = 0


ByPlatform = Mapping[tuple[str, str], _Votes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """All countries, those with an incident first. `until` is the end of the newest round examined, in Unix
    seconds, 0 where none was; `is_stale` that it lies too far back to say how things stand."""

    lands: tuple[Land, ...]
    until: float
    is_stale: bool
    everywhere: tuple[Incident, ...] = ()

    def land(self, country: str) -> Land | None:
        """One country; None where nothing was heard from it."""
        return next((one for one in self.lands if one.country == country), None)


def now(findings: Findings, snapshot: Snapshot, at: float, limits: Thresholds) -> Now:
    """How things stand at a moment in Unix seconds."""
    is_stale = at - findings.until > STALE_ROUNDS * limits.round_s
    book = [one for one in findings.book if one.is_open]
    votes, speeds = _votes(findings.state.networks), _votes(findings.state.speeds)
    countries = {country for country, _ in (*findings.state.nations, *snapshot.countries)}
    lands = [
        _land(
            country,
            findings,
            snapshot,
            (votes, speeds),
            [one for one in book if one.country == country],
            is_stale,
        )
        for country in countries | set(snapshot.probes) | {one.country for one in book} - {WORLD}
    ]
    order = list(Kind)
    lands.sort(key=lambda one: (not one.incidents, order.index(one.kind), -one.probes, one.country))
    everywhere = tuple(one for one in book if one.country == WORLD)
    return Now(lands=tuple(lands), until=findings.until, is_stale=is_stale, everywhere=everywhere)


def _votes(networks: Mapping[Place, Network] | Mapping[Place, Speeds]) -> ByPlatform:
    """The newest round's votes by country and platform, in one pass over all networks."""
    found: dict[tuple[str, str], _Votes] = {}
    for place, network in networks.items():
        if network.votes.prefixes:
            here = found.setdefault((place.country, place.platform), _Votes())
            here.failing += network.votes.failing_prefixes
            here.of += network.votes.prefixes
            here.networks += 1
    return found


def _land(
    country: str,
    findings: Findings,
    snapshot: Snapshot,
    votes: tuple[ByPlatform, ByPlatform],
    incidents: Iterable[Incident],
    is_stale: bool,
) -> Land:
    incidents = tuple(incidents)
    standings = []
    for platform in snapshot.platforms:
        key = country, platform
        parts = [
            part for one in incidents for part in one.parts if part.platform == platform and part.is_open
        ]
        is_slow = bool(parts) and all(part.cause is Cause.THROTTLING for part in parts)
        kind = _kind(parts, findings.state.nations.get(key), is_stale)
        counts = votes[is_slow].get(key, _Votes())
        tally = snapshot.countries.get(key, Tally())
        standings.append(replace(_standing(platform, kind, counts, tally), is_slow=is_slow))
    return Land(
        country=country,
        probes=snapshot.probes.get(country, 0),
        standings=tuple(standings),
        incidents=incidents,
    )


def _kind(parts: Sequence[Part], nation: NationWatch | None, is_stale: bool) -> Kind:
    if parts:
        national = [part for part in parts if part.scope is not Scope.NETWORK]
        if not national:
            return Kind.PART
        sure = any(part.phase is Phase.CONFIRMED for part in national)
        return Kind.CONFIRMED if sure else Kind.SUSPECTED
    is_judged = nation is not None and nation.condition is not Condition.INSUFFICIENT
    return Kind.OK if is_judged and not is_stale else Kind.FEW


def _standing(platform: str, kind: Kind, votes: _Votes, tally: Tally) -> Standing:
    if kind is Kind.FEW:
        kind = Kind.FEW if tally.votes or tally.statuses else Kind.NONE
        return Standing(platform=platform, kind=kind, failing=tally.failing, of=tally.votes)
    return Standing(platform=platform, kind=kind, failing=votes.failing, of=votes.of, networks=votes.networks)
