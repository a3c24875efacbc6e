"""A whole line on loopback: controls, portal page, both resolvers and X, each a real server."""

from __future__ import annotations

import errno
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from probe.config import Config, Controls, Resolvers, Timeouts, Transfers
from probe.net import Dial
from probe.outcome import Outcome, outcome_of
from probe.plan import Plan
from probe.round import measure
from probe.stages.dns import DohResolver, PlainResolver
from probe.trust import Trust
from probe.wire.platform import Endpoint, Platform, Role
from tests.authority import Authority
from tests.loopback import (
    Act,
    Handler,
    LoopbackNet,
    Zone,
    dns_server,
    doh,
    response,
    says,
    tcp_server,
    watched,
)
from tests.rounds import X_ADDRESS

CONTROLS = {"one.example": "9.9.9.1", "two.example": "9.9.9.2", "three.example": "9.9.9.3"}
PORTAL = {"portal.example": "9.9.9.4"}
OWN_HOST = "104.244.42.65"
BASE: Zone = {
    **{(host, "A"): [address] for host, address in {**CONTROLS, **PORTAL}.items()},
    ("x.com", "A"): [X_ADDRESS],
    ("www.x.com", "A"): [OWN_HOST],
}
X = Platform(
    name="x",
    title="X",
    hosts=("x.com",),
    roles=(Role(name="web", endpoints=(Endpoint(url="https://x.com/robots.txt"),)),),
)
CONFIG = Config(
    controls=Controls(
        foreign=tuple(f"https://{host}/" for host in CONTROLS),
        portal_url="http://portal.example/",
        portal_body="success",
    ),
    resolvers=Resolvers(doh_url="https://doh.example/dns-query", doh_addresses=("1.1.1.1",)),
    timeouts=Timeouts(dns_s=0.5, tcp_s=0.5, tls_s=0.5, http_s=0.5),
    transfers=Transfers(controls=tuple(f"https://{host}/" for host in CONTROLS)),
    round_deadline_s=10.0,
)


class NearNet(LoopbackNet):
    """Everybody on loopback is next door, so how far away somebody is cannot be asked."""

    def dial(self, address: str, port: int) -> Dial:
        raise OSError(errno.EOPNOTSUPP, "no ways here")


class SixToo(LoopbackNet):
    """A line that has IPv6 as well."""

    def source_address(self, address: str) -> str | None:
        return "2001:db8::7" if ":" in address else super().source_address(address)


@dataclass
class Line:
    """One line; `zone` is what its own resolver says."""

    authority: Authority
    folder: Path
    zone: dict[tuple[str, str], list[str] | str]
    net: LoopbackNet
    plan: Plan
    # How long it was paused, each time: pauses take no time here.
    pauses: list[float] = field(default_factory=list)

    async def round(self, *, due: bool = False, **config: object) -> Outcome:
        plan = replace(self.plan, config=replace(self.plan.config, **config))  # type: ignore[arg-type]
        rnd = await measure(plan, round_id="0" * 32, started_at=datetime.now(UTC), transfers=due)
        return outcome_of(rnd)

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    @asynccontextmanager
    async def censor(self, act: Act, *addresses: str) -> AsyncIterator[None]:
        """Somebody on the way to port 443 of these addresses; see `watched`."""
        async with AsyncExitStack() as stack:
            for address in addresses:
                port = self.net.doors[address, 443]
                self.net.doors[address, 443] = await stack.enter_async_context(watched(port, act))
            yield


def resets(*names: str) -> Act:
    """What a censor of names does."""
    return lambda first: "reset" if any(name.encode() in first for name in names) else "pass"


@asynccontextmanager
async def a_line(
    folder: Path, x: Handler | None = None, also: Mapping[tuple[str, int], Handler] | None = None
) -> AsyncIterator[Line]:
    """Controls, portal page, both resolvers and X, each a real server."""
    authority = Authority("test CA")
    (folder / "ca.pem").write_bytes(authority.pem())
    pem = authority.issue([*CONTROLS, "doh.example", "x.com", "www.x.com"], folder)
    zone = dict(BASE)
    doors: dict[tuple[str, int], int] = {}
    async with AsyncExitStack() as stack:

        async def open_door(address: str, port: int, handler: Handler, certificate: Path | None) -> None:
            doors[address, port] = await stack.enter_async_context(tcp_server(handler, certificate))

        doors["203.0.113.53", 53] = await stack.enter_async_context(dns_server(zone))
        await open_door("1.1.1.1", 443, doh(BASE), pem)
        await open_door(PORTAL["portal.example"], 80, says(response(200, b"success\n")), None)
        for address in CONTROLS.values():
            await open_door(address, 443, says(response(200)), pem)
        await open_door(X_ADDRESS, 443, x or says(response(200)), pem)
        for (address, port), handler in (also or {}).items():
            await open_door(address, port, handler, pem)
        net = NearNet(doors)
        system = PlainResolver(("203.0.113.53",))
        trusted = DohResolver(CONFIG.resolvers.doh_url, CONFIG.resolvers.doh_addresses)
        trust = Trust(str(folder / "ca.pem"))
        plan = Plan(CONFIG, (X,), system, trusted, net, trust, time.monotonic)
        line = Line(authority, folder, zone, net, plan)
        line.plan = replace(plan, pause=line.pause)
        yield line
