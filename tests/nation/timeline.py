"""Everything that a nation sends, in the order in which it arrives. PURE.

A probe says hello once, that it is there once a minute while it is up, and sends each round when it is
done. What cannot be delivered waits, as it does in the agent's spool: batches come later under the
sequence they were measured under, heartbeats never.
"""

from __future__ import annotations

import base64
import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

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
    """One request: when, whose, what, and the body that is to be signed."""

    at: float
    probe: Probe
    route: Route
    body: bytes


@dataclass
class _Ways:
    """What is remembered of one probe between its events."""

    sequence: int = 0
    was_up: bool = False
    # A spool is emptied oldest first: nothing arrives before what was measured before it.
    arrived: float = 0.0


# What waits: when, a number that settles ties, and what it is with its round's number, its beginning
# and its sequence.
_Waiting = tuple[float, int, str, int, int, float, int]


def sendings(world: World) -> Iterator[Sending]:
    """All of a story's requests. Keys are introduced when they were made, which may be long before."""
    length = world.story.length
    introductions = sorted(world.probes, key=lambda one: (one.enrolled, one.name))
    yield from (
        Sending(one.enrolled, one, Route.ENROL, enrolment(one)) for one in introductions if one.enrolled < 0
    )
    later = {one.name: one.enrolled for one in introductions if one.enrolled >= 0}
    queue: list[_Waiting] = []
    for index, one in enumerate(world.probes):
        begins = later.get(one.name, 0.0)
        if one.name in later:
            heapq.heappush(queue, (begins, len(queue), "enrol", index, 0, 0.0, 0))
        minute_s = draw(world.seed, one.name, "minute") * HEARTBEAT_S
        heapq.heappush(queue, (begins + minute_s, len(queue), "beat", index, 0, 0.0, 0))
        heapq.heappush(queue, (begins + one.phase_s, len(queue), "round", index, 0, 0.0, 0))
    known = [_Ways() for _ in world.probes]
    tie = len(queue)
    while queue and queue[0][0] < length:
        at, _, what, index, number, began, sequence = heapq.heappop(queue)
        probe, ways, tie = world.probes[index], known[index], tie + 1
        if what == "enrol":
            yield Sending(at, probe, Route.ENROL, enrolment(probe))
        elif what == "beat":
            heapq.heappush(queue, (at + HEARTBEAT_S, tie, "beat", index, 0, 0.0, 0))
            yield from _beat(world, probe, ways, at)
        elif what == "round":
            due = at + world.story.probes.interval_s
            heapq.heappush(queue, (due, tie, "round", index, number + 1, 0.0, 0))
            began = round(at + draw(world.seed, probe.name, "jitter", number) * JITTER_S, 3)
            if world.is_up(probe, began):
                ways.sequence += 1
                ways.arrived = max(ways.arrived, arrival(world, probe, began + ROUND_S))
                heapq.heappush(queue, (ways.arrived, tie, "send", index, number, began, ways.sequence))
        else:
            body = world.body(probe, began, number, sequence)
            if body is not None:
                yield Sending(at, probe, Route.BATCH, body)


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


def _beat(world: World, probe: Probe, ways: _Ways, at: float) -> Iterator[Sending]:
    """Its heartbeat, if it is up and can be heard; its goodbye, if it just went and says so."""
    is_up, was_up = world.is_up(probe, at), ways.was_up
    ways.was_up = is_up
    says_bye = (
        was_up and not is_up and draw(world.seed, probe.name, "bye", int(at)) < world.story.probes.bye_share
    )
    if (is_up or says_bye) and world.is_heard(probe, at) and _collector_up(world, at) == at:
        state = Presence.ALIVE if is_up else Presence.BYE
        yield Sending(at, probe, Route.HEARTBEAT, world.heartbeat(probe, at, state))


def _collector_up(world: World, at: float) -> float:
    """`at`, or when the collector is there again."""
    return max([at, *(r.at + r.down for r in world.story.restart if r.at <= at < r.at + r.down)])
