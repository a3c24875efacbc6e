"""When a claim has changed so much that it is said again. PURE.

An incident is computed anew all the time; what was published is never edited. A *revision* is added
where something changed that a reader of the last one would want to know.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from probe.wire.version import __version__

from .incidents import Incident

LATE, QUARANTINED = "late_data", "quarantine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One published word on an incident. `number` counts from 1; `at` is Unix seconds. `reason` says what is
    new, in words that every language has a phrase for (`sentences.reason`), joined by semicolons:
    ``confirmed``, ``scope nation``, ``joined x,youtube``, ``cause x throttling``, ``moved late_data``,
    ``see late_data ID``, ``nothing quarantine``, ``counts``. `superseded_by` names the incident that says it
    better, where late data or a quarantine moved the beginning or showed that there was nothing (then it is
    empty and `withdrawn` set). `release` is the version of detector and rules that said it; empty where that
    was not kept."""

    number: int
    at: float
    reason: str
    incident: Incident
    withdrawn: bool = False
    superseded_by: str = ""
    release: str = ""


def revised(
    published: Mapping[str, Revision],
    book: Collection[Incident],
    at: float,
    first: int,
    last_word: int,
    why: str = LATE,
) -> Iterator[Revision]:
    """The revisions that make `book` what is published. `published` is each incident's last revision;
    what ended before round `first` is not in the book any more and stands as it is, and what ended by
    `last_word` is soon so: it is told a last time if its counts are others by now. `why` is what makes the
    past be told otherwise than before."""
    for incident in book:
        last = published.get(incident.id)
        over = incident.ended
        is_last = over is not None and over <= last_word
        reason = _news(last, incident, why) or (is_last and _counts(last, incident)) or ""
        if reason:
            yield Revision(
                number=last.number + 1 if last else 1,
                at=at,
                reason=reason,
                incident=incident,
                release=__version__,
            )
    known = {incident.id for incident in book}
    for last in published.values():
        over = last.incident.ended
        if last.incident.id in known or last.withdrawn or (over is not None and over < first):
            continue
        heir = next((one.id for one in book if _overlap(one, last.incident)), "")
        yield Revision(
            number=last.number + 1,
            at=at,
            reason=f"see {why} {heir}" if heir else f"nothing {why}",
            incident=last.incident,
            withdrawn=True,
            superseded_by=heir,
            release=__version__,
        )


def _news(last: Revision | None, now: Incident, why: str) -> str:
    """What is new in an incident since it was last spoken of; empty where nothing is."""
    if last is None or last.withdrawn:
        return f"{now.phase}"
    before = last.incident
    news = []
    if before.phase is not now.phase:
        news.append(str(now.phase))
    if before.scope is not now.scope:
        news.append(f"scope {now.scope}")
    joined = {part.platform for part in now.parts} - {part.platform for part in before.parts}
    if joined:
        news.append(f"joined {','.join(sorted(joined))}")
    causes = {part.platform: part.cause for part in before.parts}
    news += [
        f"cause {part.platform} {part.cause}"
        for part in now.parts
        if causes.get(part.platform, part.cause) is not part.cause
    ]
    if (before.since, before.ended) != (now.since, now.ended) and before.phase is now.phase:
        news.append(f"moved {why}")
    return "; ".join(news)


def _counts(last: Revision | None, now: Incident) -> str:
    """Whether it was said with other counts than those that stand."""
    return "counts" if last is not None and last.incident != now else ""


def _overlap(one: Incident, other: Incident) -> bool:
    """Whether two incidents speak of the same platform in the same country at the same time."""
    platforms, others = ({part.platform for part in incident.parts} for incident in (one, other))
    if one.country != other.country or not platforms & others:
        return False
    end, other_end = (math.inf if i.ended is None else i.ended for i in (one, other))
    return one.since < other_end and other.since < end
