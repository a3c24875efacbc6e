"""What is claimed, in public: one description that webhooks, feeds, pages and API all give. PURE.

Nothing is said here that the rounds do not hold. A round is `round_s` long and its homes measure all
through it: where something begins late in a round too few notice for that round to count, so what began is
told from the round before the first that failed. Counts are each network's worst round, one probe a prefix.
A network of few prefixes is never named: a number on so few says something about somebody's home.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from probe.wire.codec import rfc3339

from .cells import HELD_BACK
from .incidents import Incident, Part, Slowness, Witnesses
from .revisions import Revision
from .sentences import reason, sentence
from .thresholds import Thresholds
from .words import Voice

SCHEMA = "reachwatch/incident/1"
WITHDRAWN = "withdrawn"


def describe(revision: Revision, voice: Voice) -> dict[str, Any]:
    """A published revision as JSON says it; what is absent is null. Networks of fewer prefixes than the
    voice names are counted together. The phase of what was taken back is ``withdrawn``. `claim` and `reason`
    are in the collector's language, all else is the vocabulary's."""
    incident, limits = revision.incident, voice.limits
    return {
        "schema": SCHEMA,
        "id": incident.id,
        "url": voice.address(f"/incident/{incident.id}") or None,
        "country": incident.country,
        "phase": WITHDRAWN if revision.withdrawn else str(incident.phase),
        "scope": str(incident.scope),
        "cause": str(incident.cause),
        **_times(incident, limits),
        "claim": sentence(revision, voice),
        "parts": [_part(part, limits, voice.min_prefixes) for part in incident.parts],
        "release": revision.release or None,
        "revision": {
            "number": revision.number,
            "at": _time(revision.at),
            "reason": reason(revision, voice.words),
            "withdrawn": revision.withdrawn,
            "superseded_by": revision.superseded_by or None,
        },
    }


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
        **_grown(part, limits),
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


def _grown(part: Part, limits: Thresholds) -> dict[str, Any]:
    return {
        "national": None if part.national is None else _between(part.national, limits),
        "unheard": part.unheard,
    }


def _between(number: int, limits: Thresholds) -> dict[str, str]:
    return {"after": _time((number - 1) * limits.round_s), "before": _time(_end(number, limits))}


def _end(number: int, limits: Thresholds) -> float:
    return (number + 1) * limits.round_s


def _time(at: float) -> str:
    return rfc3339(datetime.fromtimestamp(at, UTC))
