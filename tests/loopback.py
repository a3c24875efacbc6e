"""Real servers on loopback that misbehave to order, and a network that leads to them.

The agent dials the addresses of the world (104.244.42.1:443); `LoopbackNet` is the machine's own
network with doors: each address and port leads to a server a test has started, and to nothing else.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from probe.icmp import IcmpError
from probe.net import AsyncioNet, Datagram, Dial, Stream

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Zone = Mapping[tuple[str, str], "list[str] | str"]

HOPS = 9

RCODES = {
    "nxdomain": dns.rcode.NXDOMAIN,
    "servfail": dns.rcode.SERVFAIL,
    "refused": dns.rcode.REFUSED,
    "notimp": dns.rcode.NOTIMP,
}


class LoopbackNet(AsyncioNet):
    """Doors by address and port; a way that has none is `network unreachable`."""

    def __init__(self, doors: Mapping[tuple[str, int], int] | None = None) -> None:
        self.doors = dict(doors or {})
        self.dialled: list[tuple[str, int]] = []

    def _door(self, address: str, port: int) -> int:
        self.dialled.append((address, port))
        try:
            return self.doors[address, port]
        except KeyError:
            raise OSError(errno.ENETUNREACH, "no door here") from None

    async def connect(self, address: str, port: int) -> Stream:
        return await super().connect("127.0.0.1", self._door(address, port))

    def datagram(self, address: str, port: int) -> Datagram:
        return super().datagram("127.0.0.1", self._door(address, port))

    def dial(self, address: str, port: int) -> Dial:
        return super().dial("127.0.0.1", self._door(address, port))

    async def trace(self, address: str, port: int, ttl: int) -> IcmpError:
        raise OSError(errno.ENETUNREACH, "no routers here")

    def source_address(self, address: str) -> str | None:
        return None if ":" in address else "192.0.2.7"


@asynccontextmanager
async def tcp_server(handler: Handler, pem: Path | None = None) -> AsyncIterator[int]:
    """A TCP (or, with a PEM file, TLS) server; yields its port."""
    context = None
    if pem is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handler(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has seen enough
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for _ in range(20):  # turns in which what clients have closed is closed here, too
            await asyncio.sleep(0.001)


def says(*parts: bytes, pause_s: float = 0.0, hang: bool = False, reset: bool = False) -> Handler:
    """Read a request, then write the parts; then close, hang, or reset."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause_s)
        if hang:
            await asyncio.sleep(60)
        if reset:
            sock = writer.get_extra_info("socket")
            sock.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SOL_SOCKET, SO_LINGER: close with RST
            writer.transport.abort()

    return handler


def response(status: int, body: bytes = b"hello\n", **headers: str) -> bytes:
    """A whole HTTP response."""
    fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status} Reason\r\nContent-Length: {len(body)}\r\n{fields}\r\n"
    return head.encode() + body


def answer(zone: Zone, wire: bytes, *, tcp: bool = False) -> list[bytes]:
    """What the toy DNS server sends back: none, one or two messages."""
    query = dns.message.from_wire(wire)
    question = query.question[0]
    name = question.name.to_text(omit_final_dot=True)
    kind = dns.rdatatype.to_text(question.rdtype)
    behaviour = zone.get((name, kind), "nxdomain")
    reply = dns.message.make_response(query)
    if behaviour == "drop":
        return []
    if behaviour == "garbage":
        return [b"\xff" * 40]
    if behaviour == "other_question":
        return [
            dns.message.make_response(dns.message.make_query("other.example", kind, id=query.id)).to_wire()
        ]
    if behaviour == "other_id":
        reply.id ^= 1
        return [reply.to_wire()]
    if isinstance(behaviour, str) and behaviour.startswith("forged "):
        first, *true = behaviour.split()[1:]
        return [m for said in ([first], true) for m in answer({**zone, (name, kind): said}, wire)]
    if behaviour == "cname_loop":
        reply.answer = [
            dns.rrset.from_text(name + ".", 60, "IN", "CNAME", "loop.example."),
            dns.rrset.from_text("loop.example.", 60, "IN", "CNAME", name + "."),
        ]
    elif behaviour == "truncated" and not tcp:
        reply.flags |= dns.flags.TC
    elif isinstance(behaviour, list) or behaviour == "truncated":
        addresses = behaviour if isinstance(behaviour, list) else ["104.244.42.1"]
        if addresses:
            reply.answer = [dns.rrset.from_text(question.name, 60, "IN", kind, *addresses)]
    else:
        reply.set_rcode(RCODES[behaviour])
    return [reply.to_wire()]


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, zone: Zone) -> None:
        self._zone = zone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        for message in answer(self._zone, data):
            self._transport.sendto(message, addr)


@asynccontextmanager
async def dns_server(zone: Zone) -> AsyncIterator[int]:
    """A toy DNS server over UDP and TCP on one port, by its answers' TTL some hops away; yields it."""

    async def over_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        for message in answer(zone, await reader.readexactly(length), tcp=True):
            writer.write(struct.pack("!H", len(message)) + message)
        await writer.drain()

    async with tcp_server(over_tcp) as port:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: _Udp(zone), ("127.0.0.1", port))
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 64 - HOPS)
        try:
            yield port
        finally:
            transport.close()
            await asyncio.sleep(0)  # asyncio lets go of the port in its next turn


def doh(zone: Zone, *, status: int = 200, questions: int = 1) -> Handler:
    """DNS over HTTPS: answers so many POSTs from the zone, then closes without a word."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(questions):
            head = await reader.readuntil(b"\r\n\r\n")
            fields = head.lower().split(b"\r\n")
            length = next(int(x.split(b":")[1]) for x in fields if x.startswith(b"content-length"))
            for message in answer(zone, await reader.readexactly(length), tcp=True):
                writer.write(response(status, message, Content_Type="application/dns-message"))
            await writer.drain()

    return handler


Act = Callable[[bytes], str]


@asynccontextmanager
async def watched(port: int, act: Act) -> AsyncIterator[int]:
    """Somebody on the way to the server at `port`, who reads the first that is sent and lets it
    ``pass``, answers with a ``reset`` or ``drop``s it. Yields the port to dial instead."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(65_536)
        done = act(first)
        if done == "reset":
            sock = writer.get_extra_info("socket")
            sock.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SOL_SOCKET, SO_LINGER: close with RST
            writer.transport.abort()
            return
        if done == "drop":
            await asyncio.sleep(60)
        beyond_reader, beyond = await asyncio.open_connection("127.0.0.1", port)
        beyond.write(first)
        async with asyncio.TaskGroup() as group:
            group.create_task(pass_on(reader, beyond))
            group.create_task(pass_on(beyond_reader, writer))

    async with tcp_server(handler) as own:
        yield own


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Whatever comes, to the other side."""
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # one side has seen enough
    finally:
        writer.close()
