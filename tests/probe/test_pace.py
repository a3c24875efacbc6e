"""One host is never connected to more often than a burst and then once a second."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from probe.pace import AT_ONCE, EVERY_S, Pace


def test_a_round_of_every_question_does_not_wait_and_a_flood_does() -> None:
    pace = Pace()
    waits = [pace.wait_s("x.com", 100.0) for _ in range(AT_ONCE + 2)]
    assert waits == [0.0] * AT_ONCE + [EVERY_S, 2 * EVERY_S]
    assert pace.wait_s("api.x.com", 100.0) == 0.0


def test_who_waited_long_enough_may_again() -> None:
    pace = Pace()
    for _ in range(AT_ONCE):
        pace.wait_s("x.com", 0.0)
    assert pace.wait_s("x.com", AT_ONCE * EVERY_S) == 0.0


@given(st.lists(st.floats(0, 30), min_size=1, max_size=300))
def test_in_any_time_no_more_begin_than_a_burst_and_one_a_second(pauses: list[float]) -> None:
    pace, now, begun = Pace(), 0.0, []
    for pause in pauses:
        now += pause
        pace.forget(now)
        begun.append(now + pace.wait_s("x.com", now))
    begun.sort()
    for first, at in enumerate(begun):
        for more, later in enumerate(begun[first:], 1):
            assert more <= AT_ONCE + (later - at) / EVERY_S + 1 + 1e-6
