"""The seam to the network: Protocols as small as the stages need, and their asyncio form.

The standard library's streams hide what a measurement is about: they fold TCP and TLS into one
call, turn a reset into an end of file and resolve names on their own. So this is sockets, one
per use, and TLS driven by hand over `ssl.MemoryBIO`. Errors of the system pass through
untranslated (`OSError`, `ssl.SSLError`): naming them is the stages' work. Nothing here waits for
a time; callers put `asyncio.timeout` around it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
import ssl
import struct
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Protocol, TypeVar

from . import arrival, icmp
from .icmp import IcmpError

T = TypeVar("T")

# Any global IPv6 address tells whether there is a route (nothing is sent): 2000::/3 is the whole.
SOME_IPV6 = "2000::1"
READ_BYTES = 16_384  # A TLS record's most (RFC 8446, section 5.1).
# No connection brings more: the largest object asked for with its head and certificates is below it.
MOST_BYTES = 1 << 19

# linux/in.h and linux/in6.h; Python names the first of each pair from 3.14 on, and the second never.
_IP_RECVTTL, _IPV6_RECVHOPLIMIT = 12, 51
_ANCILLARY_BYTES = 128

# What a UDP packet carries that is sent only to see where it ends: nothing any service answers.
_TRACER = bytes(8)


@dataclass(frozen=True, slots=True)
class TcpState:
    """What the kernel tells of a connection (struct tcp_info of linux/tcp.h)."""

    rtt_s: float | None = None
    bytes_acked: int | None = None
    bytes_received: int | None = None
    retransmits: int | None = None


class TooMuch(OSError):
    """The other side has sent more than anything of ours asks for."""

    def __init__(self) -> None:
        super().__init__("more than was asked for")


class Stream(Protocol):
    """A connection, as TCP or TLS gives it."""

    async def read(self) -> bytes:
        """What has come, at most `READ_BYTES`; empty at the end of the stream."""

    async def write(self, data: bytes) -> None:
        """Send all of `data`."""

    @property
    def overslept_s(self) -> float:
        """For how long in all what was read had lain here unread, this process being at something else."""

    def state(self) -> TcpState:
        """What the kernel knows of the TCP connection below, where it tells."""

    def close(self) -> None:
        """Let go of it at once; a second call does nothing."""


class Dial(Protocol):
    """A TCP connection in the making, for those who ask what becomes of its packets."""

    @property
    def own_port(self) -> int:
        """This machine's port, known before the first packet leaves."""

    async def connect(self) -> Stream:
        """Connect; closing the stream is `close`'s work here."""

    def limit(self, ttl: int) -> None:
        """From here on packets go `ttl` hops and no further, and what a router says of one is an
        error for whoever waits. Raises `OSError` where the system cannot."""

    def told(self) -> IcmpError | None:
        """Which ICMP error ended `connect`, where it was one and the system tells."""

    def close(self) -> None:
        """Let go of it at once: what is left is not sent, and the other side gets a reset that
        goes all the way."""


class Datagram(Protocol):
    """One UDP socket connected to one address: nobody else's packets are ever received on it."""

    async def send(self, data: bytes) -> None:
        """Send one datagram."""

    async def receive(self) -> tuple[bytes, int | None]:
        """Wait for the next one: its bytes, and what was left of its IP TTL where the kernel tells."""

    def close(self) -> None:
        """Let go of it at once."""


class Net(Protocol):
    """What the stages may do with the network. Addresses are literals; nothing is resolved."""

    @property
    def received_bytes(self) -> int:
        """What all connections have brought so far."""

    @property
    def carried_bytes(self) -> int:
        """What has gone either way so far, by connections and datagrams, heads of packets not counted."""

    async def connect(self, address: str, port: int) -> Stream:
        """A TCP connection."""

    def datagram(self, address: str, port: int) -> Datagram:
        """A UDP socket of its own: one shared by many queries swaps answers when ids collide."""

    def dial(self, address: str, port: int) -> Dial:
        """A TCP connection that has not begun yet."""

    async def trace(self, address: str, port: int, ttl: int) -> IcmpError:
        """Send one UDP packet that goes `ttl` hops and no further; who says that it ended there.
        Waits for ever where nobody does."""

    def source_address(self, address: str) -> str | None:
        """The address of its own that this machine would use towards `address`, None where it
        knows no way there; sends nothing."""


def _socket(address: str, kind: socket.SocketKind) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    sock.setblocking(False)
    return sock


