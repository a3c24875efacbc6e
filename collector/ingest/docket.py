"""Batches that wait to be judged, a group at a time, in a process of their own.

Judging costs more than all the rest of a batch's way together, and one interpreter runs one thread at a
time: done here, it would keep pages and receipts waiting at a few hundred batches a second. One judge is
enough: what this process has to do for a batch takes about as long.

No `ProcessPoolExecutor`: it imports the whole collector into its worker, takes two more threads of this
interpreter for each call, and its workers outlive a collector that is killed.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass, field

from .admit import Refusal
from .commit import Overloaded
from .judge import LENGTH_BYTES, Answer, framed
from .judging import Arrival, Judged

log = logging.getLogger("reachwatch.ingest")

JUDGE = (sys.executable, "-m", "collector.ingest.judge")
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
    """Owns the judge's process: begins it with the first batch, and another where it ends."""

    command: Sequence[str] = JUDGE
    _queue: asyncio.Queue[_Waiting] = field(default_factory=lambda: asyncio.Queue(QUEUE_BATCHES))
    _judge: Process | None = None

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
                self._judge = self._judge or await self._begun()
                await asyncio.sleep(GATHER_S)
                while len(group) < GROUP_BATCHES and not self._queue.empty():
                    group.append(self._queue.get_nowait())
                await self._pass(group)
        finally:
            await self._end()

    async def _begun(self) -> Process | None:
        try:
            return await asyncio.create_subprocess_exec(*self.command, stdin=PIPE, stdout=PIPE)
        except OSError as error:
            log.error("judge_not_started error=%s", error)
            return None

    async def _pass(self, group: Sequence[_Waiting]) -> None:
        answers: Sequence[Answer | Overloaded]
        try:
            answers = await self._asked([waiting.arrival for waiting in group])
        except (OSError, EOFError, TimeoutError) as error:
            # Who is told to come back keeps the batch, and nothing is lost.
            log.error("judge_died batches=%d error=%s", len(group), type(error).__name__)
            answers = [Overloaded()] * len(group)
            await self._end()
        for waiting, answer in zip(group, answers, strict=True):
            if waiting.found.done():  # a client that hung up has cancelled its own
                continue
            if isinstance(answer, Exception):
                waiting.found.set_exception(answer)
            else:
                waiting.found.set_result(answer)

    async def _asked(self, group: Sequence[Arrival]) -> Sequence[Answer]:
        judge = self._judge
        if judge is None or judge.stdin is None or judge.stdout is None:
            raise EOFError
        async with asyncio.timeout(ANSWER_S):
            judge.stdin.write(framed(group))
            await judge.stdin.drain()
            length = int.from_bytes(await judge.stdout.readexactly(LENGTH_BYTES))
            answers: Sequence[Answer] = pickle.loads(  # noqa: S301  our own process wrote it
                await judge.stdout.readexactly(length)
            )
        return answers

    async def _end(self) -> None:
        judge, self._judge = self._judge, None
        if judge is None:
            return
        if judge.returncode is None:
            judge.kill()  # it keeps nothing
        await judge.wait()
