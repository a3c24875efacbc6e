"""The nation and a real collector, over HTTP: everything is taken, placed, counted and shown."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from collector.config import Api, Config
from collector.store import open_store
from probe.wire.codec import rfc3339
from tests.nation.drive import Clock, Pace, Post, Server, recite, replay
from tests.nation.narrator import Report, summary
from tests.nation.small import COUNTRIES, EXACT, HEAD, event, story
from tests.nation.timeline import Route, sendings
from tests.nation.world import World

TOLD_S = 240.0  # seconds for a whole story, on a machine that does ten other things


def config(folder: Path) -> Config:
    return Config(
        listen="127.0.0.1:0",
        metrics_listen="127.0.0.1:0",
        data_dir=str(folder / "data"),
        api=Api(requests_a_minute=0),  # the clock stands still once the story is told
    )


async def watched(world: World, settings: Config) -> tuple[Report, dict[str, Any]]:
    """Tell a story as fast as it goes; the report, and the state the page shows at its end."""
    last = int(max(sending.at for sending in sendings(world))) + 1
    ended = rfc3339(datetime.fromtimestamp(world.story.began + last, UTC))
    stop, url = asyncio.Event(), asyncio.get_running_loop().create_future()
    async with asyncio.timeout(TOLD_S), asyncio.TaskGroup() as group, aiohttp.ClientSession() as client:
        telling = group.create_task(replay(world, settings, stop=stop, stay=True, listening=url.set_result))
        where, state = f"{await url}/api/v1/state", {"at": ""}
        while state["at"] < ended:
            await asyncio.sleep(0.05)
            async with client.get(where) as response:
                state = await response.json()
        stop.set()
    return telling.result(), state


@pytest.mark.slow
async def test_a_block_is_told_from_key_to_page(tmp_path: Path) -> None:
    told = story(event("tls_reset", ends="+20m", countries='["PK"]', platforms='["x"]'))
    world = World.of(told, 1)
    wanted = [s for s in sendings(world) if s.route is Route.BATCH]
    report, state = await watched(world, config(tmp_path))
    assert report.refused == 0
    assert report.count(Route.ENROL, "200") == 30
    assert report.count(Route.BATCH, "200") == len(wanted)

    pakistan, germany = state["countries"]["PK"], state["countries"]["DE"]
    assert (pakistan["probes"], germany["probes"]) == (20, 10)
    assert pakistan["platforms"]["x"]["failing"] == pakistan["platforms"]["x"]["votes"] == 20
    assert pakistan["platforms"]["x"]["mechanisms"]["tls"] > 0
    assert pakistan["platforms"]["youtube"]["ratio"] == germany["platforms"]["x"]["ratio"] == 1
    assert pakistan["networks"]["17557"]["x"]["ratio"] == 0

    store = open_store(f"sqlite://{config(tmp_path).data_path}")
    stored = list(store.batches())
    store.close()
    assert len(stored) == len(wanted)
    assert len({batch.prefix for batch in stored}) == 30
    assert {batch.located_by for batch in stored} == {"declared"}
    assert {(batch.country, batch.asn) for batch in stored} == {("PK", 17557), ("PK", 45669), ("DE", 3320)}
    assert {batch.body for batch in stored} == {s.body for s in wanted}
    assert all(0 <= batch.received_at - told.began <= told.length for batch in stored)


async def test_a_restart_loses_nothing_and_clocks_too_far_ahead_are_refused(tmp_path: Path) -> None:
    ways = EXACT + "skew_share = 0.2\nskew_s = [1000.0, 1000.0]\n"
    world = World.of(story('[[restart]]\nat = "+8m"\ndown = "+3m"', probes=ways), 1)
    report = await replay(world, config(tmp_path))
    ahead = {p.probe_id for p in world.probes if p.skew_s}
    batches = [s for s in sendings(world) if s.route is Route.BATCH]
    refused = sum(s.probe.probe_id in ahead for s in batches)
    assert report.count(Route.BATCH, "future") == refused > 0
    assert report.count(Route.BATCH, "200") == len(batches) - refused
    assert {outcome for _, outcome in report.answers} == {"200", "future"}
    assert f"{refused} batch future" in summary(report)


async def test_an_address_that_is_taken_ends_the_telling(tmp_path: Path) -> None:
    async with asyncio.TaskGroup() as group:
        server = Server(config(tmp_path), Clock(0.0), group)
        url = await server.start()
        other = Config(
            listen=url.removeprefix("http://"), metrics_listen="127.0.0.1:0", data_dir=str(tmp_path / "b")
        )
        with pytest.raises(ExceptionGroup, match="unhandled errors"):
            await replay(World.of(story(), 1), other)
        await server.stop()


async def test_simulated_time_runs_no_faster_than_asked_and_hurries_at_first() -> None:
    now = 100.0
    pace = Pace(speed=60.0, hurry_s=600.0, monotonic=lambda: now)
    stop = asyncio.Event()
    await pace.until(599.0, stop)
    await pace.until(600.0, stop)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await pace.until(603.0, stop)  # a twentieth of a second
    assert loop.time() - began >= 0.045
    now = 200.0
    pausing = pace.until(1200.0, stop)  # behind: not a moment is waited
    with pytest.raises(StopIteration):
        pausing.send(None)
    stop.set()
    await asyncio.wait_for(pace.until(99_999.0, stop), 5)


async def test_a_collector_of_the_present_is_told_the_story_from_now(tmp_path: Path) -> None:
    world, stop = World.of(story(), 1, scale=5), asyncio.Event()

    def progress(at: float, _report: Report) -> None:
        if at > 0:
            stop.set()

    async with asyncio.TaskGroup() as group:
        server = Server(config(tmp_path), Clock(time.time()), group)
        report = await recite(world, await server.start(), stop=stop, progress=progress)
        await server.stop()
    assert report.refused == 0
    assert report.count(Route.ENROL, "200") == 150
    assert report.count(Route.HEARTBEAT, "200") >= 1


@pytest.mark.parametrize("url", ["http://collector.example", "https://127.0.0.1:1", "http://10.0.0.1:8460"])
def test_only_a_collector_of_this_machine_can_tell_homes_apart(url: str) -> None:
    with pytest.raises(ValueError, match="on this machine alone"):
        Post(url)


async def test_a_collector_that_is_not_there_is_counted_as_such() -> None:
    sending = next(sendings(World.of(story(), 1)))
    assert await Post("http://127.0.0.1:9").send(sending) == "unreached"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such-story"], "no story 'no-such-story'; there are: cdn-glitch-6min"),
        (["quiet", "--collector", "http://127.0.0.1:1", "--speed", "60"], "lives in the present"),
        (["quiet", "--scale", "1000"], "homes, and only"),
        (["quiet", "--hurry", "2h"], "no relative time"),
    ],
)
def test_what_cannot_be_asked_for_is_said(arguments: list[str], said: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.nation", *arguments], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_story_by_hand(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(HEAD.replace("+20m", "+3m") + EXACT + event("tls_reset", "+1m", "+2m") + COUNTRIES)
    nowhere = ["--speed", "0", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]
    ran = subprocess.run(
        [sys.executable, "-m", "tests.nation", str(mine), *nowhere],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "2023-12-17 12:01:00Z  begins: tls_reset all platforms in everywhere" in ran.stdout
    assert "30 enrolled, 90 heartbeats" in ran.stdout
    assert "not taken: none" in ran.stdout
