"""Group commit: everything that waits becomes one transaction, and then each waiter is answered.

The store is synchronous and used from one thread; this is that thread's only door. A full queue
refuses at once, because a request that waits for ever is worse for a probe than one told to come
back.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from collector.metrics import Metrics
from collector.store.base import Ingest, Seen, Store, Stored, StoreError

log = logging.getLogger("reachwatch.ingest")

P = ParamSpec("P")
T = TypeVar("T")

QUEUE_BATCHES = 2000  # about six seconds of 333 batches a second; more would outlast the clients
GROUP_BATCHES = 504  # where measured throughput stops rising much
QUEUE_HEARTBEATS = 10_000  # the same six seconds of 1667 heartbeats a second


class Overloaded(Exception):
    """The queue is full."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    item: Ingest
    answer: asyncio.Future[Stored]


@dataclass(frozen=True, slots=True)
class _Heard:
    seen: Seen
    durable: asyncio.Future[None]


@dataclass
class Committer:
    """Owns the store's thread. `committed` and `heard` are told what was stored."""

    store: Store
    metrics: Metrics
    wall: Callable[[], float]
    committed: Callable[[Sequence[Ingest], Sequence[Stored]], None] = lambda _items, _answers: None
    heard: Callable[[Sequence[Seen]], None] = lambda _heartbeats: None
    _queue: asyncio.Queue[_Waiting] = field(default_factory=lambda: asyncio.Queue(QUEUE_BATCHES))
    _heartbeats: asyncio.Queue[_Heard] = field(default_factory=lambda: asyncio.Queue(QUEUE_HEARTBEATS))
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "store"))
    _is_broken: bool = False

    async def submit(self, item: Ingest) -> Stored:
        """Wait until the batch is durable; raises `Overloaded` or `StoreError`."""
        waiting = _Waiting(item, asyncio.get_running_loop().create_future())
        try:
            self._queue.put_nowait(waiting)
        except asyncio.QueueFull:
            raise Overloaded from None
        return await waiting.answer

    async def see(self, seen: Seen) -> None:
        """Wait until the heartbeat is durable; raises `Overloaded` or `StoreError`."""
        heard = _Heard(seen, asyncio.get_running_loop().create_future())
        try:
            self._heartbeats.put_nowait(heard)
        except asyncio.QueueFull:
            raise Overloaded from None
        await heard.durable

    async def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Any other call to the store, on its thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: function(*args, **kwargs))

    async def run(self) -> None:
        """Commit groups until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._run_batches())
            group.create_task(self._run_heartbeats())

    async def _run_heartbeats(self) -> None:
        """All that wait, at once: what came while the last group was written is the next."""
        while True:
            group = [await self._heartbeats.get()]
            while not self._heartbeats.empty():
                group.append(self._heartbeats.get_nowait())
            await self._remember(group)
            for _ in group:
                self._heartbeats.task_done()

    async def _remember(self, group: Sequence[_Heard]) -> None:
        heartbeats = [heard.seen for heard in group]
        failed: StoreError | None = None
        try:
            await self.call(self.store.see, heartbeats)
        except StoreError as error:
            failed = error
        else:
            self.heard(heartbeats)
        self._tell(failed)
        for heard in group:
            if heard.durable.done():  # a client that hung up has cancelled its own
                continue
            if failed is not None:
                heard.durable.set_exception(failed)
            else:
                heard.durable.set_result(None)

    def _tell(self, failed: StoreError | None) -> None:
        """Once on breaking and once on recovery: a full disk is not helped by a line for every request."""
        if failed is not None and not self._is_broken:
            log.error("store_failed error=%s", failed)
        elif failed is None and self._is_broken:
            log.info("store_recovered")
        self._is_broken = failed is not None

    async def _run_batches(self) -> None:
        while True:
            group = [await self._queue.get()]
            while len(group) < GROUP_BATCHES and not self._queue.empty():
                group.append(self._queue.get_nowait())
            self.metrics.queue(self._queue.qsize())
            await self._commit(group)
            for _ in group:
                self._queue.task_done()

    async def finish(self) -> None:
        """Wait until everything accepted is committed."""
        await self._queue.join()
        await self._heartbeats.join()

    def close(self) -> None:
        """End the thread, then the store."""
        self._thread.shutdown()
        self.store.close()

    async def _commit(self, group: Sequence[_Waiting]) -> None:
        items = [waiting.item for waiting in group]
        began = time.perf_counter()
        try:
            answers = await self.call(self.store.ingest, items)
        except StoreError as error:
            for waiting in group:
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
            self._tell(error)
            return
        self._tell(None)
        self.metrics.committed(time.perf_counter() - began, items, answers, self.wall())
        self.committed(items, answers)
        for waiting, answer in zip(group, answers, strict=True):
            if not waiting.answer.done():  # a client that hung up has cancelled its own
                waiting.answer.set_result(answer)
