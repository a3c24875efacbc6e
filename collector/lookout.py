"""The detector's other end: tells it what was stored, keeps what it asks for, and has what it found at hand.

Folding a round of a hundred thousand homes takes seconds of an interpreter, in which no page and no receipt
would come; so the detector has a process of its own, and this is all of it that is here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path

from .beside import Beside, Gone
from .detect.fold import Setting, State
from .detect.incidents import Cause
from .detect.revisions import Revision
from .detect.thresholds import Thresholds
from .detector import Findings, setting_of
from .ingest.commit import Committer
from .notes import Begin, Done, Failed, Found, Look, Wish
from .store.base import Ingest, Seen, Stored, StoreError

DETECTOR = "collector.detecting"
# All that a detector may have done to the store.
WISHES = frozenset({"rounds_of", "settle", "tell", "ground", "publish"})


@dataclass
class Lookout:
    """One collector's detection as the rest of it sees it. `findings`, `published` and `confirmed` are those
    of `detector.Detector` after its last look, without what each home did."""

    committer: Committer
    folder: Path
    limits: Thresholds
    wall: Callable[[], float]
    shares: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    mobile: frozenset[int] = frozenset()
    findings: Findings = field(default_factory=lambda: Findings(state=State(), book=(), until=0.0))
    published: Mapping[str, Revision] = field(default_factory=dict)
    confirmed: Counter[Cause] = field(default_factory=Counter)
    detector: Beside = field(default_factory=lambda: Beside.of(DETECTOR))
    _minutes: set[int] = field(default_factory=set)
    _heard_since: float = inf
    _ordered_since: float = inf

    def committed(self, items: Sequence[Ingest], answers: Sequence[Stored]) -> None:
        """Batches were stored."""
        self._minutes |= added_to(items, answers)

    def heard(self, heartbeats: Sequence[Seen]) -> None:
        """Heartbeats were stored."""
        self._heard_since = min([self._heard_since, *(one.at for one in heartbeats)])

    def ordered(self, since: float) -> None:
        """A quarantine or a release changes all from `since` on, in Unix seconds."""
        self._ordered_since = min(self._ordered_since, since)

    async def setting(self) -> Setting:
        """What is known beside the measurements."""
        return await self.committer.call(
            setting_of, self.committer.store, self.limits, self.shares, self.mobile
        )

    async def start(self) -> None:
        """Take up where the last process stopped; raises `StoreError`, and `Gone`."""
        begin = Begin(
            now=self.wall(), folder=self.folder, limits=self.limits, shares=self.shares, mobile=self.mobile
        )
        await self.detector.say(begin)
        try:
            self._take(await self._answered())
        except StoreError:
            await self.detector.end()
            raise

    async def detect(self) -> None:
        """Have the detector look; raises `StoreError`, and `Gone` where it ended: the next look begins
        another, which catches up with everything that can still come."""
        if self.detector.pid is None:
            await self.start()
        look = Look(
            now=self.wall(),
            minutes=self._minutes,
            heard_since=self._heard_since,
            ordered_since=self._ordered_since,
        )
        self._minutes, self._heard_since, self._ordered_since = set(), inf, inf
        await self.detector.say(look)
        self._take(await self._answered())

    async def end(self) -> None:
        """Be done with it."""
        await self.detector.end()

    async def _answered(self) -> Found:
        """What it found, once all that it asked for is kept."""
        while True:
            word: Found | Wish | Failed = await self.detector.hear()
            if isinstance(word, Found):
                return word
            if isinstance(word, Wish):
                await self.detector.say(await self._kept(word))
                continue
            if word.is_over:
                await self.detector.end()
                raise Gone(word.error)
            raise StoreError(word.error)

    async def _kept(self, wish: Wish) -> Done | Failed:
        if wish.method not in WISHES:
            raise Gone(f"asked for {wish.method}")
        try:
            return Done(await self.committer.call(getattr(self.committer.store, wish.method), *wish.args))
        except StoreError as error:
            return Failed(str(error))

    def _take(self, found: Found) -> None:
        self.published = {**self.published, **found.published}
        self.confirmed = found.confirmed
        self.findings = found.findings or self.findings


def added_to(items: Sequence[Ingest], answers: Sequence[Stored]) -> set[int]:
    """The minutes that have more in them since a group was stored."""
    return {
        key.minute
        for item, answer in zip(items, answers, strict=True)
        if answer is Stored.NEW
        for key in item.cells
    }
