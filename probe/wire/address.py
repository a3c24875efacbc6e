"""Facts about IP addresses that both sides need; pure."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

# RFC 6052: an IPv6-only line reaches IPv4 through these; they are genuine, not bogons.
_NAT64 = "64:ff9b:"


@lru_cache(maxsize=1024)  # judging one round asks some five times of each of its addresses
def is_bogon(text: str) -> bool:
    """Whether no public service can live at this address (RFC 6890, multicast, or no address)."""
    try:
        address = ip_address(text)
    except ValueError:
        return True
    if text.lower().startswith(_NAT64):
        return False
    return not address.is_global or address.is_multicast


def prefix_of(text: str) -> str:
    """The network one vote stands for: the /24 of an IPv4 address, the /48 of an IPv6 one."""
    address: IPv4Address | IPv6Address = ip_address(text)
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    kept = 24 if address.version == 4 else 48
    shift = address.max_prefixlen - kept
    return f"{type(address)(int(address) >> shift << shift)}/{kept}"
