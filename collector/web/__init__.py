"""What people and programs read: the pages, and the JSON API beside them. Both read a snapshot."""

from __future__ import annotations

from aiohttp import web

from . import api
from .live import Live
from .pages.answer import HEADERS
from .pages.serve import Pages
from .pulse import Pulse
from .sources import Sources


def install(app: web.Application, sources: Sources) -> None:
    """Add pages, their live stream, and the API to what an application serves."""
    pulse = Pulse(sources)
    live = Live(pulse, HEADERS)
    app.add_routes([*Pages(sources, pulse).routes(), web.get("/live", live.stream), *api.routes(sources)])
    app.on_shutdown.append(live.close)
