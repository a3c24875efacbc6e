"""The long-running agent, and the one turn that it and ``run`` share: measure, scrub, judge, keep.

Three tasks in one group: rounds, uploads, heartbeats. What decides when is pure (`schedule`,
`backoff`); what is kept is durable before it is sent (`spool`).
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count

from .identity import Identity
from .net import SOME_IPV6
from .outcome import Outcome, outcome_of, statuses, summary
from .plan import Plan
from .round import Enter, measure
from .schedule import Schedule
from .spool import Spool, SpoolError
from .upload import Courier, Uploader
from .wire.codec import MAX_BYTES, encode
from .wire.exchange import Presence
from .wire.fit import fit
from .wire.observation import SCHEMA, Batch, GateState, Observation, Round
from .wire.scrub import scrub
from .wire.version import __version__

log = logging.getLogger("reachwatch.agent")

HEARTBEAT_S = 60.0
# A `bye` that cannot be delivered at once is not worth holding up a shutdown for.
BYE_S = 5.0
# A collector takes 64 KiB compressed; a clean round is 9.
MOST_SENT_BYTES = 60_000
_SOME_IPV4 = "198.51.100.1"  # RFC 5737; only the routing table is asked, nothing is sent


@dataclass
class Desk:
    """Where rounds are made and kept: the plan, the key, the spool."""

    plan: Plan
    identity: Identity
    spool: Spool
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
        started_at = datetime.fromtimestamp(round(self.wall(), 3), UTC)
        rnd = await measure(
            self.plan,
            round_id=os.urandom(16).hex(),
            started_at=started_at,
            watch=watch,
            enter=enter,
            transfers=transfers,
        )
        return outcome_of(scrub(rnd, self.own_addresses()))

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
        if upload:
            added = self.spool.add(lambda sequence: self._signed(sequence, outcome.round), now)
            if added.dropped:
                log.warning("spool_full dropped_rounds=%d", added.dropped)

    def _signed(self, sequence: int, rnd: Round) -> tuple[bytes, bytes]:
        body = b""

        def fits(slimmer: Round) -> bool:
            nonlocal body
            body = self._body(sequence, slimmer)
            return len(body) <= MAX_BYTES and len(zlib.compress(body, 6)) <= MOST_SENT_BYTES

        fit(rnd, fits)  # asks of what it returns last
        return body, self.identity.sign(body)

    def _body(self, sequence: int, rnd: Round) -> bytes:
        return encode(
            Batch(
                schema=SCHEMA,
                probe=self.identity.probe_id,
                sequence=sequence,
                agent=f"reachwatch-probe/{__version__}",
                rounds=(rnd,),
            )
        )


@dataclass
class Agent:
    """The tasks of ``start``. `stop` ends them; a round in progress is given up whole."""

    desk: Desk
    schedule: Schedule
    uploader: Uploader | None
    rng: random.Random
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    _spooled: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Until `stop` is set."""
        log.info("agent_started interval_s=%g", self.schedule.interval_s)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._rounds())]
            if self.uploader is not None:
                tasks.append(group.create_task(self._uploads(self.uploader)))
                tasks.append(group.create_task(self._heartbeats(self.uploader)))
            await self.stop.wait()
            for task in tasks:
                task.cancel()
        await self._leave()

    async def _leave(self) -> None:
        if self.uploader is not None:
            try:
                async with asyncio.timeout(BYE_S):
                    await self.uploader.heartbeat(Presence.BYE)
            except TimeoutError:
                pass
        log.info("agent_stopped")

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
            await self.desk.keep(outcome, upload=self.uploader is not None)
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

    async def _uploads(self, uploader: Uploader) -> None:
        courier = Courier(uploader, self.desk.spool, self.desk.lock, self.rng, self.desk.wall)
        while True:
            try:
                await courier.drain()
            except SpoolError as error:
                log.error("spool_failed error=%s", error)
            await self._spooled.wait()
            self._spooled.clear()

    async def _heartbeats(self, uploader: Uploader) -> None:
        while True:
            await uploader.heartbeat(Presence.ALIVE)
            await asyncio.sleep(HEARTBEAT_S)
