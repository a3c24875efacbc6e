"""The detector in its own process: it finds what it finds here, and whatever ends it costs a look."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from unittest.mock import patch

import pytest

from collector.app import _repeat
from collector.beside import Beside, Gone
from collector.detect.saved import pack_revision
from collector.detect.thresholds import DEFAULT
from collector.detecting import bare, main
from collector.detector import GRACE_S
from collector.ingest.commit import Committer
from collector.lookout import Lookout
from collector.metrics import Metrics
from collector.notes import Begin, Done, Failed, Found, Look, Wish
from collector.piped import framed, heard
from collector.store import open_store
from collector.store.base import Ingest, StoreError
from collector.store.sqlite import SqliteStore
from tests.collector.detect.homes import FIRST, WARM
from tests.collector.test_detector import END, EVERYBODY, ROUND_S, START, WHOLE, Clock, in_order, watching


class Post:
    """A collector's store and its lookout."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.store = open_store(f"sqlite://{folder}")
        self.committer = Committer(self.store, Metrics("0", ("x",)), self.clock)
        self.lookout = Lookout(self.committer, folder, DEFAULT, self.clock)

    def take(self, items: Sequence[Ingest]) -> None:
        """Store a group, as the committer does."""
        self.lookout.committed(items, self.store.ingest(items))

    async def at_the_end_of(self, number: int) -> None:
        """Let time come to the moment at which a round of the story is complete, and look."""
        self.clock.at = (FIRST + number + 1) * ROUND_S + GRACE_S + 1
        await self.lookout.detect()

    async def told(self, first: int, until: int) -> None:
        """Rounds of the story, each when it was measured."""
        for number in range(first, until):
            self.take(WHOLE[WARM + number])
            await self.at_the_end_of(number)

    def words(self) -> list[bytes]:
        """All that was published."""
        return [pack_revision(one) for one in self.store.revisions()]


@asynccontextmanager
async def posted(folder: Path) -> AsyncIterator[Post]:
    post = Post(folder)
    for home in EVERYBODY:
        post.store.enrol(home.probe, home.probe.encode(), 0.0)
    try:
        yield post
    finally:
        await post.lookout.end()
        post.committer.close()


def words_here() -> list[bytes]:
    """What is published where the detector works in this process."""
    with watching("memory://") as watchers:
        in_order(watchers)
        return [pack_revision(one) for one in watchers.store.revisions()]


async def test_what_it_finds_beside_is_what_it_finds_here(tmp_path: Path) -> None:
    async with posted(tmp_path) as post:
        await post.told(-WARM, END)
        words, findings, published = post.words(), post.lookout.findings, post.lookout.published
        confirmed = post.lookout.confirmed
    with watching("memory://") as watchers:
        in_order(watchers)
        here = watchers.detector
        assert words == [pack_revision(one) for one in watchers.store.revisions()]
        assert replace(findings, took_s=0) == replace(bare(here.findings), took_s=0)
        assert (published, confirmed) == (here.published, here.confirmed)


async def test_what_each_home_did_stays_where_it_is_needed(tmp_path: Path) -> None:
    async with posted(tmp_path) as post:
        await post.told(-WARM, 2)
        networks = post.lookout.findings.state.networks.values()
    assert networks
    assert not any(one.pasts for one in networks)


@pytest.mark.parametrize("at", [-3, 1, 4, 16])
async def test_a_detector_that_is_killed_is_begun_again_and_says_nothing_else(
    tmp_path: Path, at: int
) -> None:
    async with posted(tmp_path) as post:
        await post.told(-WARM, at)
        pid = post.lookout.detector.pid
        assert pid
        os.kill(pid, signal.SIGKILL)
        post.take(WHOLE[WARM + at])
        with pytest.raises(Gone):
            await post.at_the_end_of(at)
        await post.lookout.detect()
        assert post.lookout.detector.pid != pid
        await post.told(at + 1, END)
        assert post.words() == words_here()


async def test_what_the_store_could_not_keep_is_asked_for_again(tmp_path: Path) -> None:
    async with posted(tmp_path) as post:
        await post.told(-WARM, 3)
        pid, known = post.lookout.detector.pid, post.words()
        post.take(WHOLE[WARM + 3])
        with (
            patch.object(SqliteStore, "publish", side_effect=StoreError("the disk is full")),
            pytest.raises(StoreError, match="the disk is full"),
        ):
            await post.at_the_end_of(3)
        assert post.words() == known
        await post.lookout.detect()
        assert post.lookout.detector.pid == pid
        await post.told(4, END)
        assert post.words() == words_here()


