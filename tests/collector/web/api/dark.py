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
from collector.store.base import Ingest
from tests.collector.test_detector import EVERYBODY, WHOLE, Clock, Watchers, in_order

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
class Dark:
    """The collector, and a client for it."""

    service: Service
    watchers: Watchers
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
    watchers = Watchers(service.detector, clock)
    await in_order(watchers, rounds)
    await service.refresh()
    runner = web.AppRunner(service.main_app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as client:
        yield Dark(service, watchers, f"http://127.0.0.1:{runner.addresses[0][1]}", client)
    await runner.cleanup()
    service.committer.close()


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
