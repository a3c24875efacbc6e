"""Along one way to a collector: whose key it must have, who stands between, who is asked where it is."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from probe.dial import trusted_of
from probe.net import TcpState
from probe.proxy import ProxyError, tunnel
from probe.routes import PIN, Proxy, Route
from probe.trust import Trust
from probe.upload import Accepted, Later
from probe.wire.exchange import Presence
from tests.authority import Authority
from tests.batches import NOW, someone
from tests.lab.box import server_name
from tests.line import a_line, resets
from tests.loopback import LoopbackNet, response, says, tcp_server, watched
from tests.probe.test_upload import LIAR, TRUE, Collector, receipt
from tests.proxies import connecting, socks5
from tests.rounds import X_ADDRESS
from tests.uploads import an_uploader

ME = someone(1)
PROXY = "192.0.2.90"
URL = "https://c.example"


def pin_of(pem: Path) -> str:
    leaf = x509.load_pem_x509_certificate(pem.read_bytes())
    spki = leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return PIN + base64.b64encode(hashlib.sha256(spki).digest()).decode()


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    """The collector's certificate, of an authority that nobody trusts, for another name."""
    return Authority("Nobody's").issue(["somebody.example"], tmp_path)


async def beat(
    *routes: Route,
    net: LoopbackNet,
    addresses: Sequence[str] = (TRUE,),
    trusted: Sequence[str] = (),
    trust: Trust | None = None,
) -> Accepted | dict[str, str]:
    """A heartbeat's route, or what each way said instead."""
    up = an_uploader(routes, net, ME, lambda: NOW, addresses=addresses, trusted=trusted, trust=trust)
    answer = await up.heartbeat(Presence.ALIVE)
    assert isinstance(answer, Accepted | Later)
    return answer if isinstance(answer, Accepted) else answer.reasons


async def test_with_the_pinned_key_any_certificate_will_do(pem: Path) -> None:
    collector = Collector(heartbeat=[receipt()])
    async with tcp_server(collector.handle, pem) as port:
        net = LoopbackNet({(TRUE, 443): port})
        route = Route(url=URL, pins=(PIN + "A" * 43 + "=", pin_of(pem)))
        assert isinstance(await beat(route, net=net), Accepted)


async def test_with_another_key_nothing_is_sent_and_the_next_way_is_tried(tmp_path: Path, pem: Path) -> None:
    """Not even where an authority vouches for the name: a state may have one."""
    state = Authority("State Root")
    (tmp_path / "ca.pem").write_bytes(state.pem())
    spy, collector = Collector(heartbeat=[receipt()]), Collector(heartbeat=[receipt()])
    async with (
        tcp_server(spy.handle, state.issue(["c.example"], tmp_path)) as lie,
        tcp_server(collector.handle, pem) as port,
    ):
        net = LoopbackNet({(LIAR, 443): lie, (TRUE, 8443): port})
        trust = Trust(str(tmp_path / "ca.pem"))
        alone = Route(url=URL, pins=(pin_of(pem),))
        said = await beat(alone, net=net, addresses=[LIAR], trust=trust)
        assert isinstance(said, dict)
        assert said[URL] == "its key is not the pinned one"
        route = Route(url=URL, addresses=(f"{TRUE}:8443",), pins=(pin_of(pem),))
        done = await beat(route, net=net, addresses=[LIAR], trust=trust)
    assert isinstance(done, Accepted)
    assert done.route == f"{URL} at {TRUE}:8443"
    assert spy.heads == []


async def test_another_name_may_be_shown_in_place_of_the_collectors(pem: Path) -> None:
    collector = Collector(heartbeat=[receipt()])
    async with tcp_server(collector.handle, pem) as beyond, watched(beyond, resets("c.example")) as port:
        net, pins = LoopbackNet({(TRUE, 443): port}), (pin_of(pem),)
        routes = Route(url=URL, pins=pins), Route(url=URL, pins=pins, server_name="www.example")
        done = await beat(*routes, net=net)
    assert isinstance(done, Accepted)
    assert done.route == f"{URL} as www.example"


