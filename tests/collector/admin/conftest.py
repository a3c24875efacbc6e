"""A collector as `serve` runs it, and the command that speaks to it, in one process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from collector import cli
from collector.app import serve
from collector.config import Api, Config, Door, Webhook
from collector.ingest.admit import Request
from probe.wire.exchange import PROBE_HEADER, SIGNATURE_HEADER
from tests.collector.conftest import Clock

Answer = tuple[int, list[str], list[str]]
Admin = Callable[..., Answer]


SOON_S = 120.0  # what is brought about in seconds, on a machine that does ten other things


@dataclass
class Served:
    """A running collector: where it is, and how to stop it."""

    url: str
    metrics_url: str
    client: aiohttp.ClientSession
    stop: asyncio.Event
    clock: Clock

    async def post(self, path: str, request: Request) -> tuple[int, str]:
        """Send as an agent does; the status, and the code of a refusal."""
        headers = {PROBE_HEADER: request.probe, SIGNATURE_HEADER: request.signature}
        async with self.client.post(self.url + path, data=request.body, headers=headers) as response:
            return response.status, (await response.json()).get("code", "")

    async def figures(self) -> str:
        """What Prometheus is told."""
        async with self.client.get(f"{self.metrics_url}/metrics") as response:
            return await response.text()

    async def state(self) -> dict[str, object]:
        """What the API says now."""
        async with self.client.get(f"{self.url}/api/v1/state") as response:
            found: dict[str, object] = await response.json()
            return found


@asynccontextmanager
async def serving(
    data: Path, *, is_open: bool = True, webhooks: tuple[Webhook, ...] = ()
) -> AsyncIterator[Served]:
    """Serve until the block ends."""
    config = Config(
        data_dir=str(data),
        listen="127.0.0.1:0",
        metrics_listen="127.0.0.1:0",
        enrolment=Door(mode="open" if is_open else "token"),
        webhooks=webhooks,
        api=Api(requests_a_minute=0),  # the clock stands still, so no minute would ever be over
    )
    stop, heard, clock = asyncio.Event(), asyncio.Event(), Clock()
    urls: list[str] = []

    def listening(main: str, metrics: str) -> None:
        urls.extend((main, metrics))
        heard.set()

    async with asyncio.TaskGroup() as group, aiohttp.ClientSession() as client:
        group.create_task(serve(config, stop, listening, clock))
        await asyncio.wait_for(heard.wait(), SOON_S)
        try:
            yield Served(urls[0], urls[1], client, stop, clock)
        finally:
            stop.set()


async def soon(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Wait for what a loop of the collector's brings about within seconds."""
    async with asyncio.timeout(SOON_S):
        while not await is_so():  # noqa: ASYNC110 - it is brought about in another thread
            await asyncio.sleep(0.1)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def admin(data: Path, capsys: pytest.CaptureFixture[str]) -> Admin:
    """The command: exit status, lines of standard output and of standard error."""

    def command(*argv: str) -> Answer:
        where = () if "--data-dir" in argv else ("--data-dir", str(data))
        status = cli.main(["admin", *argv, *where])
        out, err = capsys.readouterr()
        return status, out.splitlines(), err.splitlines()

    return command
