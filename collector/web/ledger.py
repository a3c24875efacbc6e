"""The ledger: what was disrupted where, and for how long, by half-year. PURE.

Counted as those who track shutdowns do, from what was published and confirmed: each incident's last word,
one line per country, platform and half of the year. A platform's own outage is no country's and is not in
it; neither is what was only suspected, or taken back. What lasts over New Year's Eve or the last of June is
counted in both halves, with the time that falls into each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from collector.detect.incidents import WORLD, Cause, Part, Scope
from collector.detect.revisions import Revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One country, one platform, one half-year, which is named ``2023-H2``. `events` were going on in it,
    of which `began` began in it, `open` go on still, and `national` reached more than single networks.
    Durations are seconds within the half-year, of all together and of the longest. `causes` counts
    events by what is shown of why; `incidents` are their ids, in order of time."""

    country: str
    platform: str
    half: str
    events: int
    began: int
    open: int
    national: int
    duration_s: float
    longest_s: float
    causes: Mapping[str, int] = field(default_factory=dict)
    incidents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Stretch:
    """The part of one event that falls into one half-year: Unix seconds."""

    incident: str
    part: Part
    begins: float
    ends: float
    is_first: bool


def ledger(revisions: Iterable[Revision], now: float, round_s: float) -> tuple[Entry, ...]:
    """The newest half-year first, then by country and platform. `now` is Unix seconds: what goes on is
    counted until then. `round_s` is what the incidents' rounds are seconds of."""
    found: dict[tuple[str, str, str], list[_Stretch]] = {}
    for revision in last_words(revisions):
        incident = revision.incident
        for part in incident.parts:
            if _is_counted(incident.country, part) and not revision.withdrawn:
                for half, stretch in _stretches(incident.id, part, now, round_s):
                    found.setdefault((half, incident.country, part.platform), []).append(stretch)
    entries = (_entry(*key, stretches) for key, stretches in sorted(found.items()))
    return tuple(sorted(entries, key=lambda one: one.half, reverse=True))


def last_words(revisions: Iterable[Revision]) -> list[Revision]:
    """The last revision of each incident, by when it began."""
    last: dict[str, Revision] = {}
    for revision in revisions:
        known = last.get(revision.incident.id)
        if known is None or known.number < revision.number:
            last[revision.incident.id] = revision
    return sorted(last.values(), key=lambda one: (one.incident.since, one.incident.id))


def half_of(at: float) -> str:
    """The half-year that a moment in Unix seconds falls into, in UTC."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment.year}-H{1 if moment.month <= 6 else 2}"


def _is_counted(country: str, part: Part) -> bool:
    return country != WORLD and part.confirmed is not None and part.cause is not Cause.PLATFORM_OUTAGE


def _stretches(incident: str, part: Part, now: float, round_s: float) -> Iterator[tuple[str, _Stretch]]:
    begins = part.since * round_s
    ends = max(begins, now if part.ended is None else part.ended * round_s)
    at = begins
    while True:
        until = min(ends, _next_half(at))
        yield half_of(at), _Stretch(incident, part, at, until, at == begins)
        if until >= ends:
            return
        at = until


def _next_half(at: float) -> float:
    moment = datetime.fromtimestamp(at, UTC)
    following = (moment.year, 7) if moment.month <= 6 else (moment.year + 1, 1)
    return datetime(*following, 1, tzinfo=UTC).timestamp()


def _entry(half: str, country: str, platform: str, stretches: list[_Stretch]) -> Entry:
    durations = [one.ends - one.begins for one in stretches]
    return Entry(
        country=country,
        platform=platform,
        half=half,
        events=len(stretches),
        began=sum(one.is_first for one in stretches),
        open=sum(one.part.is_open for one in stretches),
        national=sum(one.part.scope is Scope.NATION for one in stretches),
        duration_s=sum(durations),
        longest_s=max(durations),
        causes=dict(sorted(Counter(str(one.part.cause) for one in stretches).items())),
        incidents=tuple(one.incident for one in stretches),
    )
