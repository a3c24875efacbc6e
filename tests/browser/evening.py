"""An evening that every page has something to show of, told to a real collector through its store.

In Pakistan two platforms fail on four networks, two more join ten minutes later, and it is not over; in
Turkey one network had its own trouble in the afternoon, which is; Estonia has too few homes to say anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

from collector.config import Config, Display
from collector.detect.cells import Cell, CellKey, Vote
from collector.detect.thresholds import DEFAULT
from collector.detector import GRACE_S
from collector.store.base import Ingest, Seen, SignedBatch
from probe.wire.exchange import Presence
from tests.collector.conftest import Running, collecting
from tests.collector.detect.homes import FIRST, WARM, Home, homes, world

ROUND_S = DEFAULT.round_s
PLATFORMS = ("x", "facebook", "instagram", "youtube")
PAKISTAN = [
    home
    for asn, each in ((17557, 12), (45669, 9), (59257, 8), (24499, 6), (23674, 3))
    for home in homes("PK", 1, each, asn)
]
TURKEY = homes("TR", 1, 9, 9121)
EVERYBODY = [*PAKISTAN, *TURKEY, *world(), *homes("EE", 1, 2, 3249)]
DARK = {"x": 52, "facebook": 52, "instagram": 54, "youtube": 54}
LAST = 62
INCIDENT = "pk-20231217T1420Z"
SHOWN = Display()
QUIET = range(20, 24)  # Pakistan says nothing: a gap


def fails(home: Home, number: int, platform: str) -> bool:
    """What is true of one home in one round of the evening."""
    if home.country == "PK" and number >= DARK[platform]:
        return home.asn != 23674 and not home.probe.endswith("-0")
    if home.asn == 9121:
        return platform == "youtube" and 8 <= number < 20
    return hash_of(home.probe, number, platform) % 151 == 0


def hash_of(*what: object) -> int:
    """A number that is as good as chance and the same every time."""
    return sum((at + 1) * 31 * ord(letter) for at, letter in enumerate("|".join(map(str, what))))


def said(home: Home, number: int) -> Ingest:
    """One home's round: a vote for each platform."""
    at = (FIRST + number) * ROUND_S + 60
    cells = {}
    for platform in PLATFORMS:
        failed = fails(home, number, platform)
        vote = Vote(
            at,
            "blocked" if failed else "ok",
            f"prefix of {home.probe}",
            "tls tls_reset_error"
            if failed and number >= 8
            else "tcp generic_timeout_error"
            if failed
            else "",
        )
        cell = Cell(
            statuses={vote.status: 1},
            votes={home.probe: vote},
            mechanisms={"tls": 1} if failed else {},
            results={("tls", "tls_reset_error" if failed else ""): 1, ("dns", ""): 1, ("tcp", ""): 1},
        )
        cells[CellKey(int(at // 60), home.country, home.asn, platform)] = cell
    batch = SignedBatch(
        probe=home.probe, sequence=number + WARM + 1, received_at=at, country=home.country, asn=home.asn,
        located_by="declared", prefix=f"prefix of {home.probe}", signature=b"", body=b"{}",
    )  # fmt: skip
    return Ingest(batch=batch, cells=cells)


def spoken(number: int) -> Iterator[Ingest]:
    """Everybody's rounds of one number."""
    for home in EVERYBODY:
        if home.country != "PK" or number not in QUIET:
            yield said(home, number)


@dataclass
class Stage:
    """A collector that serves the evening in a thread of its own, as a browser's tests need it."""

    running: Running
    loop: asyncio.AbstractEventLoop

    @property
    def url(self) -> str:
        """Where its pages are."""
        return self.running.url

    def go_on(self, number: int) -> None:
        """Live through one more round."""
        self.do(go_on(self.running, number))

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        """Have something done where the collector lives."""
        asyncio.run_coroutine_threadsafe(work, self.loop).result(60)


@contextmanager
def staged(folder: Path, display: Display = SHOWN, last: int = LAST) -> Iterator[Stage]:
    """The evening up to round `last`, on its stage."""
    ready: Future[Stage] = Future()
    over = Event()

    async def play() -> None:
        async with evening(folder, display, last) as running:
            ready.set_result(Stage(running, asyncio.get_running_loop()))
            await asyncio.to_thread(over.wait)

    def thread() -> None:
        try:
            asyncio.run(play())
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    player = Thread(target=thread)
    player.start()
    try:
        yield ready.result(120)
    finally:
        over.set()
        player.join()


@asynccontextmanager
async def evening(folder: Path, display: Display, last: int) -> AsyncIterator[Running]:
    """A collector that has lived through it up to round `last`, and serves its pages."""
    config = Config(data_dir=str(folder / "data"), display=display)
    async with collecting(config) as running:
        running.clock.now = (FIRST - WARM) * ROUND_S
        store = running.service.committer.store
        for home in EVERYBODY:
            store.enrol(home.probe, home.probe.encode(), 0.0)
        await running.service.detector.start()
        for number in range(-WARM, last + 1):
            await go_on(running, number)
        yield running


async def go_on(running: Running, number: int) -> None:
    """One more round of the evening: everybody speaks, the clock goes on, the detector looks."""
    store, detector = running.service.committer.store, running.service.detector
    items = list(spoken(number))
    running.service.committed(items, store.ingest(items))
    running.clock.now = (FIRST + number + 1) * ROUND_S + GRACE_S + 1
    beats = [
        Seen(
            probe=home.probe, at=running.clock.now - 30, state=Presence.ALIVE, country=home.country,
            asn=home.asn, prefix="prefix",
        )
        for home in EVERYBODY
    ]  # fmt: skip
    store.see(beats)
    running.service.heard(beats)
    await detector.detect()
    await running.service.refresh()
