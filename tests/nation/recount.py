"""A story told to store and detector alone: minutes of the network become seconds.

What agents would send, as admission and the rules would take it, goes into a real store, and the
detector looks at it minute by minute of the story. Left out is what `drive.py` tells as well: HTTP,
signatures and decoding. What the rounds are called is asked of the real rules once for each kind.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from math import inf

from collector.detect.cells import Cell, CellKey, cells_of
from collector.detect.revisions import Revision
from collector.detect.thresholds import DEFAULT
from collector.detector import GRACE_S, LATE_S, Detector
from collector.ingest.admit import LIVE_S, SPOOLED_S
from collector.lookout import added_to
from collector.store import open_store
from collector.store.base import Ingest, Seen, SignedBatch, Store
from probe.verdict import judge

from . import templates
from .population import Probe
from .timeline import Route, Sending, sendings
from .world import World

# Of the story, between two looks: as long as a round, so that a look costs a fold and not five.
TICK_S = 300.0
GROUP = 504
NOBODY = ""

# What comes now of what was sent, and of what was held back before; all of it where it is the last time.
Mix = Callable[[list[Ingest], bool], list[Ingest]]


def in_order(items: list[Ingest], _last: bool) -> list[Ingest]:
    """Everything when it is sent."""
    return items


@dataclass
class _Clock:
    at: float

    def __call__(self) -> float:
        return self.at


@dataclass
class Recount:
    """A collector without its ears, in a world's time."""

    world: World
    url: str
    mix: Mix = in_order
    clock: _Clock = field(init=False)
    store: Store = field(init=False)
    detector: Detector = field(init=False)

    def __post_init__(self) -> None:
        self.clock = _Clock(self.world.story.began)

    def told(self) -> list[Revision]:
        """Everything that was published, when the whole story is told and what is late has come."""
        with self._running():
            for end, some in ticks(sendings(self.world)):
                if any(end - TICK_S <= restart.at < end for restart in self.world.story.restart):
                    self.store.close()
                    self._open()
                self.clock.at = self.world.story.began + end
                self._take(some)
                self.detector.detect()
            self._store([], last=True)
            self.clock.at += LATE_S + GRACE_S + DEFAULT.round_s
            self.detector.detect()
            while self.detector.is_behind:
                self.clock.at += TICK_S
                self.detector.detect()
            return self.store.revisions()

    @contextmanager
    def _running(self) -> Iterator[None]:
        self._open()
        try:
            yield
        finally:
            self.store.close()

    def _open(self) -> None:
        self.store = open_store(self.url)
        self.detector = Detector(
            self.store, DEFAULT, wall=self.clock, monotonic=time.monotonic, mobile=self.world.story.mobile
        )
        self.detector.start()

    def _take(self, some: Iterable[Sending]) -> None:
        batches, beats = list[Ingest](), list[Seen]()
        for sending in some:
            if sending.route is Route.ENROL:
                at = self.world.story.began + sending.at
                self.store.enrol(sending.probe.probe_id, sending.probe.identity.public_key, at)
            elif sending.route is Route.HEARTBEAT:
                beats.append(beat(self.world, sending))
            elif item := batch(self.world, sending):
                batches.append(item)
        self.store.see(beats)
        self.detector.heard(min((one.at for one in beats), default=inf))
        self._store(batches, last=False)

    def _store(self, batches: list[Ingest], *, last: bool) -> None:
        mixed = self.mix(batches, last)
        for first in range(0, len(mixed), GROUP):
            group = mixed[first : first + GROUP]
            self.detector.noted(added_to(group, self.store.ingest(group)))


def ticks(every: Iterable[Sending]) -> Iterator[tuple[float, Sequence[Sending]]]:
    """What comes within each tick, and when the tick ends. What was before the story is in the first."""
    end, some = TICK_S, list[Sending]()
    for sending in every:
        while sending.at >= end:
            yield end, some
            end, some = end + TICK_S, []
        some.append(sending)
    yield end, some


def beat(world: World, sending: Sending) -> Seen:
    """A heartbeat as the collector keeps it."""
    probe = sending.probe
    return Seen(
        probe=probe.probe_id, at=world.story.began + sending.at, state=sending.state,
        country=probe.country, asn=probe.network.asn, prefix=probe.home,
    )  # fmt: skip


def batch(world: World, sending: Sending) -> Ingest | None:
    """A batch as the collector keeps it; None where its clock has it refused."""
    probe, now = sending.probe, world.story.began + sending.at
    started = world.theirs(probe, sending.began)
    if not -LIVE_S <= now - started <= SPOOLED_S:
        return None
    country, asn, prefix = probe.country, probe.network.asn, probe.home
    kind = judged(world.sees(probe, sending.began, sending.number))
    cells = {
        CellKey(int(started // 60), country, asn, platform): _own(cell, probe, started)
        for platform, cell in kind.items()
    }
    stored = SignedBatch(
        probe=probe.probe_id, sequence=sending.sequence, received_at=now, country=country, asn=asn,
        located_by="declared", prefix=prefix, signature=b"", body=b"{}",
    )  # fmt: skip
    return Ingest(batch=stored, cells=cells)


def _own(cell: Cell, probe: Probe, at: float) -> Cell:
    """The cell of a kind of round as one probe's."""
    told = cell.votes.get(NOBODY)
    votes = {probe.probe_id: told._replace(at=at, prefix=probe.home)} if told else {}
    return replace(cell, votes=votes)


@cache
def judged(seen: templates.Seen) -> dict[str, Cell]:
    """What the rules make of a round of this kind, by platform, whoever's it is."""
    rnd = templates.template(seen).rnd
    cells = cells_of(rnd, judge(rnd), country="", asn=0, prefix="", probe=NOBODY)
    return {key.platform: cell for key, cell in cells.items()}
