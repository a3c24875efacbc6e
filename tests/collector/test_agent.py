"""The long-running agent against a real collector: rounds, heartbeats, and a goodbye at the end."""

from __future__ import annotations

import asyncio
import gzip
import random
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from collector.ingest.handler import MAX_BODY_BYTES
from probe.agent import Agent, Desk
from probe.net import AsyncioNet
from probe.outcome import Outcome
from probe.schedule import Schedule
from probe.spool import Spool, SpoolError
from probe.targets import Targets
from probe.wire.codec import MAX_BYTES
from probe.wire.stage import TlsDetail
from tests.batches import someone
from tests.collector.conftest import Running
from tests.line import Line, a_line
from tests.probe.wire.test_fit import fat
from tests.uploads import an_uploader, to

ME = someone(1)
NO_TARGETS = Targets(Path("none.json"), (), time.time)


def an_agent(line: Line, spool: Spool, collector: Running | None) -> Agent:
    """An agent whose rounds are far apart, so that a test sees the first."""
    uploader = None
    if collector is not None:
        collector.clock.now = time.time()
        uploader = an_uploader(to(collector.url), AsyncioNet(), ME, time.time)
    return Agent(Desk(line.plan, ME, spool, NO_TARGETS), Schedule(300.0, 0.0), uploader, random.Random(1))


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
        desk = Desk(replace(line.plan), ME, spool, NO_TARGETS)
        outcome = await desk.take()
        async with asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(desk.keep(outcome, upload=True))
            await asyncio.to_thread(begun.wait, 10)
            keeping.cancel()
            await asyncio.sleep(0)
            assert not keeping.done()
            go_on.set()
    assert spool.peek() is not None
    spool.close()


async def test_what_is_kept_was_scrubbed_first(tmp_path: Path) -> None:
    spool = a_spool(tmp_path)
    async with a_line(tmp_path) as line:
        desk = Desk(replace(line.plan), ME, spool, NO_TARGETS)
        line.zone["x.com", "A"] = ["104.244.42.1", "192.0.2.7"]  # the second is this machine's own
        outcome = await desk.take()
        await desk.keep(outcome, upload=True)
    item = spool.peek()
    assert item is not None
    assert b"192.0.2.7" not in item.body
    assert b"104.244.42.1" in item.body
    spool.close()


async def test_fat_certificates_cannot_make_a_round_too_large_to_be_taken(tmp_path: Path) -> None:
    spool = a_spool(tmp_path)
    chain = tuple(fat(n) for n in range(8))
    async with a_line(tmp_path) as line:
        desk = Desk(line.plan, ME, spool, NO_TARGETS)
        outcome = await desk.take()
        (shown,) = (o for o in outcome.round.observations if o.tls is not None and o.target == "x/web")
        many = tuple(replace(shown, tls=TlsDetail(chain=chain)) for _ in range(90))
        await desk.keep(Outcome(replace(outcome.round, observations=many), outcome.verdicts), upload=True)
    item = spool.peek()
    assert item is not None
    assert len(item.body) < MAX_BYTES
    assert len(gzip.compress(item.body)) < MAX_BODY_BYTES
    spool.close()
