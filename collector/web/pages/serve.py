"""Addresses become pages: the handlers, and what each page is made of.

A page is made for the first who asks and given to everybody, until something that it shows has changed.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from aiohttp import web

from collector.detect.claims import describe
from collector.detect.revisions import Revision
from collector.detect.sentences import sentence
from collector.limit import Limiter
from collector.web.api.answer import refusal
from collector.web.ledger import ledger
from collector.web.pulse import Notice, Pulse
from collector.web.shelf import Leaf, Shelf
from collector.web.sources import Sources

from .answer import ASSETS, HTML, PNG, SVG, asset, icon, sent
from .archive import Archive, networks, stages
from .embed import wrapped
from .history import LEAST_HOMES
from .measured import measured
from .now import Kind, Land, Now, now
from .plot import MOST_NETWORKS
from .preview import Preview, is_drawable
from .previews import of_country, of_incident, painted
from .render import Renderer, opening

WINDOWS: Final[Mapping[str, float]] = {"6h": 6 * 3600.0, "24h": 24 * 3600.0, "7d": 7 * 86_400.0}
RECENT_S = 7 * 86_400.0
PAGES = 400  # held at a time; a page is some 50 KB
PREVIEWS = 200  # some 25 KB each

_COUNTRY = re.compile(r"[A-Z]{2}")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Draw = Callable[[], Awaitable[Leaf]]


class Refused(Exception):
    """A page that there is not: the status, and the key of the text that says why."""

    def __init__(self, status: int, key: str, **values: str) -> None:
        super().__init__(key)
        self.status, self.key, self.values = status, key, values


class Pages:
    """Every page, of one collector."""

    def __init__(self, sources: Sources, pulse: Pulse, limiter: Limiter) -> None:
        self._sources, self._pulse = sources, pulse
        self._archive = Archive(sources)
        self._t = sources.voice.words
        addresses = {name: f"/static/{name}?{leaf.etag[3:11]}" for name, leaf in ASSETS.items()}
        self._render = Renderer(sources.voice, sources.display, addresses)
        self._leaves = Shelf[Leaf](PAGES)
        self._standings = Shelf[Now](1)
        self._previews = Shelf[Leaf | None](PREVIEWS)
        self._limiter = limiter

    def routes(self) -> list[web.RouteDef]:
        """All but the live stream and the API."""
        return [
            web.get("/", self._page(self._world)),
            web.get("/country/{country:.*}", self._page(self._country)),
            web.get("/incident/{incident:.*}", self._page(self._incident)),
            web.get("/ledger", self._page(self._ledger)),
            web.get("/method", self._page(self._fixed("method.html"))),
            web.get("/take-part", self._page(self._fixed("take_part.html"))),
            web.get("/embed/country/{country}.svg", self._page(self._country_picture, SVG)),
            web.get("/embed/{incident}.svg", self._page(self._incident_picture, SVG)),
            web.get("/embed/country/{country}.png", self._preview(self._country_preview)),
            web.get("/embed/{incident}.png", self._preview(self._incident_preview)),
            web.get("/static/{name}", asset),
            web.get("/favicon.ico", icon),  # where a browser shows a picture by itself
        ]

    def _page(self, make: Callable[[web.Request], Awaitable[Leaf]], kind: str = HTML) -> Handler:
        async def handler(request: web.Request) -> web.StreamResponse:
            try:
                return sent(request, await make(request), kind, 200)
            except Refused as refused:
                return sent(request, await self._refusal(refused), HTML, refused.status)

        return handler

    def _preview(self, make: Callable[[web.Request], Awaitable[Leaf]]) -> Handler:
        """As dear as the API's answers, and given as often."""

        async def handler(request: web.Request) -> web.StreamResponse:
            wait_s = self._limiter.wait_s(request.remote or "", self._sources.wall())
            if wait_s:
                again = {"Retry-After": f"{math.ceil(wait_s)}"}
                return refusal(429, "asked too often from this address", again)
            try:
                return sent(request, await make(request), PNG, 200, "public, max-age=60")
            except Refused as refused:
                return sent(request, await self._refusal(refused), HTML, refused.status)

        return handler

    async def _painted(self, name: str, notice: Notice, what: Callable[[], Awaitable[Preview]]) -> Leaf:
        """A preview, made at most once a minute; raises `Refused` where its words have no letters to be
        drawn with."""

        async def paint() -> Leaf | None:
            preview = await what()
            return await painted(preview) if is_drawable(preview) else None

        leaf = await self._previews.get(f"{name} {notice.at // 60:.0f}", notice.findings, paint)
        if leaf is None:
            raise Refused(404, "refused.picture")
        return leaf

    def _image(self, path: str, preview: Preview) -> str:
        """Where the picture of a preview is, for others; empty where there is none."""
        return self._sources.voice.address(path) if is_drawable(preview) else ""

    async def _refusal(self, why: Refused) -> Leaf:
        text = self._t(why.key, **why.values)
        draw = self._drawn("refused.html", status=why.status, why=text)
        return await self._leaves.get(f"refused {why.status} {text}", self, draw)

    def _drawn(self, template: str, **values: object) -> Draw:
        async def draw() -> Leaf:
            return await asyncio.to_thread(lambda: Leaf.of(self._render(template, **values)))

        return draw

    async def _world(self, _request: web.Request) -> Leaf:
        notice = self._pulse.notice()

        async def draw() -> Leaf:
            said = [one for one in self._archive.last_words() if not one.withdrawn]
            since = (notice.at - RECENT_S) / self._sources.limits.round_s
            return await self._drawn(
                "world.html",
                notice=notice,
                now=await self._now(notice),
                open=[self._archive.card(one) for one in said if one.incident.is_open],
                recent=[self._archive.card(one) for one in said if (one.incident.ended or 0) > since],
                platforms=notice.snapshot.platforms,
                kinds=list(Kind),
            )()

        return await self._leaves.get("/", notice, draw)

    async def _now(self, notice: Notice) -> Now:
        async def make() -> Now:
            limits = self._sources.limits
            return await asyncio.to_thread(now, notice.findings, notice.snapshot, notice.at, limits)

        return await self._standings.get("", notice, make)

    async def _country(self, request: web.Request) -> Leaf:
        country = _asked_country(request)
        window = request.query.get("window", "6h")
        if window not in WINDOWS:
            raise Refused(400, "refused.window")
        notice = self._pulse.notice()

        async def draw() -> Leaf:
            land, standing, said = await self._land(notice, country)
            seen = await self._archive.window(notice, country, WINDOWS[window])
            preview = of_country(land, standing, notice, seen, self._render, self._sources)
            return await self._drawn(
                "country.html",
                notice=notice,
                land=land,
                now=standing,
                plot=seen,
                image=self._image(f"/embed/country/{country}.png", preview),
                stages=stages(notice, country),
                said=[self._archive.card(one) for one in said],
                windows=list(WINDOWS),
                window=window,
                networks_shown=MOST_NETWORKS,
                least_homes=LEAST_HOMES,
            )()

        return await self._leaves.get(f"/country/{country} {window}", notice, draw)

    async def _land(self, notice: Notice, country: str) -> tuple[Land, Now, list[Revision]]:
        """How a country stands, and the last word on each of its incidents; raises `Refused`."""
        standing = await self._now(notice)
        land, said = standing.land(country), self._archive.last_words(country)
        if land is None and not said:
            raise Refused(404, "country.absent", country=self._t.name("name", country))
        return land or Land(country=country, probes=0, standings=()), standing, said

    async def _country_preview(self, request: web.Request) -> Leaf:
        country, notice = _asked_country(request), self._pulse.notice()

        async def what() -> Preview:
            land, standing, _ = await self._land(notice, country)
            seen = await self._archive.window(notice, country, WINDOWS["24h"])
            return of_country(land, standing, notice, seen, self._render, self._sources)

        return await self._painted(f"country {country}", notice, what)

    async def _incident_preview(self, request: web.Request) -> Leaf:
        notice, said = self._pulse.notice(), await self._asked_incident(request)

        async def what() -> Preview:
            last = self._archive.to_date(said)
            seen = await self._archive.around(notice, last)
            card, standing = self._archive.card(last), await self._now(notice)
            return of_incident(last, card, notice, standing, seen, self._sources)

        return await self._painted(f"{said[-1].incident.id} {len(said)}", notice, what)

    async def _country_picture(self, request: web.Request) -> Leaf:
        country, notice = _asked_country(request), self._pulse.notice()

        async def draw() -> Leaf:
            land, standing, _ = await self._land(notice, country)
            seen = await self._archive.window(notice, country, WINDOWS["24h"])
            until = standing.until or notice.at
            return await self._drawn("country.svg", until=until, land=land, plot=seen)()

        return await self._leaves.get(f"/embed/country/{country}", notice, draw)

    async def _incident(self, request: web.Request) -> Leaf:
        notice, said = self._pulse.notice(), await self._asked_incident(request)

        async def draw() -> Leaf:
            last, voice = self._archive.to_date(said), self._sources.voice
            standing = await self._now(notice)
            card, seen = self._archive.card(last), await self._archive.around(notice, last)
            preview = of_incident(last, card, notice, standing, seen, self._sources)
            return await self._drawn(
                "incident.html",
                notice=notice,
                now=standing,
                told=card,
                image=self._image(f"/embed/{last.incident.id}.png", preview),
                timeline=[(one, describe(one, voice)) for one in reversed(said)],
                networks=networks(last, voice.min_prefixes),
                lasted_s=self._archive.lasted_s(last.incident, standing.until or notice.at),
                plot=seen,
                least_homes=LEAST_HOMES,
            )()

        return await self._leaves.get(f"/incident/{said[-1].incident.id}", notice, draw)

    async def _asked_incident(self, request: web.Request) -> list[Revision]:
        said = await self._archive.said(request.match_info["incident"])
        if not said:
            raise Refused(404, "incident.absent")
        return said

    async def _incident_picture(self, request: web.Request) -> Leaf:
        notice, said = self._pulse.notice(), await self._asked_incident(request)

        async def draw() -> Leaf:
            last = self._archive.to_date(said)
            claim = opening(sentence(last, self._sources.voice))
            return await self._drawn(
                "incident.svg",
                until=(await self._now(notice)).until or notice.at,
                told=self._archive.card(last),
                claim_lines=wrapped(claim),
                plot=await self._archive.around(notice, last),
            )()

        return await self._leaves.get(f"/embed/{said[-1].incident.id}", notice, draw)

    async def _ledger(self, _request: web.Request) -> Leaf:
        notice = self._pulse.notice()

        async def draw() -> Leaf:
            said = self._archive.last_words()
            entries = ledger(said, notice.findings.until or notice.at, self._sources.limits.round_s)
            halves = list(dict.fromkeys(one.half for one in entries))
            return await self._drawn("ledger.html", entries=entries, halves=halves)()

        return await self._leaves.get("/ledger", notice.findings, draw)

    def _fixed(self, template: str) -> Callable[[web.Request], Awaitable[Leaf]]:
        async def page(_request: web.Request) -> Leaf:
            return await self._leaves.get(template, self, self._drawn(template, measured=measured()))

        return page


def _asked_country(request: web.Request) -> str:
    country = request.match_info["country"]
    if not _COUNTRY.fullmatch(country):
        raise Refused(400, "refused.country")
    return country
