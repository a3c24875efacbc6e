"""Which incidents are found, newest first, and where a page ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from collector.detect.incidents import WORLD, Cause, Incident, Part, Phase, Scope
from collector.detect.revisions import Revision
from collector.detect.thresholds import DEFAULT
from collector.web.api.asked import IncidentsAsked, Refused, read
from collector.web.api.incidents import chosen
from tests.collector.detect.homes import FIRST


def said(
    name: str,
    since: int,
    ended: int | None = None,
    country: str = "TR",
    platform: str = "youtube",
    **more: Any,
) -> Revision:
    part = Part(
        platform=platform, phase=Phase.CONFIRMED if ended is None else Phase.ENDED,
        since=since, confirmed=since + 1, ended=ended, scope=Scope.NATION, cause=Cause.DISRUPTION,
    )  # fmt: skip
    incident = Incident(id=name, country=country, parts=(part,))
    return Revision(number=1, at=0.0, reason="confirmed", incident=incident, **more)


def some() -> list[Revision]:
    """Rounds count from 10:00 UTC on 17 December 2023."""
    return [
        said("tr-1", FIRST - 50, FIRST - 40),
        said("tr-2", FIRST + 10),
        said("tr-3", FIRST + 10, withdrawn=True),
        said("x-1", FIRST - 90, FIRST - 80, WORLD, "x"),
    ]


def ids(revisions: Sequence[Revision]) -> list[str]:
    return [one.incident.id for one in revisions]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["tr-3", "tr-2", "pk", "tr-1", "x-1"]),
        ({"country": "TR"}, ["tr-3", "tr-2", "tr-1"]),
        ({"country": "*"}, ["x-1"]),
        ({"platform": "x"}, ["pk", "x-1"]),
        ({"phase": "withdrawn"}, ["tr-3"]),
        ({"phase": "confirmed"}, ["tr-2"]),
        ({"phase": "ended", "country": "PK"}, ["pk"]),
        ({"since": "2023-12-17T10:12:00Z"}, ["tr-3", "tr-2", "pk"]),
        ({"until": "2023-12-17T10:10:00Z"}, ["tr-1", "x-1"]),
        ({"since": "2023-12-17T06:00:00Z", "until": "2023-12-17T10:10:01Z"}, ["pk", "tr-1"]),
        ({"since": "2023-12-17T06:40:00Z", "until": "2023-12-17T10:00:00Z"}, []),
        ({"limit": "1", "cursor": "tr-2"}, ["pk"]),
        ({"country": "AQ"}, []),
    ],
)
def test_incidents_are_found_by_what_is_asked(query: dict[str, str], found: list[str]) -> None:
    everything = [*some(), said("pk", FIRST + 2, FIRST + 15, "PK", "x")]
    page, _ = chosen(everything, read(IncidentsAsked, query.items()), DEFAULT)
    assert ids(page) == found


def test_a_page_ends_where_there_is_more() -> None:
    assert chosen(some(), IncidentsAsked(limit=4), DEFAULT)[1] is None
    page, cursor = chosen(some(), IncidentsAsked(limit=3), DEFAULT)
    assert (len(page), cursor) == (3, "tr-1")
    assert ids(chosen(some(), IncidentsAsked(cursor=cursor), DEFAULT)[0]) == ["x-1"]


def test_what_is_new_since_the_last_page_shifts_nothing() -> None:
    _, cursor = chosen(some(), IncidentsAsked(limit=2), DEFAULT)
    newer = [*some(), said("newer", FIRST + 20)]
    assert ids(chosen(newer, IncidentsAsked(cursor=cursor), DEFAULT)[0]) == ["tr-1", "x-1"]


def test_a_cursor_that_was_never_given_out_is_refused() -> None:
    with pytest.raises(Refused, match="cursor: none that was given out here"):
        chosen(some(), IncidentsAsked(cursor="tr-9"), DEFAULT)
