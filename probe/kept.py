"""Connections to the trusted resolver that stay open for the next question of the same round.

A handshake for every name would cost more, in time and in bytes, than all else that is asked of it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict

from .net import Stream

# So many questions at once, each on a connection of its own; the others wait for one to be free.
PLACES = 4


class Kept:
    """Idle connections by the address they lead to, and the places of those in use."""

    def __init__(self) -> None:
        self.places = asyncio.Semaphore(PLACES)
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
