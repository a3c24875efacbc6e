"""Which of the published incidents are asked for, and their lines in a table. PURE.

What is said of each is `claims.describe`'s alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from collector.detect.claims import WITHDRAWN, describe
from collector.detect.revisions import Revision
from collector.detect.thresholds import Thresholds
from collector.detect.words import Voice

from .asked import IncidentsAsked, Refused
from .models import Incident, IncidentPart


def chosen(
    published: Iterable[Revision], asked: IncidentsAsked, limits: Thresholds
) -> tuple[Sequence[Revision], str | None]:
    """The page asked for, newest incident first, and the cursor of the next one. `published` is the last
    revision of each. Raises `Refused` for a cursor that is none."""
    ordered = sorted(published, key=_order, reverse=True)
    if asked.cursor is not None:
        last = next((one for one in ordered if one.incident.id == asked.cursor), None)
        if last is None:
            raise Refused(400, "cursor: none that was given out here")
        ordered = [one for one in ordered if _order(one) < _order(last)]
    wanted = [one for one in ordered if _is_wanted(one, asked, limits)]
    page = wanted[: asked.limit]
    return page, page[-1].incident.id if len(wanted) > len(page) else None


def described(revision: Revision, voice: Voice) -> Incident:
    """One word on an incident."""
    return cast(Incident, describe(revision, voice))


def _order(revision: Revision) -> tuple[int, str]:
    return revision.incident.since, revision.incident.id


def _is_wanted(revision: Revision, asked: IncidentsAsked, limits: Thresholds) -> bool:
    incident = revision.incident
    begins, ends = incident.since * limits.round_s, incident.ended
    return (
        asked.country in (None, incident.country)
        and (asked.platform is None or any(part.platform == asked.platform for part in incident.parts))
        and asked.phase in (None, WITHDRAWN if revision.withdrawn else incident.phase)
        and (asked.until is None or begins < asked.until)
        and (asked.since is None or ends is None or ends * limits.round_s > asked.since)
    )


COLUMNS = (
    "id", "country", "phase", "platform", "platform_phase", "scope", "cause", "began_after", "began_before",
    "ended_after", "ended_before", "confirmed_at", "failing", "prefixes", "networks", "networks_heard",
    "stage", "failure",
    "mechanisms", "world_failing_ratio", "revision", "revised_at", "claim",
)  # fmt: skip


def lines(incidents: Iterable[Incident]) -> Iterator[dict[str, Any]]:
    """One line for each platform of each incident."""
    for one in incidents:
        for part in one["parts"]:
            yield {"id": one["id"], "country": one["country"], "phase": one["phase"], **_line(part)} | {
                "revision": one["revision"]["number"],
                "revised_at": one["revision"]["at"],
                "claim": one["claim"],
            }


def _line(part: IncidentPart) -> dict[str, Any]:
    began, ended = part["began"], part["ended"]
    return {
        "platform": part["platform"],
        "platform_phase": part["phase"],
        "scope": part["scope"],
        "cause": part["cause"],
        "began_after": began["after"],
        "began_before": began["before"],
        "ended_after": ended and ended["after"],
        "ended_before": ended and ended["before"],
        "confirmed_at": part["confirmed_at"],
        "failing": part["failing"],
        "prefixes": part["prefixes"],
        "networks": len(part["networks"]) + part["small_networks"]["count"],
        "networks_heard": part["networks_heard"],
        "stage": part["stage"],
        "failure": part["failure"],
        "mechanisms": part["mechanisms"],
        "world_failing_ratio": part["world_failing_ratio"],
    }
