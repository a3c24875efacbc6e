"""Send each request at its moment, whatever became of those before it; look, meanwhile, at what shows.

An open loop: a collector that is slow is sent no less, because volunteers do not know of each other.
"""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp

from .crowd import Request

ANSWER_S = 60.0
LOOK_S = 1.0  # how often each place is looked at; what is measured is late by half of it, in the mean
# How many of the marked probes each place shows. The page counts those who say that they are there, which
# each does once it has its batch's receipt.
PLACES = {
    "page": ("/", re.compile(rb'(?s)/country/QM".{0,3000}?<td>(\d+)</td></tr>')),
    "api": ("/api/v1/state", re.compile(rb'"QM": ?\{.{0,300}?"x": ?\{.{0,120}?"votes": ?(\d+)')),
    "metrics": ("/metrics", re.compile(rb'(?m)^reachwatch_votes\{country="QM",platform="x"\} (\d+)')),
}


@dataclass
class Seen:
    """What came of it. `received` is when each marked batch was sent, of those that were taken and in the
    order of their receipts; `shown` is when each place was first seen to show so many of them; both Unix
    seconds. `took` are seconds from sending to a receipt; `looks` seconds that each look took."""

    answers: Counter[str] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)
    received: list[float] = field(default_factory=list)
    shown: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in PLACES})
    looks: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in PLACES})
    behind_s: float = 0.0

    def delays(self, place: str) -> list[float]:
        """Seconds from a marked batch's sending to its showing, of those that showed."""
        return [shown - sent for sent, shown in zip(self.received, self.shown[place], strict=False)]


async def drive(main: str, metrics: str, requests: Sequence[Request], stay_s: float) -> Seen:
    """Send it all, and look until `stay_s` after the last. `main` and `metrics` are host:port."""
    seen, over = Seen(), asyncio.Event()
    async with aiohttp.ClientSession() as client, asyncio.TaskGroup() as group:
        for name, (path, wanted) in PLACES.items():
            url = f"http://{metrics if name == 'metrics' else main}{path}"
            group.create_task(_look(client, url, wanted, name, seen, over))
        host, _, port = main.partition(":")
        async with asyncio.TaskGroup() as sending:
            for one in requests:
                wait_s = one.at - time.time()
                seen.behind_s = max(seen.behind_s, -wait_s)
                await asyncio.sleep(max(0.0, wait_s))
                sending.create_task(_send((host, int(port)), one, seen))
        await asyncio.sleep(stay_s)
        over.set()
    return seen


async def _send(to: tuple[str, int], one: Request, seen: Seen) -> None:
    began = time.time()
    answer = await _exchange(to, one.home, one.batch)
    seen.answers[answer] += 1
    if answer == "200":
        seen.took.append(time.time() - began)
        if one.heartbeat:
            seen.received.append(began)
            await _exchange(to, one.home, one.heartbeat)


async def _exchange(to: tuple[str, int], home: str, request: bytes) -> str:
    """The status of the answer, from an address of the home's own."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as link:
        link.setblocking(False)
        link.bind((home, 0))
        try:
            async with asyncio.timeout(ANSWER_S):
                await loop.sock_connect(link, to)
                await loop.sock_sendall(link, request)
                head = await loop.sock_recv(link, 4096)
        except OSError as error:
            return type(error).__name__
    return head[9:12].decode(errors="replace") or "hung up"


async def _look(
    client: aiohttp.ClientSession,
    url: str,
    wanted: re.Pattern[bytes],
    name: str,
    seen: Seen,
    over: asyncio.Event,
) -> None:
    """Look again and again; what shows for the first time is noted with the moment the answer came. What
    shows at the first look is what the collector was warmed up with, and none of the load's."""
    before: int | None = None
    while not over.is_set():
        began = time.time()
        async with client.get(url) as response:
            body = await response.read()
        now = time.time()
        found = wanted.search(body)
        there, shown = int(found[1]) if found else 0, seen.shown[name]
        before = there if before is None else before
        shown += [now] * (there - before - len(shown))
        seen.looks[name].append(now - began)
        await asyncio.sleep(max(0.0, LOOK_S - (now - began)))
