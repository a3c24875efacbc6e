"""The lab's cables, addresses and routes; who can reach whom when nobody interferes.

Each cable has an address at both ends in both families, so that every hop can be seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

from . import world
from .actions import TO_BOX, TO_SLOW, place_of
from .namespace import Namespace, link
from .world import FAMILIES, ISPS, Isp

Places = Mapping[str, Namespace]

PLACES = ("home", "router", "isp-a", "isp-b", "domestic", "transit", "internet", "abroad", "collector")
ROUTERS = ("router", "isp-a", "isp-b", "domestic", "transit", "internet")
CHAINS = {
    "marks": "filter hook prerouting priority -150",
    "turns": "nat hook prerouting priority -100",
    "passes": "filter hook forward priority 0",
    "enters": "filter hook input priority 0",
    "leaves": "filter hook output priority 0",
}
BOX = "tun0"
BOX_TABLE, SLOW_TABLE = 100, 102

# The near end of each cable beyond the providers; the far end has the next address.
_UP = {"a": ("110.93.254.1", "2401:ba80:0:a::1"), "b": ("110.93.254.5", "2401:ba80:0:b::1")}
_SLOW = {"a": ("110.93.254.9", "2401:ba80:5:a::1"), "b": ("110.93.254.13", "2401:ba80:5:b::1")}
_EXCHANGE = {"a": ("185.1.200.1", "2001:7f8:f0:a::1"), "b": ("185.1.200.5", "2001:7f8:f0:b::1")}
_SEA = ("62.115.10.1", "2001:2034:0:1::1")


def wire(places: Places) -> None:
    """Everything from the home's cable to the far end of the world, no provider dialled yet."""
    for name in PLACES:
        places[name].create()
    for name in ROUTERS:
        places[name].forward()
    link(places["home"], "eth0", places["router"], "lan")
    places["home"].ip(_add(f"{world.HOME}/24", "eth0"), f"route add default via {world.ROUTER}")
    places["router"].ip(
        _add(f"{world.ROUTER}/24", "lan"),
        *(_add(f"{isp.lan6}1/64", "lan") for isp in ISPS.values()),
    )
    for isp in ISPS.values():
        _wire_isp(places, isp)
    _wire_abroad(places)
    for name, place in places.items():
        place.nft(_tables(name))


def dial(places: Places, isp: Isp) -> None:
    """Let the router reach the world by this provider, and give the home its prefix."""
    v4, v6 = isp.line
    places["router"].ip(f"route replace default via {v4}", f"-6 route replace default via {v6}")
    places["home"].ip(
        "-6 address flush dev eth0 scope global",
        f"-6 {_add(f'{isp.lan6}10/64', 'eth0')}",
        f"-6 route replace default via {isp.lan6}1",
    )


def _wire_isp(places: Places, isp: Isp) -> None:
    here, transit, name = places[place_of(isp)], places["transit"], isp.name
    _cable(here, "line", places["router"], f"wan-{name}", isp.line)
    _cable(transit, name, here, "up", _UP[name])
    _cable(transit, f"slow-{name}", here, "slow", _SLOW[name])
    _cable(here, "ix", places["domestic"], name, _EXCHANGE[name])
    here.ip(f"tuntap add dev {BOX} mode tun", f"link set {BOX} up")
    # Forged answers of the provider's own resolver come out of the box with an address of this host.
    here.run("sysctl", "-qw", f"net.ipv4.conf.{BOX}.accept_local=1")
    caches = [
        world.cache_address(isp, host, family)
        for platform in world.PLATFORMS.values()
        for host in platform.hosts
        for family in FAMILIES
    ]
    here.ip(*(_add(address, "lo") for address in (*isp.resolver, *isp.block_page, *caches)))
    _route_from(here, isp)
    _route_to(places, isp)


def _route_from(here: Namespace, isp: Isp) -> None:
    """From the provider: by its marks, to its customer, to the exchange, and all else abroad."""
    name = isp.name
    domestic = [
        f"{base}/{_width(base, 24, 48)}" for owner in world.DOMESTIC for base in owner.bases
    ]  # fmt: skip
    here.ip(
        *(f"route add {network} via {_of(_far(_EXCHANGE[name]), network)}" for network in domestic),
        f"route add {isp.lan6}/64 via {_after(isp.line[1])}",
        *(f"route add blackhole {network}" for network in isp.networks),
        *(f"route add default via {end}" for end in _UP[name]),
        *(f"route add default via {end} table {SLOW_TABLE}" for end in _SLOW[name]),
        *(f"{family}route add default dev {BOX} table {BOX_TABLE}" for family in ("", "-6 ")),
        *_rules(TO_BOX, BOX_TABLE),
        *_rules(TO_SLOW, SLOW_TABLE),
        # The box sees what is for the provider's own servers too, so marks come before addresses.
        *(f"{family}rule add pref 100 lookup local" for family in ("", "-6 ")),
        *(f"{family}rule del pref 0" for family in ("", "-6 ")),
    )


def _route_to(places: Places, isp: Isp) -> None:
    """To the provider: from the exchange, from transit, and from there by the slow way if marked."""
    for place, ends in ((places["domestic"], _EXCHANGE[isp.name]), (places["transit"], _far(_UP[isp.name]))):
        place.ip(*(f"route add {network} via {_of(ends, network)}" for network in isp.networks))
    mark = 1 + list(ISPS).index(isp.name)
    table = SLOW_TABLE + mark
    slow = (f"route add default via {end} table {table}" for end in _far(_SLOW[isp.name]))
    places["transit"].ip(*slow, *_rules(mark, table))


