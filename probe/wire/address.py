"""Facts about addresses and names that both sides need; pure."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

# An IPv6-only line reaches IPv4 through these. In the first (RFC 6052) the address meant is the last
# four bytes; where it lies in the second (RFC 8215) only the line's own translator knows.
_NAT64, _LOCAL_NAT64 = ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48")
# All of IPv6 that is given out to anybody (RFC 4291, section 2.4, and IANA's registry).
_GIVEN_OUT = ip_network("2000::/3")

# A label of a host's name (RFC 1035, 2.3.1), underscores included, because some platforms use them.
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")


def is_name(text: str) -> bool:
    """Whether it can be looked up, shown in a handshake and written in a request as it stands: other
    alphabets have their own form for that (RFC 5891)."""
    return len(text) <= 253 and all(_LABEL.fullmatch(label) for label in text.split("."))


def is_address(text: str) -> bool:
    """Whether it is an IPv4 or IPv6 address as people write them."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1024)
def read_address(text: str) -> IPv4Address | IPv6Address:
    """The address a record spells; raises `ValueError`. Remembered, because the same few are read over
    and over, from answers and connections and in what is judged by them."""
    return ip_address(text)


@lru_cache(maxsize=1024)
def is_bogon(text: str) -> bool:
    """Whether no public service can live at this address (RFC 6890, multicast, or no address)."""
    try:
        address = read_address(text)
    except ValueError:
        return True
    if address in _LOCAL_NAT64:
        return False
    if isinstance(address, IPv6Address):
        translated = IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
        inside = translated or address.ipv4_mapped or address.sixtofour
        if inside is None:
            return address not in _GIVEN_OUT or not address.is_global
        address = inside
    return not address.is_global or address.is_multicast


def prefix_of(text: str) -> str:
    """The network one vote stands for: the /24 of an IPv4 address, the /48 of an IPv6 one."""
    address: IPv4Address | IPv6Address = ip_address(text)
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    kept = 24 if address.version == 4 else 48
    shift = address.max_prefixlen - kept
    return f"{type(address)(int(address) >> shift << shift)}/{kept}"
