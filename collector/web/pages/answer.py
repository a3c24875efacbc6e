"""How leaves are sent: headers, compression, and not at all to who has them already; and the few files that
pages are drawn with."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from aiohttp import web

from collector.web.coding import takes_gzip
from collector.web.shelf import Leaf

HTML, SVG, PNG = "text/html", "image/svg+xml", "image/png"

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
# A picture stands on other people's pages; it has nothing in it that could run or be fetched.
PICTURE = {**HEADERS, "Cross-Origin-Resource-Policy": "cross-origin"}

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
        **(PICTURE if kind in (SVG, PNG) else HEADERS),
        "Cache-Control": caching,
        "ETag": leaf.etag,
        "Vary": "Accept-Encoding",
    }
    if status == 200 and leaf.etag in request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    if kind == PNG:  # is compressed already
        return web.Response(body=leaf.body, status=status, content_type=kind, headers=headers)
    if takes_gzip(request.headers.get("Accept-Encoding", "")):
        headers["Content-Encoding"] = "gzip"
        return web.Response(
            body=leaf.packed, status=status, content_type=kind, charset="utf-8", headers=headers
        )
    return web.Response(body=leaf.body, status=status, content_type=kind, charset="utf-8", headers=headers)
