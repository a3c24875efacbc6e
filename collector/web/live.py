"""Server-sent events: an open page is told that there is something newer, and fetches it.

However many readers there are, and however slowly they read, it costs little: so many streams and no more,
so many of them for one address, a few dozen bytes each time, and who has not read what was sent before is
cut off and may come again.
"""

from __future__ import annotations

import asyncio
import json

from aiohttp import web

from collector.limit import Places

from .pulse import Notice, Pulse

CLIENTS = 1000  # about 11 KB of memory each
EACH = 50  # of them for one address: many homes share one at a mobile provider, and nobody may hold all
LOOK_S = 1.0
KEEP_S = 15.0  # proxies end a connection on which nothing is said for long
RETRY_MS = 5000
BACKLOG_BYTES = 4096
FULL_S = 60


class Live:
    """All open streams."""

    def __init__(self, pulse: Pulse, headers: dict[str, str], places: Places) -> None:
        self._pulse, self._headers, self._places = pulse, headers, places
        self._closing = asyncio.Event()

    async def close(self, _app: web.Application) -> None:
        """End every stream: the server is about to stop."""
        self._closing.set()

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """One reader's stream, until either side ends it."""
        place = None if self._closing.is_set() else self._places.take(request.remote or "")
        if place is None:
            headers = {**self._headers, "Retry-After": str(FULL_S)}
            return web.Response(
                status=503,
                text=_FULL,
                headers=headers,
            )
        response = web.StreamResponse(headers={**self._headers, **_STREAM})
        try:
            await response.prepare(request)
            if request.method == "GET":
                await self._tell(request, response)
        except ConnectionError:
            pass  # the reader has gone
        finally:
            self._places.give_back(place)
        return response

    async def _tell(self, request: web.Request, response: web.StreamResponse) -> None:
        loop = asyncio.get_running_loop()
        told: Notice | None = None
        spoke = loop.time()
        await response.write(f"retry: {RETRY_MS}\n\n".encode())
        while not self._closing.is_set() and not _is_behind(request):
            notice = self._pulse.notice()
            if notice is not told or loop.time() - spoke >= KEEP_S:
                await response.write(_event(notice) if notice is not told else b": still here\n\n")
                told, spoke = notice, loop.time()
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._closing.wait()
            except TimeoutError:
                continue


_FULL = "too many readers, or too many at this address; come again\n"
# A proxy must neither keep it nor wait for more of it.
_STREAM = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}


def _event(notice: Notice) -> bytes:
    data = json.dumps({"round": notice.number, "at": notice.at})
    return f"id: {notice.number}-{notice.at:.0f}\nevent: news\ndata: {data}\n\n".encode()


def _is_behind(request: web.Request) -> bool:
    """Whether a reader leaves unread what was sent; it is cut off."""
    transport = request.transport
    if transport is None or transport.is_closing():
        return True
    if transport.get_write_buffer_size() > BACKLOG_BYTES:
        transport.abort()
        return True
    return False
