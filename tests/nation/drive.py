"""The nation at work: what it sends goes to a real collector, over HTTP, at the time of the story.

The collector runs in this process with the story's clock, so that receipts, admission and the page all
live in it. The clock moves when everything due has been answered, and no faster than asked: a machine
that cannot keep up tells the same story more slowly. Each home calls from an address of its own in
127.0.0.0/8, as Linux allows, so that the collector sees as many prefixes as there are homes, and takes
country and network from what the probe declares, since no database places such an address.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import groupby
from urllib.parse import urlsplit

from collector.app import serve
from collector.config import Config
from probe.wire.exchange import PROBE_HEADER, SIGNATURE_HEADER

from .narrator import Report
from .story import Restart
from .timeline import Route, Sending, sendings
from .world import World

# So many connections at once: each is opened, used once and closed, as thousands of homes cannot all be
# kept open.
WIDTH = 48
ANSWER_S = 30.0
UNREACHED = "unreached"


@dataclass
class Clock:
    """The story's own wall clock, in Unix seconds."""

    now: float

    def __call__(self) -> float:
        return self.now


class Post:
    """Sends signed requests to one collector on this machine; raises `ValueError` for one elsewhere,
    where all homes would be one."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
        if parts.scheme != "http" or not host.startswith("127."):
            raise ValueError(f"{url}: homes can be told apart on this machine alone, http://127.…")
        self._to = (host, parts.port or 80)
        self._width = asyncio.Semaphore(WIDTH)

    async def send(self, sending: Sending) -> str:
        """Sign and send as an agent does; what the collector said, in a word."""
        async with self._width:
            try:
                async with asyncio.timeout(ANSWER_S):
                    return _outcome(await self._exchange(sending.probe.home, _request(sending)))
            except OSError:
                return UNREACHED

    async def _exchange(self, home: str, request: bytes) -> bytes:
        loop, answer = asyncio.get_running_loop(), bytearray()
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as link:
            link.setblocking(False)
            link.bind((home, 0))
            await loop.sock_connect(link, self._to)
            await loop.sock_sendall(link, request)
            while piece := await loop.sock_recv(link, 65_536):
                answer += piece
        return bytes(answer)


def _request(sending: Sending) -> bytes:
    body = sending.body
    packed = gzip.compress(body, compresslevel=1, mtime=0)
    signature = base64.b64encode(sending.probe.identity.sign(body)).decode()
    head = (
        f"POST {sending.route} HTTP/1.1\r\nHost: collector\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n"
        f"{PROBE_HEADER}: {sending.probe.probe_id}\r\n{SIGNATURE_HEADER}: {signature}\r\n\r\n"
    )
    return head.encode() + packed


def _outcome(answer: bytes) -> str:
    """``200``, ``200 duplicate``, or the code of a refusal."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head[9:12].decode(errors="replace")
    if not status.isdigit():
        return UNREACHED
    said = json.loads(body)
    if status == "200":
        return "200 duplicate" if said.get("duplicate") else "200"
    return str(said.get("code", status))


