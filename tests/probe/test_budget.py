"""A day's and a month's bytes: counted across restarts, never begun anew by a clock, and kept to."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe import budget
from probe.budget import LEAST_WRITTEN_BYTES, ON_THE_LINE, Budget, Purse, Spent, in_words, reason


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


NOON = at("2026-12-31T12:00")
LIMITS = Budget(day_bytes=1000, month_bytes=5000)
DAY = "2026-12-31"


@pytest.mark.parametrize(
    ("spent", "now", "said"),
    [
        (Spent(), NOON, ""),
        (Spent(DAY, 999, 999), NOON, ""),
        (Spent(DAY, 1000, 1000), NOON, "the day's budget is spent, until 2027-01-01 00:00Z"),
        (Spent(DAY, 10, 5000), NOON, "the month's budget is spent, until 2027-01-01 00:00Z"),
        (Spent("2026-12-30", 1000, 1000), NOON, ""),
        (Spent("2026-12-30", 0, 5000), NOON, "the month's budget is spent, until 2027-01-01 00:00Z"),
        (Spent(DAY, 1000, 5000), at("2027-01-01T00:00"), ""),
        (Spent(DAY, 1000, 0), at("2026-12-30T23:59"), "the day's budget is spent, until 2026-12-31 00:00Z"),
        (Spent("2099-01-01", 1000, 5000), NOON, ""),
    ],
)
def test_what_is_spent_is_kept_to(spent: Spent, now: float, said: str) -> None:
    assert reason(spent, LIMITS, now) == said


def test_without_a_limit_nothing_is_too_much() -> None:
    assert reason(Spent(DAY, 10**15, 10**15), Budget(day_bytes=0, month_bytes=0), NOON) == ""


def test_status_says_what_was_taken_of_what() -> None:
    spent = Spent(DAY, 12_000_000, 340_000_000)
    assert in_words(spent, Budget(), NOON) == "12 MB of 500 today, 340 MB of 8000 this month"
    assert in_words(spent, Budget(day_bytes=0), NOON).startswith("12 MB today")


def test_processes_pay_into_one_book_and_restarts_forget_nothing(tmp_path: Path) -> None:
    agent, run = Purse(tmp_path), Purse(tmp_path)
    agent.pay(LEAST_WRITTEN_BYTES, NOON)
    run.pay(1000, NOON, all_of_it=True)
    agent.pay(LEAST_WRITTEN_BYTES + 1, NOON)
    assert budget.read(tmp_path).day_bytes == round((LEAST_WRITTEN_BYTES + 1000) * ON_THE_LINE)
    agent.pay(LEAST_WRITTEN_BYTES + 1, NOON, all_of_it=True)
    assert budget.read(tmp_path).month_bytes == round((LEAST_WRITTEN_BYTES + 1001) * ON_THE_LINE)


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", '{"day": 1}', '{"day":"x","day_bytes":1e999,"month_bytes":0}']
)
def test_a_damaged_book_is_begun_anew(tmp_path: Path, damage: str) -> None:
    (tmp_path / budget.FILE).write_text(damage)
    assert budget.read(tmp_path) == Spent()


def test_what_cannot_be_written_now_is_written_later(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    purse = Purse(folder)
    purse.pay(LEAST_WRITTEN_BYTES, NOON)
    folder.mkdir()
    purse.pay(LEAST_WRITTEN_BYTES + 2, NOON)
    assert budget.read(folder).day_bytes == round((LEAST_WRITTEN_BYTES + 2) * ON_THE_LINE)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.floats(0, 86_399)), max_size=30))
def test_within_a_day_every_byte_counts_however_the_clock_jumps(payments: list[tuple[int, float]]) -> None:
    spent, midnight = Spent(), at(DAY)
    for some, second in payments:
        spent = spent.plus(some, midnight + second)
    assert spent.at(NOON).day_bytes == sum(round(some * ON_THE_LINE) for some, _ in payments)
