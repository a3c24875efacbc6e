"""More homes: each a namespace with a /24 of its own, on a provider's line beside the lab's one home.

They hang at the same router, which passes them on by where they come from and translates nothing, so
that whatever a provider does to its line it does to them. They have IPv4 alone and ask their provider's
resolver. Gone when left, and so are the routes to them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address

from .namespace import Namespace, link
from .network import Lab
from .world import ISPS, Isp

# The first of the /24s out of each provider's networks that nothing else in the lab has.
_FIRST = {"a": (39, 40, 1), "b": (115, 186, 161)}
_TABLE = {"a": 201, "b": 202}
_PREF = 60


@dataclass(frozen=True, slots=True)
class House:
    """One home: where it is, and whose customer."""

    place: Namespace
    isp: Isp
    prefix: str


@contextmanager
def street(lab: Lab, each: int) -> Iterator[Sequence[House]]:
    """So many homes at each provider, first all of the first, until the block ends."""
    houses = [_house(lab, isp, number) for isp in ISPS.values() for number in range(each)]
    try:
        for isp in ISPS.values():
            lab.router.ip(f"route add default via {isp.line[0]} table {_TABLE[isp.name]}")
        for house in houses:
            _build(lab, house)
        yield houses
    finally:
        for house in houses:
            house.place.delete()
            lab.isp[house.isp.name].run("ip", "route", "del", house.prefix, check=False)
            lab.router.run("ip", "rule", "del", "from", house.prefix, check=False)
        for isp in ISPS.values():
            lab.router.run("ip", "route", "flush", "table", str(_TABLE[isp.name]), check=False)


def _house(lab: Lab, isp: Isp, number: int) -> House:
    name = f"{lab.home.name}-{isp.name}{number}"
    one, two, first = _FIRST[isp.name]
    return House(Namespace(name), isp, f"{one}.{two}.{first + number}.0/24")


def _build(lab: Lab, house: House) -> None:
    network = ip_address(house.prefix.partition("/")[0])
    door, home = network + 1, network + 10
    cable = f"lan-{house.place.name.rpartition('-')[2]}"
    house.place.create()
    house.place.resolve_by(house.isp.resolver[0])
    link(house.place, "eth0", lab.router, cable)
    house.place.ip(f"address add {home}/24 dev eth0", f"route add default via {door}")
    lab.router.ip(
        f"address add {door}/24 dev {cable}",
        f"rule add pref {_PREF} from {house.prefix} lookup {_TABLE[house.isp.name]}",
    )
    router = ip_address(house.isp.line[0]) + 1
    lab.isp[house.isp.name].ip(f"route add {house.prefix} via {router}")