async def test_a_collector_by_its_address_shows_no_name_at_all(pem: Path) -> None:
    hellos: list[bytes] = []

    def see(hello: bytes) -> str:
        hellos.append(hello)
        return "pass"

    collector = Collector(heartbeat=[receipt()])
    async with tcp_server(collector.handle, pem) as beyond, watched(beyond, see) as port:
        net = LoopbackNet({(TRUE, 8443): port})
        route = Route(url=f"https://{TRUE}:8443", pins=(pin_of(pem),))
        assert isinstance(await beat(route, net=net), Accepted)
    assert server_name(hellos[0]) == ""


async def test_where_the_system_lies_the_trusted_resolver_is_believed() -> None:
    collector = Collector(heartbeat=[receipt()])
    async with (
        tcp_server(collector.handle) as port,
        tcp_server(says(response(200, b"<html>This site is blocked"))) as page,
    ):
        net = LoopbackNet({(LIAR, 80): page, (TRUE, 80): port})
        done = await beat(Route(url="http://c.example"), net=net, addresses=[LIAR], trusted=[LIAR, TRUE])
    assert isinstance(done, Accepted)
    assert done.route == "http://c.example by the trusted resolver"
    assert net.dialled == [(LIAR, 80), (TRUE, 80)]


async def test_where_both_resolvers_agree_a_dead_address_is_knocked_at_once() -> None:
    net = LoopbackNet()
    said = await beat(Route(url=URL), net=net, addresses=[TRUE], trusted=[TRUE])
    assert said == {
        URL: "network is unreachable",
        f"{URL} by the trusted resolver": "it says what the system's resolver says",
    }
    assert net.dialled == [(TRUE, 443)]


