"""From a home that is cut off to the one who is called: a nation sends its rounds, the detector decides,
the shipped rules fire in a real Prometheus, a real Alertmanager tells the receiver once, and once more when
it is over.

The story is told `FASTER` times as fast as it was, and the shipped rules and routes are divided by as much.
It begins in the present, because Prometheus lives there: some rules compare the collector's clock with it.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from collector.config import Config
from tests.configs.hurried import copied, hurried
from tests.configs.shipped import PROMETHEUS
from tests.nation.drive import replay
from tests.nation.narrator import Report
from tests.nation.small import EXACT, event
from tests.nation.story import Story, read, seconds
from tests.nation.world import World

NEEDED = ("prometheus", "prometheus-alertmanager")
MISSING = [name for name in NEEDED if not shutil.which(name)]
FASTER = 60
# Probes are armed after 14 rounds; until then the story hurries.
WARM, BEGINS, ENDS, LENGTH = "+80m", "+85m", "+105m", "+150m"
PLATFORMS = {"x", "facebook", "instagram", "youtube"}
ELSEWHERE = ("DE", "FR", "TR", "IN", "BR", "JP")


def network(asn: int, probes: int) -> str:
    return f'{{ asn = {asn}, name = "AS{asn}", share = 0.3, probes = {probes} }}'


def country(code: str, *networks: str) -> str:
    lines = ("[[country]]", f'code = "{code}"', f'name = "{code}"', 'utc_offset = "+0h"')
    return "\n".join((*lines, f"network = [{', '.join(networks)}]"))


def story() -> Story:
    """Twenty minutes in which three networks of one country reach none of the platforms."""
    nation = country("PK", network(17557, 8), network(45669, 8), network(24499, 8))
    world = [country(code, network(64500 + at, 4)) for at, code in enumerate(ELSEWHERE)]
    head = f'title = "Twenty minutes"\nstart = 2023-12-17T12:00:00Z\nlength = "{LENGTH}"'
    cut = event("tls_reset", BEGINS, ENDS, countries='["PK"]')
    told = read("\n".join((head, EXACT, cut, nation, *world)), "notified.toml")
    # On a whole round, so that two rounds are dark from their first second to their last.
    start = time.time() // 300 * 300 + 300
    return replace(told, start=datetime.fromtimestamp(start, UTC))


@dataclass
class Told:
    """What was sent to one receiver: `at` is seconds since the story began."""

    at: float
    receiver: str
    body: dict[str, Any]

    @property
    def alerts(self) -> set[tuple[str, str, str, str]]:
        """Each alert's state and name, its country and platform."""
        labelled = [(one["status"], one["labels"]) for one in self.body["alerts"]]
        return {(s, x["alertname"], x.get("country", ""), x.get("platform", "")) for s, x in labelled}


