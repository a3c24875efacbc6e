"""A stream to a collector along one way: its address, the proxy before it, TLS, and its pinned key.

Whose the other end is, is settled before anything is sent to it. A pin replaces the certificate
authorities: what vouches for the collector is the key its operator gave out, so that its certificate
may be of its own making, for any name, and of any date.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext

from .net import Net, Stream, TlsStream
from .plan import Plan
from .proxy import said_of_proxy, tunnel
from .routes import PIN, Proxy, Route, Way, place_of
from .stages.dns import resolve
from .stages.line import Line, Turn
from .trust import Trust
from .wire.address import is_address
from .wire.platform import Endpoint

CONNECT_S = 8.0  # four SYNs (RFC 6298); a way that drops packets must not hold up the next
RESOLVE_S = 4.0  # as long as a measurement waits; the system's resolver alone would try for half a minute

Resolve = Callable[[str], Awaitable[Sequence[str]]]


class Dialler:
    """Opens streams. `resolve` is the system's own way from a name to addresses, `ask` the trusted
    resolver's; both raise `OSError`."""

    def __init__(self, net: Net, trust: Trust, resolve: Resolve, ask: Resolve) -> None:
        self._net = net
        self._trust = trust
        self._resolve = resolve
        self._ask = ask
        self._said: dict[str, Sequence[str]] = {}

    async def open(self, way: Way) -> Stream:
        """A stream to a collector that is the one meant. Raises `OSError`."""
        trouble: OSError = OSError("its name does not resolve")
        for address, port in await self._places(way):
            try:
                return await self._open_at(address, port, way)
            except OSError as error:  # a lie of the resolver's may be in front of the true address
                trouble = error
        raise trouble

    async def _places(self, way: Way) -> list[tuple[str, int]]:
        """Where to connect, with or without somebody in between."""
        endpoint = way.route.endpoint
        if way.route.proxy:
            proxy = Proxy.read(way.route.proxy)
            with said_of_proxy():
                return [(address, proxy.port) for address in await self._system(proxy.host)]
        if way.at:
            return [place_of(way.at, endpoint.port)]
        if not way.asked:
            return [(address, endpoint.port) for address in await self._system(endpoint.host)]
        async with asyncio.timeout(2 * RESOLVE_S):
            found = await self._ask(endpoint.host)
        # Where the system says was tried as such, and drops or lies take their time.
        others = [address for address in found if address not in self._said.get(endpoint.host, ())]
        if found and not others:
            raise OSError("it says what the system's resolver says")
        return [(address, endpoint.port) for address in others]

    async def _system(self, host: str) -> Sequence[str]:
        if is_address(host):
            return (host,)
        try:
            async with asyncio.timeout(RESOLVE_S):
                self._said[host] = await self._resolve(host)
        except TimeoutError:
            raise OSError("its name is not resolved in time") from None
        return self._said[host]

    async def _open_at(self, address: str, port: int, way: Way) -> Stream:
        with said_of_proxy() if way.route.proxy else nullcontext():
            async with asyncio.timeout(CONNECT_S):
                below = await self._net.connect(address, port)
        try:
            return await self._meet(below, way)
        except BaseException:  # cancelled or refused: either way the socket goes
            below.close()
            raise

    async def _meet(self, below: Stream, way: Way) -> Stream:
        route, endpoint = way.route, way.route.endpoint
        if route.proxy:
            host, port = place_of(way.at, endpoint.port) if way.at else (endpoint.host, endpoint.port)
            with said_of_proxy():
                await tunnel(below, Proxy.read(route.proxy), host, port)
        if not endpoint.is_tls:
            return below
        context = self._trust.anyone if route.pins else self._trust.bundle
        tls = TlsStream(below, context, route.shown_name)
        async with asyncio.timeout(CONNECT_S):
            await tls.handshake()
        _check_key(tls, route)
        return tls


def _check_key(tls: TlsStream, route: Route) -> None:
    """The handshake has proven that the other end has its certificate's key; whether it is the one
    wanted is said here."""
    if route.pins:
        from .stages.certificate import spki_sha256

        digest = spki_sha256(next(iter(tls.chain()), b""))
        if not digest or f"{PIN}{base64.b64encode(digest).decode()}" not in route.pins:
            raise OSError("its key is not the pinned one")


def trusted_of(plan: Plan) -> Resolve:
    """How the plan's trusted resolver is asked: both families."""

    async def ask(host: str) -> list[str]:
        line = Line(plan.net, plan.clock, plan.clock(), plan.config.timeouts, plan.trust, lambda _: None)
        turn = Turn(line, "collector", Endpoint(url=f"https://{host}/"))
        try:
            async with asyncio.TaskGroup() as group:
                asked = [group.create_task(resolve(turn, plan.trusted, kind)) for kind in ("A", "AAAA")]
        finally:
            line.kept.close()
        seen = [task.result() for task in asked]
        if all(one.failure is not None for one in seen):
            raise OSError(f"its name does not resolve ({seen[0].failure})")
        return [address for one in seen if one.dns and one.failure is None for address in one.dns.answers]

    return ask
