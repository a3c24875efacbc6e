"""How often one address may ask: a bucket of so many requests, filled at so many a minute. PURE.

An address is remembered as a hash under a key that lives in memory alone, and only for as long as others
do not push it out of the table: nobody can be found by it, and no flood makes it grow.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from ipaddress import ip_address, ip_network

MOST = 20_000  # addresses remembered; some 4 MB


class Limiter:
    """`per_minute` requests a minute from each address, as many at once; 0 for no limit."""

    def __init__(self, per_minute: int, key: bytes, most: int = MOST) -> None:
        self._per_minute, self._key, self._most = per_minute, key, most
        self._buckets: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def wait_s(self, address: str, now: float) -> float:
        """0 where the request may be answered, which it then counts as; otherwise how long to wait, in
        seconds. `now` is Unix seconds."""
        if not self._per_minute:
            return 0.0
        who = hashlib.blake2b(_line(address).encode(), key=self._key, digest_size=16).digest()
        left, at = self._buckets.pop(who, (float(self._per_minute), now))
        left = min(self._per_minute, left + max(0.0, now - at) * self._per_minute / 60)
        allowed = left >= 1
        self._buckets[who] = (left - 1 if allowed else left), now
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - left) * 60 / self._per_minute


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
