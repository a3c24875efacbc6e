"""The order ways are tried in, what is remembered of them, and what no route may look like."""

from __future__ import annotations

import json
import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.routes import AGAIN_S, MOST_NETWORKS, PIN, Proxy, Route, Routes, Way, place_of, ways
from probe.wire.address import is_address

NOW = 1_795_500_000.0
KEY = PIN + "A" * 43 + "="
ONE, TWO = Route(url="https://one.example", addresses=("192.0.2.7:8443",)), Route(url="https://192.0.2.2")
TOR = Route(url="https://one.example", proxy="socks5h://me:secret@127.0.0.1:9050")


def names(routes: Routes, now: float = NOW) -> list[str]:
    return [str(way) for way in routes.in_order(now)]


def test_a_route_is_its_name_its_addresses_and_what_the_trusted_resolver_says() -> None:
    assert [str(way) for way in ways((ONE, TWO, TOR))] == [
        "https://one.example",
        "https://192.0.2.2",
        "https://one.example through socks5h://127.0.0.1:9050",
        "https://one.example at 192.0.2.7:8443",
        "https://one.example by the trusted resolver",
    ]


def test_a_way_is_told_by_the_name_it_shows_and_never_by_a_password() -> None:
    route = Route(url="https://one.example", pins=(KEY,), server_name="w.example", proxy=TOR.proxy)
    assert str(Way(route)) == "https://one.example as w.example through socks5h://127.0.0.1:9050"


def test_what_worked_last_goes_first_and_what_failed_last_goes_last() -> None:
    a, b, c, d = ways(Route(url=f"https://192.0.2.{n}") for n in range(1, 5))
    routes = Routes((a, b, c, d))
    routes.failed(a, NOW, "no answer in time")
    routes.worked(b, NOW)
    assert routes.in_order(NOW) == [b, c, d, a]
    routes.worked(c, NOW)
    routes.failed(b, NOW, "connection refused")
    assert routes.in_order(NOW) == [c, d, a, b]


def test_a_proxy_that_works_is_asked_after_an_hour_only_when_nothing_else_works_again() -> None:
    direct, tor = ways((Route(url="https://192.0.2.1"), Route(url="https://192.0.2.1", proxy=TOR.proxy)))
    routes = Routes((direct, tor))
    routes.failed(direct, NOW, "no answer in time")
    routes.worked(tor, NOW)
    assert routes.in_order(NOW + AGAIN_S - 1) == [tor, direct]
    assert routes.in_order(NOW + AGAIN_S) == [direct, tor]
    # A clock that was set back by years must not keep it from that.
    assert routes.in_order(NOW - 10 * AGAIN_S) == [direct, tor]


def test_each_network_has_an_order_of_its_own_and_it_outlives_the_agent() -> None:
    here = ["home"]
    a, b = ways(Route(url=f"https://192.0.2.{n}") for n in (1, 2))
    routes = Routes((a, b), network=lambda: here[0])
    routes.failed(a, NOW, "connection refused")
    here[0] = "work"
    assert routes.in_order(NOW) == [a, b]
    routes.failed(b, NOW, "connection refused")
    again = Routes((a, b), kept=routes.text(), network=lambda: here[0])
    assert again.in_order(NOW) == [a, b]
    here[0] = "home"
    assert again.in_order(NOW) == [b, a]
    assert again.seen(NOW) == routes.seen(NOW)


def test_of_many_networks_the_last_few_are_remembered() -> None:
    here = [0]
    (way,) = ways((TWO,))
    routes = Routes((way,), network=lambda: str(here[0]))
    for here[0] in range(MOST_NETWORKS + 3):
        routes.failed(way, NOW, "connection refused")
    here[0] = 0
    assert routes.seen(NOW) == [(way, None)]
    here[0] = 3
    assert routes.seen(NOW) != [(way, None)]


