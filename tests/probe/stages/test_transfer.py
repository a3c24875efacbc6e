"""How fast something comes: what is timed, and what a deadline leaves of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from probe.path import transfer
from probe.stages.http import get
from probe.wire.failure import Failure
from probe.wire.observation import Observation
from probe.wire.stage import Stage
from tests.authority import Authority
from tests.loopback import Handler, LoopbackNet, response, says, tcp_server

from .conftest import MakeTurn

ADDRESS, WANTED = "104.244.42.1", 65_536
RECORD = 16_384


async def fetched(
    make_turn: MakeTurn, authority: Authority, folder: Path, handler: Handler, timeout_s: float = 2.0
) -> list[Observation]:
    async with tcp_server(handler, authority.issue(["x.com"], folder)) as port:
        turn = make_turn(LoopbackNet({(ADDRESS, 443): port}), "https://x.com/object", timeout_s)
        return await transfer(turn, ADDRESS, WANTED)


def piecemeal(pieces: int, pause_s: float) -> Handler:
    whole = response(200, b"x" * RECORD * pieces)
    head = len(whole) - RECORD * pieces
    parts = [whole[: head + RECORD], *(whole[head + RECORD * n :][:RECORD] for n in range(1, pieces))]
    return says(*parts, pause_s=pause_s)


async def test_what_comes_after_the_first_piece_is_timed_and_no_more_than_wanted_is_read(
    make_turn: MakeTurn, authority: Authority, tmp_path: Path
) -> None:
    seen = await fetched(make_turn, authority, tmp_path, piecemeal(16, 0.02))
    assert [o.stage for o in seen] == [Stage.TCP, Stage.TLS, Stage.TRANSFER]
    detail = seen[-1].transfer
    assert detail is not None
    assert WANTED <= detail.body_bytes < WANTED + RECORD
    assert 0 < detail.timed_bytes < detail.body_bytes
    assert 0.02 < detail.timed_s < 1.0
    assert seen[-1].tcp is not None
    assert seen[-1].tcp.rtt_s is not None


async def test_what_a_server_thinks_before_it_begins_is_not_the_lines_slowness(
    make_turn: MakeTurn, authority: Authority, tmp_path: Path
) -> None:
    async def thoughtful(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.5)
        writer.write(response(200, b"x" * WANTED))
        await writer.drain()

    seen = await fetched(make_turn, authority, tmp_path, thoughtful)
    assert seen[-1].transfer is not None
    assert seen[-1].transfer.timed_s < 0.25
    assert seen[-1].duration_s > 0.5


async def test_a_deadline_leaves_what_came_until_then_and_is_no_failure(
    make_turn: MakeTurn, authority: Authority, tmp_path: Path
) -> None:
    seen = await fetched(make_turn, authority, tmp_path, piecemeal(4, 0.25), timeout_s=0.6)
    assert seen[-1].failure is None
    assert seen[-1].transfer is not None
    assert RECORD <= seen[-1].transfer.timed_bytes < WANTED


@pytest.mark.parametrize(
    ("handler", "failure"),
    [
        (says(hang=True), Failure.HTTP_TIMEOUT),
        (says(response(200, b"x" * WANTED)[:RECORD], reset=True), Failure.HTTP_RESET),
        (says(b"\x00\x01 not HTTP\r\n\r\n"), Failure.HTTP_INVALID),
    ],
)
async def test_what_never_comes_or_breaks_off_is_a_failure_and_no_rate(
    make_turn: MakeTurn, authority: Authority, tmp_path: Path, handler: Handler, failure: Failure
) -> None:
    seen = await fetched(make_turn, authority, tmp_path, handler, timeout_s=0.5)
    assert seen[-1].failure is failure


REFRESHING = {
    '<meta http-equiv="refresh" content="0; url=http://block.isp/page?ip=1.2.3.4">': "http://block.isp/page",
    "<META CONTENT='5;URL=http://block.isp/' HTTP-EQUIV=Refresh>": "http://block.isp/",
    '<meta http-equiv=refresh content="0;http://block.isp/">': "http://block.isp/",
    '<meta http-equiv="refresh" content="0; url=http&#58;//block.isp/">': "http://block.isp/",
    '<meta http-equiv="refresh" content="30">': None,
    '<meta name="refresh" content="0; url=http://block.isp/">': None,
    '<p>http-equiv="refresh" content="0; url=http://block.isp/"</p>': None,
    "": None,
}


@pytest.mark.parametrize("page", REFRESHING)
async def test_a_page_that_redirects_by_itself_is_recorded_as_a_redirect_is(
    make_turn: MakeTurn, page: str
) -> None:
    async with tcp_server(says(response(200, page.encode()))) as port:
        turn = make_turn(LoopbackNet({(ADDRESS, 80): port}), "http://x.com/")
        stream = await turn.line.net.connect(ADDRESS, 80)
        seen, _ = await get(turn, ADDRESS, stream)
        stream.close()
    assert seen.http is not None
    assert seen.http.refresh == REFRESHING[page]
