"""Whose word weighs nothing, of which time, and what is left of it."""

from __future__ import annotations

import pytest

from collector.detect.cells import Cell, CellKey, Vote
from collector.detect.quarantine import Quarantine, by_subject, heard, is_mute, uncounted

KEY = CellKey(10, "PK", 1, "x")
VOTES = {
    "liar": Vote(600.0, "blocked", "home of the liar"),
    "honest": Vote(601.0, "ok", "home of the honest"),
    "neighbour": Vote(602.0, "ok", "home of the liar"),
}
CELLS = {KEY: Cell(statuses={"ok": 2, "blocked": 1}, mechanisms={"tls": 1}, votes=VOTES)}


def about(subject: str, since: float = 0.0, until: float | None = None) -> Quarantine:
    return Quarantine(subject=subject, ordered_at=900.0, since=since, by="me", until=until)


@pytest.mark.parametrize(
    ("orders", "left"),
    [
        ([], {"liar", "honest", "neighbour"}),
        ([about("liar")], {"honest", "neighbour"}),
        ([about("home of the liar")], {"honest"}),
        ([about("liar", since=600.0)], {"honest", "neighbour"}),
        ([about("liar", since=600.5)], {"liar", "honest", "neighbour"}),
        ([about("liar", until=600.0)], {"liar", "honest", "neighbour"}),
        ([about("liar", until=600.5)], {"honest", "neighbour"}),
        ([about("liar", since=700.0), about("liar", until=650.0)], {"honest", "neighbour"}),
        ([about("somebody else")], {"liar", "honest", "neighbour"}),
    ],
)
def test_who_is_heard_goes_by_when_it_was_measured(orders: list[Quarantine], left: set[str]) -> None:
    cell = heard(CELLS, by_subject(orders))[KEY]
    assert set(cell.votes) == left
    assert cell.statuses == CELLS[KEY].statuses


def test_a_release_from_before_the_order_on_undoes_it() -> None:
    assert not any(
        is_mute(by_subject([about("liar", since=500.0, until=400.0)]), "liar", "", at)
        for at in (0.0, 399.0, 400.0, 450.0, 500.0, 9e9)
    )


def test_what_is_measured_in_quarantine_adds_a_vote_and_no_counts() -> None:
    orders = by_subject([about("liar", since=650.0)])
    later = CellKey(11, "PK", 1, "x")
    cells = {KEY: CELLS[KEY], later: CELLS[KEY]}
    counted = uncounted(cells, orders, probe="liar", prefix="p")
    assert counted == {KEY: CELLS[KEY], later: Cell(votes=VOTES)}
    assert uncounted(cells, orders, probe="honest", prefix="p") == cells
    assert uncounted(cells, by_subject([about("p")]), probe="honest", prefix="p")[KEY] == Cell(votes=VOTES)
