"""The way to the collector: every address and route, what an answer may decide, and what `status` says.

Against small servers; the whole way, with a real collector, is in tests/collector/test_main_way.py.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from probe.routes import Route, Way
from probe.spool import Spool
from probe.trust import Trust
from probe.upload import Accepted, Answer, Courier, Later, Rejected, Uploader
from probe.wire.exchange import Presence
from tests.authority import Authority
from tests.batches import CLEAN, NOW, batch, someone
from tests.loopback import Handler, LoopbackNet, response, says, tcp_server
from tests.uploads import an_uploader, to

ME, OTHER = someone(1), someone(2)
LIAR, TRUE, OTHER_ADDRESS = "192.0.2.66", "192.0.2.80", "192.0.2.81"


def receipt(sequence: int | None = None, probe: str = ME.probe_id) -> bytes:
    said = {"schema": "reachwatch/1", "server_time": "2026-11-24T06:00:00.000Z", "probe": probe}
    return response(200, json.dumps(said | ({"sequence": sequence} if sequence else {})).encode())


def refused(status: int, code: str) -> bytes:
    said = {"code": code, "path": "$", "message": "no", "server_time": "2026-11-24T06:00:00.000Z"}
    return response(status, json.dumps(said).encode())


class Collector:
    """Answers each request from a list by path, and remembers the heads."""

    def __init__(self, **answers: list[bytes]) -> None:
        self.answers = {f"/v1/{name}": list(replies) for name, replies in answers.items()}
        self.heads: list[bytes] = []

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        replies = self.answers[head.split()[1].decode()]
        writer.write(replies.pop(0) if len(replies) > 1 else replies[0])
        await writer.drain()

    @property
    def asked(self) -> list[str]:
        return [head.split()[1].decode().removeprefix("/v1/") for head in self.heads]


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool.open(tmp_path / "spool.sqlite", max_bytes=1 << 20, max_age_s=1e6)
    yield opened
    opened.close()


def add(spool: Spool, who: object = ME) -> int:
    def make(sequence: int) -> tuple[bytes, bytes]:
        body = batch(ME, CLEAN, sequence=sequence)
        return body, (ME if who is ME else OTHER).sign(body)

    return spool.add(ME.probe_id, make, NOW).sequence


def uploader(
    *urls: str, net: LoopbackNet, addresses: Sequence[str] = (TRUE,), trust: Trust | None = None
) -> Uploader:
    return an_uploader(to(*urls), net, ME, lambda: NOW, addresses=addresses, trust=trust)


def courier(spool: Spool, up: Uploader) -> Courier:
    return Courier(up, spool, asyncio.Lock(), random.Random(1), lambda: NOW)


async def beat(handler: Handler, answer_at: str = "http://collector.example:8000") -> Answer:
    async with tcp_server(handler) as port:
        return await uploader(answer_at, net=LoopbackNet({(TRUE, 8000): port})).heartbeat(Presence.ALIVE)


async def test_a_dead_address_of_the_collector_does_not_hide_the_next() -> None:
    collector = Collector(heartbeat=[receipt()])
    async with tcp_server(collector.handle) as port:
        net = LoopbackNet({(TRUE, 8000): port})
        answer = await uploader("http://c.example:8000", net=net, addresses=[LIAR, TRUE]).heartbeat(
            Presence.ALIVE
        )
    assert isinstance(answer, Accepted)
    assert net.dialled == [(LIAR, 8000), (TRUE, 8000)]


@pytest.mark.parametrize("liar", ["foreign certificate", "no TLS", "hangs in the handshake"])
async def test_an_address_that_is_not_the_collectors_does_not_hide_the_one_that_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, liar: str
) -> None:
    """Where names are lied about, the first address is often the lie."""
    monkeypatch.setattr("probe.dial.CONNECT_S", 0.5)
    ours, theirs = Authority("Ours"), Authority("Theirs")
    (tmp_path / "ca.pem").write_bytes(ours.pem())
    pem = theirs.issue(["c.example"], tmp_path) if liar == "foreign certificate" else None
    collector = Collector(heartbeat=[receipt()])

    async def lies(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        if liar == "no TLS":
            writer.write(b"220 smtp.example ESMTP\r\n")
        else:
            await asyncio.sleep(1)

    async with (
        tcp_server(lies, pem) as lie,
        tcp_server(collector.handle, ours.issue(["c.example"], tmp_path)) as port,
    ):
        net = LoopbackNet({(LIAR, 443): lie, (TRUE, 443): port})
        up = uploader(
            "https://c.example", net=net, addresses=[LIAR, TRUE], trust=Trust(str(tmp_path / "ca.pem"))
        )
        assert isinstance(await up.heartbeat(Presence.ALIVE), Accepted)


async def test_the_host_field_names_the_port_where_it_is_not_the_schemes_own() -> None:
    collector = Collector(heartbeat=[receipt()])
    await beat(collector.handle)
    assert b"Host: collector.example:8000\r\n" in collector.heads[0]


async def test_a_receipt_for_another_probe_is_none() -> None:
    answer = await beat(Collector(heartbeat=[receipt(probe=OTHER.probe_id)]).handle)
    assert isinstance(answer, Later)
    assert answer.reasons["http://collector.example:8000"] == "its receipt is for another probe"


async def test_an_unknown_key_is_enrolled_once_and_only_once() -> None:
    collector = Collector(heartbeat=[refused(401, "unknown_probe")], enrol=[receipt()])
    assert isinstance(await beat(collector.handle), Later)
    assert collector.asked == ["heartbeat", "enrol", "heartbeat"]


@pytest.mark.parametrize(
    "no", [refused(403, "wrong_probe"), refused(400, "malformed"), refused(503, "store_failed")]
)
async def test_a_collector_that_refuses_the_key_has_not_refused_what_waits(spool: Spool, no: bytes) -> None:
    add(spool)
    collector = Collector(batch=[refused(401, "unknown_probe")], enrol=[no])
    async with tcp_server(collector.handle) as port:
        up = uploader("http://c.example:8000", net=LoopbackNet({(TRUE, 8000): port}))
        assert await courier(spool, up).push() is not None
    assert (spool.figures().pending, spool.figures().refused) == (1, {})


async def test_what_an_older_key_signed_does_not_stand_in_the_way_for_ever(spool: Spool) -> None:
    """The remedy for a damaged key is to remove it; the spool then holds rounds nobody can vouch for."""
    add(spool, OTHER)
    second = add(spool)
    collector = Collector(batch=[refused(401, "bad_signature"), receipt(second)])
    async with tcp_server(collector.handle) as port:
        up = uploader("http://c.example:8000", net=LoopbackNet({(TRUE, 8000): port}))
        assert await courier(spool, up).push() is None
    assert spool.figures().refused == {"bad_signature": 1}
    assert spool.figures().pending == 0


@pytest.mark.parametrize("status", [400, 403, 413, 415, 422])
async def test_a_refusal_for_ever_is_told_from_a_proxys_page_with_the_same_status(status: int) -> None:
    theirs = await beat(Collector(heartbeat=[refused(status, "some_code")]).handle)
    proxys = await beat(Collector(heartbeat=[response(status, b"<html>no")]).handle)
    assert theirs == Rejected("some_code", "$: no")
    assert isinstance(proxys, Later)


@pytest.mark.parametrize("status", [301, 404, 408, 429, 500, 502, 503])
async def test_everything_else_is_tried_again(status: int) -> None:
    assert isinstance(await beat(Collector(heartbeat=[refused(status, "some_code")]).handle), Later)


async def test_a_collectors_own_no_is_not_got_round_by_another_way_to_it() -> None:
    """At overload every way to it would be a load more."""
    collector = Collector(heartbeat=[refused(429, "too_many")])
    route = Route(url="http://c.example:8000", addresses=(OTHER_ADDRESS,))
    async with tcp_server(collector.handle) as port:
        net = LoopbackNet({(TRUE, 8000): port, (OTHER_ADDRESS, 8000): port})
        up = an_uploader([route], net, ME, lambda: NOW, addresses=[TRUE])
        answer = await up.heartbeat(Presence.ALIVE)
    assert answer == Later({"http://c.example:8000": "answered 429 too_many"})
    assert net.dialled == [(TRUE, 8000)]
    assert up.routes.in_order(NOW)[0] == Way(route)


OBSTACLES = {
    "hangs": (says(hang=True), "no answer in time"),
    "trickles": (says(*[b"H"] * 50, pause_s=0.1), "no answer in time"),
    "never ends": (says(b"HTTP/1.1 100 Continue\r\n\r\n" * 50_000), "more than was asked for"),
    "is a portal": (says(response(200, b"<html>Log in")), "answered with no receipt ($: not JSON"),
    "leads elsewhere": (says(response(302, Location="http://login.example/")), "answered 302"),
}


@pytest.mark.parametrize("story", OBSTACLES)
async def test_what_stands_in_one_way_does_not_stand_in_the_next(
    story: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    obstacle, word = OBSTACLES[story]
    if word == "no answer in time":
        monkeypatch.setattr("probe.upload.WAY_S", 0.5)
    collector = Collector(heartbeat=[receipt()])
    async with tcp_server(obstacle) as first, tcp_server(collector.handle) as second:
        net = LoopbackNet({(TRUE, 8000): first, (TRUE, 8001): second})
        up = uploader("http://c.example:8000", "http://c.example:8001", net=net)
        assert isinstance(await up.heartbeat(Presence.ALIVE), Accepted)
    (_, seen) = up.routes.seen(NOW)[-1]
    assert seen is not None
    assert seen.word.startswith(word)


async def test_a_receipt_for_another_batch_is_an_echo_and_the_next_way_is_tried(spool: Spool) -> None:
    sequence = add(spool)
    echo, collector = Collector(batch=[receipt(sequence - 1)]), Collector(batch=[receipt(sequence)])
    async with tcp_server(echo.handle) as liar, tcp_server(collector.handle) as port:
        net = LoopbackNet({(TRUE, 8000): liar, (TRUE, 8001): port})
        up = uploader("http://c.example:8000", "http://c.example:8001", net=net)
        assert await courier(spool, up).push() is None
    assert spool.notes()["last_route"] == "http://c.example:8001"


async def test_the_next_agent_on_this_network_begins_with_the_way_that_worked(spool: Spool) -> None:
    collector = Collector(batch=[receipt(add(spool)) for _ in range(2)])
    urls = "http://gone.example:8000", "http://c.example:8001"
    async with tcp_server(collector.handle) as port:
        first = LoopbackNet({(TRUE, 8001): port})
        assert await courier(spool, uploader(*urls, net=first)).push() is None
        again = an_uploader(
            to(*urls), first, ME, lambda: NOW, addresses=(TRUE,), kept=spool.notes()["routes"]
        )
    assert first.dialled == [(TRUE, 8000), (TRUE, 8001), (TRUE, 8001)]
    assert str(again.routes.in_order(NOW)[0]) == "http://c.example:8001"


async def test_an_obstacle_is_told_as_it_is_now_and_ends_with_the_next_receipt(
    spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    """Also when another process met it: `run` beside the agent keeps no count of failures."""
    sequence = add(spool)
    collector = Collector(batch=[response(502), response(500), receipt(sequence)])
    caplog.set_level("INFO")
    async with tcp_server(collector.handle) as port:
        up = uploader("http://c.example:8000", net=LoopbackNet({(TRUE, 8000): port}))
        one = courier(spool, up)
        for status in (502, 500):
            await one.push()
            assert spool.notes()["last_obstacle"].startswith(f"http://c.example:8000: answered {status};")
        assert caplog.text.count("upload_failed") == 1
        await courier(spool, up).push()
    assert spool.notes()["last_obstacle"] == ""


async def test_no_line_of_the_log_names_the_volunteers_address(
    spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    add(spool)
    await courier(spool, uploader("https://c.example", net=LoopbackNet())).push()
    assert "network is unreachable" in caplog.text
    assert TRUE not in caplog.text
    assert "127.0.0.1" not in caplog.text
