"""So many at once, and the others wait: for a place to be left, and never for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

# A place at the turnstile is free again after this, in seconds, even if its holder still waits:
# who waits for a timeout disturbs nobody's handshake.
HELD_S = 1.0


@dataclass(frozen=True, slots=True)
class Turnstile:
    """So many at once: all of them together would distort the handshake times."""

    places: asyncio.Semaphore
    held_s: float = HELD_S

    @asynccontextmanager
    async def through(self) -> AsyncIterator[None]:
        """Wait for a place and hold it, for a time."""
        await self.places.acquire()
        given_up = asyncio.Event()

        def give_up() -> None:
            if not given_up.is_set():
                given_up.set()
                self.places.release()

        timer = asyncio.get_running_loop().call_later(self.held_s, give_up)
        try:
            yield
        finally:
            timer.cancel()
            give_up()
