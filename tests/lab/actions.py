"""From effects to orders: what has to be said to which program so that an effect takes place.

Pure: nothing is touched here. `network` carries the orders out. A place is a namespace of the lab,
a chain one of the five that every place has: ``marks`` before routing, ``turns`` to new
destinations, ``passes`` for what is forwarded, ``enters`` and ``leaves`` for the place's own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any

from . import effects, world
from .effects import Answer, Effect, Refusal, Slowed, Way
from .servers import PAGE, Port
from .world import FAMILIES, Isp, Platform, Zone, of_family

# Packet marks inside a provider: through the box, or over the slow way.
TO_BOX, TO_SLOW = 1, 2

_LYING_ZONES = {
    Answer.NXDOMAIN: "always_nxdomain",
    Answer.NODATA: "always_nodata",
    Answer.REFUSED: "always_refuse",
    Answer.TIMEOUT: "always_deny",
}
_FIXED = {
    Answer.BOGON: ("10.10.34.35",),
    Answer.LOOPBACK: ("127.0.0.1", "::1"),
    Answer.ZERO: ("0.0.0.0", "::"),
}
# Whose address is given for whose name.
OTHER_PLATFORM = {"x": "youtube", "facebook": "x", "instagram": "youtube", "youtube": "facebook"}


@dataclass(frozen=True, slots=True)
class Target:
    """Whom an effect touches, and in which world."""

    zone: Zone
    platforms: tuple[Platform, ...]
    isps: tuple[Isp, ...]

    def hosts(self, roles: Sequence[str] = ()) -> list[str]:
        return [host for platform in self.platforms for host in platform.hosts_of(roles)]

    def addresses(self, roles: Sequence[str] = (), families: Sequence[int] = FAMILIES) -> list[str]:
        """Every genuine address of the touched names."""
        return [a for host in self.hosts(roles) for f in families for a in self.zone.every(host, f)]


def _lists() -> defaultdict[Any, list[Any]]:
    return defaultdict(list)


@dataclass(frozen=True, slots=True)
class Orders:
    """All that differs from a clean world, by the program that must be told."""

    rules: dict[tuple[str, str], list[str]] = field(default_factory=_lists)  # nftables: (place, chain)
    strings: dict[tuple[str, str], list[str]] = field(default_factory=_lists)  # iptables: (place, table)
    zones: dict[str, list[str]] = field(default_factory=_lists)  # unbound: isp, "name type"
    data: dict[str, list[str]] = field(default_factory=_lists)  # unbound: isp, a record
    lame: dict[str, list[str]] = field(default_factory=_lists)  # unbound: isp, a domain
    box: dict[str, list[dict[str, object]]] = field(default_factory=_lists)  # isp, a rule of the box
    rates: dict[tuple[str, str], int] = field(default_factory=dict)  # tc: (place, device), kbit/s
    filtered: list[str] = field(default_factory=list)  # dnsmasq: lines as in /etc/hosts
    gone: dict[str, bool] = field(default_factory=dict)  # the authority: a name, and whether it is left empty
    clock: list[str] = field(default_factory=list)  # faketime: offsets

    def rule(self, place: str, chain: str, text: str) -> None:
        """Add a rule once; the chains are read from the top."""
        there = self.rules[place, chain]
        if text not in there:
            there.append(text)


def place_of(isp: Isp) -> str:
    return f"isp-{isp.name}"


def toward(addresses: Iterable[str]) -> Iterator[str]:
    """nftables' words for "to one of these", a line for each family."""
    found = sorted(set(addresses))
    for word, family in (("ip", 4), ("ip6", 6)):
        there = [address for address in found if (":" in address) == (family == 6)]
        if there:
            yield f"{word} daddr {{ {', '.join(there)} }}"


def orders_for(chosen: Iterable[Effect], target: Target) -> Orders:
    """All effects together."""
    orders = Orders()
    for effect in chosen:
        _order(effect, orders, target)
    return orders


@singledispatch
def _order(effect: object, orders: Orders, target: Target) -> None:
    raise NotImplementedError(effect)


# The resolver.


@_order.register
def _(effect: effects.Lie, orders: Orders, target: Target) -> None:
    for isp in target.isps:
        for platform in target.platforms:
            if effect.answer is Answer.CACHE:
                _lie_by_host(orders, isp, platform)
            else:
                _lie_by_domain(orders, isp, platform, effect.answer, target.zone)


