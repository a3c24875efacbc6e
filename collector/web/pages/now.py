"""What may be said of each country and platform now. PURE: findings and snapshot become standings.

What it may not do: call well what too few have looked at, what has not been looked at for a while, or what
fails in many homes though nothing is claimed of it yet. So `OK` needs a newest round of the detector with
votes enough of which few fail; all else has a word of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from collector.detect.ballots import Place
from collector.detect.fold import Network
from collector.detect.incidents import WORLD, Cause, Incident, Part, Phase, Scope
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
    OUTAGE = "outage"
    UNSETTLED = "unsettled"
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
    """All countries, those with an incident first. `until` is up to when anything was examined, in Unix
    seconds: the end of the newest round, or the snapshot where that is older; 0 where no round was.
    `is_stale` says that it lies too far back to say how things stand."""

    lands: tuple[Land, ...]
    until: float
    is_stale: bool

    def land(self, country: str) -> Land | None:
        """One country; None where nothing was heard from it."""
        return next((one for one in self.lands if one.country == country), None)


def now(findings: Findings, snapshot: Snapshot, at: float, limits: Thresholds) -> Now:
    """How things stand at a moment in Unix seconds."""
    until = min(findings.until, snapshot.at)
    is_stale = at - until > STALE_ROUNDS * limits.round_s
    open_now = [one for one in findings.book if one.is_open]
    found = _Found(
        findings=findings,
        snapshot=snapshot,
        votes=_votes(findings.state.networks),
        slow=_votes(findings.state.speeds),
        outages=frozenset(
            p.platform for one in open_now if one.country == WORLD for p in one.parts if p.is_open
        ),
        is_stale=is_stale,
        suspect_share=limits.suspect_share,
    )
    countries = {country for country, _ in (*findings.state.nations, *snapshot.countries)}
    lands = [
        _land(country, found, tuple(one for one in open_now if one.country == country))
        for country in countries | set(snapshot.probes) | {one.country for one in open_now} - {WORLD}
    ]
    order = list(Kind)
    lands.sort(key=lambda one: (not one.incidents, order.index(one.kind), -one.probes, one.country))
    return Now(lands=tuple(lands), until=until, is_stale=is_stale)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What every country's standing is made of. `outages` are the platforms that fail in many countries;
    `suspect_share` is the failing share from which on nothing is called well."""

    findings: Findings
    snapshot: Snapshot
    votes: ByPlatform
    slow: ByPlatform
    outages: frozenset[str]
    is_stale: bool
    suspect_share: float


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


def _land(country: str, found: _Found, incidents: tuple[Incident, ...]) -> Land:
    standings = tuple(_stands(country, platform, found, incidents) for platform in found.snapshot.platforms)
    probes = found.snapshot.probes.get(country, 0)
    return Land(country=country, probes=probes, standings=standings, incidents=incidents)


def _stands(country: str, platform: str, found: _Found, incidents: Iterable[Incident]) -> Standing:
    key = country, platform
    parts = [part for one in incidents for part in one.parts if part.platform == platform and part.is_open]
    is_slow = bool(parts) and all(part.cause is Cause.THROTTLING for part in parts)
    votes = (found.slow if is_slow else found.votes).get(key, _Votes())
    kind = _claimed(parts) if parts else _unclaimed(key, votes, found)
    tally = found.snapshot.countries.get(key, Tally())
    return replace(_standing(platform, kind, votes, tally), is_slow=is_slow)


def _claimed(parts: Sequence[Part]) -> Kind:
    """The word where an incident is open."""
    national = [part for part in parts if part.scope is not Scope.NETWORK]
    if not national:
        return Kind.PART
    sure = any(part.phase is Phase.CONFIRMED for part in national)
    return Kind.CONFIRMED if sure else Kind.SUSPECTED


def _unclaimed(key: tuple[str, str], votes: _Votes, found: _Found) -> Kind:
    """The word where none is. One round makes no suspicion, but a tick beside homes that all fail would be
    believed, by the very people who see that it is untrue."""
    nation = found.findings.state.nations.get(key)
    if nation is None or nation.condition is Condition.INSUFFICIENT or found.is_stale:
        return Kind.FEW
    share = votes.failing / votes.of if votes.of else 0.0
    if max(share, nation.share) < found.suspect_share and not nation.is_alarmed:
        return Kind.OK
    return Kind.OUTAGE if key[1] in found.outages else Kind.UNSETTLED


def _standing(platform: str, kind: Kind, votes: _Votes, tally: Tally) -> Standing:
    if kind is Kind.FEW:
        kind = Kind.FEW if tally.votes or tally.statuses else Kind.NONE
        return Standing(platform=platform, kind=kind, failing=tally.failing, of=tally.votes)
    return Standing(platform=platform, kind=kind, failing=votes.failing, of=votes.of, networks=votes.networks)
