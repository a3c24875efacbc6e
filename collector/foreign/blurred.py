"""A round of which a stranger may have the facts and nobody finds the home. PURE.

A provider keeps logs of who connected where and when, and a round has all of that: so it begins when the
detector's round began, its number is another, nothing in it is timed closer than a tenth of a second, and
what differs from home to home beside what is measured is left out: the resolver that somebody chose, how
far it is, the chain that their own antivirus shows, where a block page's path may hold a subscriber's
number. What is left may still fit one line alone, where the provider keeps logs of addresses: whoever gives
rounds out decides to.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from urllib.parse import urlsplit

from probe.wire.observation import Observation, Round
from probe.wire.stage import DnsDetail, HttpDetail, Resolver, TlsDetail

_OWN = frozenset({Resolver.SYSTEM, Resolver.PROVIDER})
STEP_S = 0.1


def blurred(rnd: Round, *, at: datetime, name: str) -> Round:
    """The round as if it had begun at `at`, called `name`."""
    return replace(
        rnd,
        round_id=name,
        started_at=at,
        duration_s=_coarse(rnd.duration_s),
        observations=tuple(map(_observation, rnd.observations)),
    )


def _observation(o: Observation) -> Observation:
    return replace(
        o,
        start_s=_coarse(o.start_s),
        duration_s=_coarse(o.duration_s),
        dns=o.dns and _dns(o.dns),
        tcp=None,
        tls=o.tls and _tls(o.tls),
        http=o.http and _http(o.http, o.hop),
        transfer=None,
        path=None,
        packets=None,
    )


def _coarse(seconds: float) -> float:
    return round(round(seconds / STEP_S) * STEP_S, 1)


def _dns(detail: DnsDetail) -> DnsDetail:
    server = None if detail.resolver in _OWN else detail.server
    return replace(detail, server=server, ip_ttl=None, late=())


def _tls(detail: TlsDetail) -> TlsDetail:
    return replace(detail, chain=()) if detail.system_trusted else detail


def _http(detail: HttpDetail, hop: int) -> HttpDetail:
    """The page of an endpoint is known; of everything that it led to, the host is enough."""
    return replace(
        detail,
        url=detail.url if hop == 0 else _origin(detail.url),
        location=detail.location and _origin(detail.location),
        refresh=detail.refresh and _origin(detail.refresh),
    )


def _origin(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:  # a collector reads what any agent sent
        return ""
    return f"{parts.scheme}://{host}/" if host else ""
