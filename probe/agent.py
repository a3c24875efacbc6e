"""The long-running agent, and the one turn that it and ``run`` share: measure, scrub, judge, keep.

Three tasks in one group: rounds, uploads, heartbeats. What decides when is pure (`schedule`,
`backoff`); what is kept is durable before it is sent (`spool`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import random
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count

from .identity import Identity, Installation
from .net import SOME_IPV6
from .outcome import Outcome, outcome_of, statuses, summary
from .plan import Plan
from .round import Enter, measure
from .schedule import Schedule
from .spool import Spool, SpoolError
from .targets import Targets
from .upload import Accepted, Courier, Uploader
from .whereabouts import here, stayed
from .wire.codec import MAX_BYTES, encode
from .wire.exchange import Presence
from .wire.fit import fit
from .wire.observation import SCHEMA, Batch, GateState, Observation, Round
from .wire.scrub import scrub
from .wire.version import __version__

log = logging.getLogger("reachwatch.agent")

HEARTBEAT_S = 60.0
PULSE_S = 20.0
# How soon a pause is seen: two small files are looked at so often.
NOTICE_S = 3.0
# A `bye` that cannot be delivered at once is not worth holding up a shutdown for.
BYE_S = 5.0
# A collector takes 64 KiB compressed; a clean round is 9.
MOST_SENT_BYTES = 60_000
_SOME_IPV4 = "198.51.100.1"  # RFC 5737; only the routing table is asked, nothing is sent


@dataclass
class Desk:
    """Where rounds are made and kept: the plan, the keys, the spool; `place` says which network this is."""

    plan: Plan
    installation: Installation
    spool: Spool
    targets: Targets
    place: Callable[[], str | None] = here
    wall: Callable[[], float] = time.time
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def take(
        self,
        watch: Callable[[Observation], None] = lambda _: None,
        enter: Enter = lambda _: None,
        *,
        transfers: bool = False,
    ) -> Outcome:
        """Measure one round and judge it. Nothing is kept yet."""
        began_at = self.place()
        started_at = datetime.fromtimestamp(round(self.wall(), 3), UTC)
        rnd = await measure(
            replace(self.plan, platforms=self.targets.platforms(self.plan.platforms)),
            round_id=os.urandom(16).hex(),
            started_at=started_at,
            watch=watch,
            enter=enter,
            transfers=transfers,
        )
        return outcome_of(scrub(rnd, self.own_addresses()), stayed(began_at, self.place()))

    def identity(self) -> Identity | None:
        """Who this installation is on the network it is on, None where that cannot be told yet."""
        place = self.place()
        return None if place is None else self.installation.at(place)

    def speaks_as(self, who: Identity) -> bool:
        """Whether this machine still is on the network where that is its name."""
        now = self.identity()
        return now is not None and now.probe_id == who.probe_id

    def own_addresses(self) -> frozenset[str]:
        """This machine's addresses towards the world, as far as it knows them."""
        found = (self.plan.net.source_address(towards) for towards in (_SOME_IPV4, SOME_IPV6))
        return frozenset(address for address in found if address)

    async def keep(self, outcome: Outcome, *, upload: bool) -> None:
        """Make the round durable: in the history always, in the spool if it is to be sent. Who is stopped
        meanwhile is stopped after it: a round that is done is not lost, and nobody closes the spool under a
        thread that writes to it."""
        async with self.lock:
            keeping = asyncio.get_running_loop().run_in_executor(None, self._keep, outcome, upload)
            try:
                await asyncio.shield(keeping)
            except asyncio.CancelledError:
                await asyncio.wait([keeping])
                raise

    def _keep(self, outcome: Outcome, upload: bool) -> None:
        now = self.wall()
        self.spool.remember(outcome.round.started_at.timestamp(), json.dumps(summary(outcome)).encode())
        if upload and outcome.place is None:
            log.warning("round_not_sent reason=network_changed")
        elif upload and outcome.place is not None:
            who = self.installation.at(outcome.place)
            added = self.spool.add(who.probe_id, lambda number: self._signed(who, number, outcome.round), now)
            if added.dropped:
                log.warning("spool_full dropped_rounds=%d", added.dropped)

    def _signed(self, who: Identity, sequence: int, rnd: Round) -> tuple[bytes, bytes]:
        body = b""

        def fits(slimmer: Round) -> bool:
            nonlocal body
            body = self._body(who, sequence, slimmer)
            return len(body) <= MAX_BYTES and len(zlib.compress(body, 6)) <= MOST_SENT_BYTES

        fit(rnd, fits)  # asks of what it returns last
        return body, who.sign(body)

    @staticmethod
    def _body(who: Identity, sequence: int, rnd: Round) -> bytes:
        return encode(
            Batch(
                schema=SCHEMA,
                probe=who.probe_id,
                sequence=sequence,
                agent=f"reachwatch-probe/{__version__}",
                rounds=(rnd,),
            )
        )


