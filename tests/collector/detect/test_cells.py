"""Cells: a fold that neither order nor grouping can change."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import reduce
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.detect.cells import BUCKETS_S, CONNECTIVITY, Cell, Histogram, Vote, merge
from collector.store.packing import pack_cells, unpack_cells
from probe.verdict import Compared
from probe.wire.failure import Failure
from probe.wire.observation import GateState, Round
from tests.batches import CLEAN, cells
from tests.rounds import NOW, X_ADDRESS, a_round, dns, fine, reached, twice

WORDS = st.sampled_from(["ok", "blocked", "unreachable", "insufficient"])
HISTOGRAMS = st.builds(
    Histogram,
    st.lists(st.integers(0, 9), min_size=len(BUCKETS_S) + 1, max_size=len(BUCKETS_S) + 1).map(tuple),
    st.integers(0, 10**9),
)
VOTES = st.builds(
    Vote,
    at=st.floats(0, 100),
    status=WORDS,
    prefix=st.sampled_from("pq"),
    broke=st.sampled_from(["", "tls eof"]),
    proven=st.lists(st.sampled_from(["dns", "mitm"]), max_size=2).map(tuple),
    speed=st.just(()) | st.builds(Compared, ratio=st.floats(0, 99), bps=st.floats(0, 1e9)),
)
CELLS = st.builds(
    Cell,
    statuses=st.dictionaries(WORDS, st.integers(1, 9), max_size=3),
    mechanisms=st.dictionaries(st.sampled_from(["dns", "mitm"]), st.integers(1, 9)),
    results=st.dictionaries(
        st.tuples(st.sampled_from(["dns", "tcp"]), st.sampled_from(["", "eof"])), st.integers(1, 9)
    ),
    durations=st.dictionaries(st.sampled_from(["tcp", "tls"]), HISTOGRAMS),
    votes=st.dictionaries(st.sampled_from("abc"), VOTES),
)


@given(st.lists(CELLS, max_size=6), st.integers())
def test_any_order_and_any_grouping_give_the_same_bytes(found: list[Cell], seed: int) -> None:
    shuffled = Random(seed).sample(found, len(found))
    half = len(found) // 2
    grouped = merge(reduce(merge, shuffled[:half], Cell()), reduce(merge, shuffled[half:], Cell()))
    assert pack_cells({"x": reduce(merge, found, Cell())}) == pack_cells({"x": grouped})


@given(CELLS)
def test_a_probe_has_one_vote_however_often_it_is_merged(cell: Cell) -> None:
    assert merge(cell, cell).votes == cell.votes


@given(CELLS)
def test_a_cell_survives_its_packing(cell: Cell) -> None:
    assert unpack_cells(pack_cells({"x": cell})) == {"x": cell}


def test_of_two_votes_of_a_probe_the_newest_stands_whichever_came_first() -> None:
    old, new = (Cell(votes={"p": Vote(at, status, "a")}) for at, status in ((1.0, "ok"), (2.0, "blocked")))
    assert merge(old, new).votes == merge(new, old).votes == {"p": Vote(2.0, "blocked", "a")}


def of(platform: str, rnd: Round) -> Cell:
    """The cell of a round that is of one platform, or of the line."""
    (cell,) = (cell for key, cell in cells(rnd).items() if key.platform == platform)
    return cell


@pytest.mark.parametrize(
    ("gate", "status", "broke"),
    [
        (GateState.ONLINE, "ok", ""),
        (GateState.OFFLINE, "unreachable", "gate offline"),
        (GateState.DOMESTIC_ONLY, "unreachable", "gate domestic_only"),
        (GateState.PORTAL, None, ""),
        (GateState.LOCAL_INTERCEPTION, None, ""),
        (GateState.CLOCK, None, ""),
    ],
)
def test_a_round_votes_on_its_own_line_unless_the_home_itself_holds_it(
    gate: GateState, status: str | None, broke: str
) -> None:
    cell = of(CONNECTIVITY, replace(CLEAN, gate=replace(CLEAN.gate, state=gate)))
    assert cell.statuses == {str(gate): 1}
    assert cell.votes == ({"p": Vote(NOW.timestamp(), status, "aa", broke)} if status else {})


def test_a_round_counts_in_the_minute_it_was_measured_in() -> None:
    keys = cells(replace(CLEAN, started_at=NOW + timedelta(seconds=125)))
    assert {key.minute for key in keys} == {int(NOW.timestamp() // 60) + 2}


def test_a_round_adds_its_status_mechanisms_results_and_vote() -> None:
    lie = dns("x/web", "system", "10.1.1.1", failure=Failure.DNS_BOGON)
    blocked = a_round(
        *twice([lie, dns("x/web", "doh", X_ADDRESS), *reached("x/web", X_ADDRESS)]), *fine("x/media")
    )
    cell = of("x", blocked)
    assert cell.statuses == {"blocked": 1}
    assert cell.mechanisms == {"dns": 1}
    assert cell.results["dns", "dns_bogon_error"] == 2
    assert cell.results["tls", ""] == 3
    vote = Vote(NOW.timestamp(), "blocked", "aa", "dns dns_bogon_error", ("dns",))
    assert cell.votes == {"p": vote}
    assert sum(cell.durations["tls"].counts) == 3


def test_a_line_that_could_not_judge_has_no_vote() -> None:
    cell = of("x", a_round())
    assert cell.statuses == {"insufficient": 1}
    assert cell.votes == {}


def test_the_gates_own_observations_are_not_counted_as_the_platforms() -> None:
    cell = of("x", a_round())
    assert cell.results == {}
