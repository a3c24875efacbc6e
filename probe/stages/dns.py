"""Stage one: the name's addresses, from the line's own resolver and from a trusted one.

Plain DNS (RFC 1035) goes over a socket of its own per query, with a random id, and only an answer
to *this* question counts; a truncated one is asked again over TCP (RFC 7766). Where a lie is
suspected the socket stays open after the first answer: one forged on the way overtakes the true
one, which still comes. The trusted resolver is asked over HTTPS (RFC 8484) at configured
addresses, so that nobody can lie about it. `message` reads and writes what is said.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

from probe.http1 import ClosedEarly, Exchange, InvalidResponse
from probe.kept import PLACES
from probe.net import Datagram, Stream, TlsStream, TooMuch
from probe.wire.address import is_bogon
from probe.wire.failure import Failure
from probe.wire.observation import Observation
from probe.wire.platform import Endpoint
from probe.wire.stage import DnsDetail, LateAnswer, Resolver, Stage

from . import message
from .errors import failure_of
from .line import Line, Turn
from .message import Answer, Malformed, Query

MAX_ANSWERS = 16
MAX_LATE = 4
MAX_TEXT = 255
# How often a question is sent in all before its server counts as silent.
ASKED = 4
# So many datagrams are read for one question, whatever they hold: a flood of them is no answer.
MOST_DATAGRAMS = 64
MEDIA_TYPE = "application/dns-message"

_RCODES = {
    message.NXDOMAIN: Failure.DNS_NXDOMAIN,
    message.SERVFAIL: Failure.DNS_SERVFAIL,
    message.REFUSED: Failure.DNS_REFUSED,
}

# What goes wrong before there is an answer; the first fitting row decides.
_TROUBLE = (
    (TimeoutError, Failure.DNS_TIMEOUT),
    (ConnectionError, Failure.DNS_UNREACHABLE),
    (ssl.SSLError, Failure.DNS_UNREACHABLE),
    (InvalidResponse, Failure.DNS_SERVER_MISBEHAVING),
    (ClosedEarly, Failure.DNS_SERVER_MISBEHAVING),
    (TooMuch, Failure.DNS_SERVER_MISBEHAVING),
    (Malformed, Failure.DNS_SERVER_MISBEHAVING),
)


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer, what was left of its packet's TTL, and the answers that came after it."""

    answer: Answer
    ip_ttl: int | None = None
    late: tuple[LateAnswer, ...] = ()


@dataclass(frozen=True, slots=True)
class PlainResolver:
    """Resolvers asked in plain DNS, in turn as a stub resolver would."""

    servers: Sequence[str]
    kind: Resolver = Resolver.SYSTEM
    port: int = 53

    async def ask(self, line: Line, query: Query, server: str, linger_s: float = 0.0) -> Heard:
        """One query to one server, listening on for `linger_s` after its answer; raises what the
        network raises, and `Malformed`."""
        heard = await _over_udp(line, query, server, self.port, linger_s)
        if heard.answer.truncated:
            async with asyncio.timeout(line.timeouts.dns_s):
                return replace(heard, answer=await _over_tcp(line, query, server, self.port))
        return heard


@dataclass(frozen=True, slots=True)
class DohResolver:
    """A trusted resolver over HTTPS, at addresses of our choosing."""

    url: str
    servers: Sequence[str]
    kind = Resolver.DOH

    async def ask(self, line: Line, query: Query, server: str, linger_s: float = 0.0) -> Heard:
        """One query; raises what the network, TLS and HTTP raise, and `Malformed`. Nobody on the way can
        answer in its place, so there is nothing to listen on for."""
        async with line.kept.places.through(), asyncio.timeout(line.timeouts.dns_s):
            exchange = await self._post(line, query.to_wire(), server)
        if exchange.status != 200 or exchange.headers.get("content-type") != MEDIA_TYPE:
            raise InvalidResponse(f"status {exchange.status}")
        return Heard(message.read(query, exchange.body))

    async def open_ahead(self, line: Line) -> None:
        """Have connections ready for the round's questions. One that cannot be made is made again, and what
        went wrong is said, where a question needs it."""

        async def one(server: str) -> None:
            with contextlib.suppress(OSError):
                line.kept.leave(server, await self._open(line, server))

        async with asyncio.TaskGroup() as group:
            for server in [*self.servers[:1]] * PLACES:
                group.create_task(one(server))

    async def _post(self, line: Line, wire: bytes, server: str) -> Exchange:
        while (stream := line.kept.take(server)) is not None:
            with contextlib.suppress(OSError, ClosedEarly):  # closed by its other side meanwhile
                return await self._exchange(line, wire, server, stream)
        return await self._exchange(line, wire, server, await self._open(line, server))

    async def _open(self, line: Line, server: str) -> Stream:
        where = Endpoint(url=self.url)
        stream = await line.net.connect(server, where.port)
        try:
            tls = TlsStream(stream, line.trust.bundle, where.host)
            await tls.handshake()
        except BaseException:  # cancelled or refused: either way the socket goes
            stream.close()
            raise
        return tls

    async def _exchange(self, line: Line, wire: bytes, server: str, stream: Stream) -> Exchange:
        where = Endpoint(url=self.url)
        exchange = Exchange(stream, max_body_bytes=65_535, keep=True)
        try:
            await exchange.run("POST", where.host, where.path, (("Content-Type", MEDIA_TYPE),), wire)
        finally:
            if exchange.may_go_on:
                line.kept.leave(server, stream)
            else:
                stream.close()
        return exchange


