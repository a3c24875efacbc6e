"""Whose request it is, where the operator's own proxy passes it on. PURE.

By ``X-Forwarded-For``, and not by ``Forwarded`` (RFC 7239): nginx, HAProxy, Caddy, Envoy and the clouds' load
balancers write the first, and hardly one the second. Anybody can send either, so it is believed of a trusted
proxy alone, and from the right, where that proxy has written; what stands further left is the client's word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

HEADER = "X-Forwarded-For"


class Unreadable(ValueError):
    """A trusted proxy wrote what is no address. To take the proxy for the home instead would make all homes
    behind it one, with one vote; so such a request is refused, and its agent comes again."""


@dataclass(frozen=True, slots=True)
class Proxies:
    """The networks whose word is taken."""

    trusted: tuple[IPv4Network | IPv6Network, ...] = ()

    def source(self, peer: str, forwarded: Sequence[str]) -> str:
        """Where a request came from that `peer` brought, with these lines of the header: the right-most
        address that is not trusted, or the left-most where all are. Raises `Unreadable`."""
        address = _plain(ip_address(peer))
        hops = _from_the_right(forwarded)
        while self.trust(address) and (hop := next(hops, None)) is not None:
            try:
                address = _plain(ip_address(hop))
            except ValueError:
                raise Unreadable(f"{HEADER}: not an address") from None
        return str(address)

    def trust(self, address: IPv4Address | IPv6Address) -> bool:
        """Whether it is one of theirs."""
        return any(address in network for network in self.trusted)


def _from_the_right(lines: Sequence[str]) -> Iterator[str]:
    """The elements of a list in a header, of several lines too; empty ones are none (RFC 9110, 5.6.1.2)."""
    for line in reversed(lines):
        for element in reversed(line.split(",")):
            if hop := element.strip():
                yield hop


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """On a socket for both families IPv4 comes in IPv6's form."""
    return (address.ipv4_mapped if address.version == 6 else None) or address