@dataclass
class Watch:
    """The one who is told, and the story's clock."""

    at: float = 0.0
    told: list[Told] = field(default_factory=list)
    warm: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def progress(self, at: float, _report: Report) -> None:
        self.at = at
        if at >= seconds(WARM):
            self.warm.set()

    async def receive(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.told.append(Told(self.at, request.path.strip("/"), body))
        if body["status"] == "resolved":
            self.over.set()
        return web.Response()


def free_address() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@asynccontextmanager
async def receiver(watch: Watch) -> AsyncIterator[str]:
    app = web.Application()
    app.add_routes([web.post("/{receiver}", watch.receive)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield "{}:{}".format(*runner.addresses[0])
    finally:
        await runner.cleanup()


@asynccontextmanager
async def running(log: Path, address: str, *words: str) -> AsyncIterator[None]:
    """A server of Prometheus' family, up to its word that it is ready."""
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(*words, stdout=out, stderr=out)
    try:
        async with asyncio.timeout(30), aiohttp.ClientSession() as client:
            while not await _is_ready(client, address):
                assert process.returncode is None, log.read_text()[-2000:]
                await asyncio.sleep(0.05)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _is_ready(client: aiohttp.ClientSession, address: str) -> bool:
    try:
        async with client.get(f"http://{address}/-/ready") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


@asynccontextmanager
async def watching(folder: Path, collector: str, receiving: str) -> AsyncIterator[str]:
    """Prometheus and Alertmanager as they are shipped, in a hurry; where Prometheus is."""
    prometheus, alertmanager = free_address(), free_address()
    addresses = {"127.0.0.1:8461": collector, "127.0.0.1:9093": alertmanager, "127.0.0.1:9095": receiving}
    copied(folder, FASTER, addresses)
    async with running(
        folder / "alertmanager.log", alertmanager,
        NEEDED[1], f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/told",
        f"--web.listen-address={alertmanager}", "--cluster.listen-address=",
    ), running(
        folder / "prometheus.log", prometheus,
        NEEDED[0], f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
        f"--web.listen-address={prometheus}", f"--query.lookback-delta={300 // FASTER}s",
    ):  # fmt: skip
        yield prometheus


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"needs Debian's {' and '.join(MISSING)}")
async def test_a_country_cut_off_is_told_once_and_once_more_when_it_is_over(tmp_path: Path) -> None:
    watch, stop = Watch(), asyncio.Event()
    config = Config(listen="127.0.0.1:0", metrics_listen=free_address(), data_dir=str(tmp_path / "data"))
    telling = replay(
        World.of(story(), 1), config, speed=FASTER, hurry_s=seconds(WARM), stop=stop, stay=True,
        progress=watch.progress,
    )  # fmt: skip
    async with receiver(watch) as receiving, asyncio.TaskGroup() as group:
        report = group.create_task(telling)
        try:
            async with asyncio.timeout(120):
                await watch.warm.wait()
                async with watching(tmp_path, config.metrics_listen, receiving):
                    await watch.over.wait()
        finally:
            stop.set()
    said = report.result()
    assert said.refused == 0, said.answers
    assert [one.receiver for one in watch.told] == ["watchers", "watchers"], "of onset and end"
    began, ended = watch.told
    assert {one.body["groupKey"] for one in watch.told} == {began.body["groupKey"]}
    assert began.body["groupLabels"] == {"country": "PK"}
    assert began.alerts == {("firing", "NationDisruptionConfirmed", "PK", name) for name in PLATFORMS}
    assert ended.alerts == {("resolved", "NationDisruptionConfirmed", "PK", name) for name in PLATFORMS}
    # Two rounds, what Alertmanager waits for a country's other alerts, and the hurry's own steps: the
    # detector looks every two seconds, which are two minutes of this story.
    assert seconds(BEGINS) + 600 < began.at < seconds(BEGINS) + 600 + 120 + 300
    # Three good rounds, three more that the alert is kept, and Alertmanager's next look at the group.
    assert seconds(ENDS) + 600 + 900 < ended.at < seconds(ENDS) + 600 + 900 + 300 + 300


@pytest.mark.parametrize("path", sorted(PROMETHEUS.rglob("*.yml")), ids=lambda path: path.name)
def test_a_hurry_changes_durations_and_nothing_else(path: Path) -> None:
    text = path.read_text()
    assert hurried(text, 1) != hurried(text, 60)
    was, now = (re.split(r"\b\d+(?:ms|[smhd])\b", one) for one in (text, hurried(text, 60)))
    assert was == now


def test_a_hurry_reaches_every_duration_of_the_shipped_rules() -> None:
    rule = "  expr: max_over_time(b_10m[6h]) > 9\n  for: 2m  # why\n  interval: 1h\n"
    faster = "  expr: max_over_time(b_10m[360000ms]) > 9\n  for: 2000ms  # why\n  interval: 60000ms\n"
    assert hurried(rule, 60) == faster
    left = re.compile(r"^ *(?:- )?\w+: \d+[smhd]\b|\[\d+[smhd]\]", re.MULTILINE)
    assert not any(left.search(hurried(path.read_text(), 60)) for path in PROMETHEUS.rglob("*.yml"))
