"""Who answers at each hop, as traceroute shows it: TTL-limited packets and the errors they bring back.

python -m tests.lab.hops ADDRESS [udp|tcp] [PORT]
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import sys

IP_RECVERR, IPV6_RECVERR = 11, 25  # linux/in.h, linux/in6.h; Python's socket has no names for them
FARTHEST, PATIENCE_S = 8, 0.5
TIME_EXCEEDED = {socket.AF_INET: 11, socket.AF_INET6: 3}


def hops(address: str, kind: str = "udp", port: int = 33434) -> list[str]:
    """The addresses of those who say that a packet's time was up, nearest first; "*" for silence."""
    seen = []
    for ttl in range(1, FARTHEST + 1):
        who, expired = _ask(address, kind, port, ttl)
        if not expired:
            break
        seen.append(who)
    return seen


def _ask(address: str, kind: str, port: int, ttl: int) -> tuple[str, bool]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
        else:
            sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        with contextlib.suppress(BlockingIOError):
            sock.connect((address, port))
        if kind == "udp":
            sock.send(b"\0")
        poll = select.poll()
        poll.register(sock, select.POLLERR | (select.POLLOUT if kind == "tcp" else 0))
        if not poll.poll(PATIENCE_S * 1000):
            return "*", True
        return _error(sock, family)


def _error(sock: socket.socket, family: socket.AddressFamily) -> tuple[str, bool]:
    """What the error queue says (ip(7), struct sock_extended_err): who, and whether time was up."""
    try:
        _, ancillary, _, _ = sock.recvmsg(512, 512, socket.MSG_ERRQUEUE)
    except OSError:
        return "", False  # connected, or refused by the far end
    for _, _, data in ancillary:
        _, _, kind, _ = struct.unpack_from("=IBBB", data)
        start, size = (20, 4) if family == socket.AF_INET else (24, 16)
        return socket.inet_ntop(family, data[start : start + size]), kind == TIME_EXCEEDED[family]
    return "", False


if __name__ == "__main__":
    target, *more = sys.argv[1:]
    way = more[0] if more else "udp"
    default = 443 if way == "tcp" else 33434  # where traceroute begins
    print("\n".join(hops(target, way, int(more[1]) if more[1:] else default)))
