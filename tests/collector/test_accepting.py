"""Connections: so many of one prefix, so many in all, and a place again for each that ends."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path

from collector.accepting import Crowd, Crowds, Entrance, most_connections
from collector.forwarded import Proxies
from tests.authority import Authority

NEIGHBOUR, STRANGER = "127.0.0.9", "127.0.5.1"


@dataclass
class Held:
    """A server that holds what it accepts, and counts what it does not."""

    port: int
    turned_away: list[Crowd]
    opened: list[asyncio.StreamWriter] = field(default_factory=list)

    async def enters(self, home: str = "127.0.0.1") -> bool:
        """Whether one more connection from there is held."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(home, 0))
        self.opened.append(writer)
        try:
            async with asyncio.timeout(0.3):
                await reader.read()
        except TimeoutError:
            return True
        except ConnectionError:
            return False
        return False


@asynccontextmanager
async def holding(
    most: int = 9, each: int = 2, trusted: tuple[str, ...] = (), tls: ssl.SSLContext | None = None
) -> AsyncIterator[Held]:
    turned_away: list[Crowd] = []
    proxies = Proxies(tuple(ip_network(text) for text in trusted))
    entrance = Entrance(2, ("127.0.0.1", 0), Crowds(most, proxies, turned_away.append, each))

    async def held(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(held, sock=entrance, ssl=tls)
    door = Held(server.sockets[0].getsockname()[1], turned_away)
    async with server:
        yield door
        for writer in door.opened:
            writer.transport.abort()
        await asyncio.sleep(0.1)  # until both ends have noticed


async def test_a_prefix_holds_so_many_and_leaves_room_for_others() -> None:
    async with holding() as door:
        assert [await door.enters(home) for home in ("127.0.0.1", NEIGHBOUR, NEIGHBOUR)] == [
            True,
            True,
            False,
        ]
        assert await door.enters(STRANGER)
        assert door.turned_away == [Crowd.PREFIX]


async def test_who_leaves_gives_his_place_back() -> None:
    async with holding(each=1) as door:
        for _ in range(3):
            assert await door.enters()
            door.opened.pop().close()
            await asyncio.sleep(0.05)
        assert door.turned_away == []


async def test_in_all_no_more_are_held_than_files_may_be_open() -> None:
    async with holding(most=2) as door:
        assert [await door.enters(f"127.0.{n}.1") for n in range(3)] == [True, True, False]
        assert door.turned_away == [Crowd.ALL]


async def test_a_trusted_proxy_brings_everybodys() -> None:
    async with holding(trusted=("127.0.0.1/32",)) as door:
        assert [await door.enters() for _ in range(4)] == [True] * 4


async def test_who_does_not_finish_his_handshake_holds_a_place_too(tmp_path: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(Authority("a test's").issue(["collector.example"], tmp_path))
    async with holding(tls=tls) as door:
        assert [await door.enters() for _ in range(3)] == [True, True, False]


def test_the_limit_leaves_files_for_everything_else() -> None:
    assert 256 <= most_connections() <= 16_384 - 256
