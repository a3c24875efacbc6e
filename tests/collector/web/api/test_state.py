"""The API's cost: what anybody may ask for must not hold up a receipt."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from unittest.mock import MagicMock, patch

from collector.detect.cells import Cell, CellKey, Vote
from collector.detect.fold import State
from collector.detect.network import Condition
from collector.detect.silence import Event, Watch
from collector.detector import Findings
from collector.snapshot import Snapshot, take
from collector.web.api import serve, state
from tests.batches import NOW
from tests.collector.conftest import Running
from tests.collector.detect.homes import WARM
from tests.collector.test_detector import END, WHOLE

from .dark import dark

MINUTE = int(NOW // 60)
NOTHING = Findings(state=State(), book=(), until=0.0)


def crowded(networks: int) -> Snapshot:
    cells = {
        CellKey(MINUTE, country, asn, "x"): Cell(votes={"p": Vote(NOW, "ok", "p")})
        for country in ("PK", "IN")
        for asn in range(1, networks + 1)
    }
    return take(cells, [], now=NOW, window_s=600, platforms=("x", "youtube"))


def test_networks_are_gone_through_once_however_many_there_are() -> None:
    snapshot = crowded(500)
    with patch.object(state, "_tally", wraps=state._tally) as tally:
        told = state.describe(snapshot, NOTHING, 1)
    assert [len(told["countries"][c]["networks"]) for c in ("IN", "PK")] == [500, 500]
    assert tally.call_count == len(snapshot.networks) + 2 * len(snapshot.platforms)
    sort_calls = MagicMock(wraps=sorted)
    with patch.object(state, "sorted", sort_calls, create=True):
        state.describe(snapshot, NOTHING, 1)
    assert sort_calls.call_count == 2, "the countries once, the networks once"


def test_one_country_is_described_as_the_whole_describes_it() -> None:
    snapshot = crowded(3)
    whole = state.describe(snapshot, NOTHING, 1)
    assert state.describe(snapshot, NOTHING, 1, {"PK"}) == {
        **whole,
        "countries": {"PK": whole["countries"]["PK"]},
    }


def test_a_network_of_fewer_prefixes_than_asked_is_left_out() -> None:
    assert state.describe(crowded(3), NOTHING, 2)["countries"]["PK"]["networks"] == {}


def test_a_platform_that_one_home_of_a_large_network_voted_on_is_left_out() -> None:
    votes = {f"p{at}": Vote(NOW, "ok", f"p{at}") for at in range(5)}
    cells = {
        CellKey(MINUTE, "PK", 1, "x"): Cell(votes=votes),
        CellKey(MINUTE, "PK", 1, "youtube"): Cell(votes={"p0": votes["p0"]}),
    }
    snapshot = take(cells, [], now=NOW, window_s=600, platforms=("x", "youtube"))
    assert state.describe(snapshot, NOTHING, 5)["countries"]["PK"]["networks"].keys() == {"1"}
    assert state.describe(snapshot, NOTHING, 5)["countries"]["PK"]["networks"]["1"].keys() == {"x"}


def test_nobody_voted_is_null_and_never_one() -> None:
    youtube = state.describe(crowded(1), NOTHING, 1, {"PK"})["countries"]["PK"]["platforms"]["youtube"]
    assert (youtube["votes"], youtube["ratio"], youtube["newest_at"]) == (0, None, None)


async def test_the_state_is_written_once_a_snapshot_for_everybody(collector: Running) -> None:
    with patch.object(serve, "describe", wraps=state.describe) as describe:
        for _ in range(3):
            async with collector.client.get(collector.url + "/api/v1/state") as response:
                first = await response.json()
        assert describe.call_count == 1
        collector.clock.now += 1
        second = json.loads(await collector.get("/api/v1/state"))
        assert describe.call_count == 2
    assert first["at"] != second["at"]


async def test_a_country_is_written_once_a_snapshot_too(tmp_path: Path) -> None:
    async with dark(tmp_path) as running:
        with patch.object(serve, "describe", wraps=state.describe) as describe:
            for _ in range(3):
                assert list((await running.get("/state/PK")).json["countries"]) == ["PK"]
            assert describe.call_count == 1
            running.watchers.take(WHOLE[-1])
            await running.watchers.at_the_end_of(END)  # the same snapshot, and a new round
            assert (await running.get("/state/PK")).json["until"] == "2023-12-17T12:05:00.000Z"


async def test_the_detector_s_word_stands_beside_the_counts(tmp_path: Path) -> None:
    async with dark(tmp_path, WHOLE[: WARM + 8]) as running:
        pakistan = (await running.get("/state/PK")).json["countries"]["PK"]
        said = {country: one["platforms"]["x"]["condition"] for country, one in (
            (await running.get("/state")).json["countries"]).items()}  # fmt: skip
    assert pakistan["platforms"]["x"]["condition"] == "confirmed"
    assert pakistan["platforms"]["x"]["score"] > 10
    assert pakistan["platforms"]["youtube"]["condition"] == "insufficient", "nobody measures it"
    assert {one["x"]["condition"] for one in pakistan["networks"].values()} == {"suspected"}
    assert said.pop("PK") == "confirmed"
    assert set(said.values()) == {"ok"}


async def test_a_country_that_fell_silent_in_an_alarm_is_still_spoken_of(tmp_path: Path) -> None:
    async with dark(tmp_path, WHOLE[: WARM + 8]) as running:
        running.watchers.clock.at += 3600
        await running.service.detect()
        await running.service.refresh()
        assert running.service.snapshot.countries == {}
        x = (await running.get("/state/PK")).json["countries"]["PK"]["platforms"]["x"]
        assert (await running.get("/state/TR")).status == 404
    assert (x["condition"], x["votes"], x["ratio"]) == ("confirmed", 0, None)


def test_nothing_is_told_closer_than_its_minute() -> None:
    cells = {CellKey(MINUTE, "PK", 1, "x"): Cell(votes={"p": Vote(MINUTE * 60 + 17.25, "ok", "p")})}
    snapshot = take(cells, [], now=NOW, window_s=600, platforms=("x",))
    newest = state.describe(snapshot, NOTHING, 1)["countries"]["PK"]["platforms"]["x"]["newest_at"]
    assert newest == state.moment(MINUTE * 60)


async def test_before_the_first_round_there_is_an_answer_to_everything(collector: Running) -> None:
    for path in ("/state", "/series/PK", "/incidents", "/ledger", "/openapi.json"):
        async with collector.client.get(f"{collector.url}/api/v1{path}") as response:
            assert response.status == 200
            assert (await response.json()).get("until", None) is None or path == "/series/PK"


def test_a_country_that_went_dark_altogether_says_so() -> None:
    dark_now = Watch(condition=Condition.SUSPECTED, event=Event(since=MINUTE))
    found = replace(NOTHING, state=State(silences={"SY": dark_now, "DE": Watch(condition=Condition.OK)}))
    said = state.describe(take({}, [], now=NOW, window_s=600, platforms=("x",)), found, 5)["countries"]
    assert {country: one["silence"] for country, one in said.items()} == {"SY": "suspected"}
    assert said["SY"]["platforms"]["x"]["condition"] == "insufficient"
