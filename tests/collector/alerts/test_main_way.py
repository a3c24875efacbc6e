"""From detection to the receiver: the real detector publishes, the process ends, the real server delivers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from collector.app import serve
from collector.config import Config
from collector.store import open_store
from tests.collector.test_detector import in_order, watching

from .receivers import receiving, revision, webhook


@pytest.mark.slow
async def test_what_detection_published_is_delivered_by_the_server_that_starts_after_it(
    tmp_path: Path,
) -> None:
    url = f"sqlite://{tmp_path}"
    store = open_store(url)
    store.subscribe(["ops"])
    store.close()
    with watching(url) as watchers:
        in_order(watchers)
        published = watchers.store.revisions()
    assert [str(one.incident.phase) for one in published][-1] == "ended"
    async with receiving() as receiver:
        config = Config(
            listen="127.0.0.1:0",
            metrics_listen="127.0.0.1:0",
            data_dir=str(tmp_path),
            webhooks=(webhook(receiver.url, phase="suspected"),),
        )
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(serve(config, stop, lambda _main, _metrics: None))
            async with asyncio.timeout(30):
                while len(receiver.got) < len(published):
                    await receiver.came.wait()
                    receiver.came.clear()
            stop.set()
    assert receiver.heard == [(one.incident.id, one.number) for one in published]
    assert receiver.got[-1].data["phase"] == "ended"
    claim = receiver.got[-1].data["claim"]
    assert claim.startswith("nation-scale disruption of X in Pakistan: at worst 24 of 24")


async def test_a_server_that_is_stopped_does_not_wait_for_a_receiver_and_forgets_nothing(
    tmp_path: Path,
) -> None:
    never = asyncio.Event()
    url = f"sqlite://{tmp_path}"
    store = open_store(url)
    store.subscribe(["ops"])
    store.publish([revision()])
    store.close()
    async with receiving(never) as receiver:
        config = Config(
            listen="127.0.0.1:0",
            metrics_listen="127.0.0.1:0",
            data_dir=str(tmp_path),
            webhooks=(webhook(receiver.url),),
        )
        stop = asyncio.Event()
        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            group.create_task(serve(config, stop, lambda _main, _metrics: None))
            await receiver.came.wait()
            stop.set()
        never.set()
    store = open_store(url)
    (waiting,) = store.outbox("ops")
    assert (waiting.incident, waiting.attempts) == ("pk-1", 0)
    store.close()
