"""How fast it comes: one bounded object (RFC 9110, section 14: a range of it), timed from the first
piece of its body on.

A transfer that does not end in time is no failure: what came until then, in that time, is the
measurement. It says nothing on its own; only beside unrelated objects on the same line.
"""

from __future__ import annotations

import asyncio

from probe.http1 import ClosedEarly, Exchange, InvalidResponse
from probe.net import Stream
from probe.wire.failure import Failure
from probe.wire.observation import Observation
from probe.wire.stage import Stage, TcpDetail, TransferDetail

from .errors import EXCHANGE, failure_of
from .http import MAX_LOCATION
from .line import Turn

# A rate is plain after this long, in seconds, and every further byte costs the volunteer.
ENOUGH_S = 1.0


async def transfer(turn: Turn, address: str, stream: Stream, wanted_bytes: int) -> Observation:
    """Fetch the first `wanted_bytes` of the endpoint's object over `stream`."""
    line, endpoint = turn.line, turn.endpoint
    began = line.clock()
    # Before the load: a shaper's queue would otherwise pass for a long way.
    tcp = TcpDetail(rtt_s=stream.state().rtt_s)
    exchange = Exchange(stream, max_body_bytes=wanted_bytes, enough_s=ENOUGH_S, clock=line.clock)
    span = (("Range", f"bytes=0-{wanted_bytes - 1}"),)
    failure: Failure | None = None
    try:
        async with asyncio.timeout(line.timeouts.http_s):
            await exchange.run("GET", endpoint.authority, endpoint.path, span)
    except (OSError, ClosedEarly, InvalidResponse) as error:
        failure = failure_of(error, EXCHANGE)
    if failure is Failure.HTTP_TIMEOUT and exchange.timed_bytes:
        failure = None
    detail = TransferDetail(
        url=endpoint.url[:MAX_LOCATION],
        wanted_bytes=wanted_bytes,
        body_bytes=len(exchange.body),
        timed_bytes=exchange.timed_bytes,
        timed_s=round(exchange.timed_s, 6),
        status=exchange.status if exchange.status and 100 <= exchange.status <= 599 else None,
    )
    return turn.observe(Stage.TRANSFER, began, address=address, failure=failure, detail=detail, tcp=tcp)
