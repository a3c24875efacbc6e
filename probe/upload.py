"""Every route to the collector: its ways are tried in turn, the one that worked last here first.

A request is signed once, when it is spooled, and sent unchanged as often as it takes. What
happened comes back as data; `drain` empties the spool with it and stops at the first obstacle.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import ParamSpec, TypeVar

from .backoff import delay_s, retry_after_s
from .dial import Dialler
from .http1 import ClosedEarly, Exchange, InvalidResponse
from .identity import Identity
from .net import in_words
from .routes import Routes, Way
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
from .wire.work import Wanted, Work
from .working import TooMuch, Worker

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger("reachwatch.upload")

WAY_S = 20.0  # per way: a congested line is given a batch's worth of time, and the next way its turn
MAX_ANSWER_BYTES = 65_536

# The collector says "never": sending the same bytes again would be answered the same.
_PERMANENT = frozenset({400, 403, 413, 415, 422})
# So is a signature that does not fit. It is met where the key was replaced and the spool was not.
_NEVER_FITS = (401, "bad_signature")


@dataclass(frozen=True, slots=True)
class Accepted:
    """Stored durably, says the receipt, by the collector that `route` leads to."""

    receipt: Receipt
    route: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The collector will never take it."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Later:
    """No route took it now. `reasons` holds what each said; the longest Retry-After counts.
    `is_collectors`, of one way's answer: the collector itself said so, and would by any other way."""

    reasons: dict[str, str]
    retry_after_s: float | None = None
    is_collectors: bool = False


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
        dial: Dialler,
        routes: Routes,
        identity: Identity,
        network: Network,
        wall: Callable[[], float],
        token: str = "",
        is_here: Callable[[], bool] = lambda: True,
    ) -> None:
        self._dial = dial
        self.routes = routes
        self._identity = identity
        self._network = network
        self._wall = wall
        self._token = token
        self._worker = Worker(identity.public_key, wall)
        self._is_here = is_here

    @property
    def probe_id(self) -> str:
        """Whose name it speaks in."""
        return self._identity.probe_id

    async def batch(self, item: Item) -> Answer:
        """Offer a batch by each way until a collector takes or rejects it."""
        return await self._offer("/v1/batch", item.body, item.signature, item.sequence)

    async def heartbeat(self, state: Presence, targets: int | None = None) -> Answer:
        """Say that this probe is here, or that it is leaving, and which list of targets it goes by."""
        sent_at = datetime.fromtimestamp(self._wall(), UTC)
        beat = Heartbeat(
            schema=SCHEMA,
            probe=self._identity.probe_id,
            state=state,
            sent_at=sent_at,
            network=self._network,
            targets=targets,
        )
        body = encode(beat)
        return await self._offer("/v1/heartbeat", body, self._identity.sign(body))

    async def _offer(self, path: str, body: bytes, signature: bytes, sequence: int | None = None) -> Answer:
        reasons: dict[str, str] = {}
        waits: list[float] = []
        spoken: set[str] = set()  # a collector's own no is none of the way's: it is not asked by another
        for way in self.routes.in_order(self._wall()):
            if not self._is_here():  # under this name nothing leaves from another network
                return Later({str(way): "not from this network, or not agreed to any more"})
            if way.route.url in spoken:
                continue
            answer = _checked(await self._by(way, path, body, signature), sequence)
            if not isinstance(answer, Later) or answer.is_collectors:
                self.routes.worked(way, self._wall())
            else:
                self.routes.failed(way, self._wall(), answer.reasons[str(way)])
            if not isinstance(answer, Later):
                return answer
            if answer.is_collectors:
                spoken.add(way.route.url)
            reasons |= answer.reasons
            if answer.retry_after_s is not None:
                waits.append(answer.retry_after_s)
        return Later(reasons, max(waits, default=None))

    async def _by(self, way: Way, path: str, body: bytes, signature: bytes) -> Answer:
        try:
            async with asyncio.timeout(WAY_S):
                return await self._introduced(way, path, body, signature)
        except (OSError, ClosedEarly, InvalidResponse) as error:
            return Later({str(way): in_words(error)})

    async def _introduced(self, way: Way, path: str, body: bytes, signature: bytes) -> Answer:
        """Post; where the collector does not know this key yet, enrol and post again, once."""
        response = await self._post(way, path, body, signature)
        if response.status == 401 and _refusal(response.body)[0] == "unknown_probe":
            enrolled = await self._enrol(way)
            if isinstance(enrolled, Rejected):  # the key was, and not what waits to be sent
                said = f"refused this key: {enrolled.code} {enrolled.message}"
                return Later({str(way): said}, is_collectors=True)
            if isinstance(enrolled, Later):
                return enrolled
            response = await self._post(way, path, body, signature)
        return self._read(response, way)

    async def _enrol(self, way: Way) -> Answer:
        response = await self._introduce(way)
        if wanted := _wanted(response.body):
            try:
                response = await self._introduce(way, await self._worker.work(wanted))
            except TooMuch as error:
                return Later({str(way): str(error)}, is_collectors=True)
        return self._read(response, way)

    async def _introduce(self, way: Way, work: Work | None = None) -> _Response:
        enrolment = encode(
            Enrolment(
                schema=SCHEMA,
                public_key=base64.b64encode(self._identity.public_key).decode(),
                agent=f"reachwatch-probe/{__version__}",
                network=self._network,
                token=self._token or None,
                work=work,
            )
        )
        return await self._post(way, "/v1/enrol", enrolment, self._identity.sign(enrolment))

    async def _post(self, way: Way, path: str, body: bytes, signature: bytes) -> _Response:
        endpoint = Endpoint(url=way.route.url.rstrip("/") + path)
        headers = (
            ("Content-Type", "application/json"),
            ("Content-Encoding", "gzip"),
            (PROBE_HEADER, self._identity.probe_id),
            (SIGNATURE_HEADER, base64.b64encode(signature).decode()),
        )
        stream = await self._dial.open(way)
        try:
            exchange = Exchange(stream, max_body_bytes=MAX_ANSWER_BYTES)
            packed = gzip.compress(body, compresslevel=6, mtime=0)
            await exchange.run("POST", endpoint.authority, endpoint.path, headers, packed)
        finally:
            stream.close()
        return _Response(exchange.status or 0, exchange.body, exchange.headers.get("retry-after", ""))

    def _read(self, response: _Response, way: Way) -> Answer:
        if response.status == 200:
            return self._receipt(response, way)
        code, message = _refusal(response.body)
        if code and (response.status in _PERMANENT or (response.status, code) == _NEVER_FITS):
            return Rejected(code, message)
        wait_s = retry_after_s(response.retry_after, self._wall()) if response.retry_after else None
        return Later({str(way): f"answered {response.status} {code}".rstrip()}, wait_s, bool(code))

    def _receipt(self, response: _Response, way: Way) -> Answer:
        try:
            receipt = decode(Receipt, response.body, reader.validate)
        except DecodeError as error:
            return Later({str(way): f"answered with no receipt ({error})"})
        if receipt.probe != self._identity.probe_id:
            return Later({str(way): "its receipt is for another probe"})
        return Accepted(receipt, str(way))


