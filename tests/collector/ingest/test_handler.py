"""The three requests over real HTTP: statuses, receipts, limits, and nothing of an address."""

from __future__ import annotations

import asyncio
import gzip
import logging
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import Mock, patch

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from collector.config import Config
from collector.ingest import commit, handler
from collector.ingest.admit import Refusal, Request
from collector.limit import Limiter
from collector.store.base import Ingest, Stored, StoreError
from probe.wire.codec import MAX_BYTES
from probe.wire.exchange import Presence
from tests.batches import at, batch, heartbeat, signed, someone
from tests.collector.conftest import Running, all_told, collecting

ME = someone(1)


async def test_a_batch_gets_its_receipt_and_a_retry_the_same_one_marked(collector: Running) -> None:
    await collector.enrol(ME)
    request = signed(ME, batch(ME, sequence=42))
    assert [await collector.post("/v1/batch", request) for _ in range(2)] == [200, 200]
    first, second = collector.answers[-2:]
    assert (first["probe"], first["sequence"]) == (ME.probe_id, 42)
    assert first.get("duplicate", False) is False
    assert second["duplicate"] is True
    assert first["server_time"] == at(0).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert len(list(collector.service.committer.store.batches())) == 1


async def test_a_receipt_says_what_peers_in_other_countries_see(collector: Running) -> None:
    await collector.enrol(ME)
    await collector.post("/v1/batch", signed(ME, batch(ME)))
    await collector.service.refresh()
    abroad = {view.platform: view for view in collector.service.peers("IN")}
    assert (abroad["x"].countries, abroad["x"].votes, abroad["x"].failing) == (1, 1, 0)
    assert {view.votes for view in collector.service.peers("PK")} == {0}


async def test_an_unknown_key_is_told_to_enrol(collector: Running) -> None:
    assert await collector.post("/v1/batch", signed(ME, batch(ME))) == 401
    assert collector.answers[-1]["code"] == "unknown_probe"
    await collector.enrol(ME)
    assert await collector.post("/v1/batch", signed(ME, batch(ME))) == 200


async def test_a_goodbye_ends_a_probes_reporting(collector: Running) -> None:
    await collector.enrol(ME)
    for state, reporting in ((Presence.ALIVE, {"PK": 1}), (Presence.BYE, {})):
        assert await collector.post("/v1/heartbeat", signed(ME, heartbeat(ME, state))) == 200
        await collector.service.refresh()
        assert collector.service.snapshot.probes == reporting


REFUSED: dict[str, tuple[Request, dict[str, str], int, str]] = {
    "another coding": (signed(ME, b"{}"), {"Content_Encoding": "br"}, 415, "unsupported_encoding"),
    "no gzip though it says so": (signed(ME, b"{}"), {"Content_Encoding": "gzip"}, 400, "bad_encoding"),
    "gzip broken off": (
        Request(gzip.compress(b"x" * 5000)[:-9], ME.probe_id, ""),
        {"Content_Encoding": "gzip"},
        400,
        "bad_encoding",
    ),
    "too many bytes": (signed(ME, b"x" * 65_537), {"Content_Encoding": "identity"}, 413, "too_large"),
    "a bomb": (
        Request(gzip.compress(b"0" * (MAX_BYTES * 40)), ME.probe_id, ""),
        {"Content_Encoding": "gzip"},
        413,
        "too_large",
    ),
    "no JSON": (signed(ME, b"{"), {}, 400, "malformed"),
    "a stranger's batch": (signed(ME, batch(someone(2))), {}, 403, "wrong_probe"),
    "from the future": (signed(ME, heartbeat(ME, sent_at=at(700))), {}, 422, "future"),
}


@pytest.mark.parametrize("story", REFUSED)
async def test_refused(collector: Running, story: str) -> None:
    request, headers, status, code = REFUSED[story]
    path = "/v1/heartbeat" if story == "from the future" else "/v1/batch"
    await collector.enrol(ME)
    assert await collector.post(path, request, **headers) == status
    assert collector.answers[-1]["code"] == code
    assert f'reachwatch_ingest_refusals_total{{reason="{code}"}} 1.0' in await collector.get("/metrics")


def test_a_bomb_costs_no_more_than_its_limit() -> None:
    bomb = gzip.compress(b"0" * (MAX_BYTES * 40))
    tracemalloc.start()
    assert isinstance(handler._unpacked(bomb), Refusal)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * MAX_BYTES


async def test_a_body_that_never_ends_is_given_up(
    collector: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "BODY_S", 0.2)
    host, port = collector.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    assert b" 408 " in await reader.readline()
    writer.close()


