"""The load is made of what agents send, what is prepared is what it would have left, and its report says
what never showed."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.freshness.cores import Cores
from benchmarks.freshness.crowd import INTERVAL_S, a_world, crowd, history, marked, request, tag_of
from benchmarks.freshness.load import PLACES, Seen, drive
from benchmarks.freshness.report import Run, written
from benchmarks.freshness.spent import Spent
from collector.config import Api, Config
from collector.detect.cells import Cell, CellKey, cells_of_batch, merge
from collector.store import open_store
from probe.wire.codec import decode
from probe.wire.observation import Batch
from tests.configs.test_notified import free_address
from tests.nation.drive import Clock, Server
from tests.nation.story import PLATFORMS


def test_a_crowd_is_the_same_each_time_and_comes_evenly() -> None:
    probes = crowd(2000)
    assert [one.probe_id for one in probes] == [one.probe_id for one in crowd(2000)]
    assert len({one.probe_id for one in probes}) == 2000
    assert {round(later.phase_s - one.phase_s, 6) for one, later in pairwise(probes)} == {INTERVAL_S / 2000}
    sizes = Counter(one.place for one in probes).most_common()
    assert len({one.country for one in probes}) > 40
    assert sizes[0][1] > 10 * sizes[150][1], "networks are of very different sizes"


def test_what_is_prepared_is_what_the_rounds_would_have_left() -> None:
    probes = [replace(one, phase_s=60.0 * n) for n, one in enumerate(crowd(4))]
    world = a_world(probes)
    quiet = replace(world.story.probes, noise=0.0, speed_every=0)
    world = replace(world, story=replace(world.story, probes=quiet))
    prepared: dict[CellKey, Cell] = {}
    for cells in history(world, probes, 0.0, 300.0):
        prepared.update(cells)
    sent: dict[CellKey, Cell] = {}
    for probe in probes:
        body = world.body(probe, probe.phase_s, 0, 1)
        assert body is not None
        batch, tag = decode(Batch, body), tag_of(probe)
        for key, cell in cells_of_batch(
            batch, PLATFORMS, country=probe.country, asn=probe.network.asn, prefix=tag
        ).items():
            sent[key] = merge(sent[key], cell) if key in sent else cell
    assert sent == prepared


@pytest.mark.slow
async def test_each_marked_batch_is_seen_to_show_in_each_place(tmp_path: Path) -> None:
    probes, marks = crowd(20), marked(3)
    world = a_world([*probes, *marks])
    store = open_store(f"sqlite://{tmp_path}")
    for one in (*probes, *marks):
        store.enrol(one.probe_id, one.identity.public_key, 0.0)
    store.close()
    config = Config(
        listen="127.0.0.1:0",
        metrics_listen=free_address(),
        data_dir=str(tmp_path),
        api=Api(requests_a_minute=0),
    )
    clock = Clock(time.time())
    async with asyncio.TaskGroup() as group:
        server = Server(config, clock, group)
        main = (await server.start()).removeprefix("http://")
        requests = [request(world, one, clock.now, 1) for one in probes]
        requests += [request(world, one, clock.now, 1, with_heartbeat=True) for one in marks]
        seen = await drive(main, config.metrics_listen, requests, 6.0)
        await server.stop()
    assert seen.answers == {"200": 23}
    for place in PLACES:
        delays = seen.delays(place)
        assert len(delays) == 3
        assert all(0 <= delay < 8 for delay in delays)


def test_what_never_showed_is_no_fast_one() -> None:
    seen = Seen(took=[0.1] * 200, received=[0.0] * 200)
    for place in PLACES:
        seen.shown[place] = [1.0] * 200
        seen.looks[place] = [0.1] * 200
    used = Spent({1: 50.0}, 0.0, 1.0, 1.0)
    run = Run(
        probes=1, requests=200, seconds=100.0, seen=seen, collector=used, own_s=1.0, queue=1.0,
        cores=(Cores(1.0, 1.0), Cores(1.0, 1.0)),
    )  # fmt: skip
    assert "| `/` | 1.00 | 1.00 | 1.00 | 200 | yes |" in written([run])
    del seen.shown["page"][-3:]
    assert "| `/` | 1.00 | inf | inf | 200 | **no** |" in written([run])
