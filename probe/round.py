"""One round: the gate, then every endpoint through its stages, questions about what failed, the gate
again.

Order matters. The gate comes first, because on a dead line nothing else is worth a byte. A failed
endpoint is measured again only after all others have had their turn, so that a transient has time
to pass. How fast things come, where that is due or something seems slow, is compared before the
questions about failures (`escalation` says in which order), which would crowd the line. The gate
closes the round, because a line that died in between proves nothing. One deadline holds over all of
it, and one bound of bytes; what was not reached by then is missing from the round, and the verdict
says so.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from enum import Enum, auto

from . import endpoint, escalation, gate, throughput
from .net import SOME_IPV6
from .plan import Plan, Target, a_few_at_once
from .stages.line import Line
from .verdict.gate import PASSING, families_passed, judge_gate, passed
from .wire.observation import Observation, Phase, Round
from .wire.stage import Stage

# The last part of the deadline belongs to the gate after: without it the round says nothing.
CLOSING_SHARE = 0.2
# Where something failed, comparing speeds takes no more: who lets one platform drip for as long as he
# likes must not keep the questions about another from being asked.
COMPARING_SHARE = 0.6
# What all connections of the platforms' part may bring beside transfers: a round of all questions
# brings 2 MB, and what is paid beyond that is paid by the volunteer for somebody hostile.
MOST_BYTES = 4 << 20


class Activity(Enum):
    """What a round is at."""

    BEFORE = auto()
    MEASURING = auto()
    SPEED = auto()
    WHY = auto()
    AFTER = auto()


Enter = Callable[[Activity], None]


async def measure(
    plan: Plan,
    *,
    round_id: str,
    started_at: datetime,
    watch: Callable[[Observation], None] = lambda _: None,
    enter: Enter = lambda _: None,
    transfers: bool = False,
) -> Round:
    """Measure one round. `watch` sees each observation as it comes, `enter` is told what begins;
    `transfers` asks how fast things come even where nothing seems slow. Cancelling it leaves nothing
    behind: the round exists only once it is whole."""
    seen: list[Observation] = []

    def record(observation: Observation) -> None:
        seen.append(observation)
        watch(observation)

    started = plan.clock()
    plan.pace.forget(started)
    line = Line(plan.net, plan.clock, started, plan.config.timeouts, plan.trust, record, pace=plan.pace)
    try:
        await _measure(plan, line, seen, enter, transfers)
    finally:
        line.kept.close()
    return Round(
        round_id=round_id,
        started_at=started_at,
        duration_s=round(plan.clock() - started, 6),
        network=plan.config.network,
        gate=judge_gate(seen, len(plan.config.controls.foreign)),
        targets=plan.platforms,
        observations=tuple(seen),
    )


async def _measure(
    plan: Plan, line: Line, seen: Sequence[Observation], enter: Enter, transfers: bool
) -> None:
    deadline_s = plan.config.round_deadline_s
    controls = plan.config.controls
    has_six = plan.net.source_address(SOME_IPV6) is not None
    enter(Activity.BEFORE)
    async with asyncio.TaskGroup() as group:
        ahead = group.create_task(plan.trusted.open_ahead(line))
        opened = await _within(deadline_s / 2, gate.check_before(line, controls, plan.system, has_six))
        ahead.cancel()
    open_hosts = passed(seen, Phase.BEFORE)
    if not opened or len(open_hosts) < PASSING:
        return
    families = sorted(families_passed(seen, Phase.BEFORE))
    left_s = deadline_s * (1 - CLOSING_SHARE) - (plan.clock() - line.started)
    async with _bounded(plan, line, left_s) as thrifty:
        await _platforms(plan, thrifty, seen, families, enter, transfers)
    enter(Activity.AFTER)
    left_s = max(deadline_s * CLOSING_SHARE, deadline_s - (plan.clock() - line.started))
    await _within(left_s, gate.check_after(line, controls, plan.system, open_hosts, 6 in families))


async def _within(seconds: float, work: Coroutine[object, object, None]) -> bool:
    """Whether the work was done in time; what it had recorded by then stays."""
    try:
        async with asyncio.timeout(seconds):
            await work
    except TimeoutError:
        return False
    return True


@asynccontextmanager
async def _bounded(plan: Plan, line: Line, seconds: float) -> AsyncIterator[Line]:
    """The line, for so long and for so many bytes; what was recorded by then stays."""
    most_bytes = plan.net.received_bytes + MOST_BYTES + plan.config.transfers.budget_bytes
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds) as deadline:

            def record(observation: Observation) -> None:
                line.record(observation)
                if plan.net.received_bytes > most_bytes and not deadline.expired():
                    deadline.reschedule(0.0)

            yield replace(line, record=record)


async def _platforms(
    plan: Plan,
    line: Line,
    seen: Sequence[Observation],
    families: Sequence[int],
    enter: Enter,
    transfers: bool,
) -> None:
    targets = [
        Target(platform, role, one)
        for platform in plan.platforms
        for role in platform.roles
        for one in role.endpoints
    ]
    enter(Activity.MEASURING)
    await a_few_at_once(
        plan.config.concurrency,
        targets,
        lambda target: endpoint.measure(plan, target.turn(line, 1), target.platform, families),
    )
    failed = [target for target in targets if not _is_clear(target, seen)]
    # Where all connects and then something does not come in time, or comes in drops, slowness is suspected
    # of the whole platform: the slow part may have nothing to transfer. Where anything else fails, what is
    # asked about why costs bytes enough.
    late = {target.platform.name for target in targets if _may_be_slow(target, seen)}
    cut = {target.platform.name for target in failed if not _may_be_slow(target, seen)}
    due = ({p.name for p in plan.platforms if transfers} | late) - cut
    share = COMPARING_SHARE if failed else 1.0
    enter(Activity.SPEED)
    comparison = throughput.compare(plan, line, seen, families, due=due)
    await _within(plan.config.round_deadline_s * share, comparison)
    if failed:
        enter(Activity.WHY)
        await escalation.escalate(plan, line, seen, failed, families)


def _may_be_slow(target: Target, seen: Iterable[Observation]) -> bool:
    """Whether everything connects, and what fails does so for want of time."""
    evidence = target.evidence(seen)
    return evidence.is_late and all(walk.passed(Stage.TCP) for walk in evidence.walks)


def _is_clear(target: Target, seen: Iterable[Observation]) -> bool:
    """Whether nothing needs asking: all went well, or was merely slow."""
    evidence = target.evidence(seen)
    return evidence.is_clean or evidence.is_slow
