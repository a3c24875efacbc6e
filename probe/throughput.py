"""How fast things come: a platform's objects and unrelated ones in turn, one at a time.

One at a time, because two transfers share a line and each would look slowed down by the other; in
turn, because a line's speed changes. Each is cut off early: what came until then is the measurement.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf
from statistics import median

from . import endpoint
from .path import reach, transfer
from .plan import Plan, Target
from .stages.line import Line, Turn
from .verdict.evidence import EndpointEvidence
from .verdict.gate import FOREIGN
from .verdict.speed import CONTROL_TRIES, TRIES, excesses, rates, seems_slow
from .verdict.walk import round_trips, walks_of
from .wire.failure import Failure
from .wire.observation import Observation, Purpose
from .wire.platform import Endpoint
from .wire.stage import Stage

# Each transfer's most time, in seconds: at 128 kbit/s it brings two TLS records and more.
TRANSFER_S = 5.0
# How long a shaper's queue takes to run out, in seconds: they hold half a second or one.
DRAINED_S = 1.0
# A first transfer this many times as slow as unrelated ones is repeated.
BEHIND = 2.0


async def compare(
    plan: Plan, line: Line, seen: Sequence[Observation], families: Sequence[int], *, due: bool
) -> None:
    """Transfer what is due or seems slow, as far as the budget of bytes goes."""
    hurried = replace(line, timeouts=replace(line.timeouts, http_s=TRANSFER_S))
    await _Comparison(plan, hurried, seen, families).run(due)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One comparison on one line; `seen` grows while it runs."""

    plan: Plan
    line: Line
    seen: Sequence[Observation]
    families: Sequence[int]

    async def run(self, due: bool) -> None:
        """The transfers; and handshakes under both names of what seems slow and has nothing to
        transfer."""
        slow = self._slow()
        roles = [target for target in self._targets() if target.role.transfer and self._comes(target)]
        suspected = [t for t in roles if any(t.name == other.name for other in slow)]
        chosen = _one_each(suspected) + [t for t in suspected if t not in _one_each(suspected)]
        if due:
            chosen += [target for target in roles if target not in chosen]
        if chosen:
            await self._transfers(chosen, roles)
        asked = {target.platform.name for target in chosen}
        for target in _one_each(t for t in slow if t.platform.name not in asked):
            await self._handshakes(target)

    def _targets(self) -> list[Target]:
        """The first endpoint of every role stands for it."""
        return [
            Target(platform, role, role.endpoints[0])
            for platform in self.plan.platforms
            for role in platform.roles
            if role.endpoints[0].is_tls
        ]

    def _evidence(self, target: Target) -> EndpointEvidence:
        return target.evidence(self.seen)

    def _comes(self, target: Target) -> bool:
        """Whether anything comes at all: what is cut off cannot be slow."""
        return any(walk.passed(Stage.TLS) or walk.trickled for walk in self._evidence(target).walks)

    def _slow(self) -> list[Target]:
        """What seems slow, slowest first."""
        controls = [o for o in self.seen if o.target.startswith(f"{FOREIGN}/")]
        beside = excesses(walks_of(controls))
        slow = [t for t in self._targets() if seems_slow(self._evidence(t), beside)]
        return sorted(slow, key=lambda t: -min(excesses(self._evidence(t).walks), default=inf))

    async def _handshakes(self, target: Target) -> None:
        """Both names on one address, until each has been tried often enough."""
        walks = self._evidence(target).walks
        address = next((walk.address for walk in walks if walk.passed(Stage.TLS)), walks[0].address)
        first = 1 + max(walk.attempt for walk in walks)
        for attempt in range(first, first + TRIES):
            turn = target.turn(self.line, attempt)
            await reach(self.plan.innocuous(turn), address)
            await reach(turn, address)

    async def _transfers(self, targets: Sequence[Target], roles: Iterable[Target]) -> None:
        """One role of each platform, then the others of those that were not behind; of those that were,
        one more `role` for once, which tells whether all of the platform is held back. Each takes its
        time."""
        first = _one_each(targets)
        await self._in_turn(first)
        behind = {target.platform.name for target in first if self._is_behind(target)}
        rest = [t for t in targets if t not in first and t.platform.name not in behind]
        if rest:
            await self._in_turn(rest)
        for target in _one_each(t for t in roles if t not in first and t.platform.name in behind):
            await self._one_of(target, attempt=1)

    async def _in_turn(self, targets: Sequence[Target]) -> None:
        """Controls and platforms in turn; whoever is not behind is left alone after one try."""
        chosen = list(targets)
        for attempt in range(1, max(TRIES, CONTROL_TRIES) + 1):
            await self._control(attempt)
            for target in chosen:
                await self._one_of(target, attempt)
            chosen = [target for target in chosen if self._is_behind(target)]
            if not chosen:
                return

    async def _one_of(self, target: Target, attempt: int) -> None:
        """The role's object. What a slow one before it has left in somebody's queue would make the way
        to it seem long, so that is let run out first; later tries have the round trip of this one."""
        if attempt == 1 and self._left_a_queue():
            await self.plan.pause(DRAINED_S)
        if target.role.transfer is not None:
            turn = Turn(self.line, target.name, target.role.transfer, purpose=Purpose.TRANSFER)
            await self._one(replace(turn, attempt=attempt))

    def _left_a_queue(self) -> bool:
        """Whether the last transfer was cut off while more was coming."""
        last = next((o.transfer for o in reversed(self.seen) if o.transfer is not None), None)
        return last is not None and last.body_bytes < last.wanted_bytes

    async def _control(self, attempt: int) -> None:
        """The next of the unrelated objects."""
        urls = self.plan.config.transfers.controls
        if urls:
            where = Endpoint(url=urls[attempt % len(urls)])
            turn = Turn(self.line, f"{FOREIGN}/{where.host}", where, purpose=Purpose.CONTROL, attempt=attempt)
            await self._one(turn)

    async def _one(self, turn: Turn) -> None:
        """One transfer, if the budget of bytes has room for it."""
        limits = self.plan.config.transfers
        spent = sum(o.transfer.body_bytes for o in self.seen if o.transfer is not None)
        if spent + limits.object_bytes > limits.budget_bytes:
            return
        for address in await self._addresses(turn):
            await transfer(turn, address, limits.object_bytes)

    async def _addresses(self, turn: Turn) -> list[str]:
        """Where the host answered before in this round, else where the line's resolver leads."""
        host = turn.endpoint.host
        reached = [
            o.address
            for o in self.seen
            if o.stage is Stage.TLS and o.failure is None and o.host == host and o.address
        ]
        if reached:
            return reached[:1]
        found = await endpoint.lookups(turn, (self.plan.system,), self.families[:1])
        return endpoint.choose(found, self.families[:1], 1)

    def _is_behind(self, target: Target) -> bool:
        """Whether the role is slower than unrelated objects by what would need explaining, or was
        too slow to tell."""
        tried = [o for o in self.seen if o.target == target.name and o.stage is Stage.TRANSFER]
        trips = round_trips(self.seen)
        theirs = [rate.bps for rate in rates(tried, trips)]
        controls = (o for o in self.seen if o.purpose is Purpose.CONTROL)
        others = [rate.bps for rate in rates(controls, trips)]
        late = any(o.failure is Failure.HTTP_TIMEOUT for o in tried)
        return bool(others) and (late or (bool(theirs) and median(others) >= BEHIND * max(theirs)))


def _one_each(targets: Iterable[Target]) -> list[Target]:
    """The first of each platform."""
    found: dict[str, Target] = {}
    for target in targets:
        found.setdefault(target.platform.name, target)
    return list(found.values())
