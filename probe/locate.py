"""How far a packet gets before somebody breaks the connection: hop by hop, without any privilege.

A ClientHello with a small time to live ends before the middlebox or wakes it; beside it a UDP
packet of the same kind tells which router it ended at. Asked only where a connection is broken.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ssl
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from . import icmp
from .icmp import IcmpError, IcmpKind
from .net import Dial, Stream
from .stages.line import Turn
from .wire.observation import Observation
from .wire.scrub import is_private
from .wire.stage import Hop, Met, PathDetail, Sent, Stage


@dataclass(frozen=True, slots=True)
class PathLimits:
    """How far and how long to look. Twenty hops reach every network but few satellites'; a second
    holds a round trip to the other side of the world and two retransmissions of a ClientHello.
    `linger_s` is for a reset that comes after a router's word."""

    most_ttl: int = 20
    at_once: int = 5
    connect_s: float = 2.0
    wait_s: float = 1.0
    linger_s: float = 0.4
    total_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one packet, and the ICMP error that said so where it is known."""

    met: Met
    said: IcmpError | None = None


Send = Callable[[Turn, Dial, int, PathLimits], Awaitable[Fate | None]]


async def locate_hello(turn: Turn, address: str, limits: PathLimits | None = None) -> Observation:
    """How far a ClientHello for this name gets on connections that were made without any limit.

    A middlebox that goes on blocking the pair of addresses spoils only what lies beyond it: packets
    that end before it never wake it. A TTL at which no connection came about has no hop.
    """
    return await _locate(turn, address, Sent.CLIENT_HELLO, _send_hello, limits or PathLimits())


async def locate_syn(turn: Turn, address: str, limits: PathLimits | None = None) -> Observation:
    """How far a SYN to this address gets."""
    return await _locate(turn, address, Sent.SYN, _send_syn, limits or PathLimits())


async def _locate(turn: Turn, address: str, sent: Sent, send: Send, limits: PathLimits) -> Observation:
    began, hops = turn.line.clock(), list[Hop]()
    if icmp.why_not() is None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limits.total_s):
                for first in range(1, limits.most_ttl + 1, limits.at_once):
                    ttls = range(first, min(first + limits.at_once, limits.most_ttl + 1))
                    hops += await _hops(turn, address, ttls, send, limits)
                    if _is_enough(hops):
                        break
    return turn.observe(Stage.PATH, began, address=address, detail=PathDetail(sent=sent, hops=tuple(hops)))


async def _hops(turn: Turn, address: str, ttls: range, send: Send, limits: PathLimits) -> list[Hop]:
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(_hop(turn, address, ttl, send, limits)) for ttl in ttls]
    return [hop for task in asked if (hop := task.result()) is not None]


def _is_enough(hops: Iterable[Hop]) -> bool:
    """Whether somebody answered the packet, in whatever way, or it could have reached its address."""
    answers = (Met.RESET, Met.REJECTED, Met.ANSWERED)
    return any(hop.met in answers or hop.router_met is Met.ANSWERED for hop in hops)


async def _hop(turn: Turn, address: str, ttl: int, send: Send, limits: PathLimits) -> Hop | None:
    """One TTL: the packet itself, and beside it a UDP packet that tells which router is there."""
    async with asyncio.TaskGroup() as group:
        packet = group.create_task(_fate(turn, address, ttl, send, limits))
        beside = group.create_task(_trace(turn, address, ttl, limits.wait_s))
    fate = packet.result()
    if fate is None:
        return None
    return describe(ttl, fate, beside.result(), address, turn.line.net.source_address(address))


async def _fate(turn: Turn, address: str, ttl: int, send: Send, limits: PathLimits) -> Fate | None:
    await turn.come()
    try:
        dial = turn.line.net.dial(address, turn.endpoint.port)
    except OSError:
        return None
    try:
        return await send(turn, dial, ttl, limits)
    finally:
        dial.close()


async def _send_hello(turn: Turn, dial: Dial, ttl: int, limits: PathLimits) -> Fate | None:
    try:
        async with asyncio.timeout(limits.connect_s):
            stream = await dial.connect()
        dial.limit(ttl)
    except OSError:
        return None
    return await _answer(stream, client_hello(turn), limits)


async def _answer(stream: Stream, hello: bytes, limits: PathLimits) -> Fate:
    """A router's word that the packet ended there is not the last: who injects a reset lets the
    packet pass, and the two arrive in either order."""
    expired = False
    try:
        async with asyncio.timeout(limits.wait_s) as deadline:
            await stream.write(hello)
            while (answered := await _read(stream)) is None:
                if not expired:
                    expired = True
                    deadline.reschedule(asyncio.get_running_loop().time() + limits.linger_s)
    except TimeoutError:
        return Fate(Met.EXPIRED if expired else Met.SILENCE)
    except OSError as error:
        return Fate(_met(error))
    # An end without a word is no answer to a ClientHello: it was cut off, if politely.
    return Fate(Met.ANSWERED if answered else Met.RESET)


async def _read(stream: Stream) -> bytes | None:
    """What came, and None where it was a router's word."""
    try:
        return await stream.read()
    except OSError as error:
        if error.errno == errno.EHOSTUNREACH:
            return None
        raise


