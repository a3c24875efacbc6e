"""The sockets the collector stands behind: for everybody, for Prometheus, and for its operator's orders."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Middleware

from .accepting import Crowds, Entrance
from .admin import local
from .config import address_of
from .forwarded import HEADER, Proxies, Unreadable
from .ingest.admit import Code, Refusal

log = logging.getLogger("reachwatch.collector")

# What a head may take until it is whole, from the connection on or from the answer before it (aiohttp since
# 3.14.4). Proxies that keep connections open notice that one was ended, as long as it is not used just then.
IDLE_S = 30.0
DRAIN_S = 20.0  # what stopping waits for requests in progress


class CannotListen(Exception):
    """An address that cannot be bound; the message names it."""


def sources_of(proxies: Proxies, refused: Callable[[Refusal], web.Response]) -> Middleware:
    """Gives every request, of agents and of readers, the address it came from as its `remote`."""

    @web.middleware
    async def told(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.remote is None:  # has hung up
            return await handler(request)
        try:
            source = proxies.source(request.remote, request.headers.getall(HEADER, ()))
        except Unreadable:
            return refused(Refusal(Code.BAD_FORWARDED, HEADER, "a trusted proxy wrote what is no address"))
        return await handler(request.clone(remote=source))

    return told


def runner_of(app: web.Application, http_log: logging.Logger) -> web.AppRunner:
    """What serves it."""
    return web.AppRunner(
        app,
        access_log=None,
        logger=http_log,
        auto_decompress=False,  # ours is bounded
        shutdown_timeout=DRAIN_S,
        keepalive_timeout=IDLE_S,
        lingering_time=2,
    )


async def hear(runner: web.AppRunner, folder: Path) -> None:
    """Take orders from now on. What stands in the way of that is no reason to take no batches."""
    try:
        ear = local.listen(folder)
    except local.CannotHear as error:
        log.warning("admin_socket_failed error=%s", error)
        return
    await runner.setup()
    await web.SockSite(runner, ear).start()


async def listen(runner: web.AppRunner, where: str, crowds: Crowds, tls: ssl.SSLContext | None = None) -> str:
    """Bind, and say where: the port is the kernel's choice where it was 0."""
    host, port = address_of(where)
    await runner.setup()
    loop = asyncio.get_running_loop()
    try:
        places = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, address in {(family, address): None for family, _, _, _, address in places}:
            await web.SockSite(runner, Entrance(family, address, crowds), ssl_context=tls).start()
    except OSError as error:
        raise CannotListen(f"cannot listen on {where}: {error.strerror or error}") from None
    bound = runner.addresses[0]
    name = f"[{bound[0]}]" if ":" in str(bound[0]) else bound[0]
    return f"{'https' if tls else 'http'}://{name}:{bound[1]}"
