"""Facts about IP addresses that both sides need; pure."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

# An IPv6-only line reaches IPv4 through these. In the first (RFC 6052) the address meant is the last
# four bytes; where it lies in the second (RFC 8215) only the line's own translator knows.
_NAT64, _LOCAL_NAT64 = ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48")
# All of IPv6 that is given out to anybody (RFC 4291, section 2.4, and IANA's registry).
_GIVEN_OUT = ip_network("2000::/3")


def is_bogon(text: str) -> bool:
    """Whether no public service can live at this address (RFC 6890, multicast, or no address)."""
    try:
        address = ip_address(text)
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
