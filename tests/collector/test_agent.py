"""The long-running agent against a real collector: rounds, heartbeats, and a goodbye at the end."""

from __future__ import annotations

import asyncio
import gzip
import random
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from collector.ingest.handler import MAX_BODY_BYTES
from probe.agent import Agent, Desk
from probe.identity import Identity, Installation
from probe.net import AsyncioNet
from probe.schedule import Schedule
from probe.spool import Spool, SpoolError
from probe.targets import Targets
from probe.upload import Uploader
from probe.whereabouts import NAMELESS
from probe.wire.codec import MAX_BYTES, decode
from probe.wire.observation import Batch
from probe.wire.stage import TlsDetail
from tests.collector.conftest import Running
from tests.line import Line, a_line
from tests.probe.wire.test_fit import fat
from tests.uploads import an_uploader, to

SEED = Installation(bytes([1]) * 32)
ME = SEED.at(NAMELESS)
NO_TARGETS = Targets(Path("none.json"), (), time.time)


def nowhere() -> str:
    return NAMELESS


def an_agent(
    line: Line, spool: Spool, collector: Running | None, place: Callable[[], str | None] = nowhere
) -> Agent:
    """An agent whose rounds are far apart, so that a test sees the first."""
    desk = Desk(line.plan, SEED, spool, NO_TARGETS, place)

    def speaking(who: Identity) -> Uploader:
        assert collector is not None
        is_here = partial(desk.speaks_as, who)
        return an_uploader(to(collector.url), AsyncioNet(), who, time.time, is_here=is_here)

    if collector is not None:
        collector.clock.now = time.time()
    sends = speaking if collector is not None else None
    return Agent(desk, Schedule(300.0, 0.0), sends, random.Random(1))


def a_spool(folder: Path) -> Spool:
    return Spool.open(folder / "spool.sqlite", max_bytes=1 << 20, max_age_s=1e6)


async def until(question: Callable[[], object], each: Callable[[], Awaitable[None]] | None = None) -> None:
    """Ask again and again; `each` is awaited before each asking."""
    async with asyncio.timeout(30):
        while True:
            await (each() if each else asyncio.sleep(0.02))
            if question():
                return


async def test_it_measures_sends_beats_and_says_goodbye(collector: Running, tmp_path: Path) -> None:
    spool = a_spool(tmp_path)
    async with a_line(tmp_path) as line, asyncio.TaskGroup() as tasks:
        agent = an_agent(line, spool, collector)
        pulses: list[None] = []
        agent.pulse = lambda: pulses.append(None)
        running = tasks.create_task(agent.run())
        service = collector.service
        await until(lambda: service.snapshot.countries and service.snapshot.probes, service.refresh)
        # What is stored is on the page before its receipt is back.
        await until(lambda: not spool.figures().pending)
        assert service.snapshot.probes == {"PK": 1}
        assert sum(tally.votes for tally in service.snapshot.countries.values()) == 1
        agent.stop.set()
        await running
    assert pulses, "a health check sees that it lives"
    await collector.service.refresh()
    assert collector.service.snapshot.probes == {}
    assert (collector.service.config.data_path / "alive").exists()
    assert len(spool.history(10)) == 1
    spool.close()


async def test_without_a_collector_rounds_stay_in_the_history_and_nothing_is_spooled(tmp_path: Path) -> None:
    spool = a_spool(tmp_path)
    async with a_line(tmp_path) as line, asyncio.TaskGroup() as tasks:
        agent = an_agent(line, spool, None)
        running = tasks.create_task(agent.run())
        await until(lambda: spool.history(1))
        agent.stop.set()
        await running
    assert spool.figures().pending == 0
    spool.close()


