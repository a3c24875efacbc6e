"""Counting a network's votes: who measured last."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from collector.detect.ballots import Ballot, Count, Standing, count
from collector.detect.thresholds import DEFAULT


def counted(said: Sequence[tuple[int, bool]], weights: Sequence[float] = ()) -> Count:
    """Homes that measured at so many seconds, and failed or did not; keys as old as gives their weight."""
    ballots = [
        Ballot(probe=f"p{n}", at=1e9 + at, prefix=f"home {n}", failed=failed)
        for n, (at, failed) in enumerate(said)
    ]
    grown = weights or [1.0] * len(said)
    standings = {f"p{n}": Standing(1e9 - weight * DEFAULT.grown_s - 600) for n, weight in enumerate(grown)}
    return count(ballots, standings, DEFAULT)


@pytest.mark.parametrize(
    ("said", "late"),
    [
        ([(20, True), (80, True), (260, False)], 0.0),
        ([(20, False), (80, False), (260, True)], 1.0),
        ([(20, True), (80, True), (140, True), (200, False), (260, True)], 0.5),  # two of five
        ([(20, True), (260, False), (262, True)], 0.5),  # the same minute
        ([(20, True), (22, False)], 0.5),
        ([(20, True)], 1.0),
        ([], 0.0),
    ],
)
def test_the_third_that_measured_last_and_whoever_did_in_the_same_minute(
    said: Sequence[tuple[int, bool]], late: float
) -> None:
    assert counted(said).late_share == late
    assert counted(said[::-1]).late_share == late, "in any order"


def test_where_those_who_measured_last_have_no_weight_all_are_asked() -> None:
    young = counted([(20, True), (80, False), (260, False)], weights=(1.0, 1.0, 0.0))
    assert (young.share, young.late_share) == (0.5, 0.5)