async def test_a_full_queue_says_come_back_later(collector: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    await collector.enrol(ME)

    def full(_item: object) -> None:
        raise asyncio.QueueFull

    monkeypatch.setattr(collector.service.committer._queue, "put_nowait", full)
    async with collector.client.post(
        collector.url + "/v1/batch",
        data=batch(ME),
        headers={"Reachwatch-Probe": ME.probe_id, "Reachwatch-Signature": signed(ME, batch(ME)).signature},
    ) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, handler.RETRY_AFTER_S)


async def test_a_prefix_may_send_so_much_a_minute(
    collector: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    await collector.enrol(ME)
    monkeypatch.setattr(collector.service.intake, "pace", Limiter(2, b"key"))
    statuses = [await collector.post("/v1/heartbeat", signed(ME, heartbeat(ME))) for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert collector.answers[-1]["code"] == "too_often"
    collector.clock.now += 30
    assert await collector.post("/v1/heartbeat", signed(ME, heartbeat(ME))) == 200
    assert 'refusals_total{reason="too_often"} 1.0' in await collector.get("/metrics")


async def test_where_too_many_wait_no_more_is_read(
    collector: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector.service.intake.docket._queue, "full", lambda: True)
    host, port = collector.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    assert b" 429 " in await reader.readline(), "before the body came"
    writer.close()


async def test_who_has_hung_up_has_no_address_and_counts_for_nobody(collector: Running) -> None:
    gone = Mock(get_extra_info=Mock(return_value=None))
    request = make_mocked_request("POST", "/v1/batch", transport=gone)
    route = next(route for route in collector.service.intake.routes() if route.path == "/v1/batch")
    answer = await route.handler(request)
    assert isinstance(answer, web.Response)
    assert answer.status == 408
    assert 'refusals_total{reason="too_slow"} 1.0' in await collector.get("/metrics")


async def test_a_store_that_fails_gives_no_receipt_and_is_a_line_on_breaking_and_one_on_recovery(
    collector: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await collector.enrol(ME)

    def failing(_group: object) -> None:
        raise StoreError("disk full")

    caplog.set_level(logging.INFO)
    monkeypatch.setattr(collector.service.committer.store, "ingest", failing)
    assert [await collector.post("/v1/batch", signed(ME, batch(ME))) for _ in range(3)] == [503] * 3
    monkeypatch.undo()
    assert [await collector.post("/v1/batch", signed(ME, batch(ME))) for _ in range(2)] == [200] * 2
    assert [r.message for r in caplog.records] == ["store_failed error=disk full", "store_recovered"]
    assert 'batches_total{result="new"} 1.0' in await collector.get("/metrics")


async def test_many_at_once_are_committed_in_groups(collector: Running) -> None:
    probes = [someone(n) for n in range(1, 21)]
    for who in probes:
        await collector.enrol(who)
    groups: list[int] = []
    store = collector.service.committer.store
    plain = store.ingest

    def counting(group: Sequence[Ingest]) -> list[Stored]:
        groups.append(len(group))
        return plain(group)

    with patch.object(store, "ingest", counting):
        async with asyncio.TaskGroup() as tasks:
            for who in probes:
                tasks.create_task(collector.post("/v1/batch", signed(who, batch(who))))
    assert sum(groups) == 20
    assert len(groups) < 20
    assert commit.GROUP_BATCHES > 20


async def test_no_form_of_a_source_address_is_in_what_is_stored_shown_or_logged(
    collector: Running, caplog: pytest.LogCaptureFixture
) -> None:
    await collector.enrol(ME)
    await collector.post("/v1/batch", signed(ME, batch(ME)))
    await collector.post("/v1/heartbeat", signed(ME, heartbeat(ME)))
    await collector.post("/v1/batch", signed(ME, b"{"))
    shown = [await collector.get(path) for path in ("/", "/api/v1/state", "/metrics")]
    folder = Path(collector.service.config.data_dir)
    stored = b"".join(file.read_bytes() for file in folder.iterdir())
    told = all_told(collector.service.committer.store)
    assert told.count(ME.probe_id) > 3, "there is something to look in"
    for form in ("127.0.0.1", "127.0.0", "7f000001", "2130706433"):
        assert form.encode() not in stored
        assert form not in told
        assert not any(form in text for text in [*shown, caplog.text])


async def test_an_enrolment_survives_a_restart(tmp_path: Path) -> None:
    config = Config(data_dir=str(tmp_path))
    async with collecting(config) as collector:
        await collector.enrol(ME)
    async with collecting(config) as collector:
        assert collector.service.committer.store.keys() == {ME.probe_id: ME.public_key}
        assert await collector.post("/v1/batch", signed(ME, batch(ME))) == 200
