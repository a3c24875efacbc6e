"""The lab's names: one authority, the public resolvers, and DNS over HTTPS (RFC 8484, HTTP/1.1).

Debian's unbound speaks DoH over HTTP/2 alone; here nginx does the TLS. The zone is read from its file
whenever that has changed. Who asks from inside the country is told other genuine addresses than
everybody else, in any order.

    python -m tests.lab.names FOLDER authority|domestic
"""

from __future__ import annotations

import asyncio
import json
import random
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
from aiohttp import web

from . import world

TTL_S = 60
DOH_PORT = 8053
MEDIA_TYPE = "application/dns-message"
FAMILY_OF = {dns.rdatatype.A: 4, dns.rdatatype.AAAA: 6}

Answerer = Callable[[bytes, str], bytes]
"""From a question and the address it came from to an answer."""


class ZoneFile:
    """The zone on disk; a change is seen at the next question."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = 0
        self._zone = world.Zone({}, {})

    def now(self) -> world.Zone:
        changed = self._path.stat().st_mtime_ns
        if changed != self._seen:
            self._seen, self._zone = changed, read_zone(self._path)
        return self._zone


def write_zone(path: Path, zone: world.Zone) -> None:
    """Replace the zone as a whole, so that no reader sees half of it."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps({"country": zone.country, "public": zone.public}))
    new.replace(path)


def read_zone(path: Path) -> world.Zone:
    stored = json.loads(path.read_text())

    def records(region: str) -> world.Records:
        return {
            host: {int(family): tuple(found) for family, found in families.items()}
            for host, families in stored[region].items()
        }

    return world.Zone(records("country"), records("public"))


@dataclass(frozen=True, slots=True)
class Server:
    """Answers of one service. `egress` is the address it asks the authority from, if it is a resolver."""

    zone: ZoneFile
    egress: str | None = None

    def answer(self, wire: bytes, client: str) -> bytes:
        query = dns.message.from_wire(wire)
        response = dns.message.make_response(query, recursion_available=self.egress is not None)
        if self.egress is None:
            response.flags |= dns.flags.AA
        name = query.question[0].name.to_text(omit_final_dot=True).lower()
        found = self._addresses(name, query.question[0].rdtype, client)
        if found is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif found:
            question = query.question[0]
            response.answer.append(dns.rrset.from_text(question.name, TTL_S, "IN", question.rdtype, *found))
        return response.to_wire()

    def _addresses(self, name: str, kind: dns.rdatatype.RdataType, client: str) -> list[str] | None:
        """The addresses of that kind, shuffled; None where there is no such name."""
        family = FAMILY_OF.get(kind)
        asker = self.egress or client
        if name == world.WHOAMI:
            return [asker] if ip_address(asker).version == family else []
        inside = any(world.is_of(asker, isp) for isp in world.ISPS.values())
        zone = self.zone.now()
        records = (zone.country if inside else zone.public).get(name)
        if records is None:
            return None
        found = list(records.get(family, ())) if family else []
        random.shuffle(found)
        return found


def fail(wire: bytes, _client: str) -> bytes:
    """The lame server's one answer."""
    response = dns.message.make_response(dns.message.from_wire(wire))
    response.set_rcode(dns.rcode.SERVFAIL)
    return response.to_wire()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, answer: Answerer) -> None:
        self._answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(self._answer(data, addr[0]), addr)


async def serve_dns(address: str, answer: Answerer) -> None:
    """Do53 over UDP and TCP (RFC 7766) on one address."""

    async def over_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            reply = answer(await reader.readexactly(length), writer.get_extra_info("peername")[0])
            writer.write(struct.pack("!H", len(reply)) + reply)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has left
        finally:
            writer.close()

    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(lambda: _Udp(answer), local_addr=(address, 53))
    await asyncio.start_server(over_tcp, address, 53)


async def serve_doh(answer: Answerer) -> None:
    """The trusted resolver; nginx, which has the certificate, stands before it."""

    async def query(request: web.Request) -> web.Response:
        reply = answer(await request.read(), request.remote or "")
        return web.Response(body=reply, content_type=MEDIA_TYPE)

    app = web.Application()
    app.add_routes([web.post("/dns-query", query)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", DOH_PORT).start()


async def main(folder: Path, part: str) -> None:
    """Serve until killed."""
    zone = ZoneFile(folder / "zone.json")
    authority = Server(zone).answer
    if part == "domestic":
        await serve_dns(world.DOMESTIC_AUTHORITY, authority)
    else:
        for address in world.AUTHORITY:
            await serve_dns(address, authority)
        await serve_dns(world.LAME, fail)
        for address, egress in world.PUBLIC_RESOLVERS.items():
            await serve_dns(address, Server(zone, egress).answer)
        await serve_doh(Server(zone, world.DOH_EGRESS).answer)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
