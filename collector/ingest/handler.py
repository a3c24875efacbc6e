"""Bytes in, status out: the three requests agents make.

The order is the order of cost: what can be refused by a header is refused before the body is
read, the body is read with a limit and a deadline, decompressed with a limit, and only then looked
at. The source address is used to find country, AS and prefix tag, and dropped.
"""

from __future__ import annotations

import asyncio
import secrets
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple

from aiohttp import web

from collector.detect.quarantine import Orders, uncounted
from collector.limit import Limiter
from collector.metrics import Metrics
from collector.store.base import Ingest, Seen, SignedBatch, Stored, StoreError
from collector.targets.offer import Offer
from collector.tokens import digest_of
from probe.wire.codec import MAX_BYTES, encode
from probe.wire.exchange import PROBE_HEADER, SIGNATURE_HEADER, PeerView, Receipt, Refused
from probe.wire.observation import SCHEMA

from .admit import (
    Code,
    Refusal,
    Request,
    admit_enrolment,
    admit_heartbeat,
    entry_refused,
    key_of,
    probe_id,
)
from .commit import Committer, Overloaded
from .docket import Docket
from .judging import Arrival, Judged
from .netinfo import NetInfo
from .place import Place
from .porter import Porter
from .prefix import Tagger
from .turnstile import Turnstile

MAX_BODY_BYTES = 64 * 1024
BODY_S = 15.0  # a 64 KiB body over a 56 kbit/s line takes ten
RETRY_AFTER_S = "30"  # agents add chance to it, so that they do not all come back at once
# From one prefix, heartbeats included: what three thousand agents behind one carrier's send, and a sixteenth
# of what the collector can take.
MOST_A_MINUTE = 3600

_STATUS: Mapping[Code, int] = {
    Code.MALFORMED: 400,
    Code.BAD_COUNTRY: 400,
    Code.BAD_ENCODING: 400,
    Code.UNKNOWN_PROBE: 401,
    Code.BAD_SIGNATURE: 401,
    Code.WRONG_PROBE: 403,
    Code.WORK_REQUIRED: 403,
    Code.ENTRY_CLOSED: 403,
    Code.ENTRY_UNKNOWN: 403,
    Code.ENTRY_REVOKED: 403,
    Code.ENTRY_EXPIRED: 403,
    Code.ENTRY_USED_UP: 403,
    Code.TOO_SLOW: 408,
    Code.TOO_LARGE: 413,
    Code.UNSUPPORTED_ENCODING: 415,
    Code.FUTURE: 422,
    Code.TOO_OLD: 422,
    Code.CROWDED: 429,
    Code.TOO_OFTEN: 429,
    Code.OVERLOADED: 429,
    Code.STORE_FAILED: 503,
    Code.BAD_FORWARDED: 503,  # a proxy's fault and not the sender's, which keeps what it has and comes again
}
_COME_BACK = frozenset({429, 503})
_CROWDED = Refusal(Code.CROWDED, "$", "too much comes from this network prefix at once")
_TOO_OFTEN = Refusal(Code.TOO_OFTEN, "$", "too much came from this network prefix within a minute")
_GONE = Refusal(Code.TOO_SLOW, "$", "hung up before it was read")
_OVERLOADED = Refusal(Code.OVERLOADED, "$", "too many batches wait to be stored")
_STORE_FAILED = Refusal(Code.STORE_FAILED, "$", "could not be stored now")


class Source(NamedTuple):
    """Where a request came from: the address, which goes no further than here, and its prefix's tag."""

    address: str
    prefix: str


