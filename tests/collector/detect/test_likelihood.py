"""The steps of the score, beside the published table of the study they come from."""

from __future__ import annotations

import pytest

from collector.detect.likelihood import log_ratio, step
from collector.detect.thresholds import DEFAULT

# DETECTION's log-likelihood steps at p0 = 2 %, before they are clipped.
STEPS = [
    *zip([5] * 6, range(6), (-5.73, -1.17, 1.72, 4.24, 6.66, 9.20), strict=True),
    (8, 3, 1.4), (8, 4, 3.4), (8, 5, 5.3), (8, 8, 11.5),
    (10, 3, 0.0), (10, 5, 3.6), (10, 8, 8.7), (10, 10, 12.7),
    (20, 7, 0.8), (20, 10, 4.1), (20, 20, 16.6),
]  # fmt: skip


@pytest.mark.parametrize(("n", "k", "nats"), STEPS)
def test_the_steps_are_the_studys(n: int, k: int, nats: float) -> None:
    assert log_ratio(k, n, DEFAULT.p0, DEFAULT) == pytest.approx(nats, abs=0.051)


def test_the_threshold_at_five_minutes_and_ten_networks_is_the_studys() -> None:
    assert pytest.approx(13.9, abs=0.05) == DEFAULT.h


@pytest.mark.parametrize(
    ("k", "n", "world", "sign"),
    [(5, 5, None, 1), (5, 5, 0.0, 1), (5, 5, 0.6, 0), (0, 5, None, -1), (1, 20, 0.1, -1), (20, 20, 0.3, 1)],
)
def test_a_round_adds_nothing_where_no_more_fail_than_anywhere(
    k: int, n: int, world: float | None, sign: int
) -> None:
    added = step(k, n, world, DEFAULT)
    assert (added > 0) - (added < 0) == sign
    assert abs(added) <= DEFAULT.step
