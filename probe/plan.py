"""What to measure and with what: everything of a round that does not change between rounds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from .config import Config
from .net import Net
from .pace import Pace
from .stages.dns import AnyResolver, DohResolver, PlainResolver
from .stages.line import Clock, Line, Turn
from .trust import Trust
from .turnstile import Turnstile
from .verdict.evidence import EndpointEvidence, gather
from .wire.observation import Observation, Purpose
from .wire.platform import Endpoint, Platform, Role
from .wire.stage import Resolver

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Plan:
    """The configuration, the platforms, and the way to the network."""

    config: Config
    platforms: tuple[Platform, ...]
    system: PlainResolver
    trusted: DohResolver
    net: Net
    trust: Trust
    clock: Clock
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    pace: Pace = field(default_factory=Pace)

    @property
    def resolvers(self) -> tuple[AnyResolver, ...]:
        """Whom every endpoint's name is asked of: the line's own, then the trusted one."""
        return self.system, self.trusted

    def witnesses(self, provider: Sequence[str]) -> tuple[PlainResolver, ...]:
        """Whom a name is asked of where a lie is suspected; `provider` are its own resolvers."""
        resolvers = self.config.resolvers
        return (
            PlainResolver(resolvers.public, Resolver.PUBLIC),
            PlainResolver(provider, Resolver.PROVIDER),
            PlainResolver((resolvers.nobody,), Resolver.NOBODY),
        )

    def innocuous(self, turn: Turn) -> Turn:
        """A turn under a name that nobody blocks. It asks for the same small object, because a front
        page would cost far more than the answer is worth."""
        scheme = "https" if turn.endpoint.is_tls else "http"
        url = f"{scheme}://{self.config.controls.innocuous}{turn.endpoint.path}"
        return replace(turn, endpoint=Endpoint(url=url), purpose=Purpose.INNOCUOUS)


@dataclass(frozen=True, slots=True)
class Target:
    """One endpoint of one role of one platform."""

    platform: Platform
    role: Role
    endpoint: Endpoint

    @property
    def name(self) -> str:
        """Such as ``x/web``."""
        return self.platform.target(self.role)

    def turn(self, line: Line, attempt: int, purpose: Purpose = Purpose.ENDPOINT) -> Turn:
        """This endpoint's turn on a line."""
        return Turn(line, self.name, self.endpoint, purpose=purpose, attempt=attempt)

    def evidence(self, seen: Iterable[Observation]) -> EndpointEvidence:
        """What a round's observations say of it so far."""
        return gather(self.platform, self.name, self.endpoint, seen)


async def a_few_at_once(concurrency: int, things: Iterable[T], ask: Callable[[T], Awaitable[None]]) -> None:
    """Ask about each thing, `concurrency` at once, as a turnstile counts them."""
    turnstile = Turnstile(asyncio.Semaphore(concurrency))

    async def through(thing: T) -> None:
        async with turnstile.through():
            await ask(thing)

    async with asyncio.TaskGroup() as group:
        for thing in things:
            group.create_task(through(thing))