def _peer(address: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    """What a socket connects to. A link-local address (RFC 4007), as home routers announce themselves
    by, is one only together with its interface."""
    host, _, zone = address.partition("%")
    return (host, port, 0, socket.if_nametoindex(zone)) if zone else (host, port)


def in_words(error: Exception) -> str:
    """What went wrong with a connection, for a person: no number, no address."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid ({error.verify_message})"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return "its name does not resolve"
    if isinstance(error, ssl.SSLError):  # its errno is OpenSSL's, which strerror would take for the system's
        reason = getattr(error, "reason", None) or "the connection ended"
        return f"TLS failed ({reason.lower().replace('_', ' ')})"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return str(error) or type(error).__name__


class SocketStream:
    """A TCP connection on a plain socket."""

    def __init__(
        self,
        sock: socket.socket,
        count: Callable[[int], None] = lambda _: None,
        sent: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._sock = sock
        self._count = count
        self._sent = sent
        self._left_bytes = MOST_BYTES
        self._read_at = -inf
        self.overslept_s = 0.0

    async def read(self) -> bytes:
        """See `Stream`. A reset raises `ConnectionResetError`; it is not an end of file. Raises
        `TooMuch` after `MOST_BYTES`."""
        if self._left_bytes <= 0:
            raise TooMuch
        data, ancillary, _, _ = await _when_ready(
            self._sock, lambda: self._sock.recvmsg(READ_BYTES, arrival.ANCILLARY_BYTES)
        )
        # What came while the last was read has waited since then, and not for longer.
        now = time.monotonic()
        self.overslept_s += min(arrival.lain_s(ancillary), now - self._read_at)
        self._read_at = now
        self._left_bytes -= len(data)
        self._count(len(data))
        return data

    async def write(self, data: bytes) -> None:
        """See `Stream`."""
        self._sent(len(data))
        try:
            sent = self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        if sent < len(data):
            await asyncio.get_running_loop().sock_sendall(self._sock, data[sent:])

    def state(self) -> TcpState:
        """See `Stream`. The offsets are those of tcpi_rtt (in microseconds), tcpi_total_retrans,
        tcpi_bytes_acked and tcpi_bytes_received; an older kernel gives a shorter structure."""
        try:
            info = self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 136)
            rtt_us, retransmits = (struct.unpack_from("=I", info, at)[0] for at in (68, 100))
            acked, received = struct.unpack_from("=QQ", info, 120)
        except (OSError, AttributeError, struct.error):
            return TcpState()
        return TcpState(rtt_us / 1e6 if rtt_us else None, acked, received, retransmits)

    def close(self) -> None:
        """See `Stream`. What nobody acknowledged is given up by a reset: the kernel would go on sending
        it, and then a FIN, for a minute and more."""
        if self._is_unacknowledged():
            _drop_unsent(self._sock)
        self._sock.close()

    def _is_unacknowledged(self) -> bool:
        """Whether something written was not acknowledged yet, where the system tells."""
        try:
            queued = fcntl.ioctl(self._sock, termios.TIOCOUTQ, bytes(4))
        except (OSError, ValueError):
            return False
        return any(queued)


async def _when_ready(sock: socket.socket, receive: Callable[[], T]) -> T:
    """What comes next. Where something is there already others have their turn first: who sends faster than
    we read would otherwise hold up everything, every deadline included."""
    while True:
        try:
            received = receive()
        except (BlockingIOError, InterruptedError):
            await icmp.readable(asyncio.get_running_loop(), sock)
            with contextlib.suppress(BlockingIOError, InterruptedError):
                return receive()
        else:
            await asyncio.sleep(0)
            return received


def _drop_unsent(sock: socket.socket) -> None:
    """Closing is to send a reset at once and nothing else (SO_LINGER with no time), where the system
    lets it be: of a socket whose connection is gone already macOS says EINVAL."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class SocketDial:
    """A TCP socket, bound and not connected yet."""

    def __init__(self, address: str, port: int) -> None:
        self._peer = (address, port)
        self._sock = _socket(address, socket.SOCK_STREAM)
        try:
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sock.bind(("", 0))
        except OSError:
            self._sock.close()
            raise

    @property
    def own_port(self) -> int:
        """See `Dial`."""
        return int(self._sock.getsockname()[1])

    async def connect(self) -> Stream:
        """See `Dial`."""
        await asyncio.get_running_loop().sock_connect(self._sock, self._peer)
        return SocketStream(self._sock)

    def limit(self, ttl: int) -> None:
        """See `Dial`."""
        icmp.listen(self._sock)
        icmp.limit(self._sock, ttl)

    def told(self) -> IcmpError | None:
        """See `Dial`. Linux tells it from 5.8 on."""
        return icmp.taken(self._sock)

    def close(self) -> None:
        """See `Dial`. Without it the kernel would go on sending what nobody acknowledged."""
        with contextlib.suppress(OSError):
            icmp.limit(self._sock, None)
        _drop_unsent(self._sock)
        self._sock.close()


class TlsStream:
    """TLS over any `Stream`, so that bytes, errors and times of each layer stay apart."""

    def __init__(self, below: Stream, context: ssl.SSLContext, server_name: str) -> None:
        self._below = below
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)

    async def handshake(self) -> None:
        """Complete the handshake; raises `ssl.SSLError`, or `OSError` from below."""
        await self._drive(self._tls.do_handshake)

    async def read(self) -> bytes:
        """See `Stream`. A truncated stream reads as its end: HTTP knows how long it should be."""
        try:
            return await self._drive(lambda: self._tls.read(READ_BYTES))
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return b""

    async def write(self, data: bytes) -> None:
        """See `Stream`."""
        await self._drive(lambda: self._tls.write(data))

    def version(self) -> str | None:
        """The protocol version negotiated, such as ``TLSv1.3``."""
        return self._tls.version()

    def chain(self) -> list[bytes]:
        """The certificates as the server sent them, DER, leaf first."""
        if hasattr(self._tls, "get_unverified_chain"):  # public from Python 3.13 on
            return list(self._tls.get_unverified_chain())
        # Before, the same call exists on the object below; without it the leaf alone is recorded.
        below = getattr(self._tls, "_sslobj", None)
        if below is not None and hasattr(below, "get_unverified_chain"):
            der = 2  # _ssl.ENCODING_DER
            return [certificate.public_bytes(der) for certificate in below.get_unverified_chain() or ()]
        leaf = self._tls.getpeercert(binary_form=True)
        return [leaf] if leaf else []

    @property
    def overslept_s(self) -> float:
        """See `Stream`."""
        return self._below.overslept_s

    def state(self) -> TcpState:
        """See `Stream`."""
        return self._below.state()

    def close(self) -> None:
        """See `Stream`. Sends no close_notify: the other side learns from the FIN."""
        self._below.close()

    async def _drive(self, step: Callable[[], T]) -> T:
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                await self._flush()
                data = await self._below.read()
                if data:
                    self._incoming.write(data)
                else:
                    self._incoming.write_eof()
            else:
                await self._flush()
                return result

    async def _flush(self) -> None:
        if self._outgoing.pending:
            await self._below.write(self._outgoing.read())


