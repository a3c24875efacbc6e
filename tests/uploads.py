"""Uploaders as tests need them: a collector's URLs, and a network in which they lead somewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from probe.dial import Dialler
from probe.identity import Identity
from probe.net import Net
from probe.routes import Route, Routes, ways
from probe.trust import Trust
from probe.upload import Uploader
from tests.batches import HERE


def to(*urls: str) -> tuple[Route, ...]:
    return tuple(Route(url=url) for url in urls)


def an_uploader(
    routes: Sequence[Route],
    net: Net,
    who: Identity,
    wall: Callable[[], float],
    *,
    addresses: Sequence[str] = ("127.0.0.1",),
    trusted: Sequence[str] = (),
    trust: Trust | None = None,
    token: str = "",
    kept: str = "",
    network: Callable[[], str] = lambda: "",
    is_here: Callable[[], bool] = lambda: True,
) -> Uploader:
    """`addresses` are what the system's resolver says of every name, `trusted` what the trusted one does."""

    async def resolve(_host: str) -> Sequence[str]:
        return addresses

    async def ask(_host: str) -> Sequence[str]:
        return trusted

    return Uploader(
        dial=Dialler(net, trust or Trust(), resolve, ask),
        routes=Routes(ways(routes), kept=kept, network=network),
        identity=who,
        network=HERE,
        wall=wall,
        token=token,
        is_here=is_here,
    )
