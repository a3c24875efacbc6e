"""What somebody hostile on the way, or at the other end, may cost a volunteer: so many bytes, so much
time, and never the agent."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path

import pytest

from probe import round as rounds
from probe import throughput
from probe.net import MOST_BYTES, READ_BYTES, SocketDatagram, SocketStream
from probe.path import reach
from probe.stages.dns import MOST_DATAGRAMS, PlainResolver, resolve
from probe.stages.http import _refresh
from probe.wire.failure import Failure
from probe.wire.observation import Phase
from probe.wire.stage import Stage
from tests.line import a_line, resets
from tests.loopback import Handler, LoopbackNet, tcp_server
from tests.probe.stages.conftest import MakeTurn, authority, make_turn
from tests.rounds import X_ADDRESS

__all__ = ["authority", "make_turn"]


def for_ever(data: bytes) -> Handler:
    """Says it as long as anybody listens."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(data)
            await writer.drain()

    return handler


ENDLESS = {
    "answers that are none yet": b"HTTP/1.1 100 Continue\r\n\r\n" * 500,
    "a byte in every sixty kilobytes": b"1;%s\r\nx\r\n" % (b"y" * 60_000),
}


@pytest.mark.parametrize("story", ENDLESS)
async def test_an_endless_answer_is_cut_off(story: str, make_turn: MakeTurn) -> None:
    said = ENDLESS[story]
    head = b"" if said.startswith(b"HTTP") else b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        await for_ever(said)(reader, writer)

    async with tcp_server(handler) as port:
        net = LoopbackNet({(X_ADDRESS, 80): port})
        seen = await reach(make_turn(net, "http://x.com/", timeout_s=20.0), X_ADDRESS)
    assert seen[-1].failure is Failure.HTTP_INVALID
    assert net.received_bytes <= MOST_BYTES + READ_BYTES


async def test_a_handshake_that_never_ends_is_cut_off(make_turn: MakeTurn) -> None:
    """Change-cipher-spec records say nothing, and OpenSSL passes over them; others end it sooner."""
    async with tcp_server(for_ever(b"\x14\x03\x03\x00\x01\x01" * 1000)) as port:
        net = LoopbackNet({(X_ADDRESS, 443): port})
        seen = await reach(make_turn(net, timeout_s=20.0), X_ADDRESS)
    assert seen[-1].failure is Failure.TLS_HANDSHAKE
    assert net.received_bytes <= MOST_BYTES + READ_BYTES


async def test_who_sends_faster_than_it_is_read_holds_up_nobody_else() -> None:
    """asyncio returns at once what is there already; no deadline could pass meanwhile."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.sendall(bytes(3 * READ_BYTES))
        turns: list[str] = []
        asyncio.get_running_loop().call_soon(turns.append, "somebody else's")
        await SocketStream(ours).read()
    assert turns
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        ours.setblocking(False)
        theirs.send(b"garbage")
        asyncio.get_running_loop().call_soon(turns.append, "and again")
        await SocketDatagram(ours).receive()
    assert len(turns) == 2


class _Flood(asyncio.DatagramProtocol):
    """Garbage for every question, far more than anybody reads."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        for _ in range(4 * MOST_DATAGRAMS):
            self._transport.sendto(b"\xff" * 12, addr)  # type: ignore[attr-defined]


async def test_a_flood_of_garbage_is_no_reason_to_go_on_listening(make_turn: MakeTurn) -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(_Flood, ("127.0.0.1", 0))
    net = LoopbackNet({("203.0.113.53", 53): transport.get_extra_info("sockname")[1]})
    turn, began = make_turn(net, timeout_s=20.0), time.monotonic()
    try:
        seen = await resolve(turn, PlainResolver(("203.0.113.53",)), "A")
    finally:
        transport.close()
    assert seen.failure is Failure.DNS_SERVER_MISBEHAVING
    assert time.monotonic() - began < 5.0


async def test_a_round_that_costs_too_much_is_cut_short_and_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was seen by then stays, and the gate after still says that the line was up."""
    monkeypatch.setattr(rounds, "MOST_BYTES", 100_000 - (1 << 20))
    async with a_line(tmp_path, for_ever(b"HTTP/1.1 100 Continue\r\n\r\n" * 500)) as line:
        outcome = await line.round()
    walks = [o for o in outcome.round.observations if o.phase is Phase.MAIN and o.stage is Stage.HTTP]
    assert len(walks) == 1
    assert outcome.round.gate.passed_after == 3


@pytest.mark.parametrize("pad", [90, 3000])
def test_a_page_of_well_placed_spaces_is_searched_at_once(pad: int) -> None:
    """Without a URL at its end, every way to share the spaces out would be tried."""

    class Answered:
        body = b"<meta http-equiv=refresh content=" + b" " * pad + b"," + b" " * pad + b">"

    began = time.monotonic()
    assert _refresh("http://x.com/", Answered()) is None  # type: ignore[arg-type]
    assert time.monotonic() - began < 0.05


async def test_who_lets_objects_drip_keeps_no_question_from_being_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def drips(*_: object, due: bool) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(throughput, "compare", drips)
    async with a_line(tmp_path) as line, line.censor(resets("x.com"), X_ADDRESS):
        outcome = await line.round(round_deadline_s=4.0)
    assert max(o.attempt for o in outcome.round.observations) > 1
    assert outcome.verdicts[0].status == "blocked"
