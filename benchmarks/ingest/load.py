"""Requests over connections that stay open: as many as will be answered, or so many a second."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

CONNECTIONS = 64


@dataclass
class Load:
    """What came of it: answers by status, and seconds from when each was due to its answer."""

    seconds: float
    answers: Counter[str] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)

    @property
    def taken(self) -> float:
        """Requests taken each second."""
        return sum(n for status, n in self.answers.items() if status.startswith("20")) / self.seconds

    def quantile(self, share: float) -> float:
        """Seconds that this share of the answers took at most."""
        ordered = sorted(self.took)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("inf")


class Line:
    """One home's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, request: bytes) -> str:
        """The status of the answer."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r")[0]
        await self._reader.readexactly(int(length or 0))
        return head[9:12].decode()

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


@asynccontextmanager
async def lines(port: int) -> AsyncIterator[list[Line]]:
    """Connections, each from an address of its own."""
    opened: list[Line] = []
    try:
        for n in range(CONNECTIONS):
            home = f"127.{1 + n}.0.1"
            opened.append(Line(*await asyncio.open_connection("127.0.0.1", port, local_addr=(home, 0))))
        yield opened
    finally:
        for line in opened:
            line.close()


async def most(port: int, requests: Iterator[bytes], seconds: float) -> Load:
    """As much as is answered: each connection asks again as soon as it can."""
    load, until = Load(seconds), time.perf_counter() + seconds

    async def again(line: Line) -> None:
        while (began := time.perf_counter()) < until:
            load.answers[await line.ask(next(requests))] += 1
            load.took.append(time.perf_counter() - began)

    async with lines(port) as opened, asyncio.TaskGroup() as group:
        for line in opened:
            group.create_task(again(line))
    return load


async def steadily(port: int, requests: Sequence[bytes], rate: float) -> Load:
    """So many a second, whatever became of those before: what waits for a connection waits for its answer."""
    load, began = Load(len(requests) / rate), time.perf_counter()
    due: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def serve(line: Line) -> None:
        while True:
            at, request = await due.get()
            load.answers[await line.ask(request)] += 1
            load.took.append(time.perf_counter() - at)
            due.task_done()

    async with lines(port) as opened, asyncio.TaskGroup() as group:
        tasks = [group.create_task(serve(line)) for line in opened]
        for n, request in enumerate(requests):
            at = began + n / rate
            await asyncio.sleep(max(0.0, at - time.perf_counter()))
            due.put_nowait((at, request))
        await due.join()
        for task in tasks:
            task.cancel()
    return load
