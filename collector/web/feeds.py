"""``GET /feeds/all.atom``, ``/feeds/all.json``, and the same by country: ``/feeds/PK.atom``.

A country of which nothing was published has an empty feed: whoever subscribes does so before something
happens. Made of what is in memory, of no more than the newest entries, and once for everybody who asks until
the detector finds something new.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from aiohttp import web

from collector.alerts.feeds import EVERYWHERE, Feed, atom, feed, json_feed
from collector.limit import Limiter

from .api.answer import Sheet, gate, refusal, sent
from .shelf import Leaf, Shelf
from .sources import Sources

MAX_AGE_S = 30.0
HELD = 64  # one of a hundred incidents is some 640 KB

_COUNTRY = re.compile(r"[A-Z]{2}")
_FORMS = {"atom": ("application/atom+xml", atom), "json": ("application/feed+json", json_feed)}


@dataclass(frozen=True, slots=True)
class _Written:
    """A feed as it is sent; `updated` is Unix seconds, None where nothing was ever published."""

    sheet: Sheet
    updated: float | None


def application(sources: Sources, limiter: Limiter) -> web.Application:
    """Everything under ``/feeds``, to be mounted there."""
    app = web.Application(middlewares=[gate(limiter, sources.wall)])
    app.add_routes([web.get("/{place}.{form}", Feeds(sources).show)])
    return app


class Feeds:
    """Every feed, of one collector."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._held = Shelf[_Written](HELD)

    async def show(self, request: web.Request) -> web.Response:
        """One feed, unless the reader has it."""
        place, form = request.match_info["place"], request.match_info["form"]
        if form not in _FORMS:
            return refusal(404, f"a feed is one of {', '.join(_FORMS)}")
        if place != EVERYWHERE and not _COUNTRY.fullmatch(place):
            return refusal(400, f"a feed is of {EVERYWHERE}, or of two capital letters (ISO 3166-1)")

        async def make() -> _Written:
            found = feed(place, list(self._sources.published().values()))
            # In a thread: a hundred descriptions take long enough to hold up a receipt.
            return await asyncio.to_thread(self._written, found, form)

        found = await self._held.get(f"{place}.{form}", self._sources.findings(), make)
        return sent(request, found.sheet, MAX_AGE_S, is_known=_is_known(request, found.updated))

    def _written(self, found: Feed, form: str) -> _Written:
        kind, written = _FORMS[form]
        body = written(found, self._sources.voice)
        dated = {} if found.updated is None else {"Last-Modified": _date(found.updated)}
        return _Written(Sheet(Leaf.of(body.decode()), kind, dated), found.updated)


def _date(at: float) -> str:
    return format_datetime(datetime.fromtimestamp(int(at), UTC), usegmt=True)


def _is_known(request: web.Request, updated: float | None) -> bool:
    """Whether the reader has it by its date, which counts only where no tag was sent (RFC 9110, 13.2.2)."""
    since = request.if_modified_since
    return (
        request.if_none_match is None
        and since is not None
        and updated is not None
        and int(updated) <= since.timestamp()
    )