def _lie_by_host(orders: Orders, isp: Isp, platform: Platform) -> None:
    for host in platform.hosts:
        found = [world.cache_address(isp, host, family) for family in FAMILIES]
        _redirect(orders, isp, host, found)


def _lie_by_domain(orders: Orders, isp: Isp, platform: Platform, answer: Answer, zone: Zone) -> None:
    for domain in platform.domains:
        if answer is Answer.SERVFAIL:
            orders.lame[isp.name].append(domain)
        elif answer in _LYING_ZONES:
            orders.zones[isp.name].append(f"{domain} {_LYING_ZONES[answer]}")
        else:
            _redirect(orders, isp, domain, lie_addresses(answer, platform, isp, zone))


def lie_addresses(answer: Answer, platform: Platform, isp: Isp, zone: Zone) -> Sequence[str]:
    """The addresses a lie consists of; none where it is not of addresses."""
    if answer is Answer.BLOCK_PAGE:
        return isp.block_page
    if answer is Answer.RESOLVER:
        return isp.resolver
    if answer is Answer.NEIGHBOUR:
        return platform.neighbour[1]
    if answer is Answer.DEAD_NEIGHBOUR:
        return platform.dead
    if answer is Answer.OTHER_PLATFORM:
        other = world.PLATFORMS[OTHER_PLATFORM[platform.name]]
        return [zone.country[other.hosts[0]][family][0] for family in FAMILIES]
    return _FIXED.get(answer, ())


def _redirect(orders: Orders, isp: Isp, name: str, addresses: Iterable[str]) -> None:
    orders.zones[isp.name].append(f"{name} redirect")
    for address in addresses:
        kind = "AAAA" if ":" in address else "A"
        orders.data[isp.name].append(f"{name} 60 IN {kind} {address}")


@_order.register
def _(_effect: effects.DnsProxy, orders: Orders, target: Target) -> None:
    for isp in target.isps:
        for word, family in (("ip", 4), ("ip6", 6)):
            to = f"dnat {word} to {of_family(isp.resolver, family)}"
            version = f'iifname "line" meta nfproto ipv{family}'
            orders.rule(place_of(isp), "turns", f"{version} meta l4proto {{ tcp, udp }} th dport 53 {to}")


@_order.register
def _(effect: effects.DnsInjection, orders: Orders, target: Target) -> None:
    _through_box(orders, target, 'iifname "line" udp dport 53')
    forge = {"kind": "forge", "v4": effect.v4, "v6": effect.v6}
    _tell_box(orders, target, {"trigger": "dns", "names": target.hosts(), "action": forge})


# Addresses and ways.


@_order.register
def _(effect: effects.Cut, orders: Orders, target: Target) -> None:
    for isp in target.isps:
        for place, chain, text in _CUTS[effect.way](isp):
            orders.rule(place, chain, text)


Rules = Iterator[tuple[str, str, str]]


def _cut_abroad(isp: Isp) -> Rules:
    yield from _cut_device(place_of(isp), "up")


def _cut_line(isp: Isp) -> Rules:
    yield from _cut_device("router", f"wan-{isp.name}")


def _cut_device(place: str, device: str) -> Rules:
    yield place, "passes", f'oifname "{device}" drop'
    yield place, "passes", f'iifname "{device}" drop'
    yield place, "leaves", f'oifname "{device}" drop'
    yield place, "enters", f'iifname "{device}" meta l4proto {{ tcp, udp }} drop'


def _cut_resolver(isp: Isp) -> Rules:
    yield place_of(isp), "enters", 'iifname "line" meta l4proto { tcp, udp } th dport 53 drop'


def _cut_doh(isp: Isp) -> Rules:
    for where in toward(world.DOH):
        yield place_of(isp), "passes", f"{where} drop"


def _cut_collector(isp: Isp) -> Rules:
    yield place_of(isp), "passes", f"ip daddr {world.COLLECTOR} drop"


def _cut_ipv6(isp: Isp) -> Rules:
    yield "router", "passes", f'iifname "wan-{isp.name}" meta nfproto ipv6 drop'


