"""Every route to the collector: several URLs tried in turn, the one that worked last first.

A request is signed once, when it is spooled, and sent unchanged as often as it takes. What
happened comes back as data; `drain` empties the spool with it and stops at the first obstacle.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import logging
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import ParamSpec, TypeVar

from .backoff import delay_s, retry_after_s
from .http1 import ClosedEarly, Exchange, InvalidResponse
from .identity import Identity
from .net import Net, Stream, TlsStream, in_words
from .spool import Item, Spool
from .wire import reader
from .wire.codec import DecodeError, decode, encode
from .wire.exchange import (
    PROBE_HEADER,
    SIGNATURE_HEADER,
    Enrolment,
    Heartbeat,
    Presence,
    Receipt,
    Refused,
)
from .wire.observation import SCHEMA, Network
from .wire.platform import Endpoint
from .wire.version import __version__

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger("reachwatch.upload")

ROUTE_S = 20.0  # per route: a congested line is given a batch's worth of time, not more
CONNECT_S = 8.0  # four SYNs (RFC 6298); a route that drops packets must not hold up the next
MAX_ANSWER_BYTES = 65_536

# The collector says "never": sending the same bytes again would be answered the same.
_PERMANENT = frozenset({400, 403, 413, 415, 422})
# So is a signature that does not fit. It is met where the key was replaced and the spool was not.
_NEVER_FITS = (401, "bad_signature")


@dataclass(frozen=True, slots=True)
class Accepted:
    """Stored durably, says the receipt, by the collector at `route`."""

    receipt: Receipt
    route: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The collector will never take it."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Later:
    """No route took it now. `reasons` holds what each said; the longest Retry-After counts."""

    reasons: dict[str, str]
    retry_after_s: float | None = None


Answer = Accepted | Rejected | Later


@dataclass(frozen=True, slots=True)
class _Response:
    status: int
    body: bytes
    retry_after: str


class Uploader:
    """Speaks to collectors in one installation's name."""

    def __init__(
        self,
        *,
        net: Net,
        routes: Sequence[str],
        identity: Identity,
        network: Network,
        resolve: Callable[[str], Awaitable[Sequence[str]]],
        tls: ssl.SSLContext,
        wall: Callable[[], float],
        token: str = "",
    ) -> None:
        self._net = net
        self._routes = list(routes)
        self._identity = identity
        self._network = network
        self._resolve = resolve
        self._tls = tls
        self._wall = wall
        self._token = token

    async def batch(self, item: Item) -> Answer:
        """Offer a batch to each route until one takes or rejects it."""
        return await self._offer("/v1/batch", item.body, item.signature)

    async def heartbeat(self, state: Presence) -> Answer:
        """Say that this probe is here, or that it is leaving."""
        sent_at = datetime.fromtimestamp(self._wall(), UTC)
        beat = Heartbeat(
            schema=SCHEMA, probe=self._identity.probe_id, state=state, sent_at=sent_at, network=self._network
        )
        body = encode(beat)
        return await self._offer("/v1/heartbeat", body, self._identity.sign(body))

    async def _offer(self, path: str, body: bytes, signature: bytes) -> Answer:
        reasons: dict[str, str] = {}
        waits: list[float] = []
        for route in list(self._routes):
            try:
                async with asyncio.timeout(ROUTE_S):
                    answer = await self._introduced(route, path, body, signature)
            except (OSError, UnicodeError, ClosedEarly, InvalidResponse) as error:
                reasons[route] = in_words(error)  # UnicodeError: a name that no DNS could hold
                continue
            if not isinstance(answer, Later):
                self._prefer(route)
                return answer
            reasons |= answer.reasons
            if answer.retry_after_s is not None:
                waits.append(answer.retry_after_s)
        return Later(reasons, max(waits, default=None))

    async def _introduced(self, route: str, path: str, body: bytes, signature: bytes) -> Answer:
        """Post; where the collector does not know this key yet, enrol and post again, once."""
        response = await self._post(route, path, body, signature)
        if response.status == 401 and _refusal(response.body)[0] == "unknown_probe":
            enrolled = await self._enrol(route)
            if isinstance(enrolled, Rejected):  # the key was, and not what waits to be sent
                return Later({route: f"refused this key: {enrolled.code} {enrolled.message}"})
            if isinstance(enrolled, Later):
                return enrolled
            response = await self._post(route, path, body, signature)
        return self._read(response, route)

    async def _enrol(self, route: str) -> Answer:
        enrolment = encode(
            Enrolment(
                schema=SCHEMA,
                public_key=base64.b64encode(self._identity.public_key).decode(),
                agent=f"reachwatch-probe/{__version__}",
                network=self._network,
                token=self._token or None,
            )
        )
        response = await self._post(route, "/v1/enrol", enrolment, self._identity.sign(enrolment))
        return self._read(response, route)

    async def _post(self, route: str, path: str, body: bytes, signature: bytes) -> _Response:
        endpoint = Endpoint(url=route.rstrip("/") + path)
        headers = (
            ("Content-Type", "application/json"),
            ("Content-Encoding", "gzip"),
            (PROBE_HEADER, self._identity.probe_id),
            (SIGNATURE_HEADER, base64.b64encode(signature).decode()),
        )
        stream = await self._open(endpoint)
        try:
            exchange = Exchange(stream, max_body_bytes=MAX_ANSWER_BYTES)
            packed = gzip.compress(body, compresslevel=6, mtime=0)
            await exchange.run("POST", endpoint.authority, endpoint.path, headers, packed)
        finally:
            stream.close()
        return _Response(exchange.status or 0, exchange.body, exchange.headers.get("retry-after", ""))

    async def _open(self, endpoint: Endpoint) -> Stream:
        trouble: OSError = OSError("its name does not resolve")
        for address in await self._resolve(endpoint.host):
            try:
                return await self._open_at(address, endpoint)
            except OSError as error:  # a lie of the resolver's may be in front of the true address
                trouble = error
        raise trouble

    async def _open_at(self, address: str, endpoint: Endpoint) -> Stream:
        async with asyncio.timeout(CONNECT_S):
            below = await self._net.connect(address, endpoint.port)
        if not endpoint.is_tls:
            return below
        try:
            tls = TlsStream(below, self._tls, endpoint.host)
            async with asyncio.timeout(CONNECT_S):
                await tls.handshake()
        except BaseException:  # cancelled or refused: either way the socket goes
            below.close()
            raise
        return tls

    def _read(self, response: _Response, route: str) -> Answer:
        if response.status == 200:
            return self._receipt(response, route)
        code, message = _refusal(response.body)
        if code and (response.status in _PERMANENT or (response.status, code) == _NEVER_FITS):
            return Rejected(code, message)
        wait_s = retry_after_s(response.retry_after, self._wall()) if response.retry_after else None
        return Later({route: f"answered {response.status} {code}".rstrip()}, wait_s)

    def _receipt(self, response: _Response, route: str) -> Answer:
        try:
            receipt = decode(Receipt, response.body, reader.validate)
        except DecodeError as error:
            return Later({route: f"answered with no receipt ({error})"})
        if receipt.probe != self._identity.probe_id:
            return Later({route: "its receipt is for another probe"})
        return Accepted(receipt, route)

    def _prefer(self, route: str) -> None:
        self._routes.remove(route)
        self._routes.insert(0, route)


