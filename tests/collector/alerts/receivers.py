"""Receivers on loopback that answer as they are told, and a courier that delivers to them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from collector.alerts.webhooks import Courier, open_hooks
from collector.config import Webhook
from collector.detect.incidents import Incident, Part, Phase, Scope, Witnesses
from collector.detect.revisions import Revision
from collector.detect.words import Voice
from collector.ingest.commit import Committer
from collector.metrics import Metrics
from collector.store import open_store
from collector.store.base import Store
from tests.collector.detect.homes import FIRST
from tests.collector.voices import ENGLISH

NOW = FIRST * 300.0 + 900
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

SUSPECTED = Part(
    platform="x",
    phase=Phase.SUSPECTED,
    since=FIRST,
    scope=Scope.NATION,
    networks={17557: Witnesses(failing=20, of=21, confirmed=True)},
)
CONFIRMED = replace(SUSPECTED, phase=Phase.CONFIRMED, confirmed=FIRST + 2)
ENDED = replace(CONFIRMED, phase=Phase.ENDED, ended=FIRST + 20)


def revision(
    number: int = 1, part: Part = CONFIRMED, *, incident: str = "pk-1", country: str = "PK"
) -> Revision:
    return Revision(
        number=number,
        at=NOW + number,
        reason=str(part.phase),
        incident=Incident(id=incident, country=country, parts=(part,)),
    )


@dataclass(frozen=True)
class Got:
    """One request as it came."""

    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.body)["data"]
        return data

    @property
    def what(self) -> tuple[str, int]:
        """Incident and revision."""
        return self.data["id"], self.data["revision"]["number"]


@dataclass
class Receiver:
    """Answers each request with the next of `answers`, then with 204."""

    answers: list[web.Response | asyncio.Event | type[Exception]] = field(default_factory=list)
    got: list[Got] = field(default_factory=list)
    url: str = ""
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        self.got.append(Got({k.lower(): v for k, v in request.headers.items()}, await request.read()))
        self.came.set()
        answer = self.answers.pop(0) if self.answers else web.Response(status=204)
        if isinstance(answer, asyncio.Event):
            await answer.wait()
            return web.Response(status=204)
        if isinstance(answer, type):
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        return answer

    @property
    def heard(self) -> list[tuple[str, int]]:
        return [one.what for one in self.got]


@asynccontextmanager
async def receiving(*answers: web.Response | asyncio.Event | type[Exception]) -> AsyncIterator[Receiver]:
    receiver = Receiver(list(answers))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.take)
    async with TestServer(app) as server:
        receiver.url = str(server.make_url("/hook"))
        yield receiver


@dataclass
class Clock:
    at: float = NOW + 10

    def __call__(self) -> float:
        return self.at


@dataclass
class Post:
    """A courier on an open store, with a clock that is set."""

    courier: Courier
    store: Store
    clock: Clock
    metrics: Metrics

    async def deliver(self, times: int = 1) -> None:
        for _ in range(times):
            for hook in self.courier.hooks:
                await self.courier.deliver(hook)

    def sample(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"reachwatch_webhook_{name}", labels)


def webhook(url: str, name: str = "ops", **changes: Any) -> Webhook:
    return Webhook(name=name, url=url, secret=SECRET, **changes)


@asynccontextmanager
async def posting(
    webhooks: Sequence[Webhook], url: str = "memory://", voice: Voice = ENGLISH
) -> AsyncIterator[Post]:
    clock, metrics = Clock(), Metrics("0", ("x",))
    store = open_store(url)
    committer = Committer(store, metrics, clock)
    courier = Courier(committer, open_hooks(webhooks), voice, metrics, clock, Random(1))
    try:
        async with courier.opened():
            yield Post(courier, store, clock, metrics)
    finally:
        committer.close()
