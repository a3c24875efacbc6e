"""A running collector that has seen Pakistan go dark and come back, for whoever asks it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from collector.app import Service, build
from collector.config import Api, Config
from collector.detector import GRACE_S
from collector.store.base import Ingest
from tests.collector.detect.homes import FIRST, WARM
from tests.collector.test_detector import EVERYBODY, ROUND_S, WHOLE, Clock

INCIDENT = "pk-20231217T1010Z"
GENEROUS = Api(requests_a_minute=0)


@dataclass
class Got:
    """An answer."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Days:
    """The collector's time, and what comes in it."""

    service: Service
    clock: Clock

    def take(self, items: Sequence[Ingest]) -> None:
        """Store a group, as the committer does."""
        self.service.detector.committed(items, self.service.committer.store.ingest(items))

    async def at_the_end_of(self, number: int) -> None:
        """Let time come to the moment at which a round of the story is complete, and detect."""
        self.clock.at = (FIRST + number + 1) * ROUND_S + GRACE_S + 1
        await self.service.detector.detect()

    async def in_order(self, rounds: Sequence[Sequence[Ingest]]) -> None:
        """Everything comes when it was measured."""
        for number, items in enumerate(rounds, -WARM):
            self.take(items)
            await self.at_the_end_of(number)


@dataclass
class Dark:
    """The collector, and a client for it."""

    service: Service
    watchers: Days
    url: str
    client: aiohttp.ClientSession

    async def get(self, path: str, method: str = "GET", **headers: str) -> Got:
        """Ask; `path` is what comes after ``/api/v1``."""
        headers.setdefault("Accept-Encoding", "identity")
        async with self.client.request(method, f"{self.url}/api/v1{path}", headers=headers) as response:
            return Got(response.status, response.headers, await response.read())


@asynccontextmanager
async def dark(
    folder: Path, rounds: Sequence[Sequence[Ingest]] = WHOLE, api: Api = GENEROUS
) -> AsyncIterator[Dark]:
    """Run it until the block ends, told these rounds."""
    clock = Clock()
    service = build(Config(data_dir=str(folder), platforms=("x", "youtube"), api=api), clock)
    for home in EVERYBODY:
        service.committer.store.enrol(home.probe, home.probe.encode(), 0.0)
    await service.detector.start()
    watchers = Days(service, clock)
    await watchers.in_order(rounds)
    await service.refresh()
    runner = web.AppRunner(service.main_app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as client:
        yield Dark(service, watchers, f"http://127.0.0.1:{runner.addresses[0][1]}", client)
    await runner.cleanup()
    await service.end()


@contextmanager
def in_a_thread(folder: Path, api: Api) -> Iterator[str]:
    """The same for a client that blocks: its URL."""
    ready, url = threading.Event(), list[str]()
    loop, done = asyncio.new_event_loop(), asyncio.Event()

    async def run() -> None:
        async with dark(folder, api=api) as running:
            url.append(running.url)
            ready.set()
            await done.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    try:
        assert ready.wait(60)
        yield url[0]
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()