def _refusal(body: bytes) -> tuple[str, str]:
    """The code and message of a `Refused`; empty for anything else, such as a proxy's page."""
    try:
        refused = decode(Refused, body, reader.validate)
    except DecodeError:
        return "", ""
    return refused.code, f"{refused.path}: {refused.message}"


def _wanted(body: bytes) -> Wanted | None:
    """The work that a `Refused` asks for, if it is one and does."""
    try:
        return decode(Refused, body, reader.validate).work
    except DecodeError:
        return None


def elsewhere(receipt: Receipt) -> str:
    """What probes in other countries see, in words; empty where there are none."""
    return ", ".join(
        f"{view.platform} fails from {view.failing} of {view.votes} in {view.countries} countries"
        for view in receipt.peers
        if view.votes
    )


def _checked(answer: Answer, sequence: int | None) -> Answer:
    """A receipt for another batch is no receipt for this one."""
    if isinstance(answer, Accepted) and answer.receipt.sequence != sequence:
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
        wait_s = None
        while wait_s is None and (item := await self._call(self.spool.peek, self.uploader.probe_id)):
            answer = await self.uploader.batch(item)
            if isinstance(answer, Later):
                wait_s = await self._broken(answer)
            else:
                await self._settled(item, answer)
        await self._call(self.spool.note, "routes", self.uploader.routes.text())
        return wait_s

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
