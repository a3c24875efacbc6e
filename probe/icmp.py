"""What routers say of our packets (ICMP), as Linux tells it to a socket without any privilege.

A socket that asks for them (IP_RECVERR, ip(7); IPV6_RECVERR, ipv6(7)) gets the errors its own
packets met, each with the address of whoever sent it. Together with a small time to live that is
a traceroute for packets of any kind. No other system tells as much: there nothing is located.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

# linux/in.h, linux/in6.h, linux/socket.h and linux/errqueue.h; Python names none of them before 3.14.
_IP_RECVERR, _IPV6_RECVERR = 11, 25
_MSG_ERRQUEUE = 0x2000
_ORIGIN_ICMP, _ORIGIN_ICMP6 = 2, 3
# struct sock_extended_err: errno, origin, type, code, padding, info, data. The sender follows it.
_EXTENDED_ERR = struct.Struct("=IBBBBII")
_ANCILLARY_BYTES = 512

_CmsgList = Iterable[tuple[int, int, bytes]]


class IcmpKind(Enum):
    """The two errors that say where a packet ended."""

    EXPIRED = "expired"
    UNREACHABLE = "unreachable"


# Origin and type. A datagram too big (RFC 792, type 3 code 4) is sent on in pieces: no end.
_KINDS = {
    (_ORIGIN_ICMP, 11): IcmpKind.EXPIRED,
    (_ORIGIN_ICMP, 3): IcmpKind.UNREACHABLE,
    (_ORIGIN_ICMP6, 3): IcmpKind.EXPIRED,
    (_ORIGIN_ICMP6, 1): IcmpKind.UNREACHABLE,
}
_TOO_BIG = (_ORIGIN_ICMP, 3, 4)
_REASSEMBLY = ((_ORIGIN_ICMP, 11, 1), (_ORIGIN_ICMP6, 3, 1))


@dataclass(frozen=True, slots=True)
class IcmpError:
    """One router's or host's word that a packet went no further than it."""

    kind: IcmpKind
    code: int
    sender: str


def why_not() -> str | None:
    """Why this system does not tell where packets end; None where it does."""
    if sys.platform != "linux":
        return "only Linux tells a program which router its packets ended at"
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            listen(sock)
    except OSError as error:
        return f"this system does not pass ICMP errors on ({error.strerror})"
    return None


def limit(sock: socket.socket, ttl: int | None) -> None:
    """Let packets go `ttl` hops and no further; None is the system's own limit again."""
    six = sock.family == socket.AF_INET6
    level, option = (
        (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) if six else (socket.IPPROTO_IP, socket.IP_TTL)
    )
    sock.setsockopt(level, option, -1 if ttl is None else ttl)


def listen(sock: socket.socket) -> None:
    """Ask for the errors; raises `OSError` on a system where the number means something else."""
    if sys.platform != "linux":
        raise OSError(errno.ENOPROTOOPT, "Protocol not available")
    six = sock.family == socket.AF_INET6
    level, option = (socket.IPPROTO_IPV6, _IPV6_RECVERR) if six else (socket.IPPROTO_IP, _IP_RECVERR)
    sock.setsockopt(level, option, 1)


def read_error(ancillary: _CmsgList) -> IcmpError | None:
    """The error in what `recvmsg` gave beside the data; None where it speaks of something else."""
    for level, option, data in ancillary:
        if (level, option) in ((socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)):
            return _read_extended(data)
    return None


def _read_extended(data: bytes) -> IcmpError | None:
    if len(data) < _EXTENDED_ERR.size:
        return None
    _, origin, kind, code, *_ = _EXTENDED_ERR.unpack_from(data)
    sender = _read_sender(data[_EXTENDED_ERR.size :])
    known = _KINDS.get((origin, kind))
    if known is None or sender is None or (origin, kind, code) in (_TOO_BIG, *_REASSEMBLY):
        return None
    return IcmpError(known, code, sender)


def _read_sender(data: bytes) -> str | None:
    """A struct sockaddr_in or sockaddr_in6; the family is the machine's int, the address is not."""
    family = int.from_bytes(data[:2], sys.byteorder)
    if family == socket.AF_INET and len(data) >= 8:
        return str(ipaddress.IPv4Address(data[4:8]))
    if family == socket.AF_INET6 and len(data) >= 24:
        return str(ipaddress.IPv6Address(data[8:24]))
    return None


def taken(sock: socket.socket) -> IcmpError | None:
    """The first error that waits on `sock`; None where none does."""
    with contextlib.suppress(OSError):  # BlockingIOError: the queue is empty
        while True:
            _, ancillary, _, _ = sock.recvmsg(1, _ANCILLARY_BYTES, _MSG_ERRQUEUE)
            if found := read_error(ancillary):
                return found
    return None


async def heard(sock: socket.socket) -> IcmpError:
    """Wait for the first error on a connected UDP socket; data that comes is passed over."""
    loop = asyncio.get_running_loop()
    while True:
        await readable(loop, sock)
        if found := taken(sock):
            return found
        with contextlib.suppress(OSError):
            sock.recv(1)


async def readable(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    """Wait until something has come; asyncio has no call of its own for recvmsg."""
    ready, number = asyncio.Event(), sock.fileno()  # a socket asyncio would spell out each time
    loop.add_reader(number, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(number)
