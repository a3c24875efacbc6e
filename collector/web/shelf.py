"""What was made once is given to everybody who asks, until there is something newer.

Anybody may ask for any page as often as they like, so that asking must cost next to nothing: a page is made
once for what it shows, one page at a time, in a thread. Receipts come first.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


class Shelf(Generic[T]):
    """At most `most` things, each under a name and made of one `source`, which is compared by identity."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[str, tuple[object, T]] = {}
        self._making = asyncio.Lock()

    async def get(self, name: str, source: object, make: Callable[[], Awaitable[T]]) -> T:
        """What is held under the name, made anew where it was made of something else."""
        held = self._held.get(name)
        if held is not None and held[0] is source:
            return held[1]
        async with self._making:
            held = self._held.get(name)  # whoever waited may find it made
            if held is not None and held[0] is source:
                return held[1]
            made = await make()
            self._held.pop(name, None)
            self._held[name] = source, made
            while len(self._held) > self._most:
                del self._held[next(iter(self._held))]
            return made


@dataclass(frozen=True, slots=True)
class Leaf:
    """Bytes as they are sent, with and without compression. `etag` stands for either."""

    body: bytes
    packed: bytes
    etag: str

    @classmethod
    def of(cls, text: str) -> Leaf:
        """From text."""
        body = text.encode()
        etag = f'W/"{hashlib.sha256(body).hexdigest()[:20]}"'
        return cls(body, gzip.compress(body, 5, mtime=0), etag)
