"""The thin loop that delivers: what waits in the outbox is posted, signed, and taken out or tried again.

The outbox is filled by the transaction that publishes, so that nothing published is forgotten, and emptied
after the receiver's 2xx, so that it may hear something twice and never not at all. Of one incident a
receiver hears in order; receivers are served side by side, each by its own task.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from random import Random

import aiohttp

from collector.config import Webhook
from collector.detect.claims import describe
from collector.detect.revisions import Revision
from collector.detect.words import Voice
from collector.ingest.commit import Committer
from collector.metrics import Metrics
from collector.store.base import Delivery
from probe.wire.version import __version__

from . import retries, signing
from .retries import Answer, Result

log = logging.getLogger("reachwatch.webhooks")

CONNECT_S = 5.0
TIMEOUT_S = 15.0  # "somewhere between 15 and 30s"; the answer's body is never read
# Our words for what went wrong: the library's name the URL, and receivers put secrets into those.
_WORDS = (
    (TimeoutError, "timed out"),
    (aiohttp.ClientSSLError, "TLS failed"),
    (aiohttp.ClientConnectorError, "cannot connect"),
    (aiohttp.ServerDisconnectedError, "hung up"),
)


@dataclass(frozen=True, slots=True)
class Hook:
    """A receiver and the key that signs what it is sent."""

    webhook: Webhook
    key: bytes = field(repr=False)


def open_hooks(webhooks: Iterable[Webhook]) -> tuple[Hook, ...]:
    """The receivers with their keys; raises `ConfigError` for a secret that cannot be read."""
    return tuple(Hook(webhook, webhook.key()) for webhook in webhooks)


@dataclass
class Courier:
    """Delivers to `hooks` what the store's outbox holds. `wall` is Unix seconds."""

    committer: Committer
    hooks: Sequence[Hook]
    voice: Voice
    metrics: Metrics
    wall: Callable[[], float]
    rng: Random
    _session: aiohttp.ClientSession = field(init=False)
    _failing: set[str] = field(default_factory=set)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Subscribe the receivers, and be able to send."""
        store, call = self.committer.store, self.committer.call
        names = [hook.webhook.name for hook in self.hooks]
        await call(store.subscribe, names)
        for delivery in await call(store.outbox):
            if delivery.webhook not in names:
                await self._bury(replace(delivery, dead=True, error="no such webhook is configured"))
        self.metrics.dead_letters(len(await call(store.outbox, dead=True)))
        # A cookie jar would carry words from one answer into the next request.
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S, sock_connect=CONNECT_S),
            headers={"User-Agent": f"reachwatch/{__version__}", "Content-Type": "application/json"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        ) as self._session:
            yield

    async def deliver(self, hook: Hook) -> None:
        """One attempt at what is due, of each incident the first that waits."""
        waiting = await self.committer.call(self.committer.store.outbox, hook.webhook.name)
        for delivery in heads(waiting):
            if delivery.due <= self.wall():
                await self._attempt(hook, delivery)

    async def _attempt(self, hook: Hook, delivery: Delivery) -> None:
        store, call = self.committer.store, self.committer.call
        revisions = await call(store.revisions, delivery.incident)
        history = [one for one in revisions if one.number <= delivery.number]
        if not is_wanted(hook.webhook, history):
            await call(store.delivered, delivery)
            return
        answer = await self._post(hook, history[-1])
        result, now = retries.after(delivery, answer, self.wall(), self.rng)
        if result is Result.DELIVERED:
            await call(store.delivered, delivery)
        elif result is Result.RETRIED:
            await call(store.post, now)
        else:
            await self._bury(now)
        self.metrics.webhook(result)
        self._tell(hook.webhook.name, now if result is not Result.DELIVERED else None)

    async def _post(self, hook: Hook, revision: Revision) -> Answer:
        """Send it once. Redirects are not followed: who moved says so to the operator."""
        now, body = self.wall(), self._body(revision)
        message = signing.message_id(revision.incident.id, revision.number)
        headers = signing.headers(hook.key, message, int(now), body)
        try:
            async with self._session.post(
                hook.webhook.url, data=body, headers=headers, allow_redirects=False
            ) as response:
                asked_s = retries.retry_after_s(response.headers.get("Retry-After", ""), self.wall())
                response.close()
                return Answer(status=response.status, retry_after_s=asked_s)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            words = (word for kind, word in _WORDS if isinstance(error, kind))
            return Answer(error=next(words, "no HTTP"))

    def _body(self, revision: Revision) -> bytes:
        """Standard Webhooks' payload: type, timestamp, data."""
        data = describe(revision, self.voice)
        message = {"type": f"incident.{data['phase']}", "timestamp": data["revision"]["at"], "data": data}
        return json.dumps(message, separators=(",", ":")).encode()

    async def _bury(self, delivery: Delivery) -> None:
        store, call = self.committer.store, self.committer.call
        await call(store.post, delivery)
        self.metrics.dead_letters(len(await call(store.outbox, dead=True)))
        log.error(
            "webhook_gave_up name=%s incident=%s revision=%d attempts=%d error=%s",
            delivery.webhook, delivery.incident, delivery.number, delivery.attempts, delivery.error,
        )  # fmt: skip

    def _tell(self, name: str, failed: Delivery | None) -> None:
        """Once on breaking and once on recovery."""
        if failed is None and name in self._failing:
            log.info("webhook_recovered name=%s", name)
            self._failing.discard(name)
        elif failed is not None and name not in self._failing:
            log.warning("webhook_failed name=%s error=%s", name, failed.error)
            self._failing.add(name)


def heads(waiting: Iterable[Delivery]) -> list[Delivery]:
    """Of each incident the first revision that waits: the next one only after it. Oldest first."""
    first: dict[str, Delivery] = {}
    for delivery in waiting:
        known = first.setdefault(delivery.incident, delivery)
        if delivery.number < known.number:
            first[delivery.incident] = delivery
    return sorted(first.values(), key=lambda one: one.at)


def is_wanted(webhook: Webhook, history: Sequence[Revision]) -> bool:
    """Whether a receiver is to hear the last of an incident's revisions so far. Who heard that something is
    confirmed hears everything that is said of it after."""
    country = history[-1].incident.country
    if webhook.countries and country not in webhook.countries:
        return False
    return webhook.phase == "suspected" or any(one.incident.is_sure for one in history)
