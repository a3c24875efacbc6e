"""The world, round by round: when it is well, in trouble, out; and what it says of a moment before."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from collector.detect.thresholds import DEFAULT
from collector.detect.world import WorldWatch, trimmed, watch

DAY = int(DEFAULT.trouble_s / DEFAULT.round_s)


def after(rates: Sequence[float | None], countries: int = 8) -> WorldWatch:
    """After rounds 0, 1, … in which each country fails at one rate; None is a round of too few countries."""
    seen = WorldWatch()
    for number, rate in enumerate(rates):
        seen = watch(seen, number, [] if rate is None else [rate] * countries, DEFAULT)
    return seen


def test_one_country_that_lies_and_one_that_blocks_move_nothing() -> None:
    assert trimmed([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0], DEFAULT) == 0.0
    assert trimmed([1.0] * 4, DEFAULT) is None, "four countries are no world"


@pytest.mark.parametrize(
    ("rates", "trouble", "troubled"),
    [
        ([0.0, 0.09], None, False),
        ([0.0, 0.1], (1, 1), True),
        ([0.2, 0.0], (0, 0), True),  # one good round is not yet well
        ([0.2, 0.0, 0.0], (0, 0), False),
        ([0.2, 0.0, 0.2], (0, 2), True),
        ([0.2, 0.0, 0.0, 0.2], (3, 3), True),  # another one
        ([0.2, None, None], (0, 0), True),  # not knowing ends nothing
    ],
)
def test_a_world_of_which_a_tenth_fails_is_in_trouble_until_two_rounds_are_well(
    rates: Sequence[float | None], trouble: tuple[int, int] | None, troubled: bool
) -> None:
    seen = after(rates)
    assert seen.trouble == trouble
    assert seen.is_troubled(len(rates) - 1, DEFAULT) is troubled


def test_what_goes_on_for_more_than_a_day_is_how_things_are() -> None:
    seen = after([0.2] * (DAY + 1))
    assert seen.is_troubled(DAY - 1, DEFAULT)
    assert not seen.is_troubled(DAY, DEFAULT)


@pytest.mark.parametrize(
    ("rates", "since", "well"),
    [
        ([0.0, 0.0, 0.0], 0, True),
        ([0.2, 0.0, 0.0], 0, False),  # it had trouble when this began
        ([0.2, 0.0, 0.0], 1, True),
        ([0.0, 0.0, 0.2], 1, False),
        ([0.0, 0.2, 0.0], 1, False),  # well again, and not since this began
        ([0.0, 0.0, None], 0, False),  # nobody knows
        ([], 0, False),
    ],
)
def test_whether_the_world_was_well_since_a_round(
    rates: Sequence[float | None], since: int, well: bool
) -> None:
    assert after(rates).was_well(since) is well


def test_an_outage_is_half_a_world_for_two_rounds_and_over_after_two_good_ones() -> None:
    assert after([0.5]).out_since is None
    assert after([0.0, 0.5, 0.5]).out_since == 1
    assert after([0.5, 0.5, 0.0]).out_since == 0
    assert after([0.5, 0.5, 0.0, 0.0]).out_since is None
