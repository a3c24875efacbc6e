"""Which network this machine is on, so that a laptop has another name on each.

A network is told by its IPv4 default gateway's hardware address, as Linux writes it under /proc/net. It is
hashed, kept in memory, and never sent. What cannot tell networks apart has the one name `NAMELESS`:
point-to-point lines (PPP, mobile modems, tunnels), IPv6 alone, other systems than Linux, and gateways with
a locally administered address (IEEE 802, 8.4): containers, virtual machines and phones make up a new one at
each start, and a key made anew each time never earns a vote.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

NAMELESS = ""

_RTF_UP, _RTF_GATEWAY = 0x1, 0x2  # linux/route.h
_ATF_COM = 0x2  # linux/if_arp.h: the address is known
_IFF_NOARP = 0x80  # linux/if.h
_LOCALLY_ADMINISTERED = 0x02
_DEFAULT = "00000000"


@dataclass(frozen=True, slots=True)
class Route:
    """The IPv4 default route: its interface, and its gateway, None where the line is point to point."""

    interface: str
    gateway: str | None


def default_route(table: str) -> Route | None:
    """The one with the least metric in the text of /proc/net/route, None where there is none. Lines that
    are no routes are passed over."""
    found = []
    for line in table.splitlines()[1:]:
        try:
            interface, destination, gateway, flags, _, _, metric, mask, *_ = line.split()
            bits, order = int(flags, 16), int(metric)
            address = str(IPv4Address(bytes.fromhex(gateway)[::-1]))  # little-endian, whoever reads
        except ValueError:
            continue
        if destination == mask == _DEFAULT and bits & _RTF_UP:
            found.append((order, interface, address if bits & _RTF_GATEWAY else None))
    if not found:
        return None
    _, interface, gateway_address = min(found, key=lambda one: one[0])
    return Route(interface, gateway_address)


def hardware_address(table: str, route: Route) -> bytes | None:
    """The gateway's, in the text of /proc/net/arp; None where it is not known now."""
    for line in table.splitlines()[1:]:
        words = line.split()
        if len(words) == 6 and words[0] == route.gateway and words[5] == route.interface:
            try:
                address = bytes.fromhex(words[3].replace(":", ""))
                known = int(words[2], 16) & _ATF_COM
            except ValueError:
                continue
            if known and any(address):
                return address
    return None


def place_of(route: Route | None, has_no_arp: bool, arp: str) -> str | None:
    """The network in 64 hex digits, `NAMELESS`, or None: the gateway has not been heard of yet."""
    if route is None or route.gateway is None or has_no_arp:
        return NAMELESS
    address = hardware_address(arp, route)
    if address is None:
        return None
    if address[0] & _LOCALLY_ADMINISTERED:
        return NAMELESS
    return hashlib.sha256(b"reachwatch network" + address).hexdigest()


def stayed(before: str | None, after: str | None) -> str | None:
    """Where something was measured, None where that was two networks or cannot be told. A gateway need
    not have been heard of before the first packet."""
    if before is None or after is None or before == after:
        return after if before is None else before
    return None


def interface(proc: Path = Path("/proc/net")) -> str | None:
    """The interface that the IPv4 default route goes by, None where there is none."""
    route = default_route(_text(proc / "route"))
    return route.interface if route else None


def here(proc: Path = Path("/proc/net"), sys: Path = Path("/sys/class/net")) -> str | None:
    """Where this machine is now, as `place_of` says it."""
    route = default_route(_text(proc / "route"))
    flags = _text(sys / route.interface / "flags") if route else ""
    return place_of(route, bool(_number(flags) & _IFF_NOARP), _text(proc / "arp"))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _number(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        return 0
