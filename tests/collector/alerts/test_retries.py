"""What is tried again and when, and what is given up."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.alerts.retries import (
    ASKED_S,
    ATTEMPTS,
    FIRST_S,
    GIVE_UP_S,
    LONGEST_S,
    Answer,
    Result,
    after,
    backoff_s,
    retry_after_s,
)
from collector.store.base import Delivery

NOW = 1_700_000_000.0
NEW = Delivery(webhook="ops", incident="pk-1", number=1, at=NOW - 5)


@pytest.mark.parametrize(
    ("answer", "result", "error"),
    [
        (Answer(status=200), Result.DELIVERED, ""),
        (Answer(status=204), Result.DELIVERED, ""),
        (Answer(status=500), Result.RETRIED, "status 500"),
        (Answer(status=503), Result.RETRIED, "status 503"),
        (Answer(status=429), Result.RETRIED, "status 429"),
        (Answer(status=408), Result.RETRIED, "status 408"),
        (Answer(status=425), Result.RETRIED, "status 425"),
        (Answer(status=302), Result.RETRIED, "status 302"),
        (Answer(error="timed out"), Result.RETRIED, "timed out"),
        (Answer(status=410), Result.DEAD, "status 410"),
        (Answer(status=400), Result.DEAD, "status 400"),
        (Answer(status=404), Result.DEAD, "status 404"),
    ],
)
def test_what_may_be_better_later_is_tried_again_and_what_is_refused_is_not(
    answer: Answer, result: Result, error: str
) -> None:
    became, now = after(NEW, answer, NOW, Random(1))
    assert (became, now.error, now.dead) == (result, error, result is Result.DEAD)
    assert now.attempts == (0 if result is Result.DELIVERED else 1)
    assert (now.due > NOW) == (result is Result.RETRIED)


@given(st.integers(1, 60), st.integers())
def test_waits_grow_with_jitter_up_to_a_bound(attempts: int, seed: int) -> None:
    whole = min(LONGEST_S, FIRST_S * 2 ** (attempts - 1))
    assert whole / 2 <= backoff_s(attempts, Random(seed)) <= whole


def test_receivers_that_failed_together_are_not_asked_together() -> None:
    rng = Random(1)
    assert len({backoff_s(3, rng) for _ in range(20)}) == 20


@pytest.mark.parametrize(("asked_s", "waits_s"), [(600.0, 600.0), (1e9, ASKED_S)])
def test_a_receiver_that_asks_for_a_wait_gets_it_within_reason(asked_s: float, waits_s: float) -> None:
    _, now = after(NEW, Answer(status=429, retry_after_s=asked_s), NOW, Random(1))
    assert now.due == NOW + waits_s


def test_a_receiver_cannot_ask_to_be_asked_sooner() -> None:
    _, now = after(NEW, Answer(status=503, retry_after_s=0), NOW, Random(1))
    assert now.due >= NOW + FIRST_S / 2


def test_a_receiver_that_is_down_is_tried_for_72_hours_and_then_given_up() -> None:
    for seed in range(50):
        rng, delivery, now, result = Random(seed), NEW, NOW, Result.RETRIED
        while result is Result.RETRIED:
            result, delivery = after(delivery, Answer(status=503), now, rng)
            assert not delivery.dead or delivery.attempts >= ATTEMPTS or now - NEW.at >= GIVE_UP_S
            now = max(now, delivery.due)
        assert result is Result.DEAD
        assert 15 <= delivery.attempts <= ATTEMPTS
        assert now - NEW.at <= GIVE_UP_S + LONGEST_S


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60.0),
        ("Tue, 14 Nov 2023 22:12:20 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after_s(text, NOW) == seconds


@given(st.text(max_size=60))
def test_whatever_a_receiver_asks_for_is_a_wait_or_nothing(text: str) -> None:
    wait_s = retry_after_s(text, NOW)
    assert wait_s is None or wait_s >= 0
