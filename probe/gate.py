"""Is this machine online at all? The I/O of the gate; `probe.verdict.gate` draws the conclusion.

Controls are measured through the very same stages as the platforms, so that what breaks the one
would break the other: unrelated foreign sites, domestic ones where configured, and one cleartext
page with a known body, in whose place a captive portal answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from .config import Controls
from .path import reach
from .stages import dns
from .stages.line import Line, Turn
from .verdict.gate import DOMESTIC, FOREIGN, PORTAL
from .wire.address import is_bogon
from .wire.observation import Phase
from .wire.platform import Endpoint


async def check_before(line: Line, controls: Controls, resolver: dns.PlainResolver) -> None:
    """Every control and the portal check."""
    turns = [
        *_turns(line, FOREIGN, controls.foreign, Phase.BEFORE),
        *_turns(line, DOMESTIC, controls.domestic, Phase.BEFORE),
    ]
    portal = Endpoint(url=controls.portal_url)
    turns.append(Turn(line, _target(PORTAL, portal), portal, Phase.BEFORE, wanted_body=controls.portal_body))
    await _check(turns, resolver)


async def check_after(
    line: Line, controls: Controls, resolver: dns.PlainResolver, passed: Iterable[str]
) -> None:
    """Those foreign controls that passed before; if they fail now, the domestic ones tell why."""
    hosts = set(passed)
    urls = [url for url in controls.foreign if Endpoint(url=url).host in hosts]
    await _check(
        [
            *_turns(line, FOREIGN, urls, Phase.AFTER),
            *_turns(line, DOMESTIC, controls.domestic, Phase.AFTER),
        ],
        resolver,
    )


def _turns(line: Line, kind: str, urls: Sequence[str], phase: Phase) -> list[Turn]:
    endpoints = [Endpoint(url=url) for url in urls]
    return [Turn(line, _target(kind, endpoint), endpoint, phase) for endpoint in endpoints]


def _target(kind: str, endpoint: Endpoint) -> str:
    return f"{kind}/{endpoint.host}"


async def _check(turns: Iterable[Turn], resolver: dns.PlainResolver) -> None:
    async with asyncio.TaskGroup() as group:
        for turn in turns:
            group.create_task(_control(turn, resolver))


async def _control(turn: Turn, resolver: dns.PlainResolver) -> None:
    """One address is enough: IPv4, or IPv6 on a line that has nothing else."""
    for query_type in ("A", "AAAA"):
        found = await dns.resolve(turn, resolver, query_type)
        answers = found.dns.answers if found.dns else ()
        usable = [address for address in answers if not is_bogon(address)]
        if usable:
            await reach(turn, usable[0])
            return
