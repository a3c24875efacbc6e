"""Stage two: a TCP connection to one address (RFC 9293)."""

from __future__ import annotations

import asyncio

from probe.net import Stream
from probe.wire.observation import Observation
from probe.wire.stage import Stage, TcpDetail

from .errors import CONNECT, failure_of
from .line import Turn


async def connect(turn: Turn, address: str, _below: Stream | None) -> tuple[Observation, Stream | None]:
    """Connect to the endpoint's port on `address`."""
    line = turn.line
    began = line.clock()
    try:
        async with asyncio.timeout(line.timeouts.tcp_s):
            stream = await line.net.connect(address, turn.endpoint.port)
    except OSError as error:
        return turn.observe(Stage.TCP, began, address=address, failure=failure_of(error, CONNECT)), None
    # The kernel's own figure is right within 3 ms however busy this process is; ours is not.
    detail = TcpDetail(rtt_s=stream.state().rtt_s)
    return turn.observe(Stage.TCP, began, address=address, detail=detail), stream
