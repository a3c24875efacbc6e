"""Does the work that a collector asks of a new key, off the event loop and within bounds.

A collector may be hostile, and a Raspberry Pi is somebody's: it is asked for no more bits than `MOST_BITS`,
and does no more than `MOST_A_DAY` hashes, whoever asks and however often.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .wire.work import MOST_BITS, Wanted, Work, solved

CHUNK = 20_000  # some 20 ms of a desktop: so soon it stops when asked to
# Eight times what the most bits take in the mean: one key in three thousand needs more. Half a minute of a
# desktop, some five of a Raspberry Pi 3.
MOST_A_DAY = 8 << MOST_BITS
DAY_S = 86_400


class TooMuch(Exception):
    """What is asked for is not done; the message says why."""


class Worker:
    """One key's. Where it is cancelled, as at a route's deadline, the next call goes on from there. `wall` is
    Unix seconds."""

    def __init__(self, public_key: bytes, wall: Callable[[], float]) -> None:
        self._key, self._wall = public_key, wall
        self._day, self._left = -1, 0
        self._wanted: Wanted | None = None
        self._next = 0

    async def work(self, wanted: Wanted) -> Work:
        """What will do. Raises `TooMuch`."""
        if wanted.bits > MOST_BITS:
            raise TooMuch(f"asks for {wanted.bits} bits of work, and {MOST_BITS} are the most that is done")
        if wanted != self._wanted:
            self._wanted, self._next = wanted, 0
        while self._may_go_on():
            tried = range(self._next, self._next + CHUNK)
            found = await asyncio.to_thread(solved, wanted, self._key, tried)
            if found is not None:
                return found  # and found again at once, should another route ask
            self._next += CHUNK
        raise TooMuch("asks for more work than is done in a day")

    def _may_go_on(self) -> bool:
        day = int(self._wall() // DAY_S)
        if day != self._day:
            self._day, self._left = day, MOST_A_DAY
        self._left -= CHUNK
        return self._left >= 0
