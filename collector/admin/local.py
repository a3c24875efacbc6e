"""The running collector's ear for orders: HTTP on a socket in its folder, which its own user alone can open.

``POST /order/{name}`` with the order as JSON and our version in a header. The answer is lines of JSON, each
``["out", text]``, ``["note", text]`` or, once and last, ``["end", status, text]``: an answer without an end
is one that broke off.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from collector.config import Retention
from collector.ingest.commit import Committer
from collector.store.base import StoreError
from probe.wire.codec import decode
from probe.wire.version import __version__

from . import orders
from .desk import CannotDo, Desk
from .operations import carry_out
from .orders import Order

log = logging.getLogger("reachwatch.admin")

SOCKET = "admin.sock"  # the file in the folder
VERSION_HEADER = "Reachwatch-Version"
BY_HEADER = "Reachwatch-By"
MAX_ORDER_BYTES = 16_384
OUT, NOTE, END = "out", "note", "end"
OTHER = 1  # the exit status of what could not be done
# One of these at a time: a copy that is read holds back what compacting would give away.
LONG = (orders.Compact, orders.BackUp, orders.Check)

NAMES: dict[str, type[Order]] = {
    "keys": orders.Keys,
    "quarantine": orders.PutAside,
    "release": orders.Release,
    "quarantined": orders.Quarantined,
    "issue": orders.Issue,
    "tokens": orders.Tokens,
    "revoke": orders.Revoke,
    "compact": orders.Compact,
    "backup": orders.BackUp,
    "check": orders.Check,
    "dead-letters": orders.DeadLetters,
    "retry": orders.RetryLetters,
    "drop": orders.DropLetters,
}


class CannotHear(Exception):
    """The socket cannot be made; the message says why."""


def listen(folder: Path) -> socket.socket:
    """The socket in a folder whose lock we hold: one that is there is of a collector that is no more."""
    path = folder / SOCKET
    ear = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket():
            path.unlink()
        before = os.umask(0o177)  # from its first moment on, ours alone
        try:
            ear.bind(str(path))
        finally:
            os.umask(before)
    except OSError as error:  # a path of more than 107 bytes among them
        ear.close()
        raise CannotHear(f"{path}: {error.strerror or error}") from None
    return ear


def forget(folder: Path) -> None:
    """Take the socket out of a folder whose lock we still hold."""
    path = folder / SOCKET
    if path.is_socket():
        path.unlink()


@dataclass
class Ear:
    """Takes orders and carries them out, the long ones one at a time. `webhooks` and `ordered` are as `Desk`
    has them; what is told is told on the event loop."""

    committer: Committer
    folder: Path
    keep: Retention
    round_s: float
    webhooks: Collection[str]
    wall: Callable[[], float]
    ordered: Callable[[float], None]
    _long: asyncio.Lock = field(default_factory=asyncio.Lock)
    _stopping: bool = False

    def app(self) -> web.Application:
        """What the socket serves."""
        app = web.Application(client_max_size=MAX_ORDER_BYTES)
        app.router.add_post("/order/{name}", self._take)
        app.on_shutdown.append(self._stop)
        return app

    async def _stop(self, _app: web.Application) -> None:
        self._stopping = True

    async def _take(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/jsonl"})
        await response.prepare(request)
        lines: asyncio.Queue[Sequence[object]] = asyncio.Queue()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._work(request, lines))
            await _write(response, lines)
        return response

    async def _work(self, request: web.Request, lines: asyncio.Queue[Sequence[object]]) -> None:
        try:
            end = (END, await self._done(request, lines), "")
        except (ValueError, CannotDo, StoreError) as error:
            end = (END, OTHER, str(error))
        lines.put_nowait(end)

    async def _done(self, request: web.Request, lines: asyncio.Queue[Sequence[object]]) -> int:
        theirs = request.headers.get(VERSION_HEADER, "")
        if theirs != __version__:
            raise CannotDo(f"the collector that runs is {__version__}, this command {theirs or 'unknown'}")
        order = await _read(request)
        if isinstance(order, LONG) and self._long.locked():
            raise CannotDo("a backup, a check or a compaction is going on; try again when it is done")
        desk = self._desk(request, lines)
        log.info("admin order=%s by=%s", type(order).__name__, desk.by)
        async with self._long if isinstance(order, LONG) else nullcontext():
            return await asyncio.to_thread(carry_out, desk, order)

    def _desk(self, request: web.Request, lines: asyncio.Queue[Sequence[object]]) -> Desk:
        loop = asyncio.get_running_loop()

        def call(function: Callable[..., Any], *args: Any) -> Any:
            return asyncio.run_coroutine_threadsafe(self.committer.call(function, *args), loop).result()

        def ordered(since: float) -> None:
            loop.call_soon_threadsafe(self.ordered, since)

        def left(count: int) -> None:
            loop.call_soon_threadsafe(self.committer.metrics.dead_letters, count)

        return Desk(
            store=self.committer.store,
            folder=self.folder,
            keep=self.keep,
            round_s=self.round_s,
            webhooks=self.webhooks,
            call=call,
            now=self.wall,
            by=request.headers.get(BY_HEADER, "")[:64],
            out=lambda text: _tell(loop, lines, OUT, text),
            note=lambda text: _tell(loop, lines, NOTE, text),
            gone=lambda: self._stopping or request.transport is None,
            ordered=ordered,
            left=left,
        )


def _tell(
    loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[Sequence[object]], kind: str, text: str
) -> None:
    loop.call_soon_threadsafe(lines.put_nowait, (kind, text))


async def _read(request: web.Request) -> Order:
    """The order; raises `ValueError` for what is none."""
    name = request.match_info["name"]
    if name not in NAMES:
        raise ValueError(f"{name[:80]!r} is nothing that can be ordered")
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise ValueError(f"an order of more than {MAX_ORDER_BYTES} bytes") from None
    return decode(NAMES[name], body)


async def _write(response: web.StreamResponse, lines: asyncio.Queue[Sequence[object]]) -> None:
    """All lines up to the end, whether or not anybody still reads them."""
    is_read, last = True, ""
    while last != END:
        some = [await lines.get()]
        while not lines.empty():
            some.append(lines.get_nowait())
        last = str(some[-1][0])
        if is_read:
            try:
                await response.write("".join(f"{json.dumps(line)}\n" for line in some).encode())
            except ConnectionError:
                is_read = False