@dataclass
class Intake:
    """What the requests need. `keys` is the enrolled keys, kept current by enrolment; `orders` are the
    quarantines in force, kept current by whoever orders them."""

    committer: Committer
    docket: Docket
    keys: dict[str, bytes]
    netinfo: NetInfo
    tagger: Tagger
    metrics: Metrics
    wall: Callable[[], float]
    platforms: frozenset[str]
    peers: Callable[[str], tuple[PeerView, ...]]
    offer: Offer
    porter: Porter
    orders: Orders = field(default_factory=dict)
    turnstile: Turnstile = field(default_factory=Turnstile)
    pace: Limiter = field(default_factory=lambda: Limiter(MOST_A_MINUTE, secrets.token_bytes(32)))

    def routes(self) -> list[web.RouteDef]:
        """The three requests."""
        return [
            web.post("/v1/enrol", self._counted("enrol", self._enrol)),
            web.post("/v1/heartbeat", self._counted("heartbeat", self._heartbeat)),
            web.post("/v1/batch", self._counted("batch", self._batch, lambda: self.docket.is_full)),
        ]

    def _counted(
        self,
        route: str,
        act: Callable[[Request, Source], Awaitable[Receipt | Refusal]],
        is_full: Callable[[], bool] = lambda: False,
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Read the request, act on it, answer, and count the answer."""

        async def handle(http: web.Request) -> web.Response:
            # Who has hung up already has no address any more.
            outcome = await self._outcome(http, http.remote, act, is_full) if http.remote else _GONE
            response = self.refused(outcome) if isinstance(outcome, Refusal) else _json(200, encode(outcome))
            self.metrics.request(route, response.status)
            return response

        return handle

    async def _outcome(
        self,
        http: web.Request,
        address: str,
        act: Callable[[Request, Source], Awaitable[Receipt | Refusal]],
        is_full: Callable[[], bool],
    ) -> Receipt | Refusal:
        source = Source(address, self.tagger.tag(address))
        with self.turnstile.entered(source.prefix) as is_in:
            if not is_in:
                return _CROWDED
            if self.pace.wait_s(source.prefix, self.wall()):
                return _TOO_OFTEN
            if is_full():
                return _OVERLOADED
            request = await _read(http)
            return request if isinstance(request, Refusal) else await act(request, source)

    def refused(self, refusal: Refusal) -> web.Response:
        """The answer to what is refused, which is counted."""
        self.metrics.refused(refusal.code)
        status = _STATUS[refusal.code]
        answer = Refused(
            code=refusal.code,
            path=refusal.path[:255],
            message=refusal.message[:500],
            server_time=self._now(),
            work=refusal.work,
        )
        response = _json(status, encode(answer))
        if status in _COME_BACK:
            response.headers["Retry-After"] = RETRY_AFTER_S
        return response

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.wall(), UTC)

    async def _enrol(self, request: Request, _source: Source) -> Receipt | Refusal:
        newcomer = admit_enrolment(request)
        if isinstance(newcomer, Refusal):
            return newcomer
        name = probe_id(newcomer.key)
        if name not in self.keys and (refusal := self.porter.refused(newcomer)):
            return refusal
        digest = None if newcomer.token is None else digest_of(newcomer.token)
        try:
            entry = await self.committer.call(
                self.committer.store.enrol, name, newcomer.key, self.wall(), digest
            )
        except StoreError:
            return _STORE_FAILED
        if refused := entry_refused(entry):
            return refused
        self.keys[name] = newcomer.key
        return Receipt(schema=SCHEMA, server_time=self._now(), probe=name)

    async def _heartbeat(self, request: Request, source: Source) -> Receipt | Refusal:
        key = key_of(request, self.keys)
        if isinstance(key, Refusal):
            return key
        beat = admit_heartbeat(request, key, self.wall())
        if isinstance(beat, Refusal):
            return beat
        place = self.netinfo.find(source.address).place(beat.network)
        seen = Seen(
            probe=beat.probe,
            at=self.wall(),
            state=beat.state,
            country=place.country,
            asn=place.asn,
            prefix=source.prefix,
        )
        try:
            await self.committer.see(seen)
        except Overloaded:
            return Refusal(Code.OVERLOADED, "$", "too many heartbeats wait to be stored")
        except StoreError:
            return _STORE_FAILED
        self.metrics.heartbeat()
        return replace(self._receipt(beat.probe, place), targets=self.offer.newer_than(beat.targets))

    async def _batch(self, request: Request, source: Source) -> Receipt | Refusal:
        key = key_of(request, self.keys)
        if isinstance(key, Refusal):
            return key
        arrival = Arrival(
            request=request,
            key=key,
            at=self.wall(),
            found=self.netinfo.find(source.address),
            prefix=source.prefix,
            platforms=self.platforms,
        )
        try:
            judged = await self.docket.judged(arrival)
            if isinstance(judged, Refusal):
                return judged
            stored = await self.committer.submit(self._item(arrival, judged))
        except Overloaded:
            return _OVERLOADED
        except StoreError:
            return _STORE_FAILED
        return self._receipt(request.probe, judged.place, judged.sequence, stored)

    def _item(self, arrival: Arrival, judged: Judged) -> Ingest:
        probe, place, prefix = arrival.request.probe, judged.place, arrival.prefix
        signed = SignedBatch(
            probe=probe,
            sequence=judged.sequence,
            received_at=arrival.at,
            country=place.country,
            asn=place.asn,
            located_by=place.located_by,
            prefix=prefix,
            signature=judged.signature,
            body=arrival.request.body,
        )
        return Ingest(batch=signed, cells=uncounted(judged.cells, self.orders, probe=probe, prefix=prefix))

    def _receipt(
        self, probe: str, place: Place, sequence: int | None = None, stored: Stored = Stored.NEW
    ) -> Receipt:
        return Receipt(
            schema=SCHEMA,
            server_time=self._now(),
            probe=probe,
            sequence=sequence,
            duplicate=stored is Stored.DUPLICATE,
            peers=self.peers(place.country),
        )


def _json(status: int, body: bytes) -> web.Response:
    return web.Response(status=status, body=body, content_type="application/json")


async def _read(http: web.Request) -> Request | Refusal:
    """The body within its limits, and who signed it."""
    encoding = http.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        return Refusal(Code.UNSUPPORTED_ENCODING, "Content-Encoding", "only gzip and identity are read")
    if (http.content_length or 0) > MAX_BODY_BYTES:
        return Refusal(Code.TOO_LARGE, "Content-Length", f"over {MAX_BODY_BYTES} bytes")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in http.content.iter_any():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    return Refusal(Code.TOO_LARGE, "$", f"over {MAX_BODY_BYTES} bytes")
    except ConnectionError:
        return _GONE
    except TimeoutError:
        return Refusal(Code.TOO_SLOW, "$", f"not whole after {BODY_S:.0f} s")
    plain = _unpacked(bytes(body)) if encoding == "gzip" else bytes(body)
    if isinstance(plain, Refusal):
        return plain
    return Request(plain, http.headers.get(PROBE_HEADER, ""), http.headers.get(SIGNATURE_HEADER, ""))


def _unpacked(packed: bytes) -> bytes | Refusal:
    """Decompress (RFC 1952) no further than the limit: a bomb costs its limit and no more."""
    machine = zlib.decompressobj(wbits=31)
    try:
        plain = machine.decompress(packed, MAX_BYTES)
    except zlib.error:
        return Refusal(Code.BAD_ENCODING, "$", "not gzip")
    if machine.unconsumed_tail or (len(plain) == MAX_BYTES and not machine.eof):
        return Refusal(Code.TOO_LARGE, "$", f"over {MAX_BYTES} bytes once decompressed")
    if not machine.eof:
        return Refusal(Code.BAD_ENCODING, "$", "gzip breaks off")
    return plain
