"""A whole collector in this process, on loopback, with a clock of the test's own."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from collector.app import Service, build
from collector.config import Config, Geo
from collector.ingest.admit import Request
from collector.store.base import Store
from probe.identity import Identity
from probe.wire.exchange import PROBE_HEADER, SIGNATURE_HEADER
from tests.batches import NOW, enrolment, signed


@dataclass
class Clock:
    """A wall clock that a test sets."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


@dataclass
class Running:
    """A collector and a client for it."""

    service: Service
    clock: Clock
    url: str
    metrics_url: str
    client: aiohttp.ClientSession
    answers: list[dict[str, object]] = field(default_factory=list)

    async def post(self, path: str, request: Request, **headers: str) -> int:
        """Send as an agent does; the JSON answer is kept in `answers`."""
        fields = {PROBE_HEADER: request.probe, SIGNATURE_HEADER: request.signature, **headers}
        if "Content_Encoding" not in headers:
            fields["Content-Encoding"] = "gzip"
            body = gzip.compress(request.body)
        else:
            fields["Content-Encoding"] = fields.pop("Content_Encoding")
            body = request.body
        async with self.client.post(self.url + path, data=body, headers=fields) as response:
            self.answers.append(await response.json())
            return response.status

    async def enrol(self, who: Identity) -> None:
        """Make a probe known."""
        assert await self.post("/v1/enrol", signed(who, enrolment(who))) == 200

    async def get(self, path: str) -> str:
        """A page's text, after a fresh look at the store."""
        await self.service.refresh()
        base = self.metrics_url if path == "/metrics" else self.url
        async with self.client.get(base + path) as response:
            return await response.text()


def all_told(store: Store) -> str:
    """Everything that a store gives back of what was measured, by whom and when, in letters: on the disk
    most of it is packed, and nothing could be found there."""
    known = [*store.batches(), *store.cells_from(0), *store.spans(0.0, inf), *store.seen(0.0)]
    return repr([*known, *store.enrolled(), *store.tokens(), *store.quarantines(), dict(store.keys())])


@asynccontextmanager
async def collecting(config: Config) -> AsyncIterator[Running]:
    """Run a collector until the block ends."""
    clock = Clock()
    service = build(config, clock)
    runners = [
        web.AppRunner(service.main_app(), access_log=None, auto_decompress=False),
        web.AppRunner(service.metrics_app(), access_log=None),
    ]
    urls = []
    for runner in runners:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        urls.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
    async with asyncio.TaskGroup() as group, aiohttp.ClientSession() as client:
        tasks = [group.create_task(part.run()) for part in (service.intake.docket, service.committer)]
        yield Running(service, clock, urls[0], urls[1], client)
        for runner in runners:
            await runner.cleanup()
        await service.committer.finish()
        for task in tasks:
            task.cancel()
    await service.end()


@pytest.fixture
async def collector(tmp_path: Path) -> AsyncIterator[Running]:
    config = Config(data_dir=str(tmp_path / "data"), geo=Geo())
    async with collecting(config) as running:
        yield running
