"""How often one address or prefix may ask, and how many streams it may hold. PURE.

An address is remembered as a hash under a key that lives in memory alone, and only for as long as others
do not push it out of the table, or it holds a stream: nobody can be found by it, and no flood makes it grow.
"""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from ipaddress import ip_address, ip_network

MOST = 20_000  # addresses remembered; some 4 MB


class Limiter:
    """`per_minute` requests a minute from each address, as many at once; 0 for no limit. The bucket is filled
    evenly. A prefix's tag will do for an address."""

    def __init__(self, per_minute: int, key: bytes, most: int = MOST) -> None:
        self._per_minute, self._key, self._most = per_minute, key, most
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def wait_s(self, address: str, now: float) -> float:
        """0 where the request may be answered, which it then counts as; otherwise how long to wait, in
        seconds. `now` is Unix seconds."""
        if not self._per_minute:
            return 0.0
        who = _hashed(address, self._key)
        left, at = self._buckets.pop(who, (float(self._per_minute), now))
        left = min(self._per_minute, left + max(0.0, now - at) * self._per_minute / 60)
        allowed = left >= 1
        self._buckets[who] = (left - 1 if allowed else left), now
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - left) * 60 / self._per_minute


class Places:
    """So many places in all, and so many for each address (`each`; 0 for no limit)."""

    def __init__(self, most: int, each: int, key: bytes) -> None:
        self._most, self._each, self._key = most, each, key
        self._taken = Counter[bytes]()

    @property
    def taken(self) -> int:
        """How many are taken."""
        return self._taken.total()

    def take(self, address: str) -> bytes | None:
        """A place for an address, by which it is given back; None where there is none."""
        who = _hashed(address, self._key)
        if self.taken >= self._most or (self._each and self._taken[who] >= self._each):
            return None
        self._taken[who] += 1
        return who

    def give_back(self, who: bytes) -> None:
        """Forget the address with the last of its places."""
        self._taken[who] -= 1
        if not self._taken[who]:
            del self._taken[who]


def _hashed(address: str, key: bytes) -> bytes:
    return hashlib.blake2b(_line(address).encode(), key=key, digest_size=16).digest()


def _line(address: str) -> str:
    """Whose it is: a line with IPv6 has a whole /64 (RFC 6177) and could ask from anywhere in it."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    mapped = parsed.ipv4_mapped
    return str(mapped or ip_network((parsed, 64), strict=False))