@dataclass
class Agent:
    """The tasks of ``start``. `stop` ends them; a round in progress is given up whole. `pulse` is called
    every so often while it lives; while `quiet` gives a reason it keeps still, having said goodbye."""

    desk: Desk
    schedule: Schedule
    speaking: Callable[[Identity], Uploader] | None
    rng: random.Random
    pulse: Callable[[], None] = lambda: None
    quiet: Callable[[], str] = lambda: ""
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    _spooled: asyncio.Event = field(default_factory=asyncio.Event)
    _couriers: dict[str, Courier] = field(default_factory=dict)

    async def run(self) -> None:
        """Until `stop` is set."""
        log.info("agent_started interval_s=%g", self.schedule.interval_s)
        async with asyncio.TaskGroup() as group:
            alive = group.create_task(self._alive())
            while not self.stop.is_set():
                if why := self.quiet():
                    log.info("agent_quiet reason=%r", why)
                    await self._until(lambda: not self.quiet())
                    continue
                await self._work()
                await self._leave()
            alive.cancel()
        log.info("agent_stopped")

    async def _work(self) -> None:
        """Until it is to stop or to keep still."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._rounds())]
            if self.speaking is not None:
                tasks += [group.create_task(self._uploads()), group.create_task(self._heartbeats())]
            await self._until(lambda: bool(self.quiet()))
            for task in tasks:
                task.cancel()

    async def _until(self, question: Callable[[], bool]) -> None:
        while not self.stop.is_set() and not question():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(NOTICE_S):
                    await self.stop.wait()

    async def _leave(self) -> None:
        if (courier := self._courier()) is not None:
            try:
                async with asyncio.timeout(BYE_S):
                    await courier.uploader.heartbeat(Presence.BYE)
            except TimeoutError:
                pass

    async def _alive(self) -> None:
        while True:
            self.pulse()
            await asyncio.sleep(PULSE_S)

    async def _rounds(self) -> None:
        last: Outcome | None = None
        every = self.desk.plan.config.transfers.every_rounds
        for number in count(1):
            outcome = await self.desk.take(transfers=every > 0 and number % every == 0)
            await self._keep(outcome)
            changed = last is not None and statuses(last.verdicts) != statuses(outcome.verdicts)
            self._tell(outcome, last)
            last = outcome
            now = self.desk.wall()
            next_at, self.schedule = self.schedule.after(now, changed, self.rng)
            await asyncio.sleep(next_at - now)

    async def _keep(self, outcome: Outcome) -> None:
        """A full disk must not end the measuring: it is said, and the next round tries again."""
        try:
            await self.desk.keep(outcome, upload=self.speaking is not None)
        except SpoolError as error:
            log.error("round_not_kept error=%s", error)
        self._spooled.set()

    @staticmethod
    def _tell(outcome: Outcome, last: Outcome | None) -> None:
        """One line when what is seen changes, none while it stays the same."""
        words = statuses(outcome.verdicts)
        if last is None or words != statuses(last.verdicts):
            said = " ".join(f"{name}={status}" for name, status in words.items())
            gate = outcome.round.gate.state
            log.info("verdicts %s%s", said, "" if gate is GateState.ONLINE else f" gate={gate}")

    def _courier(self) -> Courier | None:
        """Whoever speaks in this installation's name on the network it is on: one for each, because what
        a route did on one network says nothing of another."""
        if self.speaking is None or (who := self.desk.identity()) is None:
            return None
        if who.probe_id not in self._couriers:
            desk = self.desk
            self._couriers[who.probe_id] = Courier(
                self.speaking(who), desk.spool, desk.lock, self.rng, desk.wall
            )
        return self._couriers[who.probe_id]

    async def _uploads(self) -> None:
        while True:
            wait_s = None
            try:
                if (courier := self._courier()) is not None:
                    wait_s = await courier.push()
            except SpoolError as error:
                log.error("spool_failed error=%s", error)
            if wait_s is not None:
                await asyncio.sleep(wait_s)
                continue
            await self._spooled.wait()
            self._spooled.clear()

    async def _heartbeats(self) -> None:
        while True:
            if (courier := self._courier()) is not None:
                answer = await courier.uploader.heartbeat(Presence.ALIVE, self.desk.targets.version)
                if isinstance(answer, Accepted) and answer.receipt.targets is not None:
                    await asyncio.to_thread(self.desk.targets.take, answer.receipt.targets)
            await asyncio.sleep(HEARTBEAT_S)