class SocketDatagram:
    """A connected UDP socket."""

    def __init__(self, sock: socket.socket, count: Callable[[int], None] = lambda _: None) -> None:
        self._sock = sock
        self._count = count

    async def send(self, data: bytes) -> None:
        """See `Datagram`."""
        self._count(len(data))
        await asyncio.get_running_loop().sock_sendall(self._sock, data)

    async def receive(self) -> tuple[bytes, int | None]:
        """See `Datagram`. An ICMP error raises `ConnectionRefusedError` or another `OSError`."""
        data, ancillary, _, _ = await _when_ready(
            self._sock, lambda: self._sock.recvmsg(65_535, _ANCILLARY_BYTES)
        )
        self._count(len(data))
        return data, _ttl(ancillary)

    def close(self) -> None:
        """See `Datagram`."""
        self._sock.close()


def _ttl(ancillary: list[tuple[int, int, bytes]]) -> int | None:
    """The packet's TTL (ip(7), IP_RECVTTL) or hop limit (RFC 3542), as an int of the machine's."""
    for level, kind, data in ancillary:
        if (level, kind) in ((socket.IPPROTO_IP, socket.IP_TTL), (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT)):
            return int(struct.unpack_from("=i", data)[0])
    return None


class AsyncioNet:
    """The machine's own network."""

    received_bytes = 0
    carried_bytes = 0

    async def connect(self, address: str, port: int) -> Stream:
        """See `Net`."""
        sock = _socket(address, socket.SOCK_STREAM)
        try:
            # A ClientHello sent in two segments would distort the handshake's time.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            arrival.stamp(sock)
            await asyncio.get_running_loop().sock_connect(sock, _peer(address, port))
        except BaseException:  # a cancelled connect must not leave its socket behind
            sock.close()
            raise
        return SocketStream(sock, self._received, self._carried)

    def _received(self, size_bytes: int) -> None:
        self.received_bytes += size_bytes
        self.carried_bytes += size_bytes

    def _carried(self, size_bytes: int) -> None:
        self.carried_bytes += size_bytes

    def datagram(self, address: str, port: int) -> Datagram:
        """See `Net`. Raises `OSError` where there is no route."""
        sock = _socket(address, socket.SOCK_DGRAM)
        six = sock.family == socket.AF_INET6
        try:
            with contextlib.suppress(OSError):  # a kernel that knows no such option tells no TTL
                sock.setsockopt(
                    socket.IPPROTO_IPV6 if six else socket.IPPROTO_IP,
                    _IPV6_RECVHOPLIMIT if six else _IP_RECVTTL,
                    1,
                )
            sock.connect(_peer(address, port))  # UDP: sets the peer, sends nothing, does not block
        except OSError:
            sock.close()
            raise
        return SocketDatagram(sock, self._carried)

    def dial(self, address: str, port: int) -> Dial:
        """See `Net`."""
        return SocketDial(address, port)

    async def trace(self, address: str, port: int, ttl: int) -> IcmpError:
        """See `Net`. Raises `OSError` where the system tells of no ICMP errors."""
        with _socket(address, socket.SOCK_DGRAM) as sock:
            icmp.listen(sock)
            icmp.limit(sock, ttl)
            sock.connect((address, port))
            await asyncio.get_running_loop().sock_sendall(sock, _TRACER)
            return await icmp.heard(sock)

    def source_address(self, address: str) -> str | None:
        """See `Net`."""
        sock = _socket(address, socket.SOCK_DGRAM)
        try:
            sock.connect((address, 53))
            return str(sock.getsockname()[0])
        except OSError:
            return None
        finally:
            sock.close()
