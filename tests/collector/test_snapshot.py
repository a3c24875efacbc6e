"""The snapshot: one newest vote a prefix, whatever order the cells come in."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from collector.detect.cells import Cell, CellKey, Vote
from collector.snapshot import Snapshot, take
from collector.store.base import Seen
from probe.wire.exchange import Presence
from tests.batches import NOW

MINUTE = int(NOW // 60)


def cell(
    minute: int, country: str, votes: dict[str, tuple[float, str]], asn: int = 1
) -> tuple[CellKey, Cell]:
    statuses = {status: 1 for _, status in votes.values()}
    marked = {prefix: Vote(NOW + at, status) for prefix, (at, status) in votes.items()}
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
    assert taken((replace(key, platform="tiktok"), counts)).countries == {}


def test_any_order_of_cells_gives_the_same_snapshot() -> None:
    cells = [cell(-m, c, {f"p{m % 3}": (-60.0 * m, "ok")}) for m in range(1, 9) for c in ("PK", "IN")]
    assert taken(*cells) == taken(*Random(7).sample(cells, len(cells)))


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