async def _send_syn(_turn: Turn, dial: Dial, ttl: int, limits: PathLimits) -> Fate | None:
    try:
        dial.limit(ttl)
    except OSError:
        return None
    try:
        async with asyncio.timeout(limits.wait_s):
            await dial.connect()
    except OSError as error:
        said = dial.told()
        return Fate(_MET_BY_ICMP[said.kind] if said else _met(error), said)
    return Fate(Met.ANSWERED)


def client_hello(turn: Turn) -> bytes:
    """The first flight of a handshake for this name, as every other measurement sends it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = turn.line.trust.bundle.wrap_bio(incoming, outgoing, server_hostname=turn.endpoint.host)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


_MET_BY_ICMP = {IcmpKind.EXPIRED: Met.EXPIRED, IcmpKind.UNREACHABLE: Met.REJECTED}


def _met(error: OSError) -> Met:
    """What an error of the system says of a packet with a small TTL. A connection's own errors are
    resets (RFC 9293); every other that is not silence came as ICMP, and Linux makes both "time
    exceeded" and "host unreachable" EHOSTUNREACH: with so few hops, the first."""
    if isinstance(error, TimeoutError):
        return Met.SILENCE
    if isinstance(error, ConnectionError):
        return Met.RESET
    return Met.EXPIRED if error.errno == errno.EHOSTUNREACH else Met.REJECTED


async def _trace(turn: Turn, address: str, ttl: int, wait_s: float) -> IcmpError | None:
    try:
        async with asyncio.timeout(wait_s):
            return await turn.line.net.trace(address, turn.endpoint.port, ttl)
    except OSError:
        return None


def describe(ttl: int, fate: Fate, beside: IcmpError | None, address: str, own: str | None) -> Hop:
    """One hop on the record. What a packet beside it met names the router; where that one says
    nothing, the packet's own error does. This machine's own address is never named."""
    router = beside or fate.said
    named = router.sender if router and router.sender != own else None
    refusal = next((e for e in (fate.said, beside) if _router_met(e, address) is Met.REJECTED), None)
    return Hop(
        ttl=ttl,
        met=fate.met,
        router=named,
        router_met=_router_met(router, address),
        private=named is not None and is_private(named),
        icmp_code=refusal.code if refusal else None,
    )


def _router_met(error: IcmpError | None, address: str) -> Met:
    """An unreachable port at the address itself means that the packet got there (RFC 1122, 3.2.2.1)."""
    if error is None:
        return Met.SILENCE
    if error.kind is IcmpKind.UNREACHABLE and error.sender == address:
        return Met.ANSWERED
    return _MET_BY_ICMP[error.kind]
