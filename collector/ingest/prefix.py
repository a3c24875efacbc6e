"""The tag a source prefix votes under: the same prefix, the same tag, and no way back.

One vote per prefix needs to know that two batches came from one /24, not which /24 it was. The
tag is an HMAC under a key that lives in memory alone and is replaced every day, so that neither
the store nor a back-up of it can ever be searched for an address. Replacing it (and restarting)
costs a prefix a second tag for one window of minutes, in which its vote counts twice.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable

from probe.wire.address import prefix_of

DAY_S = 86_400


class Tagger:
    """Tags addresses' prefixes. `clock` is Unix seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._day = -1
        self._key = b""

    def tag(self, address: str) -> str:
        """16 hex digits for the prefix of `address`, good until midnight UTC."""
        day = int(self._clock() // DAY_S)
        if day != self._day:
            self._day, self._key = day, secrets.token_bytes(32)
        return hmac.digest(self._key, prefix_of(address).encode(), "sha256").hex()[:16]
