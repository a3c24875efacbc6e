"""Connections to the trusted resolver that stay open for the next question of the same round.

A handshake for every name would cost more, in time and in bytes, than all else that is asked of it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict

from .net import Stream
from .turnstile import Turnstile

# So many questions at once, each on a connection of its own; the others wait for one to be free, and for so
# long, in seconds, where the resolver is silent: it must not be waited for one question after the other.
PLACES, HELD_S = 4, 0.25


class Kept:
    """Idle connections by the address they lead to, and the places of those in use."""

    def __init__(self) -> None:
        self.places = Turnstile(asyncio.Semaphore(PLACES), HELD_S)
        self._idle: defaultdict[str, list[Stream]] = defaultdict(list)

    def take(self, address: str) -> Stream | None:
        """One that was left open, if there is one; its other side may have closed it since."""
        idle = self._idle[address]
        return idle.pop() if idle else None

    def leave(self, address: str, stream: Stream) -> None:
        """Leave one open for the next."""
        self._idle[address].append(stream)

    def close(self) -> None:
        """Close them all: the round is over."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()
