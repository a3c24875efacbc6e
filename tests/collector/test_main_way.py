"""The one way through, in one process: the agent's own spool and upload to a real collector."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from collector.config import Config, Door
from collector.ingest.admit import Code, Refusal
from collector.store.base import Seen
from collector.tokens import Token, digest_of
from probe.net import AsyncioNet
from probe.routes import Routes, ways
from probe.spool import Spool
from probe.upload import Accepted, Courier, Later, Rejected, Uploader
from probe.wire.exchange import Presence
from probe.wire.observation import Round
from probe.wire.work import Wanted
from tests.batches import CLEAN, at, batch, someone
from tests.collector.conftest import Clock, Running, collecting
from tests.loopback import response, says, tcp_server
from tests.uploads import an_uploader, to

ME = someone(1)


def uploader(*urls: str, clock: Clock | None = None, token: str = "") -> Uploader:
    return an_uploader(to(*urls), AsyncioNet(), ME, clock or Clock(), token=token)


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    opened = Spool.open(tmp_path / "agent" / "spool.sqlite", max_bytes=1 << 20, max_age_s=1e6)
    yield opened
    opened.close()


def fill(spool: Spool, *rounds: Round) -> list[int]:
    def make(rnd: Round, sequence: int) -> tuple[bytes, bytes]:
        body = batch(ME, rnd, sequence=sequence)
        return body, ME.sign(body)

    now = at(0).timestamp()
    return [spool.add(ME.probe_id, partial(make, rnd), now).sequence for rnd in rounds]


def courier(spool: Spool, up: Uploader, clock: Clock | None = None) -> Courier:
    return Courier(up, spool, asyncio.Lock(), random.Random(1), clock or Clock())


async def test_an_unknown_agent_enrols_itself_and_its_rounds_arrive_in_order(
    collector: Running, spool: Spool
) -> None:
    rounds = [replace(CLEAN, started_at=at(-60 * n)) for n in (3, 2, 1)]
    sequences = fill(spool, *rounds)
    assert await courier(spool, uploader(collector.url)).push() is None
    stored = list(collector.service.committer.store.batches())
    assert [b.sequence for b in stored] == sequences
    assert [b.body for b in stored] == [
        batch(ME, r, sequence=n) for r, n in zip(rounds, sequences, strict=True)
    ]
    assert spool.figures().pending == 0
    assert spool.notes()["last_route"] == collector.url
    assert spool.notes()["clock_skew_s"] == "0"


async def test_where_a_token_is_asked_for_rounds_wait_until_the_agent_has_one(
    tmp_path: Path, spool: Spool
) -> None:
    config = Config(data_dir=str(tmp_path / "data"), enrolment=Door(mode="token"))
    async with collecting(config) as collector:
        store = collector.service.committer.store
        store.issue(Token(digest=digest_of("a token"), label="", issued_at=0.0, issued_by="me", uses=1))
        fill(spool, replace(CLEAN, started_at=at(-5)))
        assert await courier(spool, uploader(collector.url)).push() is not None
        said = spool.notes()["last_obstacle"]
        assert "refused this key: token_required $.token: this collector takes new keys with a token" in said
        assert await courier(spool, uploader(collector.url, token="a token")).push() is None
        assert len(list(store.batches())) == 1
        (standing,) = store.standings().values()
        assert standing.token == digest_of("a token")[:12]


async def test_where_work_is_asked_for_the_agent_does_it_and_is_let_in(tmp_path: Path, spool: Spool) -> None:
    config = Config(data_dir=str(tmp_path / "data"), enrolment=Door(mode="work", work_bits=10))
    async with collecting(config) as collector:
        fill(spool, replace(CLEAN, started_at=at(-5)))
        assert await courier(spool, uploader(collector.url)).push() is None
        assert len(list(collector.service.committer.store.batches())) == 1
        assert 'refusals_total{reason="work_required"} 1.0' in await collector.get("/metrics")


async def test_a_collector_that_asks_for_too_much_work_waits_for_ever_and_the_rounds_with_it(
    tmp_path: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(data_dir=str(tmp_path / "data"), enrolment=Door(mode="work"))
    async with collecting(config) as collector:
        greedy = Refusal(Code.WORK_REQUIRED, "$.work", "", Wanted(challenge="0f" * 16, bits=30))
        monkeypatch.setattr(collector.service.intake.porter, "refused", lambda _: greedy)
        fill(spool, replace(CLEAN, started_at=at(-5)))
        assert await courier(spool, uploader(collector.url)).push() is not None
    assert spool.notes()["last_obstacle"].endswith(
        "asks for 30 bits of work, and 22 are the most that is done"
    )
    assert spool.figures().pending == 1


async def test_a_lost_receipt_leads_to_a_second_sending_and_to_nothing_counted_twice(
    collector: Running, spool: Spool
) -> None:
    fill(spool, replace(CLEAN, started_at=at(-5)))
    item = spool.peek(ME.probe_id)
    assert item is not None
    up = uploader(collector.url)
    first, second = [await up.batch(item) for _ in range(2)]
    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert (first.receipt.duplicate, second.receipt.duplicate) == (False, True)
    assert len(list(collector.service.committer.store.batches())) == 1


async def test_while_no_collector_answers_everything_waits_and_the_obstacle_is_noted(spool: Spool) -> None:
    async with tcp_server(says()) as port:
        pass
    fill(spool, CLEAN)
    wait_s = await courier(spool, uploader(f"http://127.0.0.1:{port}")).push()
    assert wait_s is not None
    assert spool.figures().pending == 1
    assert spool.notes()["last_obstacle"] == f"http://127.0.0.1:{port}: connection refused"


async def test_the_next_route_is_tried_and_then_preferred(collector: Running, spool: Spool) -> None:
    knocks = 0

    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal knocks
        knocks += 1
        await says(response(502, b"<html>bad gateway"))(reader, writer)

    async with tcp_server(broken) as port:
        up = uploader(f"http://127.0.0.1:{port}", collector.url)
        fill(spool, replace(CLEAN, started_at=at(-9)), replace(CLEAN, started_at=at(-5)))
        assert await courier(spool, up).push() is None
    assert knocks == 1
    assert spool.figures().pending == 0


async def test_what_the_collector_will_never_take_is_counted_and_does_not_stand_in_the_way(
    collector: Running, spool: Spool
) -> None:
    fill(spool, replace(CLEAN, started_at=at(-80 * 3600)), replace(CLEAN, started_at=at(-5)))
    assert await courier(spool, uploader(collector.url)).push() is None
    assert spool.figures().refused == {"too_old": 1}
    assert len(list(collector.service.committer.store.batches())) == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_obeyed(spool: Spool, status: int) -> None:
    fill(spool, CLEAN)
    async with tcp_server(says(response(status, Retry_After="77"))) as port:
        wait_s = await courier(spool, uploader(f"http://127.0.0.1:{port}")).push()
    assert wait_s is not None
    assert 77 <= wait_s <= 77 + 5
    assert spool.figures().pending == 1


PRETENDERS = {
    "a page instead of a receipt": response(200, b"<html>Welcome to our hotel"),
    "a receipt for another batch": response(
        200,
        b'{"schema":"reachwatch/1","server_time":"2026-11-24T06:00:00.000Z","probe":"%s","sequence":1}'
        % ME.probe_id.encode(),
    ),
    "a refusal that is no refusal": response(403, b"<html>Forbidden"),
    "an endless answer": b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000,
    "no HTTP": b"220 smtp.example ESMTP\r\n",
}


@pytest.mark.parametrize("story", PRETENDERS)
async def test_nothing_is_forgotten_on_the_word_of_something_that_is_no_collector(
    spool: Spool, story: str
) -> None:
    fill(spool, CLEAN)
    async with tcp_server(says(PRETENDERS[story])) as port:
        assert await courier(spool, uploader(f"http://127.0.0.1:{port}")).push() is not None
    assert spool.figures().pending == 1


async def test_a_heartbeat_and_a_goodbye_arrive(collector: Running) -> None:
    up = uploader(collector.url)
    assert isinstance(await up.heartbeat(Presence.ALIVE), Accepted)
    await collector.service.refresh()
    assert collector.service.snapshot.probes == {"PK": 1}
    assert isinstance(await up.heartbeat(Presence.BYE), Accepted)


async def test_a_clock_hours_off_is_refused_and_says_why(collector: Running) -> None:
    answer = await uploader(collector.url, clock=Clock(at(7200).timestamp())).heartbeat(Presence.ALIVE)
    assert isinstance(answer, Rejected)
    assert answer.code == "future"
    assert "7200 s ahead" in answer.message


async def test_a_collector_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probe.upload.WAY_S", 0.2)
    async with tcp_server(says(hang=True)) as port:
        answer = await uploader(f"http://127.0.0.1:{port}").heartbeat(Presence.ALIVE)
    assert isinstance(answer, Later)


async def test_drain_goes_on_until_the_collector_is_back(collector: Running, spool: Spool) -> None:
    fill(spool, replace(CLEAN, started_at=at(-5)))
    waits: list[float] = []

    async with tcp_server(says(response(503))) as port:
        up = uploader(f"http://127.0.0.1:{port}")

        async def wait(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 3:
                up.routes = Routes(ways(to(collector.url)))

        patient = replace(courier(spool, up), sleep=wait)
        await patient.drain()
    assert len(waits) == 3
    assert spool.figures().pending == 0
    assert spool.notes()["last_obstacle"] == ""


async def test_the_detector_is_told_what_was_stored_of_a_minute_that_it_has_listened_to(
    collector: Running,
) -> None:
    detector, now = collector.service.detector, collector.clock.now
    await detector.detect()
    before = detector.findings
    await detector.detect()
    assert detector.findings is before
    late = Seen(
        probe=ME.probe_id, at=now - 900, state=Presence.ALIVE, country="PK", asn=45595, prefix="a prefix"
    )
    await collector.service.committer.see(late)
    await detector.detect()
    assert detector.findings is not before
