"""The way to one address: the stages after DNS, one upon the other, until one fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from .net import Stream
from .stages import CONNECTION_STAGES, ConnectionStage
from .stages import transfer as stage
from .stages.line import Turn
from .wire.observation import Observation
from .wire.stage import Stage


async def reach(turn: Turn, address: str) -> list[Observation]:
    """Walk the stages on `address`; the observations, the last of which failed or is the answer."""
    async with _way(turn, address, CONNECTION_STAGES) as (seen, _):
        return seen


async def transfer(turn: Turn, address: str, wanted_bytes: int) -> list[Observation]:
    """Walk up to TLS on `address` and fetch an object over it."""
    below = dict(CONNECTION_STAGES)
    del below[Stage.HTTP]
    async with _way(turn, address, below) as (seen, stream):
        if stream is not None and seen[-1].failure is None:
            seen.append(await stage.transfer(turn, address, stream, wanted_bytes))
        return seen


@asynccontextmanager
async def _way(
    turn: Turn, address: str, stages: Mapping[Stage, ConnectionStage]
) -> AsyncIterator[tuple[list[Observation], Stream | None]]:
    """What was seen on the way, and the connection it led to; closed when left."""
    below: Stream | None = None
    seen: list[Observation] = []
    try:
        for kind, run in stages.items():
            if kind is Stage.TLS and not turn.endpoint.is_tls:
                continue
            observation, stream = await run(turn, address, below)
            seen.append(observation)
            below = stream or below
            if observation.failure is not None:
                break
        yield seen, below
    finally:
        if below is not None:
            below.close()
