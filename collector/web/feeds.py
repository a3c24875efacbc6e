"""``GET /feeds/all.atom``, ``/feeds/all.json``, and the same by country: ``/feeds/PK.atom``.

A country of which nothing was published has an empty feed: whoever subscribes does so before something
happens. Made of what is in memory, and of no more than the newest entries, whoever asks however often.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from aiohttp import ETag, web

from collector.alerts.feeds import EVERYWHERE, Feed, atom, feed, json_feed

from .api.answer import refusal
from .sources import Sources

_COUNTRY = re.compile(r"[A-Z]{2}")
_FORMS = {"atom": ("application/atom+xml", atom), "json": ("application/feed+json", json_feed)}


def routes(sources: Sources) -> list[web.RouteDef]:
    """The feeds' routes."""

    async def show(request: web.Request) -> web.Response:
        place, form = request.match_info["place"], request.match_info["form"]
        if form not in _FORMS:
            return refusal(404, f"a feed is one of {', '.join(_FORMS)}")
        if place != EVERYWHERE and not _COUNTRY.fullmatch(place):
            return refusal(400, f"a feed is of {EVERYWHERE}, or of two capital letters (ISO 3166-1)")
        kind, written = _FORMS[form]
        found = feed(place, list(sources.published().values()))
        # In a thread: a hundred descriptions take long enough to hold up a receipt.
        body = await asyncio.to_thread(written, found, sources.voice)
        return _answer(request, found, body, kind)

    return [web.get("/feeds/{place}.{form}", show)]


def _answer(request: web.Request, found: Feed, body: bytes, kind: str) -> web.Response:
    tag = hashlib.sha256(body).hexdigest()[:32]
    fresh = _is_fresh(request, tag, found.updated)
    response = web.Response(status=304) if fresh else web.Response(body=body, content_type=kind)
    if not fresh and kind.endswith("xml"):
        response.charset = "utf-8"
    response.etag = tag
    if found.updated is not None:
        response.last_modified = datetime.fromtimestamp(int(found.updated), UTC)
    response.headers["Cache-Control"] = "public, max-age=30"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _is_fresh(request: web.Request, tag: str, updated: float | None) -> bool:
    """Whether the reader has it already: by the tag, and by the date only where no tag was sent (RFC 9110,
    13.2.2)."""
    known: Sequence[ETag] | None = request.if_none_match
    if known is not None:
        return any(one.value in (tag, "*") for one in known)
    since = request.if_modified_since
    return since is not None and updated is not None and int(updated) <= since.timestamp()
