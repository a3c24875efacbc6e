"""Addresses become pages: the handlers, and what each page is made of.

Nothing is computed for a reader that was computed for another: histories are kept for as long as the
detector's findings are the same, pages for as long as nothing they show has changed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from typing import Final

from aiohttp import web

from collector.detect.claims import describe, sentence, title
from collector.detect.incidents import Incident, Witnesses
from collector.detect.revisions import Revision
from collector.web.ledger import last_words, ledger
from collector.web.pulse import Notice, Pulse
from collector.web.shelf import Leaf, Shelf
from collector.web.sources import Sources
from collector.web.words import words

from .embed import wrapped
from .history import History
from .measured import measured
from .now import Kind, Land, Now, now
from .plot import LEAST_HOMES, MOST_NETWORKS, Plot, plot
from .render import Renderer, opening

WINDOWS: Final[Mapping[str, float]] = {"6h": 6 * 3600.0, "24h": 24 * 3600.0, "7d": 7 * 86_400.0}
# Incidents are drawn from so long before they began, and the last of a long one for at most a week.
AROUND_S = 3600.0
RECENT_S = 7 * 86_400.0
PAGES, PLOTS = 400, 200  # held at a time; a page is some 50 KB
# So much of the chronicle at once: the store's thread has commits to make in between.
PIECE_ROUNDS = 288

_COUNTRY = re.compile(r"[A-Z]{2}")
HTML, SVG = "text/html", "image/svg+xml"

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
# A picture stands on other people's pages; it has nothing in it that could run or be fetched.
PICTURE = {**HEADERS, "Cross-Origin-Resource-Policy": "cross-origin"}


class Refused(Exception):
    """A page that there is not: the status, and the key of the text that says why."""

    def __init__(self, status: int, key: str, **values: str) -> None:
        super().__init__(key)
        self.status, self.key, self.values = status, key, values


class Pages:
    """Every page, of one collector."""

    def __init__(self, sources: Sources, pulse: Pulse) -> None:
        self._sources, self._pulse = sources, pulse
        self._t = words()
        self._render = Renderer(
            self._t,
            {
                "replay": sources.display.replay,
                "limits": sources.limits,
                "least": sources.display.min_prefixes,
                "assets": {name: f"/static/{name}?{asset.etag[3:11]}" for name, asset in ASSETS.items()},
            },
        )
        self._leaves = Shelf[Leaf](PAGES)
        self._plots = Shelf[Plot](PLOTS)
        self._books = Shelf[dict[str, list[Revision]]](1)

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
            web.get("/static/{name}", asset),
            web.get("/favicon.ico", icon),  # where a browser shows a picture by itself
        ]

    def _page(self, make: Callable[[web.Request], Awaitable[Leaf]], kind: str = HTML) -> Handler:
        async def handler(request: web.Request) -> web.StreamResponse:
            try:
                leaf, status = await make(request), 200
            except Refused as refused:
                return sent(request, await self._refusal(refused), HTML, refused.status)
            return sent(request, leaf, kind, status)

        return handler

    async def _refusal(self, why: Refused) -> Leaf:
        text = self._t(why.key, **why.values)
        draw = self._drawn("refused.html", status=why.status, why=text)
        return await self._leaves.get(f"refused {why.status} {text}", self, draw)

    def _drawn(self, template: str, **values: object) -> Callable[[], Awaitable[Leaf]]:
        async def draw() -> Leaf:
            return await asyncio.to_thread(lambda: Leaf.of(self._render(template, **values)))

        return draw

    # --- World

    async def _world(self, _request: web.Request) -> Leaf:
        notice = self._pulse.notice()

        async def draw() -> Leaf:
            standing = await self._now(notice)
            book = await self._book()
            since = (notice.at - RECENT_S) / self._sources.limits.round_s
            said = [one for one in _newest_first(book) if not one.withdrawn]
            values = {
                "now": standing,
                "open": [self._card(one) for one in said if one.incident.is_open],
                "recent": [self._card(one) for one in said if (one.incident.ended or 0) > since],
                "platforms": notice.snapshot.platforms,
                "kinds": list(Kind),
            }
            return await self._drawn("world.html", notice=notice, **values)()

        return await self._leaves.get("/", notice, draw)

    async def _now(self, notice: Notice) -> Now:
        limits = self._sources.limits
        return await asyncio.to_thread(now, notice.findings, notice.snapshot, notice.at, limits)

    async def _book(self) -> dict[str, list[Revision]]:
        """What was published, by incident."""

        async def load() -> dict[str, list[Revision]]:
            found: dict[str, list[Revision]] = {}
            for one in await self._sources.revisions(None):
                found.setdefault(one.incident.id, []).append(one)
            return found

        return await self._books.get("", self._sources.findings(), load)

    def _card(self, said: Revision) -> dict[str, object]:
        """One incident as lists name it."""
        limits, least = self._sources.limits, self._sources.display.min_prefixes
        return {"title": title(said), **describe(said, limits, least)}

    # --- Country

    async def _country(self, request: web.Request) -> Leaf:
        country = self._asked_country(request)
        window = request.query.get("window", "6h")
        if window not in WINDOWS:
            raise Refused(400, "refused.window")
        notice = self._pulse.notice()

        async def draw() -> Leaf:
            land, book = await self._land(notice, country)
            values = {
                "land": land[0],
                "now": land[1],
                "plot": await self._window(notice, country, WINDOWS[window]),
                "stages": _stages(notice, country),
                "said": [self._card(one) for one in book],
                "windows": list(WINDOWS),
                "window": window,
                "networks_shown": MOST_NETWORKS,
                "least_homes": LEAST_HOMES,
            }
            return await self._drawn("country.html", notice=notice, **values)()

        return await self._leaves.get(f"/country/{country} {window}", notice, draw)

    def _asked_country(self, request: web.Request) -> str:
        country = request.match_info["country"]
        if not _COUNTRY.fullmatch(country):
            raise Refused(400, "refused.country")
        return country

    async def _land(self, notice: Notice, country: str) -> tuple[tuple[Land, Now], list[Revision]]:
        """How a country stands, and the last word on each of its incidents; raises `Refused`."""
        standing = await self._now(notice)
        said = [one for one in _newest_first(await self._book()) if one.incident.country == country]
        land = standing.land(country)
        if land is None and not said:
            raise Refused(404, "country.absent", country=self._t.name("name", country))
        return (land or Land(country=country, probes=0, standings=()), standing), said

    async def _window(self, notice: Notice, country: str, length_s: float) -> Plot:
        last = notice.findings.state.number
        first = last - int(length_s // self._sources.limits.round_s) + 1
        return await self._plot(notice, country, first, last)

    async def _plot(self, notice: Notice, country: str, first: int, last: int) -> Plot:
        limits, least = self._sources.limits, self._sources.display.min_prefixes

        async def load() -> Plot:
            history = History(first, last)
            for begins in range(first, last + 1, PIECE_ROUNDS):
                ends = min(last, begins + PIECE_ROUNDS - 1)
                rounds = await self._sources.chronicle(country, begins, ends)
                await asyncio.to_thread(history.add, rounds, least)
            return await asyncio.to_thread(plot, history, notice.snapshot.platforms, limits.round_s)

        return await self._plots.get(f"{country} {first} {last}", notice.findings, load)

    async def _country_picture(self, request: web.Request) -> Leaf:
        country = self._asked_country(request)
        notice = self._pulse.notice()

        async def draw() -> Leaf:
            (land, _), _ = await self._land(notice, country)
            seen = await self._window(notice, country, WINDOWS["24h"])
            return await self._drawn("country.svg", notice=notice, land=land, plot=seen)()

        return await self._leaves.get(request.path, notice, draw)

    # --- Incident

    async def _incident(self, request: web.Request) -> Leaf:
        notice, said = self._pulse.notice(), await self._asked_incident(request)

        async def draw() -> Leaf:
            last = said[-1]
            limits, least = self._sources.limits, self._sources.display.min_prefixes
            values = {
                "told": self._card(last),
                "timeline": [(one, describe(one, limits, least)) for one in reversed(said)],
                "networks": _networks(last, least),
                "lasted_s": self._lasted_s(last.incident, notice.at),
                "plot": await self._around(notice, last),
                "least_homes": LEAST_HOMES,
            }
            return await self._drawn("incident.html", notice=notice, **values)()

        return await self._leaves.get(f"/incident/{said[-1].incident.id}", notice, draw)

    def _lasted_s(self, incident: Incident, at: float) -> float:
        """For how long, as the ledger counts it."""
        round_s = self._sources.limits.round_s
        return (at if incident.ended is None else incident.ended * round_s) - incident.since * round_s

    async def _asked_incident(self, request: web.Request) -> list[Revision]:
        said = (await self._book()).get(request.match_info["incident"])
        if said is None:
            raise Refused(404, "incident.absent")
        return said

    async def _around(self, notice: Notice, said: Revision) -> Plot | None:
        """The rounds before, during and after; None where it is the world's."""
        incident, limits = said.incident, self._sources.limits
        if not _COUNTRY.fullmatch(incident.country):
            return None
        around, newest = int(AROUND_S // limits.round_s), notice.findings.state.number
        last = newest if incident.ended is None else min(newest, incident.ended + around)
        first = max(incident.since - around, last - int(RECENT_S // limits.round_s))
        return await self._plot(notice, incident.country, first, last) if first <= last else None

    async def _incident_picture(self, request: web.Request) -> Leaf:
        notice, said = self._pulse.notice(), await self._asked_incident(request)

        async def draw() -> Leaf:
            last = said[-1]
            lines = wrapped(opening(sentence(last, self._sources.limits)))
            values = {
                "told": self._card(last),
                "lines_of_text": lines,
                "plot": await self._around(notice, last),
            }
            return await self._drawn("incident.svg", notice=notice, **values)()

        return await self._leaves.get(request.path, notice, draw)

    # --- The rest

    async def _ledger(self, _request: web.Request) -> Leaf:
        notice = self._pulse.notice()

        async def draw() -> Leaf:
            said = [one for each in (await self._book()).values() for one in each]
            entries = ledger(said, notice.at, self._sources.limits.round_s)
            halves = list(dict.fromkeys(one.half for one in entries))
            return await self._drawn("ledger.html", notice=notice, entries=entries, halves=halves)()

        return await self._leaves.get("/ledger", notice.findings, draw)

    def _fixed(self, template: str) -> Callable[[web.Request], Awaitable[Leaf]]:
        async def page(_request: web.Request) -> Leaf:
            return await self._leaves.get(template, self, self._drawn(template, measured=measured()))

        return page


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _newest_first(book: Mapping[str, list[Revision]]) -> list[Revision]:
    return last_words(one for said in book.values() for one in said)[::-1]


def _networks(said: Revision, least: int) -> dict[int, dict[str, Witnesses]]:
    """By ASN and platform: each network of enough homes at its worst."""
    found: dict[int, dict[str, Witnesses]] = {}
    for part in said.incident.parts:
        for asn, seen in part.networks.items():
            if seen.of >= least:
                found.setdefault(asn, {})[part.platform] = seen
    return dict(sorted(found.items()))


def _stages(notice: Notice, country: str) -> dict[str, Mapping[str, tuple[int, int]]]:
    """By stage and platform: successes and failures in the snapshot's window."""
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for platform in notice.snapshot.platforms:
        tally = notice.snapshot.countries.get((country, platform))
        for stage, counts in (tally.stages if tally else {}).items():
            found.setdefault(stage, {})[platform] = counts
    return dict(found)


ASSETS: Final = {
    name: Leaf.of(files("collector.web").joinpath("static", name).read_text(encoding="utf-8"))
    for name in ("style.css", "live.js", "icon.svg")
}
_KINDS = {"css": "text/css", "js": "text/javascript", "svg": SVG}


async def asset(request: web.Request) -> web.StreamResponse:
    """Style, script and icon; each address names its version, so that it may be kept."""
    name = request.match_info["name"]
    if name not in ASSETS:
        raise web.HTTPNotFound
    age = "public, max-age=86400" if request.query_string else "public, max-age=300"
    return sent(request, ASSETS[name], _KINDS[name.rpartition(".")[2]], 200, age)


async def icon(request: web.Request) -> web.StreamResponse:
    """The icon under the name that browsers guess."""
    return sent(request, ASSETS["icon.svg"], SVG, 200, "public, max-age=86400")


def sent(
    request: web.Request, leaf: Leaf, kind: str, status: int, caching: str = "no-cache"
) -> web.StreamResponse:
    """A leaf as the answer: not at all where the reader has it, compressed where the reader can."""
    headers = {
        **(PICTURE if kind == SVG else HEADERS),
        "Cache-Control": caching,
        "ETag": leaf.etag,
        "Vary": "Accept-Encoding",
    }
    if status == 200 and leaf.etag in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return web.Response(
            body=leaf.packed, status=status, content_type=kind, charset="utf-8", headers=headers
        )
    return web.Response(body=leaf.body, status=status, content_type=kind, charset="utf-8", headers=headers)
