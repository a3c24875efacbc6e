"""What people and programs read: the page, and the JSON API behind it. Both read a snapshot."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from . import api, feeds, page
from .sources import Sources

# The page needs its own style sheet and nothing else; whatever slips into it cannot run.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_STYLE = Path(__file__).parent / "static" / "style.css"

Handler = Callable[[web.Request], Awaitable[web.Response]]


def routes(sources: Sources) -> list[web.RouteDef]:
    """The page, its style, the API and the feeds."""

    async def index(_request: web.Request) -> web.Response:
        body = page.render(sources.snapshot())
        return web.Response(
            text=body, content_type="text/html", headers={**_HEADERS, "Cache-Control": "no-store"}
        )

    async def style(_request: web.Request) -> web.Response:
        headers = {**_HEADERS, "Cache-Control": "public, max-age=300"}
        return web.Response(text=_css, content_type="text/css", headers=headers)

    _css = _STYLE.read_text(encoding="utf-8")
    return [
        web.get("/", index),
        web.get("/static/style.css", style),
        *api.routes(sources),
        *feeds.routes(sources),
    ]
