"""One HTTP exchange: framing by RFC 9112, and a bound on all that a server may send."""

from __future__ import annotations

import pytest

from probe.http1 import MAX_HEAD_BYTES, ClosedEarly, Exchange, InvalidResponse
from probe.net import TcpState


class Peer:
    """A stream that answers with prepared pieces and keeps what it was sent."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.sent = b""

    async def read(self) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    async def write(self, data: bytes) -> None:
        self.sent += data

    overslept_s = 0.0

    def state(self) -> TcpState:
        return TcpState()

    def close(self) -> None:
        pass


async def ask(*pieces: bytes, most: int = 100) -> Exchange:
    exchange = Exchange(Peer(*pieces), max_body_bytes=most)
    await exchange.run("GET", "x.com", "/")
    return exchange


WHOLE: dict[str, tuple[list[bytes], int, bytes]] = {
    "by length": ([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", b"lo"], 200, b"hello"),
    "by chunks": (
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"],
        200,
        b"hello",
    ),
    "by closing": ([b"HTTP/1.1 200 OK\r\n\r\n", b"hello"], 200, b"hello"),
    "without a body": ([b"HTTP/1.1 204 No Content\r\n\r\n"], 204, b""),
    "after an interim answer": (
        [b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 451 Gone\r\nContent-Length: 0\r\n\r\n"],
        451,
        b"",
    ),
    "byte by byte": ([bytes([b]) for b in b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"], 200, b"x"),
}


@pytest.mark.parametrize("story", WHOLE)
async def test_a_whole_response_is_read(story: str) -> None:
    pieces, status, body = WHOLE[story]
    exchange = await ask(*pieces)
    assert (exchange.status, exchange.body) == (status, body)


BROKEN: dict[str, tuple[list[bytes], type[Exception], int | None]] = {
    "nothing": ([], ClosedEarly, None),
    "half a head": ([b"HTTP/1.1 200 OK\r\nConte"], ClosedEarly, None),
    "half a body": ([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel"], ClosedEarly, 200),
    "half a chunk": (
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"],
        ClosedEarly,
        200,
    ),
    "another protocol": ([b"220 smtp.example ESMTP\r\n\r\n"], InvalidResponse, None),
    "a switch of protocols": ([b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"], InvalidResponse, None),
    "two lengths": (
        [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"],
        InvalidResponse,
        None,
    ),
    "an endless head": (
        [b"HTTP/1.1 200 OK\r\n", *[b"X: " + b"y" * 9_000 + b"\r\n"] * 9],
        InvalidResponse,
        None,
    ),
}


@pytest.mark.parametrize("story", BROKEN)
async def test_what_breaks_is_named_and_the_head_survives(story: str) -> None:
    pieces, error, status = BROKEN[story]
    exchange = Exchange(Peer(*pieces), max_body_bytes=100)
    with pytest.raises(error):
        await exchange.run("GET", "x.com", "/")
    assert exchange.status == status


async def test_a_head_as_large_as_the_platforms_send_is_read() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + b"Set-Cookie: " + b"x" * 30_000 + b"\r\n\r\n"
    assert len(head) < MAX_HEAD_BYTES
    assert (await ask(head)).status == 200


async def test_a_body_is_read_no_further_than_its_limit() -> None:
    peer = Peer(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 60] * 50)
    exchange = Exchange(peer, max_body_bytes=100)
    await exchange.run("GET", "x.com", "/")
    assert len(exchange.body) < 100 + 60
    assert len(peer.pieces) == 48


async def test_a_request_says_host_length_and_that_it_is_the_last() -> None:
    peer = Peer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    await Exchange(peer, max_body_bytes=100).run("POST", "x.com:8080", "/a", (("X-Y", "z"),), b"body")
    head, body = peer.sent.split(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /a HTTP/1.1"
    assert {b"Host: x.com:8080", b"Content-Length: 4", b"Connection: close", b"X-Y: z"} <= set(lines)
    assert body == b"body"
