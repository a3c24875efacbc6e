"""Everything that a nation sends, in the order in which it arrives. PURE.

A probe says hello once, that it is there once a minute while it is up, and sends each round when it is
done. What cannot be delivered waits, as it does in the agent's spool: batches come later under the
sequence they were measured under, heartbeats never.
"""

from __future__ import annotations

import base64
import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial

from probe.wire.codec import encode
from probe.wire.exchange import Enrolment, Presence
from probe.wire.observation import SCHEMA

from .chance import draw
from .population import Probe
from .world import AGENT, World

HEARTBEAT_S = 60.0
# A round's duration, and by how much its beginning strays.
ROUND_S, JITTER_S = 3.0, 10.0
# Over how long those who could not send come back.
BACK_WITHIN_S = 120.0


class Route(StrEnum):
    """The three requests agents make."""

    ENROL = "/v1/enrol"
    HEARTBEAT = "/v1/heartbeat"
    BATCH = "/v1/batch"


@dataclass(frozen=True, slots=True)
class Sending:
    """One request: when, whose and what. Of a batch also its round's number and beginning, and its own
    sequence; of a heartbeat what it says."""

    at: float
    probe: Probe
    route: Route
    pack: Callable[[], bytes]
    number: int = 0
    began: float = 0.0
    sequence: int = 0
    state: Presence = Presence.ALIVE

    @property
    def body(self) -> bytes:
        """What is to be signed, made where it is asked for: most of a story's work would be this."""
        return self.pack()


Act = Callable[[float], Iterator[Sending]]


@dataclass
class _Calendar:
    """What is to come: acts by their moment, those of one moment in the order in which they were put."""

    _waiting: list[tuple[float, int, Act]] = field(default_factory=list)
    _put: int = 0

    def put(self, at: float, act: Act) -> None:
        """Have something done at a moment."""
        self._put += 1
        heapq.heappush(self._waiting, (at, self._put, act))

    def until(self, end: float) -> Iterator[Sending]:
        """Do it all in order, with what it leads to."""
        while self._waiting and self._waiting[0][0] < end:
            at, _, act = heapq.heappop(self._waiting)
            yield from act(at)


@dataclass
class _Life:
    """One probe's: what it does, when it does the next thing, and what it remembers meanwhile."""

    world: World
    probe: Probe
    calendar: _Calendar
    sequence: int = 0
    was_up: bool = False
    # A spool is emptied oldest first: nothing arrives before what was measured before it.
    arrived: float = 0.0

    def begin(self, at: float) -> Iterator[Sending]:
        """Its key is introduced; from then on, but not before the story begins, it is there."""
        yield Sending(at, self.probe, Route.ENROL, partial(enrolment, self.probe))
        there = max(at, 0.0)
        minute_s = draw(self.world.seed, self.probe.name, "minute") * HEARTBEAT_S
        self.calendar.put(there + minute_s, self.beat)
        self.calendar.put(there + self.probe.phase_s, partial(self.measure, 0))

    def beat(self, at: float) -> Iterator[Sending]:
        """Its heartbeat, if it is up and can be heard; its goodbye, if it just went and says so."""
        self.calendar.put(at + HEARTBEAT_S, self.beat)
        is_up, was_up = self.world.is_up(self.probe, at), self.was_up
        self.was_up = is_up
        if (is_up or (was_up and self._says_bye(at))) and self._reaches(at):
            state = Presence.ALIVE if is_up else Presence.BYE
            pack = partial(self.world.heartbeat, self.probe, at, state)
            yield Sending(at, self.probe, Route.HEARTBEAT, pack, state=state)

    def measure(self, number: int, at: float) -> Iterator[Sending]:
        """A round, if it is up: it goes into the spool, and the next one is due."""
        world, probe = self.world, self.probe
        self.calendar.put(at + world.story.probes.interval_s, partial(self.measure, number + 1))
        began = round(at + draw(world.seed, probe.name, "jitter", number) * JITTER_S, 3)
        if world.is_up(probe, began):
            self.sequence += 1
            self.arrived = max(self.arrived, arrival(world, probe, began + ROUND_S))
            self.calendar.put(self.arrived, partial(self.deliver, number, began, self.sequence))
        yield from ()

    def deliver(self, number: int, began: float, sequence: int, at: float) -> Iterator[Sending]:
        """A round leaves the spool."""
        pack = partial(self.world.body, self.probe, began, number, sequence)
        yield Sending(at, self.probe, Route.BATCH, pack, number, began, sequence)

    def _says_bye(self, at: float) -> bool:
        chance = draw(self.world.seed, self.probe.name, "bye", int(at))
        return chance < self.world.story.probes.bye_share

    def _reaches(self, at: float) -> bool:
        return self.world.is_heard(self.probe, at) and _collector_up(self.world, at) == at


def sendings(world: World) -> Iterator[Sending]:
    """All of a story's requests. Keys are introduced when they were made, which may be long before."""
    calendar = _Calendar()
    for probe in world.probes:
        calendar.put(probe.enrolled, _Life(world, probe, calendar).begin)
    yield from calendar.until(world.story.length)


def arrival(world: World, probe: Probe, done: float) -> float:
    """When a round that is done at `done` is received: not while the probe is cut off or the collector
    is down, and those who waited do not come all at once."""
    wanted = done + probe.late_s
    free = _collector_up(world, world.heard_again(probe, wanted))
    if free == wanted:
        return wanted
    return free + draw(world.seed, probe.name, "back") * BACK_WITHIN_S


def enrolment(probe: Probe) -> bytes:
    """A key introduces itself."""
    key = base64.b64encode(probe.identity.public_key).decode()
    return encode(Enrolment(schema=SCHEMA, public_key=key, agent=AGENT, network=probe.place))


def _collector_up(world: World, at: float) -> float:
    """`at`, or when the collector is there again."""
    return max([at, *(r.at + r.down for r in world.story.restart if r.at <= at < r.at + r.down)])
