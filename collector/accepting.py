"""Who may be connected: so many at a time of one prefix, and so many in all.

Counted where a connection is accepted, before TLS or a head costs anything, and until its socket is closed:
who opens many and sends slowly, or nothing, holds his own prefix's places and no more. What is turned away
costs an ``accept`` and a ``close``.
"""

from __future__ import annotations

import resource
import socket
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from functools import partial
from ipaddress import ip_address
from typing import Any

from probe.wire.address import prefix_of

from .forwarded import Proxies

# A thousand agents behind one carrier's prefix hold some forty at a time; the rest is for its readers.
MOST_OF_A_PREFIX = 512
MOST_FILES = 16_384
# Of them for the store, evidence, the processes beside this one, webhooks, orders and Prometheus.
KEPT_FILES = 256


class Crowd(StrEnum):
    """What there is too much of."""

    PREFIX = "prefix"
    ALL = "all"


class Crowds:
    """Counts connections by prefix, those of the operator's proxies in all alone: they bring everybody's."""

    def __init__(
        self, most: int, proxies: Proxies, turned_away: Callable[[Crowd], None], each: int = MOST_OF_A_PREFIX
    ) -> None:
        self._most, self._each = most, each
        self._proxies, self._turned_away = proxies, turned_away
        self._inside, self._all = Counter[str](), 0

    def enter(self, address: str) -> str | None:
        """What is given back when the connection ends; None where there is no room for it."""
        who = "" if self._proxies.trust(ip_address(address)) else prefix_of(address)
        crowd = None
        if self._all >= self._most:
            crowd = Crowd.ALL
        elif who and self._inside[who] >= self._each:
            crowd = Crowd.PREFIX
        if crowd is not None:
            self._turned_away(crowd)
            return None
        self._inside[who] += 1
        self._all += 1
        return who

    def leave(self, who: str) -> None:
        """One of them has ended."""
        self._inside[who] -= 1
        self._all -= 1
        if not self._inside[who]:
            del self._inside[who]


class Entrance(socket.socket):
    """A listening socket that accepts who may enter. Raises `OSError` where it cannot be bound."""

    def __init__(self, family: int, address: tuple[Any, ...], crowds: Crowds) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        self._crowds = crowds
        try:
            self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:  # IPv4 has a socket of its own
                self.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self.bind(address)
        except OSError:
            self.close()
            raise

    def accept(self) -> tuple[socket.socket, Any]:
        """As a socket does. Raises `ConnectionAbortedError` for who may not enter: event loops go on then, as
        they do where a client hung up before it was accepted."""
        connection, address = super().accept()
        who = self._crowds.enter(address[0])
        if who is None:
            connection.close()
            raise ConnectionAbortedError
        return _Visit(connection, partial(self._crowds.leave, who)), address


class _Visit(socket.socket):
    """A connection that says when it is closed."""

    def __init__(self, connection: socket.socket, leave: Callable[[], None]) -> None:
        super().__init__(connection.family, connection.type, connection.proto, fileno=connection.detach())
        self._leave: Callable[[], None] | None = leave

    def close(self) -> None:
        super().close()
        if self._leave is not None:
            self._leave()
            self._leave = None


def most_connections() -> int:
    """How many this process may hold in all; its limit of open files is raised first, as far as it may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return max(files // 2, files - KEPT_FILES)
