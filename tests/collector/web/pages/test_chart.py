"""Charts: a gap is a gap, nothing short is smoothed away, and a strip is read without colours."""

from __future__ import annotations

import pytest

from collector.web.pages.chart import area, level_of, line, seen, strips, ticks
from collector.web.pages.history import Bin

LEAST = 3
NOON = 1_702_814_400.0  # 17 December 2023


def bins(*counts: tuple[int, int]) -> list[Bin]:
    return [Bin(at, at, failing, of) for at, (failing, of) in enumerate(counts)]


WELL, HALF, ALL, NOBODY, FEW = (0, 8), (4, 8), (8, 8), (0, 0), (0, 2)

LINES = [
    ((WELL, WELL), "M0 0H500V0H1000"),
    ((WELL, ALL), "M0 0H500V100H1000"),
    ((WELL, NOBODY, HALF, WELL), "M0 0H250M500 50H750V0H1000"),
    ((NOBODY, WELL, NOBODY), "M333.3 0H666.7"),
    ((FEW, HALF), "M500 50H1000"),
    ((NOBODY, NOBODY), ""),
    ((), ""),
]


@pytest.mark.parametrize(("counts", "path"), LINES)
def test_a_line_breaks_off_where_too_few_voted(counts: tuple[tuple[int, int], ...], path: str) -> None:
    assert line(bins(*counts), LEAST) == path


def test_how_many_voted_is_drawn_beside_it_with_nothing_where_nobody_did() -> None:
    assert area(bins((0, 10), NOBODY, (5, 5))) == ("M0 100V0H333.3V100H666.7V50H1000V100z", 10)
    assert area(bins(NOBODY)) == ("M0 100V100H1000V100z", 0)


@pytest.mark.parametrize(
    ("share", "level"), [(0, 0), (0.09, 0), (0.1, 1), (0.3, 2), (0.5, 3), (0.79, 3), (0.8, 4), (1, 4)]
)
def test_levels_begin_where_the_key_says(share: float, level: int) -> None:
    assert level_of(share) == level


def test_a_strip_is_higher_the_more_fail_and_empty_where_too_few_voted() -> None:
    paths = strips(bins(WELL, WELL, ALL, FEW, HALF), LEAST)
    assert paths == ["M0 3.6h2v0.4H0z", "", "", "M4 1h1v3H4z", "M2 0h1v4H2z"]
    assert seen(bins(WELL, WELL, ALL, FEW, HALF), LEAST) == "M0 0h3V4H0zM4 0h1V4H4z"
    assert seen(bins(NOBODY), LEAST) == ""


@pytest.mark.parametrize(
    ("hours", "labels"),
    [
        (6, ["13:00", "14:00", "15:00", "16:00", "17:00"]),
        (24, ["16:00", "20:00", "00:00", "04:00", "08:00"]),
        (168, ["12-18", "12-19", "12-20", "12-21", "12-22", "12-23", "12-24"]),
    ],
)
def test_an_axis_has_round_moments_and_none_at_the_edges(hours: int, labels: list[str]) -> None:
    found = ticks(NOON, NOON + hours * 3600)
    assert [one.label for one in found] == labels
    assert all(3 <= one.at <= 97 for one in found)
