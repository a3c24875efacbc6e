"""TCP, TLS and HTTP to one address: what each failure is called, and what is recorded of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from probe.path import reach
from probe.wire.failure import Failure, Owner
from probe.wire.observation import Observation
from probe.wire.stage import Stage
from tests.authority import Authority
from tests.loopback import Handler, LoopbackNet, response, says, tcp_server

from .conftest import MakeTurn

ADDRESS = "104.244.42.1"
DAY = timedelta(days=1)


async def walk(make_turn: MakeTurn, handler: Handler, pem: Path | None, **more: object) -> list[Observation]:
    """All stages against a server at X's address."""
    async with tcp_server(handler, pem) as port:
        url = "https://x.com/robots.txt" if pem else "http://x.com/"
        net = LoopbackNet({(ADDRESS, 443 if pem else 80): port})
        return await reach(make_turn(net, url, **more), ADDRESS)


async def test_a_good_answer_is_one_observation_a_stage(
    make_turn: MakeTurn, authority: Authority, tmp_path: Path
) -> None:
    pem = authority.issue(["x.com"], tmp_path)
    seen = await walk(make_turn, says(response(200)), pem)
    assert [(o.stage, o.failure, o.address) for o in seen] == [
        (stage, None, ADDRESS) for stage in (Stage.TCP, Stage.TLS, Stage.HTTP)
    ]
    tls, http = seen[1].tls, seen[2].http
    assert tls is not None
    assert http is not None
    assert tls.version == "TLSv1.3"
    assert [c.issuer for c in tls.chain] == ["CN=test CA", "CN=test CA"]
    assert tls.chain[0].names == ("x.com",)
    assert len(tls.chain[0].spki_sha256) == 32
    assert (http.status, http.body_bytes) == (200, 6)


@pytest.mark.parametrize("status", [200, 204, 403, 404, 429, 451, 500, 503])
async def test_a_status_is_recorded_as_what_it_is(make_turn: MakeTurn, status: int) -> None:
    seen = await walk(make_turn, says(response(status, b"")), None)
    assert seen[-1].failure is None
    assert seen[-1].http is not None
    assert seen[-1].http.status == status


def many_headers() -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + b"X-Filler: y\r\n" * 10_000


HTTP_CASES: dict[str, tuple[Handler, Failure | None, int | None]] = {
    "not HTTP at all": (says(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), Failure.HTTP_INVALID, None),
    "ten thousand headers": (says(many_headers(), b"\r\n"), Failure.HTTP_INVALID, None),
    "closing before a word": (says(), Failure.HTTP_EOF, None),
    "closing in the head": (says(b"HTTP/1.1 200 OK\r\nCont"), Failure.HTTP_EOF, None),
    "closing in the body": (says(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhel"), Failure.HTTP_EOF, 200),
    "a reset before a word": (says(reset=True), Failure.HTTP_RESET, None),
    "silence": (says(hang=True), Failure.HTTP_TIMEOUT, None),
    "a byte at a time": (says(*[b"H"] * 50, pause_s=0.05), Failure.HTTP_TIMEOUT, None),
    "an endless body": (says(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 9000] * 5), None, 200),
    "no length, ended by closing": (says(b"HTTP/1.1 200 OK\r\n\r\nhello"), None, 200),
    "a redirect without a place to go": (says(response(302, Location="http://[")), None, 302),
}


@pytest.mark.parametrize("story", HTTP_CASES)
async def test_the_server_answers_with(story: str, make_turn: MakeTurn) -> None:
    handler, failure, status = HTTP_CASES[story]
    (*_, last) = await walk(make_turn, handler, None)
    assert last.stage is Stage.HTTP
    assert (last.failure, last.http and last.http.status) == (failure, status)
    assert last.owner == (Owner.TARGET if failure else None)


async def test_a_head_of_fifty_kilobytes_is_read_as_the_answer_it_is(make_turn: MakeTurn) -> None:
    """Large platforms send such heads; a client's default limit there is a false block."""
    (*_, last) = await walk(make_turn, says(response(200, X_Policy="p" * 50_000)), None)
    assert (last.failure, last.http and last.http.status) == (None, 200)


async def test_a_redirect_keeps_scheme_host_and_path_and_loses_the_visitors_address(
    make_turn: MakeTurn,
) -> None:
    where = "https://user:pw@block.isp.example:8443/page?ip=203.0.113.9&url=x.com#top"
    (*_, last) = await walk(make_turn, says(response(302, Location=where)), None)
    assert last.http is not None
    assert last.http.location == "https://block.isp.example:8443/page"


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("https:[x]", "https:[x]"),
        ("mailto:[x", "mailto:[x"),
        ("foo:////[x", None),
        ("http://[2001:db8::1]:8080/x", "http://[2001:db8::1]:8080/x"),
        ("http://portal.example:99999/", None),
    ],
)
async def test_a_redirect_that_no_reader_could_take_apart_is_kept_only_as_what_can_be_read(
    make_turn: MakeTurn, where: str, kept: str | None
) -> None:
    (*_, last) = await walk(make_turn, says(response(302, Location=where)), None)
    assert last.http is not None
    assert (last.http.status, last.http.location) == (302, kept)


