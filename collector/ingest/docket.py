"""Batches that wait to be judged, a group at a time, in a process of their own.

Judging is the largest part of a batch's way, and one interpreter runs one thread at a time: done here, it
would keep pages and receipts waiting at a few hundred batches a second. One judge is enough: what this
process has to do for a batch takes about as long.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from collector.beside import Beside, Gone

from .admit import Refusal
from .commit import Overloaded
from .judge import Answer
from .judging import Arrival, Judged

log = logging.getLogger("reachwatch.ingest")

JUDGE = "collector.ingest.judge"
QUEUE_BATCHES = 2000  # about six seconds of 333 batches a second; more would outlast the clients
GROUP_BATCHES = 64
# What one waits for others to come along: a call costs as much as judging a third of a batch.
GATHER_S = 0.005
# The largest group of the largest batches takes a Raspberry Pi less.
ANSWER_S = 60.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    arrival: Arrival
    found: asyncio.Future[Judged | Refusal]


@dataclass
class Docket:
    """Owns the judge's process."""

    judge: Beside = field(default_factory=lambda: Beside.of(JUDGE))
    _queue: asyncio.Queue[_Waiting] = field(default_factory=lambda: asyncio.Queue(QUEUE_BATCHES))

    @property
    def is_full(self) -> bool:
        """Whether one more would be turned away."""
        return self._queue.full()

    async def judged(self, arrival: Arrival) -> Judged | Refusal:
        """What is found of it. Raises `Overloaded` where too many wait or nobody judges now, and
        `RuntimeError` where the rules' code broke on it."""
        waiting = _Waiting(arrival, asyncio.get_running_loop().create_future())
        try:
            self._queue.put_nowait(waiting)
        except asyncio.QueueFull:
            raise Overloaded from None
        return await waiting.found

    async def run(self) -> None:
        """Have groups judged until cancelled."""
        try:
            while True:
                group = [await self._queue.get()]
                await asyncio.sleep(GATHER_S)
                while len(group) < GROUP_BATCHES and not self._queue.empty():
                    group.append(self._queue.get_nowait())
                await self._pass(group)
        finally:
            await self.judge.end()

    async def _pass(self, group: Sequence[_Waiting]) -> None:
        answers: Sequence[Answer | Overloaded]
        try:
            await self.judge.say([waiting.arrival for waiting in group])
            answers = await self.judge.hear(ANSWER_S)
        except Gone as error:
            # Who is told to come back keeps the batch, and nothing is lost.
            log.error("judge_gone batches=%d error=%s", len(group), error)
            answers = [Overloaded()] * len(group)
        for waiting, answer in zip(group, answers, strict=True):
            if waiting.found.done():  # a client that hung up has cancelled its own
                continue
            if isinstance(answer, Exception):
                waiting.found.set_exception(answer)
            else:
                waiting.found.set_result(answer)
