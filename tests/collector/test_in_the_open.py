"""Whatever is sent to a collector's socket: an answer or an end in bounded time, counted, nothing of whom."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from collector import app, listening
from collector.config import Config, Tls
from collector.ingest import handler
from tests.authority import Authority

CA = Authority("a test's")


@asynccontextmanager
async def served(config: Config) -> AsyncIterator[tuple[str, str]]:
    """A whole collector: the addresses it says."""
    stop, addresses = asyncio.Event(), asyncio.Queue[tuple[str, str]]()
    async with asyncio.TaskGroup() as group:
        group.create_task(app.serve(config, stop, lambda *both: addresses.put_nowait(both)))
        yield await addresses.get()
        stop.set()


def anywhere(folder: Path) -> Config:
    return Config(data_dir=str(folder / "data"), listen="127.0.0.1:0", metrics_listen="127.0.0.1:0")


async def answer(url: str, *sent: bytes, pause_s: float = 0.0) -> bytes:
    """Everything that comes back until the other side ends it."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        for piece in sent:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


async def hung_up(url: str, sent: bytes) -> None:
    parts = urlsplit(url)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(sent)
    await asyncio.sleep(0.1)
    writer.transport.abort()
    await asyncio.sleep(0.1)


async def count(metrics: str, name: str) -> float:
    async with aiohttp.ClientSession() as client, client.get(f"{metrics}/metrics") as response:
        lines = (await response.text()).splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))


def hello() -> bytes:
    """What a TLS client says first."""
    coming, going = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(coming, going, server_hostname="collector.example")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return going.read()


POST = b"POST /v1/batch HTTP/1.1\r\nHost: collector\r\n"
GARBAGE = {
    "bytes": bytes(range(256)) * 4,
    "zeros": b"\0" * 10_000,
    "a TLS hello": hello(),
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "ten thousand headers": POST + b"".join(b"X-%d: y\r\n" % n for n in range(10_000)) + b"\r\n",
    "a header without an end": POST + b"X: " + b"y" * 1_000_000,
    "a request line without an end": b"GET /" + b"y" * 1_000_000,
    "a header without a colon": POST + b"nonsense\r\n\r\n",
    "a length that is none": POST + b"Content-Length: -1\r\n\r\n",
    "two framings": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
}


async def test_garbage_is_answered_with_400_or_an_end_counted_and_never_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with served(anywhere(tmp_path)) as (main, metrics):
        for number, (story, sent) in enumerate(GARBAGE.items(), start=1):
            said = await answer(main, sent)
            assert said[:12] in (b"HTTP/1.0 400", b"HTTP/1.1 400", b""), story
            assert b"Traceback" not in said
            assert await count(metrics, "reachwatch_unreadable_requests_total") == number, story
    assert [record.message for record in caplog.records if "127.0.0" in caplog.text or record.exc_info] == []
    assert {record.message.split()[0] for record in caplog.records} <= {"stopped"}


async def test_bad_chunks_are_no_body_and_who_hangs_up_over_one_is_no_line_of_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(handler, "BODY_S", 0.3)
    async with served(anywhere(tmp_path)) as (main, metrics):
        head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
        assert (await answer(main, head, b"zz\r\n{}\r\n0\r\n\r\n", pause_s=0.1))[:12] == b"HTTP/1.1 408"
        await hung_up(main, head)
        assert await count(metrics, 'reachwatch_ingest_refusals_total{reason="too_slow"}') == 2
    assert {record.message.split()[0] for record in caplog.records} <= {"stopped"}


async def test_plain_http_where_tls_is_served_is_ended_without_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    pair = str(CA.issue(["collector.example"], tmp_path))
    config = replace(anywhere(tmp_path), tls=Tls(certificate_file=pair, key_file=pair))
    async with served(config) as (main, _):
        for sent in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 5000, hello()[:50] + b"\xff" * 500):
            assert b"HTTP/1.1" not in await answer(main, sent)
    assert {record.message.split()[0] for record in caplog.records} <= {"stopped"}


async def test_a_head_that_comes_a_byte_at_a_time_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "IDLE_S", 0.4)
    slowly = [bytes([byte]) for byte in b"POST /v1/batch HTTP/1.1\r\nHost: collector"]
    async with served(anywhere(tmp_path)) as (main, _):
        async with asyncio.timeout(5):
            assert await answer(main, *slowly, pause_s=0.05) == b""
            assert await answer(main, b"") == b"", "nor is one that never begins"
            whole = b"GET /healthz HTTP/1.1\r\nHost: collector\r\n\r\n"
            assert b"alive" in await answer(main, whole + slowly[0]), "nor is one after an answer"
