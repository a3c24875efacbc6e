"""What is claimed, in public words: one description that webhooks, feeds, pages and API all give. PURE.

Nothing is said here that the rounds do not hold. A round is `round_s` long and its homes measure all
through it: where something begins late in a round too few notice for that round to count, so what began is
told from the round before the first that failed. Counts are each network's worst round, one probe a prefix.
A network of few prefixes is never named: a number on so few says something about somebody's home.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from probe.verdict.speed import in_words
from probe.wire.codec import rfc3339

from .cells import HELD_BACK
from .incidents import WORLD, Cause, Incident, Part, Phase, Scope, Slowness, Witnesses
from .revisions import Revision
from .thresholds import Thresholds

SCHEMA = "reachwatch/incident/1"
WITHDRAWN = "withdrawn"
TITLES = {"x": "X", "facebook": "Facebook", "instagram": "Instagram", "youtube": "YouTube"}
_UNSURE = frozenset({Phase.SUSPECTED, Phase.DISMISSED})


def describe(revision: Revision, limits: Thresholds, min_prefixes: int) -> dict[str, Any]:
    """A published revision as JSON says it; what is absent is null. Networks of fewer prefixes than
    `min_prefixes` are counted together. The phase of what was taken back is ``withdrawn``."""
    incident = revision.incident
    return {
        "schema": SCHEMA,
        "id": incident.id,
        "country": incident.country,
        "phase": WITHDRAWN if revision.withdrawn else str(incident.phase),
        "scope": str(incident.scope),
        "cause": str(incident.cause),
        **_times(incident, limits),
        "claim": sentence(revision, limits),
        "parts": [_part(part, limits, min_prefixes) for part in incident.parts],
        "release": revision.release or None,
        "revision": {
            "number": revision.number,
            "at": _time(revision.at),
            "reason": revision.reason,
            "withdrawn": revision.withdrawn,
            "superseded_by": revision.superseded_by or None,
        },
    }


def sentence(revision: Revision, limits: Thresholds) -> str:
    """The claim in one sentence, with everything that qualifies it."""
    incident = revision.incident
    clauses = [f"{_what(incident)}{_counted(incident)}", _began(incident, limits)]
    if incident.phase is Phase.DISMISSED:
        clauses.append("never confirmed")
    if incident.ended is not None:
        clauses.append(f"well again by {_minute(_end(incident.ended, limits))}")
    clauses.append(_why(incident))
    if revision.release:
        clauses.append(f"detector {revision.release}, rules {revision.release}")
    claim = "; ".join(clauses)
    if not revision.withdrawn:
        return claim
    return f"withdrawn ({revision.reason}); what had been said: {claim}"


def title(revision: Revision) -> str:
    """What it is about, in a few words."""
    before = "Over: " if revision.incident.ended is not None else ""
    text = f"{'Withdrawn: ' if revision.withdrawn else before}{_what(revision.incident)}"
    return f"{text[0].upper()}{text[1:]}"


def _part(part: Part, limits: Thresholds, min_prefixes: int) -> dict[str, Any]:
    stage, _, failure = part.broke.partition(" ") if part.broke != HELD_BACK else ("", "", "")
    large = {asn: seen for asn, seen in part.networks.items() if seen.of >= min_prefixes}
    small = [seen for asn, seen in part.networks.items() if asn not in large]
    return {
        "platform": part.platform,
        "phase": str(part.phase),
        "scope": str(part.scope),
        "cause": str(part.cause),
        **_times(part, limits),
        "confirmed_at": None if part.confirmed is None else _time(_end(part.confirmed, limits)),
        **_sum(part.networks.values()),
        "networks": [
            {"asn": asn, "failing": seen.failing, "prefixes": seen.of, "confirmed": seen.confirmed}
            for asn, seen in sorted(large.items())
        ],
        "small_networks": {"count": len(small), **_sum(small)},
        "networks_heard": max(len(part.networks), part.networks_heard),
        "stage": stage or None,
        "failure": failure or None,
        "agreeing_ratio": part.agreeing if part.broke else None,
        "mechanisms": list(part.artefacts),
        "world_failing_ratio": part.world,
        "slow": None if part.slow is None else _slow(part.slow),
    }


def _slow(slow: Slowness) -> dict[str, Any]:
    return {
        "probes": slow.homes,
        "times_slower": slow.ratio,
        "bits_per_second": slow.bps,
        "extreme": slow.is_extreme,
    }


def _sum(seen: Iterable[Witnesses]) -> dict[str, int]:
    counts = [(one.failing, one.of) for one in seen]
    return {"failing": sum(failing for failing, _ in counts), "prefixes": sum(of for _, of in counts)}


def _times(what: Incident | Part, limits: Thresholds) -> dict[str, Any]:
    """When it began and ended, each between two moments: the end of the first round that failed, or that
    was well again, and the start of the round before it."""
    return {
        "began": _between(what.since, limits),
        "ended": None if what.ended is None else _between(what.ended, limits),
    }


def _between(number: int, limits: Thresholds) -> dict[str, str]:
    return {"after": _time((number - 1) * limits.round_s), "before": _time(_end(number, limits))}


def _end(number: int, limits: Thresholds) -> float:
    return (number + 1) * limits.round_s


def _what(incident: Incident) -> str:
    """ "possible nation-scale disruption of X in PK": which platforms, how sure, how far, where."""
    unsure = all(part.phase in _UNSURE for part in incident.parts)
    sure = [_title(part) for part in incident.parts if unsure or part.phase not in _UNSURE]
    also = [_title(part) for part in incident.parts if not unsure and part.phase in _UNSURE]
    platforms = _listed(sure) + (f", possibly also {_listed(also)}," if also else "")
    possible = "possible " if unsure else ""
    if incident.country == WORLD:
        return f"{possible}outage of {platforms} in many countries"
    far = "nation-scale " if incident.scope is Scope.NATION else ""
    is_slow = all(part.cause is Cause.THROTTLING for part in incident.parts)
    what = "throttling" if is_slow else "disruption"
    return f"{possible}{far}{what} of {platforms} in {incident.country}"


def _counted(incident: Incident) -> str:
    """How many failed, at each network's worst; the world's rate where it is the world that fails."""
    if incident.country == WORLD:
        rates = [part.world for part in incident.parts if part.world is not None]
        return f": {max(rates):.0%} of votes failed in the mean over countries" if rates else ""
    homes: dict[int, int] = {}
    for part in incident.parts:
        for asn, seen in part.networks.items():
            homes[asn] = max(homes.get(asn, 0), seen.of)
    if not homes:
        return ""
    counted = {tuple(_sum(part.networks.values()).values()) for part in incident.parts}
    counts = _listed([_of(part, named=True) for part in incident.parts])
    if len(counted) == 1:
        counts = _of(incident.parts[0], named=False)
    heard = max(len(homes), *(part.networks_heard for part in incident.parts))
    networks = f"{len(homes)} of {heard} network{'' if heard == 1 else 's'}"
    return f": at worst {counts} on {networks}, {sum(homes.values())} prefixes"


def _of(part: Part, *, named: bool) -> str:
    counted = _sum(part.networks.values())
    suffix = f" ({_title(part)})" if named else ""
    return f"{counted['failing']} of {counted['prefixes']} probes{suffix}"


def _began(incident: Incident, limits: Thresholds) -> str:
    first, last = (incident.since - 1) * limits.round_s, _end(incident.since, limits)
    one, other = (datetime.fromtimestamp(at, UTC) for at in (first, last))
    if one.date() == other.date():
        return f"began between {one:%H:%M} and {other:%H:%M} UTC on {one:%Y-%m-%d}"
    return f"began between {one:%Y-%m-%d %H:%M} and {other:%Y-%m-%d %H:%M} UTC"


def _why(incident: Incident) -> str:
    cause = incident.cause
    shown = [part for part in incident.parts if part.cause is cause]
    if cause is Cause.DISRUPTION:
        return "cause unknown"
    if cause is Cause.LIKELY_BLOCKING:
        stages = sorted({part.broke.partition(" ")[0].upper() for part in shown})
        return f"likely blocking at the {' and '.join(stages)} stage"
    if cause is Cause.BLOCKING_CONFIRMED:
        return f"blocking shown by {', '.join(sorted({one for part in shown for one in part.artefacts}))}"
    if cause is Cause.THROTTLING:
        return " and ".join(filter(None, map(_speed, shown))) or "handshakes held back"
    return str(cause).replace("_", " ")


def _speed(part: Part) -> str:
    """ "X comes at 140 kbit/s, unrelated sites 57 times as fast (medians)": as a policer shows."""
    if part.slow is None:
        return ""
    rate, times = in_words(part.slow.bps), f"{part.slow.ratio:.3g} times as fast"
    extreme = "extreme: " if part.slow.is_extreme else ""
    return f"{extreme}{_title(part)} comes at {rate}, unrelated sites {times} (medians)"


def _title(part: Part) -> str:
    return TITLES.get(part.platform, part.platform)


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _minute(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%H:%M UTC on %Y-%m-%d}"


def _time(at: float) -> str:
    return rfc3339(datetime.fromtimestamp(at, UTC))