async def test_a_folder_told_in_other_rounds_is_refused_in_the_store_s_words(tmp_path: Path) -> None:
    async with posted(tmp_path) as post:
        await post.lookout.start()
        other = replace(
            post.lookout, limits=replace(DEFAULT, round_s=60), detector=Beside.of("collector.detecting")
        )
        with pytest.raises(StoreError, match=r"round_s is 60, and .* rounds of 300 s"):
            await other.start()
        assert other.detector.pid is None


async def test_a_quarantine_reaches_it(tmp_path: Path) -> None:
    async with posted(tmp_path) as post:
        await post.told(-WARM, 1)
        before = post.lookout.findings
        await post.lookout.detect()
        assert post.lookout.findings is before, "nothing is new"
        post.lookout.ordered(post.clock.at - 600)
        await post.lookout.detect()
        assert post.lookout.findings is not before


def test_it_can_only_read(tmp_path: Path) -> None:
    written = open_store(f"sqlite://{tmp_path}")
    read = SqliteStore.read(tmp_path)
    with pytest.raises(StoreError, match="readonly"):
        read.enrol("somebody", b"", 0.0)
    written.ingest(WHOLE[0])
    minute = int(START // 60) + 1
    assert read.cells(minute, minute) == written.cells(minute, minute) != {}
    read.close()
    written.close()


class Saying(Beside):
    """Somebody at the other end who says these things, whatever it is told."""

    def __init__(self, *things: object) -> None:
        super().__init__("somebody")
        self.things = list(things)

    async def say(self, thing: object) -> None:
        """Nobody listens."""

    async def hear(self, within_s: float | None = None) -> object:
        """The next."""
        return self.things.pop(0)


async def test_nothing_but_what_detection_keeps_is_kept_for_it(tmp_path: Path) -> None:
    async with posted(tmp_path) as post:
        post.lookout.detector = Saying(Wish("expire", (1e12, 1e12, 10**9)))
        with pytest.raises(Gone, match="asked for expire"):
            await post.lookout.start()


def answers(begin: Begin, *looks: object) -> list[object]:
    """What the process says to these; the store's own word is that all was done."""
    sink = BytesIO()
    main(BytesIO(b"".join(map(framed, (begin, *looks)))), sink)
    return list(heard(BytesIO(sink.getvalue())))


def test_code_that_breaks_is_said_with_its_place_and_is_the_end(tmp_path: Path) -> None:
    open_store(f"sqlite://{tmp_path}").close()
    begin = Begin(now=START, folder=tmp_path, limits=DEFAULT, shares={}, mobile=frozenset())
    asked, found, broke = answers(begin, Done(ROUND_S), Look(now=START, minutes=["what nobody thought of"]))  # type: ignore[list-item]
    assert isinstance(asked, Wish)
    assert isinstance(found, Found)
    assert isinstance(broke, Failed)
    assert broke.is_over
    assert broke.error.startswith("TypeError: ")
    assert "(detector.py:" in broke.error


async def test_who_looks_again_and_again_says_once_that_the_detector_is_gone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outcomes = [Gone("collector.detecting: ended")] * 3 + [None]
    done = asyncio.Event()

    async def work() -> None:
        if not outcomes:
            done.set()
            return
        outcome = outcomes.pop(0)
        if outcome:
            raise outcome

    with caplog.at_level("INFO", "reachwatch.collector"):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(_repeat(work, 0.0))
            await done.wait()
            task.cancel()
    assert [record.getMessage() for record in caplog.records] == [
        "detector_failed error=collector.detecting: ended",
        "detector_recovered",
    ]


@pytest.mark.parametrize(("takes_s", "pause_s"), [(0.0, 2.0), (0.5, 1.5), (1.9, 0.5), (60.0, 0.5)])
async def test_what_is_repeated_begins_every_so_often_and_leaves_a_pause(
    takes_s: float, pause_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, pauses = 0.0, list[float]()

    async def work() -> None:
        nonlocal now
        now += takes_s

    async def sleep(seconds: float) -> None:
        pauses.append(round(seconds, 6))
        if len(pauses) == 3:
            raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await _repeat(work, 2.0, lambda: now)
    assert pauses == [pause_s] * 3
