"""What people and programs read: pages, feeds, and the JSON API.

Made of what is in memory, and of rows of what was concluded already. Only evidence and, where an operator
gives them out, raw rounds are made of what was measured; both are read for one reader at a time.
"""

from __future__ import annotations

import secrets

from aiohttp import web

from collector.limit import Limiter, Places

from . import api, feeds
from .live import CLIENTS, EACH, Live
from .pages.answer import HEADERS
from .pages.serve import Pages
from .pulse import Pulse
from .sources import Sources


def install(app: web.Application, sources: Sources) -> None:
    """Add pages, their live stream, feeds and the API to what an application serves."""
    key, per_minute = secrets.token_bytes(32), sources.api.requests_a_minute
    limiter = Limiter(per_minute, key)
    pulse = Pulse(sources)
    live = Live(pulse, HEADERS, Places(CLIENTS, EACH if per_minute else 0, key))
    app.add_routes([*Pages(sources, pulse, limiter).routes(), web.get("/live", live.stream)])
    app.add_subapp("/feeds", feeds.application(sources, limiter))
    app.add_subapp("/api", api.application(sources, limiter))
    app.on_shutdown.append(live.close)