AnyResolver = PlainResolver | DohResolver


async def resolve(
    turn: Turn, resolver: AnyResolver, query_type: str, *, linger_s: float = 0.0
) -> Observation:
    """Ask for one record type; the observation is the last server's word, or why there was none."""
    line, host = turn.line, turn.endpoint.host
    began = line.clock()
    detail = DnsDetail(resolver=resolver.kind, query_type=query_type)
    failure = Failure.DNS_UNREACHABLE  # what is said where no server is configured at all
    for server in resolver.servers:
        detail = replace(detail, server=server.partition("%")[0])
        try:
            heard = await resolver.ask(line, Query(host, query_type), server, linger_s)
            return _conclude(turn, began, heard, detail)
        except (OSError, InvalidResponse, ClosedEarly, Malformed) as error:
            failure = failure_of(error, _TROUBLE)
    return turn.observe(Stage.DNS, began, failure=failure, detail=detail)


def _conclude(turn: Turn, began: float, heard: Heard, asked: DnsDetail) -> Observation:
    addresses, cnames, failure = read_answer(heard.answer)
    detail = replace(
        asked,
        rcode=heard.answer.said,
        answers=addresses,
        cnames=cnames,
        ip_ttl=heard.ip_ttl,
        late=heard.late,
    )
    return turn.observe(Stage.DNS, began, failure=failure, detail=detail)


def read_answer(answer: Answer) -> tuple[tuple[str, ...], tuple[str, ...], Failure | None]:
    """Addresses, the chain of names that led to them, and the failure if the answer is none.

    An answer made of bogons alone is `dns_bogon_error`, with the bogons kept as evidence.
    """
    if answer.circular:
        return (), (), Failure.DNS_SERVER_MISBEHAVING
    if answer.rcode != message.NOERROR:
        return (), (), _RCODES.get(answer.rcode, Failure.DNS_SERVER_MISBEHAVING)
    # A name of 255 bytes is up to four times as long once its bytes are written as digits.
    cnames = tuple(name[:MAX_TEXT] for name in answer.cnames[:MAX_ANSWERS])
    addresses = answer.addresses[:MAX_ANSWERS]
    if not addresses:
        return (), cnames, Failure.DNS_NO_ANSWER
    return addresses, cnames, Failure.DNS_BOGON if all(map(is_bogon, addresses)) else None


async def _over_udp(line: Line, query: Query, server: str, port: int, linger_s: float) -> Heard:
    """Ask, and ask again as a stub resolver does: one lost datagram is no silence. What arrives and
    is no answer is what went wrong if nothing better comes: who answers garbage is not silent."""
    datagram = line.net.datagram(server, port)
    passed_over: list[Exception] = []
    try:
        for _ in range(ASKED):
            await datagram.send(query.to_wire())
            try:
                async with asyncio.timeout(line.timeouts.dns_s / ASKED):
                    answer, ip_ttl = await _answer(query, datagram, passed_over)
            except TimeoutError:
                continue
            late = await _late(line, query, datagram, linger_s) if linger_s else ()
            return Heard(answer, ip_ttl, late)
        raise passed_over[-1] if passed_over else TimeoutError
    finally:
        datagram.close()


async def _answer(
    query: Query, datagram: Datagram, passed_over: list[Exception]
) -> tuple[Answer, int | None]:
    """Wait for the answer to this very question, and for `MOST_DATAGRAMS` others in all."""
    while len(passed_over) < MOST_DATAGRAMS:
        data, ip_ttl = await datagram.receive()
        try:
            return message.read(query, data), ip_ttl
        except Malformed as error:
            passed_over.append(error)
    raise passed_over[-1]


async def _late(line: Line, query: Query, datagram: Datagram, linger_s: float) -> tuple[LateAnswer, ...]:
    """What else answers the same question on the same socket."""
    began, late = line.clock(), list[LateAnswer]()
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(linger_s):
            for _ in range(MOST_DATAGRAMS):
                data, ip_ttl = await datagram.receive()
                with contextlib.suppress(Malformed):
                    answer = message.read(query, data)
                    late.append(
                        LateAnswer(
                            rcode=answer.said,
                            after_s=round(line.clock() - began, 6),
                            answers=read_answer(answer)[0],
                            ip_ttl=ip_ttl,
                        )
                    )
    return tuple(late[:MAX_LATE])


async def _over_tcp(line: Line, query: Query, server: str, port: int) -> Answer:
    """The same question over TCP, two bytes of length before each message (RFC 1035, 4.2.2)."""
    stream = await line.net.connect(server, port)
    try:
        wire = query.to_wire()
        await stream.write(struct.pack("!H", len(wire)) + wire)
        heard = b""
        while len(heard) < 2 or len(heard) < 2 + struct.unpack_from("!H", heard)[0]:
            more = await stream.read()
            if not more:
                raise ClosedEarly
            heard += more
        return message.read(query, heard[2:])
    finally:
        stream.close()
