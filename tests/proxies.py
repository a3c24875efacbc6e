"""Proxies on loopback: a SOCKS5 and an HTTP one that work, and a network of their own behind them."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping
from ipaddress import ip_address

from tests.loopback import Handler, pass_on

Doors = Mapping[tuple[str, int], int]


def socks5(doors: Doors, asked: list[tuple[str, ...]], *, user: str = "", password: str = "") -> Handler:
    """RFC 1928 and 1929; `asked` takes whom it was asked for, and by whom."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        wanted = 2 if user else 0
        if wanted not in methods:
            writer.write(b"\5\xff")
            return
        writer.write(bytes((5, wanted)))
        who: tuple[str, ...] = ()
        if user:
            assert await reader.readexactly(1) == b"\1"
            who = (await _counted(reader), await _counted(reader))
            writer.write(b"\1" + (b"\0" if who == (user, password) else b"\1"))
            if who != (user, password):
                return
        version, command, _, kind = await reader.readexactly(4)
        assert (version, command) == (5, 1)
        sizes = {1: 4, 4: 16}
        host = (
            str(ip_address(await reader.readexactly(sizes[kind])))
            if kind in sizes
            else await _counted(reader)
        )
        (port,) = struct.unpack("!H", await reader.readexactly(2))
        asked.append((f"{host}:{port}", *who))
        if (host, port) not in doors:
            writer.write(b"\5\4\0\1" + bytes(6))
            return
        # A byte at a time: TCP keeps no message together.
        for byte in b"\5\0\0\3\7bound.x" + bytes(2):
            writer.write(bytes((byte,)))
            await writer.drain()
            await asyncio.sleep(0)
        await _join(reader, writer, doors[host, port])

    return handler


def connecting(doors: Doors, asked: list[bytes]) -> Handler:
    """HTTP CONNECT; `asked` takes the heads."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head)
        host, _, port = head.split()[1].decode().rpartition(":")
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await _join(reader, writer, doors[host.strip("[]"), int(port)])

    return handler


async def _counted(reader: asyncio.StreamReader) -> str:
    (size,) = await reader.readexactly(1)
    return (await reader.readexactly(size)).decode()


async def _join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    beyond_reader, beyond = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.TaskGroup() as group:
        group.create_task(pass_on(reader, beyond))
        group.create_task(pass_on(beyond_reader, writer))
