"""One round: the gate, then every endpoint through its stages, what failed once more, the gate again.

Order matters. The gate comes first, because on a dead line nothing else is worth a byte. A failed
endpoint is measured again only after all others have had their turn, so that a transient has time
to pass. The gate closes the round, because a line that died in between proves nothing. One
deadline holds over all of it; what was not reached by then is missing from the round, and the
verdict says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, zip_longest
from urllib.parse import urlsplit

from . import gate
from .config import Config
from .net import Net
from .path import reach
from .stages import dns
from .stages.line import Clock, Line, Record, Turn
from .trust import Trust
from .verdict.evidence import gather
from .verdict.gate import PASSING, judge_gate, passed
from .wire.address import is_bogon
from .wire.observation import Observation, Phase, Round
from .wire.platform import Endpoint, Platform
from .wire.stage import Resolver, Stage

# The last part of the deadline belongs to the gate after: without it the round says nothing.
CLOSING_SHARE = 0.2
# Between an endpoint's attempts, in seconds: longer than a lost packet takes to be sent again.
PAUSE_S = 1.0
MAX_HOPS = 2
# Any global IPv6 address tells whether there is a route (nothing is sent): 2000::/3 is the whole.
SOME_IPV6 = "2000::1"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure and with what: everything of a round that does not change between rounds."""

    config: Config
    platforms: tuple[Platform, ...]
    resolvers: tuple[dns.AnyResolver, ...]
    net: Net
    trust: Trust
    clock: Clock
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True, slots=True)
class Target:
    """One endpoint of one role of one platform."""

    platform: Platform
    name: str
    endpoint: Endpoint


async def measure(
    plan: Plan, *, round_id: str, started_at: datetime, watch: Callable[[Observation], None] = lambda _: None
) -> Round:
    """Measure one round. `watch` sees each observation as it comes. Cancelling it leaves nothing
    behind: the round exists only once it is whole."""
    seen: list[Observation] = []

    def record(observation: Observation) -> None:
        seen.append(observation)
        watch(observation)

    started = plan.clock()
    line = _line(plan, started, record)
    await _measure(plan, line, seen)
    return Round(
        round_id=round_id,
        started_at=started_at,
        duration_s=round(plan.clock() - started, 6),
        network=plan.config.network,
        gate=judge_gate(seen, len(plan.config.controls.foreign)),
        targets=plan.platforms,
        observations=tuple(seen),
    )


def _line(plan: Plan, started: float, record: Record) -> Line:
    return Line(plan.net, plan.clock, started, plan.config.timeouts, plan.trust, record)


async def _measure(plan: Plan, line: Line, seen: Sequence[Observation]) -> None:
    deadline_s = plan.config.round_deadline_s
    controls, (system, *_) = plan.config.controls, plan.resolvers
    if not isinstance(system, dns.PlainResolver):
        raise TypeError("the line's own resolver comes first")
    opened = await _within(deadline_s / 2, gate.check_before(line, controls, system))
    open_hosts = passed(seen, Phase.BEFORE)
    if not opened or len(open_hosts) < PASSING:
        return
    left_s = deadline_s * (1 - CLOSING_SHARE) - (plan.clock() - line.started)
    await _within(left_s, _platforms(plan, line, seen))
    left_s = max(deadline_s * CLOSING_SHARE, deadline_s - (plan.clock() - line.started))
    await _within(left_s, gate.check_after(line, controls, system, open_hosts))


async def _within(seconds: float, work: Coroutine[object, object, None]) -> bool:
    """Whether the work was done in time; what it had recorded by then stays."""
    try:
        async with asyncio.timeout(seconds):
            await work
    except TimeoutError:
        return False
    return True


async def _platforms(plan: Plan, line: Line, seen: Sequence[Observation]) -> None:
    waiting = [
        Target(platform, platform.target(role), endpoint)
        for platform in plan.platforms
        for role in platform.roles
        for endpoint in role.endpoints
    ]
    for attempt in range(1, plan.config.attempts + 1):
        await _endpoints(plan, line, waiting, attempt)
        waiting = [target for target in waiting if not _is_clean(target, seen)]
        if not waiting:
            return
        await plan.pause(PAUSE_S)


def _is_clean(target: Target, seen: Iterable[Observation]) -> bool:
    return gather(target.platform, target.name, target.endpoint, seen).is_clean


async def _endpoints(plan: Plan, line: Line, targets: Iterable[Target], attempt: int) -> None:
    """All of them at once would distort the handshake times, so a few at a time."""
    turnstile = asyncio.Semaphore(plan.config.concurrency)
    families = (4, 6) if line.net.source_address(SOME_IPV6) else (4,)

    async def through(target: Target) -> None:
        async with turnstile:
            turn = Turn(line, target.name, target.endpoint, attempt=attempt)
            await _endpoint(plan, turn, target.platform, families)

    async with asyncio.TaskGroup() as group:
        for target in targets:
            group.create_task(through(target))


async def _endpoint(plan: Plan, turn: Turn, platform: Platform, families: Sequence[int]) -> None:
    """One endpoint: names from every resolver, then every address chosen, then its redirects."""
    found = await _lookups(plan, turn, families)
    addresses = choose(found, families, plan.config.max_addresses)
    async with asyncio.TaskGroup() as group:
        walks = [group.create_task(reach(turn, address)) for address in addresses]
    onward = next((url for walk in walks for url in own_redirects(walk.result(), turn, platform)), None)
    if onward is not None:
        following = Turn(turn.line, turn.target, Endpoint(url=onward), hop=turn.hop + 1, attempt=turn.attempt)
        await _endpoint(plan, following, platform, families)


async def _lookups(plan: Plan, turn: Turn, families: Sequence[int]) -> list[Observation]:
    types = [{4: "A", 6: "AAAA"}[family] for family in families]
    async with asyncio.TaskGroup() as group:
        asked = [
            group.create_task(dns.resolve(turn, resolver, query_type))
            for resolver in plan.resolvers
            for query_type in types
        ]
    return [task.result() for task in asked]


def choose(lookups: Iterable[Observation], families: Sequence[int], most: int) -> list[str]:
    """The addresses to try, `most` per family, taken in turn from each resolver's answers.

    Bogons are evidence and never dialled: an answer of 192.168.1.1 must not make the agent knock
    at a neighbour's door, nor 127.0.0.1 at its own.
    """
    chosen: list[str] = []
    for family in families:
        answers = [
            [a for a in o.dns.answers if not is_bogon(a)]
            for o in sorted(lookups, key=lambda o: o.dns is None or o.dns.resolver is not Resolver.SYSTEM)
            if o.dns is not None and o.family == family
        ]
        in_turn = dict.fromkeys(a for a in chain.from_iterable(zip_longest(*answers)) if a)
        chosen += list(in_turn)[:most]
    return chosen


def own_redirects(walk: Iterable[Observation], turn: Turn, platform: Platform) -> list[str]:
    """Where to follow a redirect to: the platform's own hosts, over TLS, and not for ever."""
    if turn.hop >= MAX_HOPS or not turn.endpoint.is_tls:
        return []
    return [
        o.http.location
        for o in walk
        if o.stage is Stage.HTTP
        and o.http is not None
        and o.http.location is not None
        and _follows(o, platform)
    ]


def _follows(observation: Observation, platform: Platform) -> bool:
    location = observation.http.location if observation.http else None
    parts = urlsplit(location or "")
    return (
        parts.scheme == "https"
        and platform.owns(parts.hostname or "")
        and parts.hostname != observation.host  # a login page on the same host adds nothing
        and parts.port in (None, 443)
    )
