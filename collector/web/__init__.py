"""What people and programs read: pages, feeds, and the JSON API. Nothing that serves a request asks for raw
rounds."""

from __future__ import annotations

from aiohttp import web

from . import api, feeds
from .live import Live
from .pages.answer import HEADERS
from .pages.serve import Pages
from .pulse import Pulse
from .sources import Sources


def install(app: web.Application, sources: Sources) -> None:
    """Add pages, their live stream, feeds and the API to what an application serves."""
    pulse = Pulse(sources)
    live = Live(pulse, HEADERS)
    app.add_routes([*Pages(sources, pulse).routes(), web.get("/live", live.stream)])
    app.add_routes(feeds.routes(sources))
    app.add_subapp("/api", api.application(sources))
    app.on_shutdown.append(live.close)
