"""The live stream: it tells what is new and no more, in bounds, and ends when the server does."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientResponse, web

from collector.limit import Places
from collector.web import live
from collector.web.pulse import Pulse
from tests.batches import batch, signed, someone
from tests.collector.conftest import Running


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LOOK_S", 0.01)


@asynccontextmanager
async def listening(running: Running) -> AsyncIterator[ClientResponse]:
    async with running.client.get(running.url + "/live") as response:
        yield response


async def until(is_so: Callable[[], bool]) -> bool:
    """Whether it becomes so within some seconds."""
    for _ in range(1000):
        if is_so():
            return True
        await asyncio.sleep(0.01)
    return False


async def told(response: ClientResponse) -> str:
    """The next message."""
    async with asyncio.timeout(5):
        return (await response.content.readuntil(b"\n\n")).decode()


async def test_a_reader_is_told_at_once_and_then_when_something_is_new(collector: Running) -> None:
    async with listening(collector) as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        assert await told(response) == f"retry: {live.RETRY_MS}\n\n"
        first = await told(response)
        assert first.startswith("id: ")
        who = someone()
        await collector.enrol(who)
        await collector.post("/v1/batch", signed(who, batch(who)))
        collector.clock.now += 1
        await collector.service.refresh()
        head, event, data = (await told(response)).strip().split("\n")
        assert (event, head[:4]) == ("event: news", "id: ")
        assert json.loads(data.removeprefix("data: ")) == {"round": -1, "at": collector.clock.now}


async def test_the_same_again_is_no_news_but_the_connection_is_kept(
    collector: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "KEEP_S", 0.05)
    async with listening(collector) as response:
        await told(response)
        await told(response)
        collector.clock.now += 1
        await collector.service.refresh()
        assert await told(response) == ": still here\n\n"


@asynccontextmanager
async def serving(streams: live.Live) -> AsyncIterator[tuple[web.AppRunner, str]]:
    """A server of this stream alone."""
    app = web.Application()
    app.add_routes([web.get("/live", streams.stream)])
    app.on_shutdown.append(streams.close)
    runner = web.AppRunner(app, shutdown_timeout=30)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner, f"http://127.0.0.1:{runner.addresses[0][1]}/live"
    finally:
        await runner.cleanup()


async def test_more_readers_than_there_is_room_for_are_asked_to_come_again(collector: Running) -> None:
    places = Places(2, 0, b"")
    streams = live.Live(Pulse(collector.service.sources()), {}, places)
    async with serving(streams) as (_, url):
        first, second, third = [await collector.client.get(url) for _ in range(3)]
        assert [one.status for one in (first, second, third)] == [200, 200, 503]
        assert third.headers["Retry-After"] == str(live.FULL_S)
        first.close()
        assert await until(lambda: places.taken < 2)
        again = await collector.client.get(url)
        assert again.status == 200
        again.close()
        second.close()


async def test_one_address_does_not_hold_every_stream(collector: Running) -> None:
    places = Places(9, 1, b"key")
    async with serving(live.Live(Pulse(collector.service.sources()), {}, places)) as (_, url):
        first, second = [await collector.client.get(url) for _ in range(2)]
        assert [one.status for one in (first, second)] == [200, 503]
        assert places.take("198.51.100.7") is not None, "there is room for others"
        first.close()
        assert await until(lambda: places.taken == 1)
        again = await collector.client.get(url)
        assert again.status == 200
        again.close()


async def test_who_does_not_read_is_cut_off(collector: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept for a reader beyond what the kernel takes."""
    monkeypatch.setattr(live, "_event", lambda _notice: b": " + b"x" * 200_000 + b"\n\n")
    monkeypatch.setattr(live, "KEEP_S", 0.0)
    places = Places(9, 9, b"")
    streams = live.Live(Pulse(collector.service.sources()), {}, places)
    async with serving(streams) as (_, url):
        reader, writer = await asyncio.open_connection(*url[7:].removesuffix("/live").split(":"), limit=1024)
        writer.write(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n")
        monkeypatch.setattr(Pulse, "notice", lambda _self: object())  # news every time
        assert await until(lambda: places.taken == 1)
        assert await until(lambda: places.taken == 0)
        writer.close()
        assert not reader.at_eof()


async def test_no_stream_holds_up_a_stop(collector: Running) -> None:
    streams = live.Live(Pulse(collector.service.sources()), {}, Places(9, 9, b""))
    async with serving(streams) as (runner, url), collector.client.get(url) as response:
        await told(response)
        began = time.monotonic()
        await runner.cleanup()
        assert time.monotonic() - began < 5