async def test_a_pause_says_goodbye_and_a_resumed_agent_is_there_again(
    collector: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probe.agent.NOTICE_S", 0.02)
    spool, why, service = a_spool(tmp_path), "", collector.service
    async with a_line(tmp_path) as line, asyncio.TaskGroup() as tasks:
        agent = an_agent(line, spool, collector)
        agent.quiet = lambda: why
        running = tasks.create_task(agent.run())
        await until(lambda: service.snapshot.probes, service.refresh)
        why = "paused"
        await until(lambda: not service.snapshot.probes, service.refresh)
        measured = len(spool.history(9))
        why = ""
        await until(lambda: len(spool.history(9)) > measured)
        await until(lambda: service.snapshot.probes, service.refresh)
        agent.stop.set()
        await running
    spool.close()


async def test_a_round_leaves_only_from_the_network_it_was_measured_on(
    collector: Running, tmp_path: Path
) -> None:
    spool, place = a_spool(tmp_path), "home"
    async with a_line(tmp_path) as line, asyncio.TaskGroup() as tasks:
        agent = an_agent(line, spool, collector, lambda: place)
        await agent.desk.keep(await agent.desk.take(), upload=True)
        place = "away"
        running = tasks.create_task(agent.run())
        home, away = (SEED.at(name).probe_id for name in ("home", "away"))
        await until(lambda: spool.notes().get("last_upload_at"))
        assert spool.waiting(away) == 0
        assert spool.waiting(home) == 1
        agent.stop.set()
        await running
    batches = [decode(Batch, kept.body) for kept in collector.service.committer.store.batches()]
    assert {batch.probe for batch in batches} == {away}
    spool.close()


async def test_a_round_during_which_the_network_changed_is_kept_here(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool, places = a_spool(tmp_path), iter(["home", "away"])
    async with a_line(tmp_path) as line:
        desk = Desk(replace(line.plan), SEED, spool, NO_TARGETS, lambda: next(places))
        await desk.keep(await desk.take(), upload=True)
    assert (len(spool.history(9)), spool.figures().pending) == (1, 0)
    assert "round_not_sent reason=network_changed" in caplog.text
    spool.close()


async def test_a_full_disk_is_said_and_does_not_end_the_measuring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    spool = a_spool(tmp_path)

    def full(*_: object) -> None:
        raise SpoolError("spool.sqlite: database or disk is full")

    monkeypatch.setattr(spool, "remember", full)
    async with a_line(tmp_path) as line, asyncio.TaskGroup() as tasks:
        agent = an_agent(line, spool, None)
        running = tasks.create_task(agent.run())
        await until(lambda: "round_not_kept" in caplog.text)
        assert not running.done()
        agent.stop.set()
        await running
    spool.close()


async def test_who_is_stopped_while_a_round_is_kept_is_stopped_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = a_spool(tmp_path)
    begun, go_on = threading.Event(), threading.Event()
    remember = spool.remember

    def slowly(at: float, text: bytes) -> None:
        begun.set()
        go_on.wait(10)
        remember(at, text)

    monkeypatch.setattr(spool, "remember", slowly)
    async with a_line(tmp_path) as line:
        desk = Desk(replace(line.plan), SEED, spool, NO_TARGETS, nowhere)
        outcome = await desk.take()
        async with asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(desk.keep(outcome, upload=True))
            await asyncio.to_thread(begun.wait, 10)
            keeping.cancel()
            await asyncio.sleep(0)
            assert not keeping.done()
            go_on.set()
    assert spool.peek(ME.probe_id) is not None
    spool.close()


async def test_what_is_kept_was_scrubbed_first(tmp_path: Path) -> None:
    spool = a_spool(tmp_path)
    async with a_line(tmp_path) as line:
        desk = Desk(replace(line.plan), SEED, spool, NO_TARGETS, nowhere)
        line.zone["x.com", "A"] = ["104.244.42.1", "192.0.2.7"]  # the second is this machine's own
        outcome = await desk.take()
        await desk.keep(outcome, upload=True)
    item = spool.peek(ME.probe_id)
    assert item is not None
    assert b"192.0.2.7" not in item.body
    assert b"104.244.42.1" in item.body
    spool.close()


async def test_fat_certificates_cannot_make_a_round_too_large_to_be_taken(tmp_path: Path) -> None:
    spool = a_spool(tmp_path)
    chain = tuple(fat(n) for n in range(8))
    async with a_line(tmp_path) as line:
        desk = Desk(line.plan, SEED, spool, NO_TARGETS, nowhere)
        outcome = await desk.take()
        (shown,) = (o for o in outcome.round.observations if o.tls is not None and o.target == "x/web")
        many = tuple(replace(shown, tls=TlsDetail(chain=chain)) for _ in range(90))
        await desk.keep(replace(outcome, round=replace(outcome.round, observations=many)), upload=True)
    item = spool.peek(ME.probe_id)
    assert item is not None
    assert len(item.body) < MAX_BYTES
    assert len(gzip.compress(item.body)) < MAX_BODY_BYTES
    spool.close()


async def test_a_clock_that_steps_back_in_mid_round_spoils_nothing(tmp_path: Path) -> None:
    spool, hour = a_spool(tmp_path), [0.0]
    async with a_line(tmp_path) as line:
        desk = Desk(line.plan, SEED, spool, NO_TARGETS, nowhere, wall=lambda: time.time() + hour[0])

        def steps_back(_: object) -> None:
            hour[0] = -7200.0

        sequences = []
        for _ in range(2):
            outcome = await desk.take(steps_back)
            assert all(o.start_s >= 0 and o.duration_s >= 0 for o in outcome.round.observations)
            await desk.keep(outcome, upload=True)
            item = spool.peek(ME.probe_id)
            assert item is not None
            sequences.append(item.sequence)
            assert decode(Batch, item.body).rounds[0] == outcome.round
            spool.done(item.sequence)
    assert sequences[0] < sequences[1], "a collector would take the second for a round it knows"
    spool.close()
