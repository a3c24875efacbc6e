"""Stage four: a small bounded GET (RFC 9110) of the object the endpoint names.

A status is recorded as what it is: 403, 429 and 451 are answers, not failures. A redirect, by its
status or by the page itself, is recorded as scheme, host and path; its query is dropped where it is
met, because block pages write the visitor's address there. Nothing is decompressed and no body kept.
"""

from __future__ import annotations

import asyncio
import re
from urllib.parse import urljoin, urlsplit

from probe.http1 import ClosedEarly, Exchange, InvalidResponse
from probe.net import Stream
from probe.wire.observation import Observation
from probe.wire.stage import HttpDetail, Stage, check_readable

from .errors import EXCHANGE, failure_of
from .line import Turn
from .tcp import state_at

# robots.txt and favicons are 1-5 KB; more body says nothing more and costs the volunteer.
MAX_BODY_BYTES = 8_192
MAX_LOCATION = 255
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# <meta http-equiv="refresh" content="0; url=…"> in any order of attributes (HTML, "pragma
# directives"); what looks like one and is none costs nothing, since only a foreign host counts.
_META_REFRESH = re.compile(rb"(?i)<meta\b[^>]{0,200}?\bhttp-equiv\s*=\s*[\"']?refresh\b[^>]{0,200}>")
# Possessive (``*+``): a page of well-placed spaces would otherwise stop everything for a third of a second.
_META_URL = re.compile(
    rb"(?i)content\s*+=\s*+[\"']?\s*+[\d.]*+\s*+[;,]\s*+(?:url\s*+=)?\s*+[\"']?([^\"'>\s]{1,2048})"
)


async def get(turn: Turn, address: str, below: Stream | None) -> tuple[Observation, Stream | None]:
    """Ask for the endpoint's object over `below`."""
    if below is None:
        raise ValueError("HTTP needs a connection below")
    line, endpoint = turn.line, turn.endpoint
    began = line.clock()
    exchange = Exchange(below, max_body_bytes=MAX_BODY_BYTES)
    failure = None
    try:
        async with asyncio.timeout(line.timeouts.http_s):
            await exchange.run("GET", endpoint.authority, endpoint.path)
    except (OSError, ClosedEarly, InvalidResponse) as error:
        failure = failure_of(error, EXCHANGE)
    detail, tcp = describe(turn, exchange), state_at(failure, below)
    return turn.observe(Stage.HTTP, began, address=address, failure=failure, detail=detail, tcp=tcp), None


def describe(turn: Turn, exchange: Exchange) -> HttpDetail:
    """What came, of a whole response or of one that broke off."""
    matches = None
    if turn.wanted_body is not None and exchange.status is not None:
        body = exchange.body.decode("utf-8", "replace").strip()
        matches = exchange.status == 200 and body == turn.wanted_body.strip()
    return HttpDetail(
        url=turn.endpoint.url[:MAX_LOCATION],
        status=exchange.status if exchange.status and 100 <= exchange.status <= 599 else None,
        location=_location(turn.endpoint.url, exchange),
        refresh=_refresh(turn.endpoint.url, exchange),
        body_bytes=len(exchange.body),
        body_matches=matches,
    )


def _location(url: str, exchange: Exchange) -> str | None:
    """Where a redirect leads; None if it is none, or leads nowhere."""
    if exchange.status not in _REDIRECTS or "location" not in exchange.headers:
        return None
    return _without_query(url, exchange.headers["location"])


def _refresh(url: str, exchange: Exchange) -> str | None:
    """Where the page sends its reader by itself."""
    tag = _META_REFRESH.search(exchange.body)
    target = _META_URL.search(tag[0]) if tag else None
    if target is None:
        return None
    import html

    return _without_query(url, html.unescape(target[1].decode("utf-8", "replace")))


def _without_query(url: str, onward: str) -> str | None:
    """The URL without query, fragment and credentials; None where it cannot be read."""
    try:
        parts = urlsplit(urljoin(url, onward))
        host = parts.hostname or ""
        netloc = f"[{host}]" if ":" in host else host
        port = f":{parts.port}" if parts.port else ""
        text = f"{parts.scheme}:{f'//{netloc}{port}' if host else ''}{parts.path}"
        printable = "".join(c for c in text if c.isprintable())[:MAX_LOCATION]
        check_readable(printable)
    except ValueError:  # "http://[": a redirect to nowhere; that it was one is still known
        return None
    return printable