@dataclass
class Server:
    """A collector in this process that can be stopped and started again on the same port."""

    config: Config
    clock: Clock
    group: asyncio.TaskGroup
    url: str = ""
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _task: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Start it; where it listens. A collector that cannot start ends the task group."""
        self._stop = asyncio.Event()
        bound: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        serving = serve(self.config, self._stop, lambda main, _metrics: bound.set_result(main), self.clock)
        self._task = self.group.create_task(serving)
        self.url = await bound
        self.config = replace(self.config, listen=self.url.removeprefix("http://"))
        return self.url

    async def stop(self) -> None:
        """Let it answer what it has taken, and end."""
        if self._task is not None:
            self._stop.set()
            await self._task
            self._task = None


@dataclass
class Pace:
    """Keeps simulated time from running faster than `speed` times this machine's, once `hurry_s` of the
    story are over; speed 0 is as fast as it can."""

    speed: float
    hurry_s: float
    monotonic: Callable[[], float] = time.monotonic
    _base: float | None = None

    async def until(self, at: float, stop: asyncio.Event) -> None:
        """Wait for the moment, or for `stop`."""
        if not self.speed or at < self.hurry_s:
            return
        now = self.monotonic()
        if self._base is None:
            self._base = now - (at - max(self.hurry_s, 0.0)) / self.speed
        wait_s = self._base + (at - max(self.hurry_s, 0.0)) / self.speed - now
        if wait_s > 0:
            try:
                await asyncio.wait_for(stop.wait(), wait_s)
            except TimeoutError:
                return


async def replay(
    world: World,
    config: Config,
    *,
    speed: float = 0.0,
    hurry_s: float = 0.0,
    tick_s: float = 1.0,
    stop: asyncio.Event | None = None,
    stay: bool = False,
    listening: Callable[[str], None] = lambda _url: None,
    progress: Callable[[float, Report], None] = lambda _at, _report: None,
) -> Report:
    """Tell a story to a collector of its own, from its first key to its end or to `stop`. `stay` leaves
    the collector there until `stop`; `progress` is told how far it is, in seconds since the beginning.
    The clock moves by `tick_s`: what is due within one is sent at its end, side by side."""
    stop = stop or asyncio.Event()
    first = min((one.enrolled for one in world.probes), default=0.0)
    clock = Clock(world.story.began + min(first, 0.0))
    async with asyncio.TaskGroup() as group:
        server = Server(config, clock, group)
        listening(await server.start())
        try:
            telling = _Telling(world, Post(server.url), Pace(speed, hurry_s), stop, clock, server, tick_s)
            report = await telling.tell(progress)
            if stay:
                await stop.wait()
        finally:
            await server.stop()
    return report


async def recite(
    world: World,
    url: str,
    *,
    stop: asyncio.Event | None = None,
    progress: Callable[[float, Report], None] = lambda _at, _report: None,
) -> Report:
    """Tell a story to a collector that is there already and lives in the present: from now, at speed 1.
    Restarts are its operator's."""
    moved = replace(world, story=replace(world.story, start=datetime.now(UTC)))
    telling = _Telling(moved, Post(url), Pace(1.0, 0.0), stop or asyncio.Event(), Clock(0.0), None)
    return await telling.tell(progress)


@dataclass
class _Telling:
    world: World
    post: Post
    pace: Pace
    stop: asyncio.Event
    clock: Clock
    server: Server | None
    tick_s: float = 1.0
    report: Report = field(default_factory=Report)

    async def tell(self, progress: Callable[[float, Report], None]) -> Report:
        began = time.monotonic()
        restarts = sorted(self.world.story.restart, key=lambda restart: restart.at)
        for at, group in _by_tick(sendings(self.world), self.tick_s):
            while restarts and restarts[0].at < at:
                await self._restart(restarts.pop(0))
            await self.pace.until(at, self.stop)
            if self.stop.is_set():
                break
            # A tick in which the collector was away ends no earlier than it was back.
            self.clock.now = max(self.clock.now, self.world.story.began + at)
            await self._send(group)
            self.report.told_s, self.report.took_s = max(at, 0.0), time.monotonic() - began
            progress(at, self.report)
        return self.report

    async def _send(self, due: Sequence[Sending]) -> None:
        """All at once, but for introductions: nobody is heard before those are over."""
        for is_enrolment in (True, False):
            group = [sending for sending in due if (sending.route is Route.ENROL) is is_enrolment]
            async with asyncio.TaskGroup() as tasks:
                sent = [tasks.create_task(self.post.send(sending)) for sending in group]
            answers = zip(group, sent, strict=True)
            self.report.answers.update((sending.route, task.result()) for sending, task in answers)

    async def _restart(self, restart: Restart) -> None:
        if self.server is None:
            return
        await self.pace.until(restart.at, self.stop)
        self.clock.now = self.world.story.began + restart.at
        await self.server.stop()
        await self.pace.until(restart.at + restart.down, self.stop)
        self.clock.now = self.world.story.began + restart.at + restart.down
        await self.server.start()


def _by_tick(all_of_it: Iterable[Sending], tick_s: float) -> Iterator[tuple[float, list[Sending]]]:
    """Requests of one tick together, at its end: nothing is answered before it was sent."""
    for tick, group in groupby(all_of_it, key=lambda sending: sending.at // tick_s):
        yield (tick + 1) * tick_s, list(group)