_CUTS: dict[Way, Callable[[Isp], Rules]] = {
    Way.ABROAD: _cut_abroad,
    Way.LINE: _cut_line,
    Way.RESOLVER: _cut_resolver,
    Way.DOH: _cut_doh,
    Way.COLLECTOR: _cut_collector,
    Way.IPV6: _cut_ipv6,
}


@_order.register
def _(effect: effects.BlockAddresses, orders: Orders, target: Target) -> None:
    for isp in target.isps:
        for where in toward(target.addresses(effect.roles, effect.families)):
            _refuse(orders, place_of(isp), "passes", where, effect.how)


@_order.register
def _(effect: effects.BlockHosts, orders: Orders, target: Target) -> None:
    addresses = [a for host in effect.hosts for family in FAMILIES for a in target.zone.every(host, family)]
    for isp in target.isps:
        for where in toward(addresses):
            _refuse(orders, place_of(isp), "passes", where, Refusal.DROP)


def _refuse(orders: Orders, place: str, chain: str, where: str, how: Refusal) -> None:
    """A reset can answer TCP alone."""
    tcp = " meta l4proto tcp" if how is Refusal.RESET else ""
    orders.rule(place, chain, f"{where}{tcp} {how}")


# What a provider does to names in TLS and HTTP.


@_order.register
def _(effect: effects.SniDrop, orders: Orders, target: Target) -> None:
    _through_box_both_ways(orders, target, 443)
    action = {"kind": "drop", "residual_s": effect.residual_s}
    _tell_box(orders, target, _sni_rule(effect, target, action))


@_order.register
def _(effect: effects.SniReset, orders: Orders, target: Target) -> None:
    _through_box_both_ways(orders, target, 443)
    _tell_box(orders, target, {**_sni_rule(effect, target, _reset(effect)), "flap_s": effect.flap_s})


def _reset(effect: effects.SniReset) -> dict[str, object]:
    names = ("copies", "ttl", "ipid", "window", "late_s", "after_bytes", "closes")
    return {"kind": "reset", **{name: getattr(effect, name) for name in names}}


def _sni_rule(
    effect: effects.SniDrop | effects.SniReset, target: Target, action: dict[str, object]
) -> dict[str, object]:
    names = target.hosts(effect.roles)
    return {"trigger": "sni", "names": names, "families": list(effect.families), "action": action}


@_order.register
def _(effect: effects.SniResetKernel, orders: Orders, target: Target) -> None:
    places = [("router", "lan")] if effect.at_home else [(place_of(isp), "line") for isp in target.isps]
    for place, device in places:
        for host in target.hosts():
            match = f"-i {device} -p tcp --dport 443 {_sni_match(host)}"
            orders.strings[place, "filter"].append(f"-A FORWARD {match} -j REJECT --reject-with tcp-reset")


def _sni_match(host: str) -> str:
    """The name with what precedes it in the extension: its type and its length (RFC 6066)."""
    pattern = b"\0" + len(host).to_bytes(2, "big") + host.encode()
    return f'-m string --algo bm --hex-string "|{pattern.hex()}|"'


@_order.register
def _(effect: effects.LeadAside, orders: Orders, target: Target) -> None:
    for isp in target.isps:
        for where in toward(target.addresses(families=effect.families)):
            text = f'iifname "line" {where} tcp dport {effect.port} redirect to :{effect.to.value}'
            orders.rule(place_of(isp), "turns", text)


@_order.register
def _(_effect: effects.HttpReset, orders: Orders, target: Target) -> None:
    _through_box_both_ways(orders, target, 80)
    action = _reset(effects.SniReset())
    _tell_box(orders, target, {"trigger": "http", "names": target.hosts(), "action": action})


@_order.register
def _(_effect: effects.HttpInjection, orders: Orders, target: Target) -> None:
    _through_box_both_ways(orders, target, 80)
    action = {"kind": "page", "body": PAGE}
    _tell_box(orders, target, {"trigger": "http", "names": target.hosts(), "action": action})


def _through_box_both_ways(orders: Orders, target: Target, port: int) -> None:
    _through_box(orders, target, f'iifname "line" tcp dport {port}')
    _through_box(orders, target, f'iifname "up" tcp sport {port}')


def _through_box(orders: Orders, target: Target, which: str) -> None:
    for isp in target.isps:
        orders.rule(place_of(isp), "marks", f"{which} meta mark set {TO_BOX}")


