"""Every parameter is read strictly, and whoever gets one wrong is told which."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.web.api.asked import (
    Form,
    IncidentsAsked,
    LedgerAsked,
    Nothing,
    OneCountry,
    Refused,
    RoundsAsked,
    SeriesAsked,
    among,
    read,
)

TIME = "a time in RFC 3339 with its zone, such as 2023-12-17T15:04:00Z"
COUNTRY = "two capital letters (ISO 3166-1)"
PHASES = "one of suspected, confirmed, ended, dismissed, withdrawn"


@pytest.mark.parametrize(
    ("kind", "pairs", "said"),
    [
        (Nothing, [("country", "PK")], "country: unknown parameter"),
        (OneCountry, [("country", "pk")], f"country: {COUNTRY}"),
        (OneCountry, [("country", "PK\n")], f"country: {COUNTRY}"),
        (OneCountry, [("country", "\uff30\uff2b")], f"country: {COUNTRY}"),
        (SeriesAsked, [], "country: missing"),
        (SeriesAsked, [("country", "PK"), ("since", "2023-12-17T15:04:00Z")], "since: unknown parameter"),
        (SeriesAsked, [("country", "PK"), ("from", "yesterday")], f"from: {TIME}"),
        (SeriesAsked, [("country", "PK"), ("from", "1702825440")], f"from: {TIME}"),
        (SeriesAsked, [("country", "PK"), ("to", "2023-12-17T15:04:00")], f"to: {TIME}"),
        (SeriesAsked, [("country", "PK"), ("to", "2023-12-17")], f"to: {TIME}"),
        (
            SeriesAsked,
            [("country", "PK"), ("to", "2023-02-30T15:04:00Z")],
            "to: 2023-02-30T15:04:00Z is no moment of any calendar",
        ),
        (SeriesAsked, [("country", "PK"), ("format", "xml")], "format: one of json, csv, jsonl"),
        (SeriesAsked, [("country", "PK"), ("country", "TR")], "country: given twice"),
        (IncidentsAsked, [("country", "**")], f"country: {COUNTRY}, or * for the world"),
        (IncidentsAsked, [("phase", "over")], f"phase: {PHASES}"),
        (IncidentsAsked, [("limit", "0")], "limit: a number from 1 to 500"),
        (IncidentsAsked, [("limit", "501")], "limit: a number from 1 to 500"),
        (IncidentsAsked, [("limit", "1e2")], "limit: a number from 1 to 500"),
        (IncidentsAsked, [("limit", "\u0661")], "limit: a number from 1 to 500"),
        (LedgerAsked, [("half", "2023-H2")], "half: unknown parameter"),
        (LedgerAsked, [("a\0b", "1")], r"'a\x00b': unknown parameter"),
        (LedgerAsked, [("x" * 50, "1")], f"{'x' * 40}…: unknown parameter"),
        (RoundsAsked, [("country", "PK"), ("cursor", "1")], "cursor: unknown parameter"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(kind: type, pairs: list[tuple[str, str]], said: str) -> None:
    with pytest.raises(Refused) as refused:
        read(kind, pairs)
    assert (refused.value.status, refused.value.detail) == (400, said)


def test_what_is_right_is_read() -> None:
    asked = read(
        SeriesAsked,
        [
            ("country", "PK"),
            ("from", "1970-01-01T05:01:00.5+05:00"),
            ("to", "1970-01-02T00:00Z"),
            ("format", "csv"),
        ],
    )
    assert asked == SeriesAsked(country="PK", since=60.5, until=86_400.0, format=Form.CSV)
    assert read(IncidentsAsked, [("country", "*"), ("limit", "500")]).limit == 500


def test_a_platform_that_is_not_counted_is_refused_by_naming_those_that_are() -> None:
    among(None, ["x"])
    among("x", ["x", "youtube"])
    with pytest.raises(Refused, match="platform: one of x, youtube"):
        among("twitter", ["x", "youtube"])


@given(
    st.sampled_from([Nothing, OneCountry, SeriesAsked, IncidentsAsked, LedgerAsked, RoundsAsked]),
    st.lists(
        st.tuples(
            st.text() | st.sampled_from(["country", "from", "to", "since", "until", "limit", "cursor"]),
            st.text() | st.datetimes().map(lambda at: f"{at.isoformat()}Z"),
        )
    ),
)
def test_any_question_is_read_or_refused_in_one_printable_line(
    kind: type, pairs: list[tuple[str, str]]
) -> None:
    refused = []
    try:
        read(kind, pairs)
    except Refused as why:
        refused.append(why)
    assert all(why.status == 400 and why.detail.isprintable() and len(why.detail) < 200 for why in refused)
