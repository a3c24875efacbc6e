"""Is this machine online at all? The I/O of the gate; `probe.verdict.gate` draws the conclusion.

Controls are measured through the very same stages as the platforms, so that what breaks the one
would break the other: unrelated foreign sites, domestic ones where configured, and one cleartext
page with a known body, in whose place a captive portal answers. Where there is a route for IPv6, one
of the foreign ones is asked over it first: what answers nobody over IPv6 is this home's own trouble,
and then the platforms are measured over IPv4 alone.
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


async def check_before(line: Line, controls: Controls, resolver: dns.PlainResolver, has_six: bool) -> None:
    """Every control and the portal check."""
    turns = [
        *_turns(line, FOREIGN, controls.foreign, Phase.BEFORE),
        *_turns(line, DOMESTIC, controls.domestic, Phase.BEFORE),
    ]
    portal = Endpoint(url=controls.portal_url)
    turns.append(Turn(line, _target(PORTAL, portal), portal, Phase.BEFORE, wanted_body=controls.portal_body))
    await _check(turns, resolver, _six_first(controls, has_six))


async def check_after(
    line: Line, controls: Controls, resolver: dns.PlainResolver, passed: Iterable[str], has_six: bool
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
        _six_first(controls, has_six),
    )


def _six_first(controls: Controls, has_six: bool) -> str | None:
    """The host that is asked over IPv6 first."""
    return Endpoint(url=controls.foreign[0]).host if has_six else None


def _turns(line: Line, kind: str, urls: Sequence[str], phase: Phase) -> list[Turn]:
    endpoints = [Endpoint(url=url) for url in urls]
    return [Turn(line, _target(kind, endpoint), endpoint, phase) for endpoint in endpoints]


def _target(kind: str, endpoint: Endpoint) -> str:
    return f"{kind}/{endpoint.host}"


async def _check(turns: Iterable[Turn], resolver: dns.PlainResolver, six_first: str | None) -> None:
    async with asyncio.TaskGroup() as group:
        for turn in turns:
            types = ("AAAA", "A") if turn.endpoint.host == six_first else ("A", "AAAA")
            group.create_task(_control(turn, resolver, types))


async def _control(turn: Turn, resolver: dns.PlainResolver, types: Sequence[str]) -> None:
    """One address is enough, of the first family over which one answers."""
    for query_type in types:
        found = await dns.resolve(turn, resolver, query_type)
        answers = found.dns.answers if found.dns else ()
        usable = [address for address in answers if not is_bogon(address)]
        if usable and (await reach(turn, usable[0]))[-1].failure is None:
            return
