"""Networks are told apart by their gateway, and what cannot be told has no name of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.whereabouts import NAMELESS, Route, default_route, here, place_of, stayed

ROUTES = (
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
    "wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
    "eth0\t00000000\tFE01A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
    "eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
)
PPP = "Iface\nppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n"
ARP = "IP address       HW type     Flags       HW address            Mask     Device\n"
HOME = Route("eth0", "192.168.1.254")


def entry(address: str, flags: str = "0x2", ip: str = "192.168.1.254", device: str = "eth0") -> str:
    return f"{ARP}{ip}    0x1         {flags}         {address}     *        {device}\n"


def test_the_default_route_is_the_one_with_the_least_metric() -> None:
    assert default_route(ROUTES) == HOME
    assert default_route(PPP) == Route("ppp0", None)
    assert default_route("") is None
    assert default_route("Iface\nno route at all\n") is None


@pytest.mark.parametrize(
    ("route", "has_no_arp", "arp", "expected"),
    [
        (None, False, "", NAMELESS),
        (Route("ppp0", None), False, "", NAMELESS),
        (HOME, True, ARP, NAMELESS),
        (HOME, False, ARP, None),
        (HOME, False, entry("00:00:00:00:00:00", "0x0"), None),
        (HOME, False, entry("00:11:22:33:44:55", ip="192.168.1.1"), None),
        (HOME, False, entry("00:11:22:33:44:55", device="wlan0"), None),
        (HOME, False, entry("02:42:22:33:44:55"), NAMELESS),
    ],
)
def test_what_cannot_be_told(route: Route | None, has_no_arp: bool, arp: str, expected: str | None) -> None:
    assert place_of(route, has_no_arp, arp) == expected


def test_a_network_is_its_gateway_whatever_the_interface_or_the_address() -> None:
    home = place_of(HOME, False, entry("00:11:22:33:44:55"))
    assert home is not None
    assert len(home) == 64
    other = Route("wlan0", "10.0.0.1")
    assert place_of(other, False, entry("00:11:22:33:44:55", ip="10.0.0.1", device="wlan0")) == home
    assert place_of(HOME, False, entry("00:11:22:33:44:56")) != home


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("a", "a", "a"),
        (None, "a", "a"),
        ("a", None, "a"),
        ("a", "b", None),
        ("", "a", None),
        (None, None, None),
    ],
)
def test_a_round_belongs_to_one_network(before: str | None, after: str | None, expected: str | None) -> None:
    assert stayed(before, after) == expected


@given(st.text(), st.text())
def test_no_table_raises(routes: str, arp: str) -> None:
    route = default_route(routes)
    assert place_of(route, False, arp) in (NAMELESS, None) or route is not None
    place_of(HOME, False, arp)


def test_it_is_read_from_proc(tmp_path: Path) -> None:
    assert here(tmp_path, tmp_path) == NAMELESS
    (tmp_path / "route").write_text(ROUTES)
    assert here(tmp_path, tmp_path) is None
    (tmp_path / "arp").write_text(entry("00:11:22:33:44:55"))
    assert here(tmp_path, tmp_path) == place_of(HOME, False, entry("00:11:22:33:44:55"))
    (tmp_path / "eth0").mkdir()
    (tmp_path / "eth0" / "flags").write_text("0x10c1\n")
    assert here(tmp_path, tmp_path) == NAMELESS
