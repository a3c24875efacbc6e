"""So many kills of each side under load, and what was found afterwards."""

from __future__ import annotations

import asyncio
import gzip
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import aiohttp

from collector.config import Config
from collector.rejudge import rejudge
from collector.store import stored
from probe.identity import Identity
from probe.spool import Spool
from probe.wire.codec import decode
from probe.wire.exchange import PROBE_HEADER, SIGNATURE_HEADER
from probe.wire.observation import Batch
from tests.batches import CLEAN, batch, enrolment, signed, someone

from .collector import Lives, free_port

# How long a collector works before it is killed, and how many rounds an agent has kept, at most.
WORKS_S = 1.0
KEPT = 20
# Homes that send at once.
SENDERS = 24


@dataclass
class Found:
    """What was promised, and what there is: `promised` are the names of what was receipted or kept, `there`
    how often each name lies in the store, `miscounted` the cells that are not what the batches give."""

    kills: int
    promised: set[str] = field(default_factory=set)
    there: Counter[str] = field(default_factory=Counter)
    miscounted: int = 0
    receipt: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def lost(self) -> int:
        """Promised, and not there."""
        return len(self.promised - self.there.keys())

    @property
    def twice(self) -> int:
        """There more than once."""
        return sum(times > 1 for times in self.there.values())


async def kill_collectors(kills: int, folder: Path, rng: Random) -> Found:
    """Homes send and a collector dies, again and again; what was receipted, and what is stored."""
    lives, found = Lives(folder / "collector", free_port()), Found(kills)
    await lives.begin()
    async with aiohttp.ClientSession() as client, asyncio.TaskGroup() as group:
        tasks = [group.create_task(_send(client, lives.url, someone(n + 1), found)) for n in range(SENDERS)]
        for _ in range(kills):
            await asyncio.sleep(rng.uniform(0, WORKS_S))
            # The moment a receipt came: what was promised too early is not stored yet.
            found.receipt.clear()
            await found.receipt.wait()
            await lives.end(signal.SIGKILL)
            await lives.begin()
        for task in tasks:
            task.cancel()
    await lives.end()
    _look(lives.folder, found, lambda sent: f"{sent.probe} {sent.sequence}")
    return found


async def _until(question: Callable[[], bool]) -> None:
    async with asyncio.timeout(300):
        while True:
            if question():
                return
            await asyncio.sleep(0.05)


async def _send(client: aiohttp.ClientSession, url: str, who: Identity, found: Found) -> None:
    """One home: a batch is sent until it is taken, then the next."""
    sequence = 0
    while True:
        sequence += 1
        body = batch(who, replace(CLEAN, started_at=datetime.now(UTC)), sequence=sequence)
        while not await _taken(client, url, who, "batch", body):
            await _taken(client, url, who, "enrol", enrolment(who))
        found.promised.add(f"{who.probe_id} {sequence}")
        found.receipt.set()


async def _taken(client: aiohttp.ClientSession, url: str, who: Identity, what: str, body: bytes) -> bool:
    headers = {
        PROBE_HEADER: who.probe_id,
        SIGNATURE_HEADER: signed(who, body).signature,
        "Content-Encoding": "gzip",
    }
    try:
        async with client.post(f"{url}/v1/{what}", data=gzip.compress(body), headers=headers) as answer:
            await answer.read()
            if answer.status == 200:
                return True
    except (aiohttp.ClientError, OSError):
        pass
    await asyncio.sleep(0.05)
    return False


async def kill_agents(kills: int, folder: Path, rng: Random) -> Found:
    """Agents keep and send, and die; what they said they had kept, and what arrived in the end."""
    lives, found = Lives(folder / "collector", free_port()), Found(kills)
    await lives.begin()
    for _ in range(kills):
        async with _agent(folder, lives.url, sys.maxsize) as (child, said):
            for _ in range(rng.randint(1, KEPT)):
                found.promised.add(await said())
            await asyncio.sleep(rng.choice((0.0, rng.uniform(0, 0.05))))
            child.kill()
            # What it said before it died counts as well; a line that was cut short does not.
            rest = await child.stdout.read() if child.stdout else b""
            found.promised |= {line.decode() for line in rest.split(b"\n")[:-1]}
    async with _agent(folder, lives.url, 0) as (child, _):
        await _until(lambda: not _pending(folder / "agent"))
        child.terminate()
        await child.wait()
    await lives.end()
    _look(lives.folder, found, lambda sent: sent.rounds[0].round_id)
    return found


@asynccontextmanager
async def _agent(
    folder: Path, url: str, rounds: int
) -> AsyncIterator[tuple[asyncio.subprocess.Process, Callable[[], Awaitable[str]]]]:
    """An agent on the one state folder, and what asks it for the next round that it kept."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.kills.agent", str(rounds), "start", "--collector", url),
        env={**os.environ, "REACHWATCH_STATE_DIR": str(folder / "agent"), "REACHWATCH_CONSENT": "yes"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert child.stdout is not None
    out = child.stdout

    async def said() -> str:
        async with asyncio.timeout(120):
            line = await out.readline()
        assert line, "the agent ended by itself"
        return line.decode().strip()

    try:
        yield child, said
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


def _pending(state: Path) -> int:
    spool = Spool.open(state / "spool.sqlite", max_bytes=64 << 20, max_age_s=1e9)
    with closing(spool):
        return spool.figures().pending


def _look(folder: Path, found: Found, name: Callable[[Batch], str]) -> None:
    """What lies in the store, and whether its cells are what its batches give, each counted once."""
    with stored(folder) as store:
        found.there = Counter(name(decode(Batch, kept.body)) for kept in store.batches())
        found.miscounted = rejudge(store, Config().platforms, 0.0).changed
