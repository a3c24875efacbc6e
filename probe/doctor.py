"""What this machine can measure, line by line, and what to do about what it cannot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

from . import capture, icmp
from .config import Config
from .dial import Dialler, Resolve, trusted_of
from .http1 import ClosedEarly, Exchange, InvalidResponse
from .net import SOME_IPV6, Net, TlsStream, in_words
from .plan import Plan
from .routes import Way
from .stages import dns
from .stages.line import Line, Turn
from .upload import WAY_S
from .wire.address import is_bogon
from .wire.platform import Endpoint

# A certificate valid for a day or two is the tightest thing a wrong clock breaks; the collector
# refuses rounds more than ten minutes ahead.
MAX_SKEW_S = 600


class Health(StrEnum):
    """How a line stands: fine, worth knowing, or in the way of measuring."""

    OK = "ok"
    NOTE = "note"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, how it stands, and what to do where it is not fine."""

    subject: str
    health: Health
    text: str

    def __str__(self) -> str:
        return f"{self.health:<5} {self.subject:<18} {self.text}"


async def examine(plan: Plan, resolve: Resolve, ways: Sequence[Way]) -> AsyncIterator[Finding]:
    """Every line in turn. `ways` lead to collectors, whose names `resolve` finds as any program would."""
    line = Line(plan.net, plan.clock, plan.clock(), plan.config.timeouts, plan.trust, lambda _: None)
    yield await _system_resolver(plan, line)
    yield await _trusted_resolver(plan, line)
    line.kept.close()
    yield _ipv6(plan.net)
    yield await _clock(plan, line)
    yield _path_evidence()
    yield _packet_evidence()
    if not ways:
        yield Finding(
            "collector", Health.NOTE, "none configured: rounds stay on this machine (collector.urls)"
        )
    for finding in await _collectors(plan, resolve, ways):
        yield finding


def _turn(line: Line, url: str) -> Turn:
    return Turn(line, "doctor", Endpoint(url=url))


async def _system_resolver(plan: Plan, line: Line) -> Finding:
    resolver = plan.system
    if not resolver.servers:
        advice = f"no nameserver in {plan.config.resolvers.resolv_conf}; set resolvers.system"
        return Finding("resolver", Health.FAIL, advice)
    return await _lookup(
        plan.config, line, resolver, "resolver", "the router or the provider's resolver is down"
    )


async def _trusted_resolver(plan: Plan, line: Line) -> Finding:
    return await _lookup(
        plan.config,
        line,
        plan.trusted,
        "trusted resolver",
        "blocking by DNS cannot be proven without it; try another resolvers.doh_url",
    )


async def _lookup(
    config: Config, line: Line, resolver: dns.AnyResolver, subject: str, advice: str
) -> Finding:
    seen = await dns.resolve(_turn(line, config.controls.foreign[0]), resolver, "A")
    server = seen.dns.server if seen.dns else None
    if seen.failure is None:
        return Finding(subject, Health.OK, f"{server} answered in {seen.duration_s * 1000:.0f} ms")
    return Finding(subject, Health.FAIL, f"{server}: {seen.failure}; {advice}")


def _ipv6(net: Net) -> Finding:
    if net.source_address(SOME_IPV6):
        return Finding("IPv6", Health.OK, "there is a route: both families are measured, apart")
    return Finding("IPv6", Health.NOTE, "no route: IPv4 alone is measured, which is enough")


async def _clock(plan: Plan, line: Line) -> Finding:
    """Compare with the Date header (RFC 9110, 6.6.1) of the cleartext page: no certificate needed."""
    endpoint = Endpoint(url=plan.config.controls.portal_url)
    looked_up = await dns.resolve(_turn(line, plan.config.controls.portal_url), plan.system, "A")
    told = looked_up.dns.answers if looked_up.dns else ()
    addresses = [address for address in told if not is_bogon(address)]
    for address in addresses[:1]:
        answer = await _fetch(plan, endpoint, address)
        if isinstance(answer, Exchange) and (skew_s := _skew_s(answer.headers.get("date", ""))) is not None:
            if abs(skew_s) <= MAX_SKEW_S:
                return Finding("clock", Health.OK, f"{abs(skew_s):.0f} s off at most")
            return Finding("clock", Health.FAIL, f"{skew_s:+.0f} s off: set it, or turn on NTP")
    return Finding("clock", Health.NOTE, "no site could be asked for the time")


def _skew_s(date: str) -> float | None:
    try:
        return (datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds()
    except (ValueError, TypeError):
        return None


async def _fetch(plan: Plan, endpoint: Endpoint, address: str) -> Exchange | str:
    """The exchange, or in one word why there is none."""
    try:
        async with asyncio.timeout(plan.config.timeouts.tcp_s):
            below = await plan.net.connect(address, endpoint.port)
            try:
                stream = below
                if endpoint.is_tls:
                    stream = TlsStream(below, plan.trust.bundle, endpoint.host)
                    await stream.handshake()
                exchange = Exchange(stream, max_body_bytes=4096)
                await exchange.run("GET", endpoint.authority, endpoint.path)
                return exchange
            finally:
                below.close()
    except (OSError, ClosedEarly, InvalidResponse) as error:
        return in_words(error)


def _path_evidence() -> Finding:
    if reason := icmp.why_not():
        return Finding("path evidence", Health.NOTE, f"left out: {reason}")
    return Finding("path evidence", Health.OK, "ICMP errors are told: where packets end can be found")


def _packet_evidence() -> Finding:
    """It needs CAP_NET_RAW (capabilities(7)) and scapy; measuring needs neither."""
    if reason := capture.why_not():
        return Finding("packet evidence", Health.NOTE, f"left out: {reason}; all else is measured the same")
    return Finding("packet evidence", Health.OK, "packets can be watched: forged resets can be told")


async def _collectors(plan: Plan, resolve: Resolve, ways: Sequence[Way]) -> list[Finding]:
    """Each way, all at once; one that fails stands in nobody's way where another works."""
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(_health(plan, resolve, way)) for way in ways]
    answers = [task.result() for task in asked]
    works = any(not trouble for trouble, _ in answers)
    rest = "rounds go another way" if works else "rounds wait on this machine until it can be reached"
    return [
        Finding("collector", Health.NOTE if works else Health.FAIL, f"{way}: {trouble}; {rest}")
        if trouble
        else Finding("collector", Health.OK, f"{way} answered in {took_s * 1000:.0f} ms")
        for way, (trouble, took_s) in zip(ways, answers, strict=True)
    ]


async def _health(plan: Plan, resolve: Resolve, way: Way) -> tuple[str, float]:
    """What is wrong with the way, empty if nothing is, and the seconds it took."""
    endpoint = Endpoint(url=way.route.url.rstrip("/") + "/healthz")
    dial = Dialler(plan.net, plan.trust, resolve, trusted_of(plan))
    began = plan.clock()
    try:
        async with asyncio.timeout(WAY_S):
            stream = await dial.open(way)
            try:
                exchange = Exchange(stream, max_body_bytes=4096)
                await exchange.run("GET", endpoint.authority, endpoint.path)
            finally:
                stream.close()
    except (OSError, ClosedEarly, InvalidResponse) as error:
        return in_words(error), plan.clock() - began
    trouble = "" if exchange.status == 200 else f"answered {exchange.status}"
    return trouble, plan.clock() - began