def _tell_box(orders: Orders, target: Target, rule: dict[str, object]) -> None:
    for isp in target.isps:
        orders.box[isp.name].append(rule)


# Quality.


@_order.register
def _(effect: effects.Slow, orders: Orders, target: Target) -> None:
    for isp in target.isps:
        ends = {
            Slowed.LINE: ((place_of(isp), "line"), ("router", f"wan-{isp.name}")),
            Slowed.TRANSIT: (("transit", isp.name), (place_of(isp), "up")),
        }.get(effect.what, (("transit", f"slow-{isp.name}"), (place_of(isp), "slow")))
        orders.rates.update(dict.fromkeys(ends, effect.kbit))
        if effect.what is Slowed.NAME:
            for host in target.hosts(effect.roles):
                match = f"-i line -p tcp --dport 443 {_sni_match(host)}"
                orders.strings[place_of(isp), "mangle"].append(
                    f"-A PREROUTING {match} -j CONNMARK --set-mark {TO_SLOW}"
                )
        if effect.what is Slowed.ADDRESS:
            for where in toward(target.addresses(effect.roles)):
                orders.rule(place_of(isp), "marks", f'iifname "line" {where} ct mark set {TO_SLOW}')


@_order.register
def _(effect: effects.Loss, orders: Orders, target: Target) -> None:
    for isp in target.isps:
        for device in ("iifname", "oifname"):
            chance = f"numgen random mod 100 < {effect.percent}"
            orders.rule(place_of(isp), "passes", f'{device} "line" {chance} drop')


@_order.register
def _(effect: effects.Delay, orders: Orders, target: Target) -> None:
    _through_box(orders, target, 'iifname "line" meta l4proto { tcp, udp }')
    _tell_box(orders, target, {"trigger": "any", "action": {"kind": "delay", "ms": effect.ms}})


# The platform's own, and the home's own.


@_order.register
def _(effect: effects.Down, orders: Orders, target: Target) -> None:
    there = target.addresses()
    if effect.here_only:
        country = target.zone.country
        there = [a for host in target.hosts() for family in FAMILIES for a in country[host][family]]
    for where in toward(there):
        _refuse(orders, "internet", "enters", where, effect.how)


@_order.register
def _(effect: effects.SiteAnswers, orders: Orders, target: Target) -> None:
    for where in toward(target.addresses()):
        orders.rule("internet", "turns", f"{where} tcp dport {effect.at} redirect to :{effect.port.value}")


@_order.register
def _(effect: effects.Gone, orders: Orders, target: Target) -> None:
    orders.gone.update(dict.fromkeys(target.hosts(), effect.empty))


@_order.register
def _(_effect: effects.Elsewhere, _orders: Orders, _target: Target) -> None:
    """The zone says it all, and the target was made with it."""


@_order.register
def _(_effect: effects.Portal, orders: Orders, _target: Target) -> None:
    for which in (f"ip daddr != {world.ROUTER}", "meta nfproto ipv6"):
        login = f'iifname "lan" {which} tcp dport 80 redirect to :{Port.PORTAL.value}'
        orders.rule("router", "turns", login)
    orders.rule("router", "passes", 'iifname "lan" reject with icmpx admin-prohibited')


@_order.register
def _(effect: effects.Interception, orders: Orders, target: Target) -> None:
    if effect.spared:
        hosts = (*world.CONTROLS, *world.DOMESTIC_CONTROLS, *world.PORTAL.hosts)
        spared = [a for host in hosts for family in FAMILIES for a in target.zone.every(host, family)]
        for where in toward(spared):
            orders.rule("router", "turns", f"{where} return")
    orders.rule(
        "router", "turns", f'iifname "lan" tcp dport 443 redirect to :{Port.INTERCEPTION.value}'
    )  # fmt: skip


@_order.register
def _(effect: effects.RouterFilter, orders: Orders, target: Target) -> None:
    if effect.alone:
        orders.rule("router", "passes", 'iifname "lan" meta l4proto { tcp, udp } th dport 53 drop')
    orders.filtered.extend(f"{zero} {host}" for host in target.hosts() for zero in ("0.0.0.0", "::"))


@_order.register
def _(effect: effects.Clock, orders: Orders, _target: Target) -> None:
    orders.clock.append(effect.offset)