def _refusal(body: bytes) -> tuple[str, str]:
    """The code and message of a `Refused`; empty for anything else, such as a proxy's page."""
    try:
        refused = decode(Refused, body, reader.validate)
    except DecodeError:
        return "", ""
    return refused.code, f"{refused.path}: {refused.message}"


def elsewhere(receipt: Receipt) -> str:
    """What probes in other countries see, in words; empty where there are none."""
    return ", ".join(
        f"{view.platform} fails from {view.failing} of {view.votes} in {view.countries} countries"
        for view in receipt.peers
        if view.votes
    )


def _checked(answer: Answer, item: Item) -> Answer:
    """A receipt for another batch is no receipt for this one."""
    if isinstance(answer, Accepted) and answer.receipt.sequence != item.sequence:
        return Later({answer.route: f"its receipt is for batch {answer.receipt.sequence}"})
    return answer


@dataclass
class Courier:
    """Empties the spool, oldest first. `lock` keeps spool calls from overlapping."""

    uploader: Uploader
    spool: Spool
    lock: asyncio.Lock
    rng: Random
    wall: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _failures: int = 0

    async def drain(self) -> None:
        """Send until nothing waits, however long the collector is away."""
        while (wait_s := await self.push()) is not None:
            await self.sleep(wait_s)

    async def push(self) -> float | None:
        """Send until nothing waits (None) or something stands in the way (seconds to wait)."""
        while (item := await self._call(self.spool.peek)) is not None:
            answer = _checked(await self.uploader.batch(item), item)
            if isinstance(answer, Later):
                return await self._broken(answer)
            await self._settled(item, answer)
        return None

    async def _settled(self, item: Item, answer: Accepted | Rejected) -> None:
        if isinstance(answer, Rejected):
            log.warning("round_refused code=%s reason=%s", answer.code, answer.message)
            await self._call(self.spool.refuse, item.sequence, answer.code)
            return
        await self._call(self.spool.done, item.sequence)
        await self._call(self.spool.note, "last_upload_at", str(self.wall()))
        await self._call(self.spool.note, "last_route", answer.route)
        await self._call(self.spool.note, "elsewhere", elsewhere(answer.receipt))
        skew_s = self.wall() - answer.receipt.server_time.timestamp()
        await self._call(self.spool.note, "clock_skew_s", f"{skew_s:.0f}")
        if (await self._call(self.spool.notes)).get("last_obstacle"):  # it may be an earlier process's
            await self._call(self.spool.note, "last_obstacle", "")
        if self._failures:
            log.info("upload_recovered route=%s after_failures=%d", answer.route, self._failures)
        self._failures = 0

    async def _broken(self, later: Later) -> float:
        said = "; ".join(f"{route}: {reason}" for route, reason in later.reasons.items())
        if not self._failures:
            log.warning("upload_failed %s", said)
        await self._call(self.spool.note, "last_obstacle", said)
        self._failures += 1
        return delay_s(self._failures, self.rng, later.retry_after_s)

    async def _call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A call to the spool, off the event loop: an SD card's fsync takes tens of milliseconds."""
        async with self.lock:
            return await asyncio.to_thread(function, *args, **kwargs)
