"""The ledger counts what was confirmed, once, with the time that falls into each half-year."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from collector.detect.incidents import WORLD, Cause, Incident, Part, Phase, Scope
from collector.detect.revisions import Revision
from collector.web.ledger import Entry, half_of, ledger

ROUND_S = 300.0
HOUR = 12  # rounds


def moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def at(text: str) -> int:
    """The round in which a moment falls."""
    return int(moment(text) // ROUND_S)


NOON = at("2023-12-17T12:00")
NOW = (NOON + 24 * HOUR) * ROUND_S


def said(number: int = 1, *, name: str = "pk-1", country: str = "PK", **changes: Any) -> Revision:
    """One revision of an event of X, of seven hours unless said otherwise."""
    part = Part(
        platform="x",
        phase=Phase.ENDED,
        since=NOON,
        confirmed=NOON + 2,
        ended=NOON + 7 * HOUR,
        scope=Scope.NATION,
        cause=Cause.LIKELY_BLOCKING,
    )
    incident = Incident(id=name, country=country, parts=(replace(part, **changes),))
    return Revision(number=number, at=0.0, reason="", incident=incident)


def counted(*revisions: Revision) -> list[Entry]:
    return list(ledger(revisions, NOW, ROUND_S))


def test_an_event_is_counted_with_its_time_and_what_is_shown_of_why() -> None:
    assert counted(said()) == [
        Entry(
            country="PK", platform="x", half="2023-H2", events=1, began=1, open=0, national=1,
            duration_s=7 * 3600, longest_s=7 * 3600, causes={"likely_blocking": 1}, incidents=("pk-1",),
        )
    ]  # fmt: skip


def test_the_last_word_counts_whatever_order_the_words_come_in() -> None:
    longer = said(2, ended=NOON + 8 * HOUR)
    assert counted(said(), longer) == counted(longer, said())
    assert counted(said(), longer)[0].duration_s == 8 * 3600


def test_several_events_are_one_line() -> None:
    (line,) = counted(
        said(),
        said(name="pk-0", since=NOON - 9 * HOUR, ended=NOON - 8 * HOUR, scope=Scope.NETWORK),
    )
    assert (line.events, line.national, line.duration_s, line.longest_s) == (2, 1, 8 * 3600, 7 * 3600)
    assert line.incidents == ("pk-0", "pk-1")


def test_what_goes_on_lasts_until_now() -> None:
    (line,) = counted(said(ended=None, phase=Phase.CONFIRMED))
    assert (line.open, line.duration_s) == (1, 24 * 3600)


def test_what_lasts_over_the_year_is_in_both_halves_and_began_in_one() -> None:
    newer, older = counted(said(since=at("2023-12-31T22:00"), ended=at("2024-01-01T01:00")))
    assert (older.half, older.began, older.duration_s) == ("2023-H2", 1, 2 * 3600)
    assert (newer.half, newer.began, newer.duration_s) == ("2024-H1", 0, 3600)


@pytest.mark.parametrize(
    "revision",
    [
        said(confirmed=None, phase=Phase.DISMISSED, cause=Cause.DISRUPTION),
        said(confirmed=None, phase=Phase.SUSPECTED, ended=None),
        said(cause=Cause.PLATFORM_OUTAGE),
        said(country=WORLD),
        replace(said(), withdrawn=True),
    ],
)
def test_what_was_never_sure_or_nobodys_restriction_is_not_in_it(revision: Revision) -> None:
    assert counted(revision) == []


def test_the_order_is_the_newest_half_first_then_by_name() -> None:
    lines = counted(
        said(name="a", country="TR"),
        said(name="b", platform="facebook"),
        said(name="c", since=at("2022-05-01"), ended=at("2022-05-02")),
        said(name="d"),
    )
    assert [(line.half, line.country, line.platform) for line in lines] == [
        ("2023-H2", "PK", "facebook"),
        ("2023-H2", "PK", "x"),
        ("2023-H2", "TR", "x"),
        ("2022-H1", "PK", "x"),
    ]


@pytest.mark.parametrize(
    ("text", "half"),
    [("2023-06-30T23:59", "2023-H1"), ("2023-07-01", "2023-H2"), ("2024-01-01", "2024-H1")],
)
def test_halves_begin_in_january_and_july(text: str, half: str) -> None:
    assert half_of(moment(text)) == half
