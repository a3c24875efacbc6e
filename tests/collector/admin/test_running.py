"""Orders to a collector that runs: they take effect at once, and ingest goes on meanwhile."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from collector import cli
from collector.rejudge import rejudge
from collector.store import open_store, upkeep
from collector.store.folder import DATABASE
from probe.wire.exchange import Presence
from probe.wire.observation import Round
from tests.batches import CLEAN, NOW, at, batch, enrolment, heartbeat, signed, someone
from tests.collector.admin.conftest import SOON_S, Admin, Served, serving, soon
from tests.collector.alerts.receivers import receiving, revision, webhook
from tests.collector.conftest import all_told

ME = someone(1)


def measured(seconds: float) -> Round:
    return replace(CLEAN, started_at=at(seconds))


async def has_come(served: Served, *rounds: Round, sequence: int = 1) -> None:
    body = batch(ME, *rounds, sequence=sequence)
    assert (await served.post("/v1/batch", signed(ME, body)))[0] == 200


async def votes(served: Served) -> int:
    state = await served.state()
    return int(state["countries"].get("PK", {}).get("platforms", {}).get("x", {}).get("votes", 0))  # type: ignore[attr-defined]


@pytest.mark.slow
async def test_a_quarantine_takes_effect_on_the_page_and_in_the_next_detection_and_a_release_ends_it(
    data: Path, admin: Admin
) -> None:
    def rounds_told() -> int:
        with sqlite3.connect(f"file:{data / DATABASE}?mode=ro", uri=True) as db:
            return int(db.execute("SELECT count(*) FROM chronicle WHERE country = 'PK'").fetchone()[0])

    async def told() -> bool:
        return rounds_told() > 0

    async def untold() -> bool:
        return rounds_told() == 0

    old = open_store(f"sqlite://{data}")
    old.enrol(ME.probe_id, ME.public_key, NOW - 8 * 86_400)  # a key of today's weighs nothing anyway
    old.close()
    async with serving(data) as served:
        assert (await served.post("/v1/heartbeat", signed(ME, heartbeat(ME, Presence.ALIVE))))[0] == 200
        for n in range(4):
            await has_come(served, *(measured(-300 * (10 * n + k) - 5) for k in range(10)), sequence=n + 1)
        await soon(told)
        assert await asyncio.to_thread(admin, "quarantine", ME.probe_id, "--reason", "its clock lies") == (
            0,
            [f"{ME.probe_id}: weighs nothing in what was measured from 2026-11-21T06:00:00Z on"],
            [],
        )
        await soon(untold)
        # What it says meanwhile is taken and kept, and weighs nothing.
        await has_come(served, measured(-1), sequence=9)
        assert await asyncio.to_thread(admin, "release", ME.probe_id, "--since", "2026-11-22T06:00:00Z") == (
            0,
            [f"{ME.probe_id}: weighs again in what was measured from 2026-11-22T06:00:00Z on"],
            [],
        )
        await soon(told)
        status, lines, _ = await asyncio.to_thread(admin, "quarantined", "--all", "--json")
        (record,) = map(json.loads, lines)
        assert (status, record["reason"], record["until"]) == (0, "its clock lies", "2026-11-22T06:00:00Z")
        assert record["by"] == record["released_by"] != ""
    store = open_store(f"sqlite://{data}")
    assert len(list(store.batches())) == 5
    store.close()


@pytest.mark.slow
async def test_a_key_in_quarantine_has_no_vote_on_the_page(data: Path, admin: Admin) -> None:
    async def is_heard() -> bool:
        return await votes(served) == 1

    async def is_not_heard() -> bool:
        return await votes(served) == 0

    async with serving(data) as served:
        assert await served.post("/v1/enrol", signed(ME, enrolment(ME))) == (200, "")
        await has_come(served, measured(-5))
        await soon(is_heard)
        assert (await asyncio.to_thread(admin, "quarantine", ME.probe_id))[0] == 0
        await soon(is_not_heard)


@pytest.mark.slow
async def test_where_enrolment_is_not_open_a_token_lets_in_as_often_as_it_may(
    data: Path, admin: Admin
) -> None:
    async with serving(data, is_open=False) as served:

        async def enrol(seed: int, token: str | None) -> tuple[int, str]:
            who = someone(seed)
            return await served.post("/v1/enrol", signed(who, enrolment(who, token)))

        assert await enrol(1, None) == (403, "token_required")
        assert await enrol(1, "guessed") == (403, "token_unknown")
        _, (token,), (note,) = await asyncio.to_thread(admin, "tokens", "issue", "--label", "friends")
        assert await enrol(1, token) == (200, "")
        assert await enrol(1, None) == (200, ""), "who was let in stays in"
        assert await enrol(2, token) == (403, "token_used_up")
        _, (short,), _ = await asyncio.to_thread(admin, "tokens", "issue", "--days", "1", "--uses", "5")
        assert await enrol(2, short) == (200, "")
        served.clock.now += 86_401
        assert await enrol(3, short) == (403, "token_expired")
        name = note.split()[3].rstrip(";")
        assert (await asyncio.to_thread(admin, "tokens", "revoke", name))[0] == 0
        assert await enrol(3, token) == (403, "token_revoked")
        _, lines, _ = await asyncio.to_thread(admin, "tokens", "list", "--json")
        used = {row["label"]: row["used"] for row in map(json.loads, lines)}
        assert used == {"friends": 1, "": 1}
        assert all(secret not in "".join(lines) for secret in (token, short))
        _, keys, _ = await asyncio.to_thread(admin, "keys", "--json")
        assert {row["key"]: row["label"] for row in map(json.loads, keys)} == {
            someone(1).probe_id: "friends",
            someone(2).probe_id: "",
        }
    raw = (data / DATABASE).read_bytes()
    assert token.encode() not in raw, "only its hash is kept"


@pytest.mark.slow
async def test_a_copy_made_while_batches_come_in_restored_is_consistent(
    data: Path, admin: Admin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "PAGES_AT_ONCE", 2)
    copy, sent = tmp_path / "copy", 0
    async with serving(data) as served:
        assert await served.post("/v1/enrol", signed(ME, enrolment(ME))) == (200, "")
        for sent in range(1, 101):
            await has_come(served, measured(-sent), sequence=sent)
        async with asyncio.TaskGroup() as group:
            copying = group.create_task(asyncio.to_thread(admin, "backup", str(copy)))
            while not copying.done():
                sent += 1
                await has_come(served, measured(-sent), sequence=sent)
        status, (said,), notes = copying.result()
        assert (status, said) == (0, f"{copy}: {copy.stat().st_size} bytes")
        assert notes[-1] == "copied 100 %"
    assert cli.main(["admin", "restore", str(copy), "--data-dir", str(tmp_path / "new")]) == 0
    assert list(upkeep.check(tmp_path / "new", lambda: False)) == []
    store = open_store(f"sqlite://{tmp_path / 'new'}")
    sequences = sorted(one.sequence for one in store.batches())
    assert sequences == list(range(1, len(sequences) + 1))
    assert 100 <= len(sequences) <= sent
    assert store.keys() == {ME.probe_id: ME.public_key}
    assert rejudge(store, ["x"], 0.0).changed == 0, "its cells are those of its batches"
    assert "127.0.0" not in all_told(store)
    assert b"127.0.0" not in copy.read_bytes()
    store.close()


@pytest.mark.slow
async def test_long_work_goes_one_at_a_time_and_a_collector_asked_to_stop_gives_it_up(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = threading.Event()

    def for_ever(_folder: Path, _path: Path, tell: Callable[[int, int], None]) -> int:
        begun.set()
        while True:
            tell(0, 1)

    def command(*argv: str) -> int:
        return cli.main(["admin", *argv, "--data-dir", str(data)])

    monkeypatch.setattr(upkeep, "back_up", for_ever)
    async with asyncio.timeout(30), serving(data) as served, asyncio.TaskGroup() as group:
        copying = group.create_task(asyncio.to_thread(command, "backup", str(tmp_path / "copy")))
        await asyncio.to_thread(begun.wait)
        assert await asyncio.to_thread(command, "check") == 1
        assert await asyncio.to_thread(command, "keys") == 0, "what is short does not wait"
        served.stop.set()
    assert copying.result() == 1
    assert capsys.readouterr().err.splitlines() == [
        "copied 0 %",
        "reachwatch-collector: a backup, a check or a compaction is going on; try again when it is done",
        "reachwatch-collector: given up: nobody waits for the copy any more",
    ]


@pytest.mark.slow
async def test_compacting_goes_on_beside_ingest(data: Path, admin: Admin) -> None:
    async with serving(data) as served:
        assert await served.post("/v1/enrol", signed(ME, enrolment(ME))) == (200, "")
        for n in range(1, 30):
            await has_come(served, measured(-n), sequence=n)
        served.clock.now += 100 * 86_400
        status, (said,), _ = await asyncio.to_thread(admin, "compact")
        assert (status, said.split(";")[0]) == (0, "29 batches dropped")
        assert (await asyncio.to_thread(admin, "check"))[0] == 0


@pytest.mark.slow
async def test_a_dead_letter_goes_out_again_from_a_collector_that_runs_and_another_is_dropped(
    data: Path, admin: Admin
) -> None:
    store = open_store(f"sqlite://{data}")
    store.subscribe(["ops", "old"])
    store.publish([revision(1), revision(1, incident="pk-2")])
    for letter in store.outbox():
        store.post(replace(letter, attempts=1, error="status 410", dead=True))
    store.close()

    async def is_down_to(count: int) -> bool:
        return f"reachwatch_webhook_dead_letters {count}.0" in await served.figures()

    async with receiving() as receiver, serving(data, webhooks=(webhook(receiver.url),)) as served:
        await soon(partial(is_down_to, 4))
        _, lines, notes = await asyncio.to_thread(admin, "dead-letters", "list")
        assert (len(lines), notes) == (4, ["4 dead letters"])
        assert await asyncio.to_thread(admin, "dead-letters", "retry", "--all") == (
            1,
            [],
            ["reachwatch-collector: old/pk-1/1: no webhook of that name is configured"],
        )
        assert (await asyncio.to_thread(admin, "dead-letters", "retry", "ops/pk-1/1"))[2] == [
            "1 to be delivered again"
        ]
        await asyncio.wait_for(receiver.came.wait(), SOON_S)
        assert receiver.heard == [("pk-1", 1)]
        assert (await asyncio.to_thread(admin, "dead-letters", "drop", "--all"))[2] == ["3 dropped"]
        await soon(partial(is_down_to, 0))