def test_a_way_that_is_no_longer_configured_is_forgotten() -> None:
    old = Routes(ways((ONE,)))
    for way in old.in_order(NOW):
        old.failed(way, NOW, "connection refused")
    new = Routes(ways((TWO,)), kept=old.text())
    assert names(new) == ["https://192.0.2.2"]
    new.worked(new.in_order(NOW)[0], NOW)
    assert "one.example" not in new.text()


KEPT = st.recursive(
    st.none() | st.floats() | st.text(max_size=8) | st.integers(),
    lambda inner: (
        st.dictionaries(st.sampled_from(["", "https://192.0.2.2", "tried_at", "worked_at", "word"]), inner)
        | st.lists(inner, max_size=2)
    ),
)


@given(st.text() | KEPT.map(json.dumps))
def test_a_damaged_memory_is_no_memory_and_the_ways_are_all_there(kept: str) -> None:
    routes = Routes(ways((TWO,)), kept=kept)
    assert names(routes) == ["https://192.0.2.2"]
    routes.worked(routes.in_order(NOW)[0], NOW)
    assert Routes(ways((TWO,)), kept=routes.text()).seen(NOW) == routes.seen(NOW)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.floats(0, 2 * AGAIN_S))),
    st.floats(0, 2 * AGAIN_S),
)
def test_whatever_happened_every_way_is_tried_once(
    happened: list[tuple[int, bool, float]], now: float
) -> None:
    every = ways((ONE, TWO, TOR))
    routes = Routes(every)
    for number, worked, at in happened:
        if worked:
            routes.worked(every[number], at)
        else:
            routes.failed(every[number], at, "connection refused")
    assert sorted(names(routes, now)) == sorted(map(str, every))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("192.0.2.7", ("192.0.2.7", 443)),
        ("192.0.2.7:8443", ("192.0.2.7", 8443)),
        ("2001:db8::7", ("2001:db8::7", 443)),
        ("[2001:db8::7]:8443", ("2001:db8::7", 8443)),
    ],
)
def test_an_address_may_name_its_port(text: str, place: tuple[str, int]) -> None:
    assert place_of(text, 443) == place


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_is_said_to_be_none(text: str) -> None:
    with suppress(ValueError):
        host, port = place_of(text, 443)
        assert is_address(host)
        assert 0 < port < 65_536


@given(st.text(max_size=40) | st.text(max_size=20).map("socks5h://{}".format))
def test_any_text_is_a_proxy_or_is_said_to_be_none(text: str) -> None:
    with suppress(ValueError):
        assert 0 < Proxy.read(text).port < 65_536


@pytest.mark.parametrize(
    ("route", "message"),
    [
        ({"url": "http://a..b"}, "'http://a..b' is not a https or http URL"),
        ({"addresses": ("192.0.2.7:0",)}, "'192.0.2.7:0' is not an IP address, with or without a port"),
        ({"addresses": ("a@192.0.2.7:1",)}, "'a@192.0.2.7:1' is not an IP address, with or without a port"),
        ({"url": "http://one.example", "pins": (KEY,)}, "pins need an https URL, not 'http://one.example'"),
        ({"pins": ("A" * 43 + "=",)}, f"'{'A' * 43}=' is not a pin, as sha256/ and the base64 of 32 bytes"),
        ({"server_name": "w w", "pins": (KEY,)}, "server_name: 'w w' is not a host's name"),
        ({"proxy": "socks5h://127.0.0.1"}, "proxy: not socks5h://HOST:PORT or http://HOST:PORT"),
        ({"proxy": "http://me@proxy:3128"}, "proxy: a user and a password, or neither"),
        ({"proxy": f"http://{'u' * 256}:p@proxy:3128"}, "proxy: user and password have at most 255 bytes"),
    ],
)
def test_a_route_that_cannot_be_used_says_why(route: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Route(**{"url": "https://one.example", **route})  # type: ignore[arg-type]
