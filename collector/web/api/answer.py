"""How answers are sent: one set of headers, one form of refusal, and not at all to who has them already."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from aiohttp import web
from aiohttp.typedefs import Middleware

from collector.limit import Limiter
from collector.store.base import StoreError
from collector.web.coding import takes_gzip
from collector.web.shelf import Leaf

from .asked import Form, Refused
from .forms import KINDS, json_text
from .models import Problem

_HEADERS = {
    "Access-Control-Allow-Origin": "*",  # open data, and nobody is ever logged in here
    "Access-Control-Expose-Headers": "ETag, Link, Retry-After",
    "X-Content-Type-Options": "nosniff",
}
Query = Mapping[str, str]  # parameters of an address
_STORE_S = 10.0  # a store that fails is asked again every two seconds; clients need not


@dataclass(frozen=True, slots=True)
class Sheet:
    """An answer made once: what is sent, of which kind, headers of its own; and where it is a part, the
    parameters that the next part is asked for with."""

    leaf: Leaf
    kind: str
    headers: Mapping[str, str] = field(default_factory=dict)
    onward: Query = field(default_factory=dict)


class Pen:
    """Writes one answer at a time, in a thread: however many are asked for, receipts go on."""

    def __init__(self) -> None:
        self._free = asyncio.Lock()

    async def written(self, write: Callable[[], tuple[str, Query]], form: Form = Form.JSON) -> Sheet:
        """What `write` gives: a text, and the parameters that the next part is asked for with."""
        async with self._free:
            text, onward = await asyncio.to_thread(write)
            leaf = await asyncio.to_thread(Leaf.of, text)
        return Sheet(leaf, KINDS[form], onward=onward)


def sent(request: web.Request, sheet: Sheet, max_age_s: float, *, is_known: bool = False) -> web.Response:
    """The answer, good for so many seconds; without its body where the reader has it, which its tag tells
    or `is_known` does."""
    leaf = sheet.leaf
    headers = {
        **_HEADERS,
        **sheet.headers,
        "Cache-Control": f"public, max-age={int(max_age_s)}",
        "ETag": leaf.etag,
        "Vary": "Accept-Encoding",
    }
    if sheet.onward:
        headers["Link"] = f'<{request.rel_url.update_query(sheet.onward)}>; rel="next"'
    known = request.if_none_match or ()
    if is_known or any(one.value in ("*", leaf.etag[3:-1]) for one in known):
        return web.Response(status=304, headers=headers)
    charset = None if sheet.kind.endswith("json") else "utf-8"
    if takes_gzip(request.headers.get("Accept-Encoding", "")):
        headers["Content-Encoding"] = "gzip"
        return web.Response(body=leaf.packed, content_type=sheet.kind, charset=charset, headers=headers)
    return web.Response(body=leaf.body, content_type=sheet.kind, charset=charset, headers=headers)


def refusal(status: int, detail: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Why there is no answer (RFC 9457)."""
    said: Problem = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    return web.Response(
        body=json_text(said).encode(),
        status=status,
        content_type="application/problem+json",
        headers={**_HEADERS, "Cache-Control": "no-store", **(headers or {})},
    )


def gate(limiter: Limiter, wall: Callable[[], float]) -> Middleware:
    """Counts requests, and says every refusal in the one form."""

    @web.middleware
    async def through(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        wait_s = limiter.wait_s(request.remote or "", wall())
        if wait_s:
            return refusal(429, "asked too often from this address", _again(wait_s))
        try:
            return await handler(request)
        except Refused as why:
            return refusal(why.status, why.detail, _again(why.retry_after_s))
        except StoreError:  # its own loop says so in the log, once
            return refusal(503, "the store cannot be read now", _again(_STORE_S))
        except web.HTTPMethodNotAllowed as why:
            return refusal(405, "only GET and HEAD", {"Allow": why.headers["Allow"]})
        except web.HTTPNotFound:
            return refusal(404, "no such address; /api/v1/openapi.json says which there are")

    return through


def _again(wait_s: float | None) -> dict[str, str]:
    return {} if wait_s is None else {"Retry-After": str(math.ceil(wait_s))}