async def test_a_resolver_that_says_nothing_does_not_hold_up_the_other_ways(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("probe.dial.RESOLVE_S", 0.1)
    collector = Collector(heartbeat=[receipt()])

    async def silent(_host: str) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    async with tcp_server(collector.handle) as port:
        route = Route(url="http://c.example", addresses=(TRUE,))
        up = an_uploader([route], LoopbackNet({(TRUE, 80): port}), ME, lambda: NOW)
        up._dial._resolve = silent
        assert isinstance(await up.heartbeat(Presence.ALIVE), Accepted)
    (_, by_name) = up.routes.seen(NOW)[-1]
    assert by_name is not None
    assert by_name.word == "its name is not resolved in time"


async def test_the_trusted_resolver_is_asked_over_https_for_both_families(tmp_path: Path) -> None:
    async with a_line(tmp_path) as line:
        ask = trusted_of(line.plan)
        assert await ask("x.com") == [X_ADDRESS]
        with pytest.raises(OSError, match=r"its name does not resolve \(dns_nxdomain_error\)"):
            await ask("nowhere.example")


# Proxies.


@pytest.mark.parametrize("user", ["", "me:a secret"])
async def test_through_socks_the_name_is_resolved_by_the_proxy(pem: Path, user: str) -> None:
    name, _, password = user.partition(":")
    asked: list[tuple[str, ...]] = []
    collector = Collector(heartbeat=[receipt()])
    async with (
        tcp_server(collector.handle, pem) as port,
        tcp_server(socks5({("c.example", 443): port}, asked, user=name, password=password)) as proxy,
    ):
        words = f"{quote(user, safe=':')}@" if user else ""
        route = Route(url=URL, pins=(pin_of(pem),), proxy=f"socks5h://{words}{PROXY}:9050")
        net = LoopbackNet({(PROXY, 9050): proxy})
        done = await beat(route, net=net, addresses=[])
    assert isinstance(done, Accepted)
    assert done.route == f"{URL} through socks5h://{PROXY}:9050"
    assert asked == [("c.example:443", *filter(None, (name, password)))]


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7"])
async def test_through_a_proxy_to_an_address_given(pem: Path, address: str) -> None:
    socks_asked: list[tuple[str, ...]] = []
    http_asked: list[bytes] = []
    doors = {(address, 443): 0}
    collector = Collector(heartbeat=[receipt()])
    async with tcp_server(collector.handle, pem) as port:
        doors[address, 443] = port
        async with (
            tcp_server(socks5(doors, socks_asked)) as socks,
            tcp_server(connecting(doors, http_asked)) as http,
        ):
            net = LoopbackNet({(PROXY, 9050): socks, (PROXY, 3128): http})
            for proxy in (f"socks5h://{PROXY}:9050", f"http://me:secret@{PROXY}:3128"):
                host = f"[{address}]" if ":" in address else address
                route = Route(url=f"https://{host}", pins=(pin_of(pem),), proxy=proxy)
                assert isinstance(await beat(route, net=net), Accepted)
    assert socks_asked == [(f"{address}:443",)]
    (head,) = http_asked
    assert head.startswith(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n".encode())
    assert b"Proxy-Authorization: Basic " + base64.b64encode(b"me:secret") in head


SOCKS, HTTP = f"socks5h://{PROXY}:9050", f"http://{PROXY}:9050"
ENDLESS = b"HTTP/1.1 100 Continue\r\n\r\n" * 50_000
TROUBLE = {
    "refuses": (SOCKS, [b"\5\0", b"\5\2\0\1" + bytes(6)], "the proxy does not allow it"),
    "fails as only Tor does": (SOCKS, [b"\5\0", b"\5\xf0\0\1" + bytes(6)], "the proxy refused with code 240"),
    "wants a user": (SOCKS, [b"\5\xff"], "the proxy wants a user"),
    "is SOCKS4": (SOCKS, [b"\0\x5b" + bytes(6)], "the proxy speaks no SOCKS5"),
    "is HTTP": (SOCKS, [b"HTTP/1.1 400 Bad Request\r\n\r\n"], "the proxy speaks no SOCKS5"),
    "has an address of no kind": (SOCKS, [b"\5\0", b"\5\0\0\7" + bytes(6)], "the proxy speaks no SOCKS5"),
    "speaks first": (SOCKS, [b"\5\0", b"\5\0\0\1" + bytes(6) + b"hello"], "the proxy speaks no SOCKS5"),
    "hangs up": (SOCKS, [b"\5\0", b"\5\0"], "the proxy hung up"),
    "asks who": (HTTP, [b"HTTP/1.1 407 Who\r\nContent-Length: 2\r\n\r\nno"], "the proxy answered 407"),
    "is no HTTP": (HTTP, [b"220 smtp.example ESMTP\r\n\r\n"], "the proxy speaks no HTTP"),
    "hangs up on CONNECT": (HTTP, [b"HTTP/1.1 200"], "the proxy hung up"),
    "speaks after CONNECT": (HTTP, [b"HTTP/1.1 200 OK\r\n\r\nhello"], "the proxy sent more than its answer"),
    "never ends": (HTTP, [ENDLESS], "the proxy: more than was asked for"),
    "has an endless head": (HTTP, [b"HTTP/1.1 200 OK\r\nA: " + b"x" * 200_000], "the proxy speaks no HTTP"),
}


@pytest.mark.parametrize("story", TROUBLE)
async def test_a_proxy_that_is_none_is_named_and_the_next_way_is_tried(story: str, pem: Path) -> None:
    proxy, answers, word = TROUBLE[story]
    collector = Collector(heartbeat=[receipt()])

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.read(1024)
            writer.write(answer)
        await writer.drain()

    async with tcp_server(handler) as trouble, tcp_server(collector.handle, pem) as port:
        net = LoopbackNet({(PROXY, 9050): trouble, (TRUE, 8443): port})
        route = Route(url=URL, pins=(pin_of(pem),), proxy=proxy)
        assert await beat(route, net=net) == {f"{URL} through {proxy}": word}
        beyond = Route(url=f"{URL}:8443", pins=(pin_of(pem),))
        assert isinstance(await beat(route, beyond, net=net), Accepted)


async def test_a_proxy_that_is_not_there_is_told_from_a_collector_that_is_not() -> None:
    route = Route(url=URL, proxy=SOCKS)
    assert await beat(route, net=LoopbackNet()) == {
        f"{URL} through {SOCKS}": "the proxy: network is unreachable"
    }


@given(st.lists(st.binary(max_size=40), max_size=4), st.sampled_from([SOCKS, HTTP]))
def test_whatever_a_proxy_says_is_a_tunnel_or_one_clear_line(said: list[bytes], proxy: str) -> None:
    with suppress(ProxyError):
        asyncio.run(tunnel(Spoken(said), Proxy.read(proxy), "c.example", 443))


class Spoken:
    """A stream on which somebody says these things and hangs up."""

    overslept_s = 0.0

    def __init__(self, said: list[bytes]) -> None:
        self._said = [part for part in said if part]

    async def read(self) -> bytes:
        return self._said.pop(0) if self._said else b""

    async def write(self, data: bytes) -> None:
        pass

    def state(self) -> TcpState:
        return TcpState()

    def close(self) -> None:
        pass
