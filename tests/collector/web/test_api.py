"""The API's cost: what anybody may ask for must not hold up a receipt."""

from __future__ import annotations

import json
from unittest.mock import MagicMock, patch

from collector.detect.cells import Cell, CellKey, Vote
from collector.snapshot import Snapshot, take
from collector.web import api
from tests.batches import NOW
from tests.collector.conftest import Running

MINUTE = int(NOW // 60)


def crowded(networks: int) -> Snapshot:
    cells = {
        CellKey(MINUTE, country, asn, "x"): Cell(votes={"p": Vote(NOW, "ok", "p")})
        for country in ("PK", "IN")
        for asn in range(1, networks + 1)
    }
    return take(cells, [], now=NOW, window_s=600, platforms=("x", "youtube"))


def test_networks_are_gone_through_once_however_many_there_are() -> None:
    snapshot = crowded(500)
    with patch.object(api, "_tally", wraps=api._tally) as tally:
        state = api.describe(snapshot, 1)
    assert [len(state["countries"][c]["networks"]) for c in ("IN", "PK")] == [500, 500]
    assert tally.call_count == len(snapshot.networks) + 2 * len(snapshot.platforms)
    sort_calls = MagicMock(wraps=sorted)
    with patch.object(api, "sorted", sort_calls, create=True):
        api.describe(snapshot, 1)
    assert sort_calls.call_count == 2, "the countries once, the networks once"


def test_one_country_is_described_as_the_whole_describes_it() -> None:
    snapshot = crowded(3)
    whole = api.describe(snapshot, 1)
    assert api.describe(snapshot, 1, {"PK"}) == {**whole, "countries": {"PK": whole["countries"]["PK"]}}


def test_a_network_of_fewer_prefixes_than_asked_is_left_out() -> None:
    assert api.describe(crowded(3), 2)["countries"]["PK"]["networks"] == {}


def test_nobody_voted_is_null_and_never_one() -> None:
    youtube = api.describe(crowded(1), 1, {"PK"})["countries"]["PK"]["platforms"]["youtube"]
    assert (youtube["votes"], youtube["ratio"], youtube["newest_at"]) == (0, None, None)


async def test_the_whole_state_is_written_once_a_snapshot(collector: Running) -> None:
    with patch.object(api, "describe", wraps=api.describe) as describe:
        for _ in range(3):
            async with collector.client.get(collector.url + "/api/v1/state") as response:
                first = await response.json()
        assert describe.call_count == 1
        collector.clock.now += 1
        second = json.loads(await collector.get("/api/v1/state"))
        assert describe.call_count == 2
    assert first["at"] != second["at"]


async def test_head_and_refusals_are_json_too(collector: Running) -> None:
    for method, path, status in (
        ("HEAD", "/api/v1/state", 200),
        ("GET", "/api/v1/state/XX", 404),
        ("GET", "/api/v1/state/pk", 400),
    ):
        async with collector.client.request(method, collector.url + path) as response:
            assert response.status == status
            assert response.content_type == "application/json"
            assert response.headers["Cache-Control"] == "no-store"
            if method == "GET":
                assert set(await response.json()) == {"error"}
