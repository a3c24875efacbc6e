"""Who floods waits for himself: one prefix's requests are worked on so many at a time.

Without it the clients with most connections get most of the collector, and a flood from one home's line
makes a country's rounds late. What is turned away costs no reading and is told to come back; agents keep it
in their spools.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

# Far over what honest ones have in hand: a thousand agents behind one carrier's prefix send some 20
# requests a second, of which each takes a tenth of one, and on a line held to 100 kbit/s two seconds.
MOST_INSIDE = 64


@dataclass
class Turnstile:
    """Counts requests in hand by prefix tag."""

    most: int = MOST_INSIDE
    _inside: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def entered(self, prefix: str) -> Iterator[bool]:
        """Whether one more of this prefix may be worked on, until the block ends."""
        if self._inside[prefix] >= self.most:
            yield False
            return
        self._inside[prefix] += 1
        try:
            yield True
        finally:
            self._inside[prefix] -= 1
            if not self._inside[prefix]:
                del self._inside[prefix]
