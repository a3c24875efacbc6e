"""Stage two: a TCP connection to one address (RFC 9293)."""

from __future__ import annotations

import asyncio

from probe.net import Stream
from probe.wire.failure import Failure
from probe.wire.observation import Observation
from probe.wire.stage import Stage, TcpDetail

from .errors import CONNECT, failure_of
from .line import Turn

# Nothing, or nothing whole, was said: here the state of the connection tells on.
_CUT_SHORT = frozenset(
    {
        Failure.TLS_TIMEOUT,
        Failure.TLS_RESET,
        Failure.TLS_EOF,
        Failure.HTTP_TIMEOUT,
        Failure.HTTP_RESET,
        Failure.HTTP_EOF,
    }
)


async def connect(turn: Turn, address: str, _below: Stream | None) -> tuple[Observation, Stream | None]:
    """Connect to the endpoint's port on `address`."""
    line = turn.line
    await turn.come()
    began = line.clock()
    try:
        async with asyncio.timeout(line.timeouts.tcp_s):
            stream = await line.net.connect(address, turn.endpoint.port)
    except OSError as error:
        return turn.observe(Stage.TCP, began, address=address, failure=failure_of(error, CONNECT)), None
    # The kernel's own figure is right within 3 ms however busy this process is; ours is not.
    detail = TcpDetail(rtt_s=stream.state().rtt_s)
    return turn.observe(Stage.TCP, began, address=address, detail=detail), stream


def state_at(failure: Failure | None, below: Stream) -> TcpDetail | None:
    """What the kernel knows of the connection that `failure` cut short; None where none did."""
    if failure not in _CUT_SHORT:
        return None
    state = below.state()
    return TcpDetail(
        rtt_s=state.rtt_s,
        bytes_acked=state.bytes_acked,
        bytes_received=state.bytes_received,
        retransmits=state.retransmits,
    )
