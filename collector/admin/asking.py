"""The command's side: ask the collector that runs, or do it on the store where none does."""

from __future__ import annotations

import asyncio
import errno
import getpass
import json
import os
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp

from collector.config import Config
from collector.store import look_for, open_store
from collector.store.base import StoreError
from probe.wire.codec import encode
from probe.wire.version import __version__

from .desk import CannotDo, Desk
from .local import BY_HEADER, END, NAMES, OUT, SOCKET, VERSION_HEADER
from .operations import carry_out
from .orders import Order

Show = Callable[[str], None]
CONNECT_S = 5.0  # on this machine; longer means that nobody is at home


class _NobodyHears(Exception):
    """No collector runs, or one without a socket."""


def ask(config: Config, order: Order, out: Show, note: Show) -> int:
    """Have an order carried out, its answer shown line by line; returns the exit status. Raises
    `ConfigError`, `CannotDo` or `StoreError`."""
    folder = config.data_path
    look_for(folder)
    if (folder / SOCKET).is_socket():  # never in a folder whose name is too long for one
        try:
            return asyncio.run(_asked(folder / SOCKET, order, out, note))
        except _NobodyHears:  # it is of a collector that is no more
            pass
    return _alone(config, order, out, note)


def who() -> str:
    """Who gives the order, for the record: whoever called sudo, or the user of this process."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (OSError, KeyError):
        name = f"uid {os.getuid()}"
    return "".join(letter for letter in name if letter.isascii() and letter.isprintable())[:64]


async def _asked(path: Path, order: Order, out: Show, note: Show) -> int:
    name = next(name for name, kind in NAMES.items() if kind is type(order))
    headers = {VERSION_HEADER: __version__, BY_HEADER: who()}
    timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_S)
    try:
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path)), timeout=timeout) as client,
            client.post(f"http://collector/order/{name}", data=encode(order), headers=headers) as answer,
        ):
            return await _shown(answer, out, note)
    except aiohttp.ClientConnectorError as error:
        if error.errno in (errno.ENOENT, errno.ECONNREFUSED):
            raise _NobodyHears from None
        raise CannotDo(f"{path}: {error.strerror or error}") from None
    except (aiohttp.ClientError, TimeoutError, ValueError):
        raise CannotDo(
            "the collector broke off before it had answered; look whether what was ordered is done"
        ) from None


async def _shown(answer: aiohttp.ClientResponse, out: Show, note: Show) -> int:
    if answer.status != 200:
        raise CannotDo(f"what listens there is another program or another release ({answer.status})")
    async for text in answer.content:
        kind, *rest = json.loads(text)
        if kind == END:
            status, why = rest
            if why:
                raise CannotDo(why)
            return int(status)
        (out if kind == OUT else note)(rest[0])
    raise aiohttp.ClientPayloadError


def _alone(config: Config, order: Order, out: Show, note: Show) -> int:
    def call(function: Callable[..., Any], *args: Any) -> Any:
        return function(*args)

    try:
        store = open_store(f"sqlite://{config.data_path}")
    except StoreError as error:
        raise CannotDo(f"{error} (no collector hears on {config.data_path / SOCKET})") from None
    with closing(store):
        desk = Desk(
            store=store,
            folder=config.data_path,
            keep=config.retention,
            round_s=config.detection.round_s,
            webhooks=[webhook.name for webhook in config.webhooks],
            call=call,
            now=time.time,
            by=who(),
            out=out,
            note=note,
            gone=lambda: False,
            ordered=lambda _since: None,
            left=lambda _count: None,
        )
        return carry_out(desk, order)
