"""The snapshot: one newest vote a prefix, whatever order the cells come in."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from collector.detect.cells import Cell, CellKey, Vote, merge
from collector.snapshot import PRESENCE_S, Snapshot, Tally, Window, take
from collector.store.base import Seen
from probe.wire.exchange import Presence
from tests.batches import NOW

MINUTE = int(NOW // 60)


def cell(
    minute: int, country: str, votes: dict[str, tuple[float, str]], asn: int = 1
) -> tuple[CellKey, Cell]:
    statuses = {status: 1 for _, status in votes.values()}
    marked = {f"of {prefix}": Vote(NOW + at, status, prefix) for prefix, (at, status) in votes.items()}
    return CellKey(MINUTE + minute, country, asn, "x"), Cell(statuses=statuses, votes=marked)


def taken(*cells: tuple[CellKey, Cell], seen: tuple[Seen, ...] = ()) -> Snapshot:
    return take(dict(cells), seen, now=NOW, window_s=600, platforms=("x",))


def test_a_prefixs_newest_vote_stands() -> None:
    snapshot = taken(cell(-5, "PK", {"p": (-300, "blocked")}), cell(-1, "PK", {"p": (-60, "ok")}))
    tally = snapshot.countries["PK", "x"]
    assert (tally.votes, tally.failing, tally.ratio, tally.newest_at) == (1, 0, 1.0, NOW - 60)
    assert tally.statuses == {"blocked": 1, "ok": 1}


def test_a_vote_older_than_the_window_is_none() -> None:
    snapshot = taken(cell(-30, "PK", {"p": (-1800, "ok")}), cell(-10, "PK", {"q": (-601, "ok")}))
    assert snapshot.countries.get(("PK", "x"), None) is None or snapshot.countries["PK", "x"].votes == 0


def test_networks_add_up_to_their_country() -> None:
    snapshot = taken(
        cell(-1, "PK", {"p": (-60, "ok")}, asn=1), cell(-1, "PK", {"q": (-60, "unreachable")}, asn=2)
    )
    assert snapshot.networks["PK", 1, "x"].failing == 0
    assert snapshot.networks["PK", 2, "x"].failing == 1
    assert (snapshot.countries["PK", "x"].votes, snapshot.countries["PK", "x"].ratio) == (2, 0.5)


def test_platforms_that_are_not_counted_are_left_out() -> None:
    (key, counts) = cell(-1, "PK", {"p": (-60, "ok")})
    assert taken((key._replace(platform="tiktok"), counts)).countries == {}


KEYS = st.builds(
    CellKey,
    minute=st.integers(MINUTE - 12, MINUTE + 2),
    country=st.sampled_from(["PK", "IN"]),
    asn=st.integers(0, 2),
    platform=st.sampled_from(["x", "tiktok"]),
)
VOTES = st.builds(
    Vote,
    at=st.floats(NOW - 700, NOW + 60),
    status=st.sampled_from(["ok", "blocked", "throttled", "unreachable"]),
    prefix=st.sampled_from(["p", "q", "r"]),
)
CELLS = st.builds(
    Cell,
    statuses=st.dictionaries(st.sampled_from(["ok", "blocked", "insufficient"]), st.integers(1, 9)),
    results=st.dictionaries(st.tuples(st.sampled_from(["dns", "tls"]), st.just("")), st.integers(1, 9)),
    votes=st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), VOTES),
)


@given(st.dictionaries(KEYS, CELLS, max_size=12), st.randoms(use_true_random=False))
def test_any_order_of_cells_gives_the_same_snapshot(cells: dict[CellKey, Cell], chance: Random) -> None:
    shuffled = list(cells.items())
    chance.shuffle(shuffled)
    assert taken(*cells.items()) == taken(*shuffled)


@given(st.dictionaries(KEYS, CELLS, max_size=12))
def test_votes_are_each_prefixs_newest_within_the_window(cells: dict[CellKey, Cell]) -> None:
    of_probe: dict[str, Vote] = {}
    for key, counts in cells.items():
        if (key.country, key.platform) == ("PK", "x") and (key.minute + 1) * 60 > NOW - 600:
            for probe, vote in counts.votes.items():
                of_probe[probe] = max(vote, of_probe.get(probe, vote))
    newest: dict[str, Vote] = {}
    for vote in (vote for vote in of_probe.values() if vote.at >= NOW - 600):
        newest[vote.prefix] = max(vote, newest.get(vote.prefix, vote))
    counted = newest.values()
    tally = taken(*cells.items()).countries.get(("PK", "x"), Tally())
    assert (tally.votes, tally.failing) == (len(counted), sum(vote.status != "ok" for vote in counted))


PIECES = st.lists(
    st.tuples(
        st.integers(-12, 8), st.sampled_from(["PK", "IN"]), st.integers(0, 2), st.floats(0, 59),
        st.sampled_from(["a", "b", "c", "d"]), st.sampled_from(["p", "q", "r"]),
        st.sampled_from(["ok", "blocked", "insufficient"]),
    ),
    max_size=30,
)  # fmt: skip
LOOKS = st.lists(st.integers(0, 900), min_size=1, max_size=6)


@given(PIECES, LOOKS, st.randoms(use_true_random=False))
def test_what_came_piece_by_piece_counts_as_if_it_were_looked_at_all_at_once(
    pieces: list[tuple[int, str, int, float, str, str, str]], looks: list[int], chance: Random
) -> None:
    """Looks are seconds after `NOW`; what comes between two of them, early and late, is chance."""
    window, whole = Window(window_s=600, platforms=("x",)), dict[CellKey, Cell]()
    for now in sorted(NOW + look for look in looks):
        come = [piece for piece in pieces if chance.random() < 0.5]
        pieces = [piece for piece in pieces if piece not in come]
        for minute, country, asn, second, probe, prefix, status in come:
            key = CellKey(MINUTE + minute, country, asn, "x")
            vote = Vote(key.minute * 60 + second, status, prefix)
            votes = {probe: vote} if status != "insufficient" else {}
            results = {("tls", "" if status == "ok" else "tls_reset_error"): 1}
            cell = Cell(statuses={status: 1}, mechanisms={"tls": 1}, results=results, votes=votes)
            whole[key] = merge(whole[key], cell) if key in whole else cell
            window.add([(key, cell)], now)
        assert window.snapshot(now) == take(whole, [], now=now, window_s=600, platforms=("x",))


def test_a_line_that_cannot_judge_still_has_a_newest_round_but_no_vote() -> None:
    key = CellKey(MINUTE - 2, "KE", 1, "x")
    tally = taken((key, Cell(statuses={"insufficient": 4}))).countries["KE", "x"]
    assert (tally.votes, tally.ratio, tally.newest_at) == (0, None, (MINUTE - 2) * 60.0)


def test_peers_are_those_of_other_countries() -> None:
    snapshot = taken(
        cell(-1, "PK", {"p": (-60, "blocked")}),
        cell(-1, "IN", {"p": (-60, "ok"), "q": (-60, "ok")}),
        cell(-1, "DE", {"p": (-60, "unreachable")}),
    )
    (seen,) = snapshot.peers("PK")
    assert (seen.platform, seen.countries, seen.votes, seen.failing) == ("x", 2, 3, 1)


def test_a_probe_that_said_goodbye_is_not_reporting() -> None:
    here = Seen(probe="a", at=NOW, state=Presence.ALIVE, country="PK", asn=1, prefix="p")
    assert taken(seen=(here, replace(here, probe="b", state=Presence.BYE))).probes == {"PK": 1}


def test_stages_are_counted_in_causal_order() -> None:
    results = {("tls", "tls_reset_error"): 3, ("dns", ""): 8, ("tcp", ""): 4, ("tls", ""): 1}
    key = CellKey(MINUTE, "PK", 1, "x")
    tally = taken((key, Cell(results=results))).countries["PK", "x"]
    assert list(tally.stages.items()) == [("dns", (8, 0)), ("tcp", (4, 0)), ("tls", (1, 3))]


def heard(probe: str, at: float, state: Presence = Presence.ALIVE, country: str = "PK") -> Seen:
    return Seen(probe=probe, at=at, state=state, country=country, asn=1, prefix=f"prefix of {probe}")


@given(
    st.lists(
        st.builds(
            heard,
            st.sampled_from("abc"),
            st.floats(NOW - 400, NOW),
            st.sampled_from(Presence),
            st.sampled_from(["PK", "TR"]),
        ),
        unique_by=lambda one: one.at,
    ),
    st.integers(0, 9),
)
def test_who_reports_is_the_same_in_whatever_pieces_and_order_heartbeats_come(
    some: list[Seen], cut: int
) -> None:
    window = Window(600, ("x",))
    window.hear(some[:cut])
    window.snapshot(NOW - 100)
    window.hear([*some[cut:], *some])
    newest = {one.probe: one for one in sorted(some, key=lambda one: one.at)}
    there = [one for one in newest.values() if one.at >= NOW - PRESENCE_S and one.state is Presence.ALIVE]
    assert window.snapshot(NOW).probes == Counter(one.country for one in there)