def _rules(mark: int, table: int) -> list[str]:
    """A marked packet follows its table even where its address is this host's own."""
    return [f"{family}rule add pref {10 + mark} fwmark {mark} lookup {table}" for family in ("", "-6 ")]


def _wire_abroad(places: Places) -> None:
    internet, transit = places["internet"], places["transit"]
    _cable(transit, "net", internet, "transit", _SEA)
    for name, far in (("abroad", world.ABROAD), ("collector", (world.COLLECTOR,))):
        near = tuple(_after(address, -1) for address in far)
        at, device = (transit, "abroad") if name == "abroad" else (internet, "col")
        _cable(at, device, places[name], "eth0", near)
        places[name].ip(*(f"route add default via {address}" for address in near))
    places["collector"].ip(_add(world.COLLECTOR_ELSEWHERE, "lo"))
    transit.ip(*(f"route add default via {end}" for end in _far(_SEA)))
    # What nobody has dies here without a word.
    internet.ip(
        *(f"route add {network} via {_of(_SEA, network)}" for network in _country()),
        *(f"route add {address} via {_of(_SEA, address)}" for address in world.ABROAD),
        f"route add {world.COLLECTOR_ELSEWHERE} via {world.COLLECTOR}",
        "route add blackhole default",
        "-6 route add blackhole default",
        *(_add(address, "lo") for address in _foreign_addresses()),
    )
    places["domestic"].ip(
        "route add blackhole default",
        "-6 route add blackhole default",
        _add(world.DOMESTIC_AUTHORITY, "lo"),
        *(_add(address, "lo") for owner in world.DOMESTIC for address in world.all_addresses(owner)),
    )


def _country() -> list[str]:
    links = [f"{_after(near, -1)}/30" for near, _ in (*_UP.values(), *_SLOW.values())]
    return [*(network for isp in ISPS.values() for network in isp.networks), *links]


def _foreign_addresses() -> list[str]:
    owners = (*world.OWNERS, world.X_ON_CLOUDFLARE)
    sites = [address for owner in owners for address in world.all_addresses(owner)]
    beside = [address for platform in world.PLATFORMS.values() for address in platform.neighbour[1]]
    return [*sites, *beside, *world.AUTHORITY, world.LAME, *world.PUBLIC_RESOLVERS]


def _tables(name: str) -> str:
    """The five chains that orders are written into, and what always holds."""
    chains = "".join(f" chain {chain} {{ type {hook}; }}\n" for chain, hook in CHAINS.items())
    return (
        f"table inet lab {{\n{chains}{_ALWAYS.get(name, '')}{_start_ttl() if name == 'internet' else ''}}}\n"
    )


_ALWAYS = {
    "router": (
        " chain nat { type nat hook postrouting priority 100;\n"
        f'  oifname {{ "wan-a", "wan-b" }} ip saddr {world.HOME}/24 masquerade; }}\n'
    ),
    # A flow that was sent the slow way stays there, in both directions.
    **dict.fromkeys(
        ("isp-a", "isp-b"),
        " chain keep { type filter hook prerouting priority -140;\n"
        f'  iifname "line" ct mark {TO_SLOW} meta mark set {TO_SLOW}; }}\n',
    ),
    "transit": (
        " chain keep { type filter hook prerouting priority -140;\n"
        '  iifname "slow-a" ct mark set 1; iifname "slow-b" ct mark set 2;\n'
        '  iifname { "net", "abroad" } meta mark set ct mark; }\n'
    ),
}


def _start_ttl() -> str:
    """Servers whose packets do not start with 64."""
    lines = []
    for owner in world.OWNERS:
        if owner.ttl != 64:
            for word, field, version in (("ip", "ttl", 4), ("ip6", "hoplimit", 6)):
                there = [a for a in world.all_addresses(owner) if ip_address(a).version == version]
                lines.append(f"  {word} saddr {{ {', '.join(there)} }} {word} {field} set {owner.ttl};\n")
    return " chain ttl { type filter hook output priority -150;\n" + "".join(lines) + " }\n"


def _cable(one: Namespace, name: str, two: Namespace, name2: str, near: tuple[str, ...]) -> None:
    """A cable with addresses: `near` at one's end, those after them at two's."""
    link(one, name, two, name2)
    one.ip(*(_add(f"{address}/{_width(address, 30, 64)}", name) for address in near))
    two.ip(*(_add(f"{_after(address)}/{_width(address, 30, 64)}", name2) for address in near))


def _add(address: str, device: str) -> str:
    bare, _, width = address.partition("/")
    return f"address add {bare}/{width or _width(bare, 32, 128)} dev {device}" + (
        " nodad" if ":" in bare else ""
    )


def _width(address: str, v4: int, v6: int) -> int:
    return v6 if ":" in address else v4


def _far(pair: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_after(end) for end in pair)


def _of(pair: tuple[str, ...], network: str) -> str:
    return world.of_family(pair, 6 if ":" in network else 4)


def _after(address: str, steps: int = 1) -> str:
    return str(ip_address(address) + steps)
