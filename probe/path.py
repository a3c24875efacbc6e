"""The way to one address: the stages after DNS, one upon the other, until one fails."""

from __future__ import annotations

from .net import Stream
from .stages import CONNECTION_STAGES
from .stages.line import Turn
from .wire.observation import Observation
from .wire.stage import Stage


async def reach(turn: Turn, address: str) -> list[Observation]:
    """Walk the stages on `address`; the observations, the last of which failed or is the answer."""
    stream: Stream | None = None
    below: Stream | None = None
    seen: list[Observation] = []
    try:
        for stage, run in CONNECTION_STAGES.items():
            if stage is Stage.TLS and not turn.endpoint.is_tls:
                continue
            observation, stream = await run(turn, address, below)
            seen.append(observation)
            below = stream or below
            if observation.failure is not None:
                break
        return seen
    finally:
        if below is not None:
            below.close()