async def test_a_foreign_certificate_is_recorded_with_its_chain(
    make_turn: MakeTurn, authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority("Somebody's Firewall")
    cases = [
        (stranger.issue(["x.com"], tmp_path), Failure.TLS_UNKNOWN_AUTHORITY, "CN=Somebody's Firewall"),
        (authority.issue(["block.example"], tmp_path), Failure.TLS_INVALID_HOSTNAME, "CN=test CA"),
        (
            authority.issue(["x.com"], tmp_path, valid=(-9 * DAY, -DAY)),
            Failure.TLS_CERTIFICATE_TIME,
            "CN=test CA",
        ),
        (
            authority.issue(["x.com"], tmp_path, valid=(DAY, 9 * DAY)),
            Failure.TLS_CERTIFICATE_TIME,
            "CN=test CA",
        ),
    ]
    for pem, failure, issuer in cases:
        (*_, last) = await walk(make_turn, says(response(200)), pem)
        assert (last.stage, last.failure) == (Stage.TLS, failure)
        assert last.tls is not None
        assert last.tls.chain[0].issuer == issuer
        assert last.tls.system_trusted is False
        assert last.tls.verify_error


async def _hang(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


async def _talk_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")


async def _hang_up(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read(100)


async def _reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    await says(reset=True)(_Asked(), writer)


class _Asked(asyncio.StreamReader):
    """A reader whose request has been read already."""

    async def readuntil(self, separator: bytes = b"\n") -> bytes:  # type: ignore[override]
        return separator


@pytest.mark.parametrize(
    ("handler", "failure"),
    [
        (_hang, Failure.TLS_TIMEOUT),
        (_talk_back, Failure.TLS_HANDSHAKE),
        (_hang_up, Failure.TLS_EOF),
        (_reset, Failure.TLS_RESET),
    ],
)
async def test_a_broken_handshake_is_called_by_its_name(
    make_turn: MakeTurn, handler: Handler, failure: Failure
) -> None:
    async with tcp_server(handler) as port:
        net = LoopbackNet({(ADDRESS, 443): port})
        (*_, last) = await reach(make_turn(net), ADDRESS)
    assert (last.stage, last.failure) == (Stage.TLS, failure)


async def test_beside_a_handshake_cut_short_stands_how_much_of_it_had_arrived(make_turn: MakeTurn) -> None:
    """A server that took the ClientHello and is silent is another case than one that never got it."""
    for handler in (_hang, _hang_up, _reset):
        async with tcp_server(handler) as port:
            (*_, last) = await reach(make_turn(LoopbackNet({(ADDRESS, 443): port})), ADDRESS)
        assert last.tcp is not None
        assert last.tcp.bytes_acked is not None
        assert last.tcp.bytes_acked > 100


async def test_a_server_that_answered_wrongly_needs_no_state_beside_it(make_turn: MakeTurn) -> None:
    async with tcp_server(_talk_back) as port:
        (*_, last) = await reach(make_turn(LoopbackNet({(ADDRESS, 443): port})), ADDRESS)
    assert last.tcp is None


async def test_beside_a_silent_page_stands_the_state_of_its_connection(make_turn: MakeTurn) -> None:
    (*_, last) = await walk(make_turn, says(hang=True), None)
    assert last.stage is Stage.HTTP
    assert last.tcp is not None
    assert last.tcp.retransmits == 0


async def test_a_closed_port_is_refused_and_a_missing_route_is_this_machines_own(make_turn: MakeTurn) -> None:
    async with tcp_server(says()) as port:
        pass
    (refused,) = await reach(make_turn(LoopbackNet({(ADDRESS, 443): port})), ADDRESS)
    assert (refused.stage, refused.failure) == (Stage.TCP, Failure.CONNECTION_REFUSED)
    (unrouted,) = await reach(make_turn(LoopbackNet()), ADDRESS)
    assert (unrouted.failure, unrouted.owner) == (Failure.NO_ROUTE, Owner.LOCAL)


async def test_a_port_that_is_not_the_schemes_own_is_in_the_host_field(make_turn: MakeTurn) -> None:
    """RFC 9110, section 7.2: servers that share an address tell their names by it."""
    asked: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(response(200))

    async with tcp_server(handler) as port:
        net = LoopbackNet({(ADDRESS, 8080): port})
        await reach(make_turn(net, "http://x.com:8080/"), ADDRESS)
    assert b"Host: x.com:8080\r\n" in asked[0]
