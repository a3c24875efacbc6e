"""One endpoint as a person's program meets it: its name from both resolvers, then every address
chosen, then its redirects."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest
from urllib.parse import urlsplit

from .path import reach
from .plan import Plan
from .stages import dns
from .stages.line import Turn
from .wire.address import is_bogon, is_name
from .wire.observation import Observation
from .wire.platform import Endpoint, Platform
from .wire.stage import Resolver, Stage

MAX_HOPS = 2
_TYPES = {4: "A", 6: "AAAA"}


async def measure(plan: Plan, turn: Turn, platform: Platform, families: Sequence[int]) -> None:
    """Measure the endpoint whose turn it is, and what it redirects to."""
    async with asyncio.TaskGroup() as group:
        trusted = group.create_task(lookups(turn, (plan.trusted,), families))
        found = await lookups(turn, (plan.system,), families)
        # The first of these is chosen whatever the trusted resolver says, and need not wait for it.
        walks = {address: group.create_task(reach(turn, address)) for address in choose(found, families, 1)}
        found += await trusted
        for address in choose(found, families, plan.config.max_addresses):
            if address not in walks:
                walks[address] = group.create_task(reach(turn, address))
    onward = next(
        (url for walk in walks.values() for url in own_redirects(walk.result(), turn, platform)), None
    )
    if onward is not None:
        following = Turn(turn.line, turn.target, Endpoint(url=onward), hop=turn.hop + 1, attempt=turn.attempt)
        await measure(plan, following, platform, families)


async def lookups(
    turn: Turn, resolvers: Iterable[dns.AnyResolver], families: Sequence[int], *, linger_s: float = 0.0
) -> list[Observation]:
    """The endpoint's name, from each resolver and for each address family."""
    async with asyncio.TaskGroup() as group:
        asked = [
            group.create_task(dns.resolve(turn, resolver, _TYPES[family], linger_s=linger_s))
            for resolver in resolvers
            for family in families
        ]
    return [task.result() for task in asked]


def choose(found: Iterable[Observation], families: Sequence[int], most: int) -> list[str]:
    """The addresses to try, `most` per family, taken in turn from each resolver's answers.

    Bogons are evidence and never dialled: an answer of 192.168.1.1 must not make the agent knock
    at a neighbour's door, nor 127.0.0.1 at its own.
    """
    chosen: list[str] = []
    for family in families:
        answers = [
            [a for a in told(o) if not is_bogon(a)]
            for o in sorted(found, key=lambda o: o.dns is None or o.dns.resolver is not Resolver.SYSTEM)
            if o.family == family
        ]
        in_turn = dict.fromkeys(a for a in chain.from_iterable(zip_longest(*answers)) if a)
        chosen += list(in_turn)[:most]
    return chosen


def told(lookup: Observation) -> list[str]:
    """Every address that came in answer to a question, late ones included."""
    if lookup.dns is None:
        return []
    return [*lookup.dns.answers, *(address for late in lookup.dns.late for address in late.answers)]


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
        and is_name(parts.hostname or "")
        and platform.owns(parts.hostname or "")
        and parts.hostname != observation.host  # a login page on the same host adds nothing
        and parts.port in (None, 443)
    )
