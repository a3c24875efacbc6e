"""When to measure and when to try again: promises of pure functions, over many moments."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.backoff import BASE_S, CAP_S, MAX_RETRY_AFTER_S, delay_s, retry_after_s
from probe.schedule import JITTER, MOST_HURRIED, SOONEST_S, Schedule

NOW = 1_795_500_000.0


@given(st.integers(1, 10_000), st.integers())
def test_a_delay_is_never_longer_than_the_cap(failures: int, seed: int) -> None:
    assert 0 <= delay_s(failures, Random(seed)) <= min(CAP_S, BASE_S * 2.0 ** (min(failures, 20) - 1))


def test_delays_are_spread_over_their_whole_range() -> None:
    delays = [delay_s(6, Random(seed)) for seed in range(500)]
    assert min(delays) < BASE_S * 2**5 * 0.05
    assert max(delays) > BASE_S * 2**5 * 0.95


def test_a_delay_never_undercuts_what_the_collector_asked_for() -> None:
    assert all(delay_s(1, Random(seed), 120.0) >= 120.0 for seed in range(100))


@pytest.mark.parametrize(
    ("field", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("999999999999", MAX_RETRY_AFTER_S),
        ("9" * 5000, MAX_RETRY_AFTER_S),
        ("000000000120", 120.0),
        ("Mon, 1 Jan 99999999999999999999 00:00:00 GMT", None),
        ("Mon, 1 Jan 2026 00:00:00 +99999999999999", None),
        ("Tue, 24 Nov 2026 06:01:00 GMT", 1_795_500_060.0 - NOW),
        ("Tue, 24 Nov 1999 06:01:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("1.5", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(field: str, seconds: float | None) -> None:
    assert retry_after_s(field, NOW) == seconds


@given(st.text(max_size=40))
def test_any_retry_after_is_read_without_an_error(field: str) -> None:
    found = retry_after_s(field, NOW)
    assert found is None or 0 <= found <= MAX_RETRY_AFTER_S


@given(st.floats(0, 1e6), st.integers(5, 3600), st.floats(0, 1), st.booleans(), st.integers())
def test_the_next_round_is_in_the_future_and_within_two_intervals(
    elapsed: float, interval: int, phase: float, changed: bool, seed: int
) -> None:
    now = NOW + elapsed
    schedule = Schedule(float(interval), phase * interval)
    at, _ = schedule.after(now, changed, Random(seed))
    assert now < at <= now + interval * (1.5 + JITTER) + SOONEST_S


def test_rounds_keep_to_their_phase_give_or_take_the_jitter() -> None:
    schedule, rng, now = Schedule(300.0, 42.0), Random(1), NOW
    for _ in range(100):
        now, schedule = schedule.after(now, False, rng)
        off = (now - 42.0 + 150) % 300 - 150
        assert abs(off) <= 300 * JITTER


def test_a_machine_that_slept_does_not_make_up_for_it() -> None:
    schedule, rng = Schedule(300.0, 0.0), Random(1)
    at, _ = schedule.after(NOW + 86_400, False, rng)
    assert at > NOW + 86_400


def test_after_a_change_the_next_round_comes_sooner_but_not_for_ever() -> None:
    schedule, rng, now = Schedule(300.0, 0.0), Random(1), NOW
    waits = []
    for _ in range(6):
        at, schedule = schedule.after(now, True, rng)
        waits.append(at - now)
        now = at
    assert all(75 <= wait <= 75 * (1 + JITTER) for wait in waits[:MOST_HURRIED])
    # The next one is in its slot again, wherever that is.
    assert all(wait > 200 for wait in waits[MOST_HURRIED + 1 :])
    _, calm = schedule.after(now, False, rng)
    assert calm.hurried == 0


@given(
    phase=st.floats(0, 0.99),
    interval=st.sampled_from([60.0, 300.0]),
    took=st.floats(0.5, 15),
    seed=st.integers(),
)
def test_after_a_round_brought_forward_none_is_left_out(
    phase: float, interval: float, took: float, seed: int
) -> None:
    schedule, rng = Schedule(interval, phase * interval), Random(seed)
    began, schedule = schedule.after(NOW, False, rng)
    for changed in (True, False, False, False):
        following, schedule = schedule.after(began + took, changed, rng)
        assert following - began <= interval * (1 + 2 * JITTER) + took
        began = following


def test_two_installations_do_not_knock_in_step() -> None:
    one, _ = Schedule(300.0, 10.0).after(NOW, False, Random(1))
    two, _ = Schedule(300.0, 160.0).after(NOW, False, Random(2))
    assert abs(one - two) > 60
