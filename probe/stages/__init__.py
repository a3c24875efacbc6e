"""One module per stage: each does its I/O, names the failure, and returns an observation.

The stages after DNS share one shape, `(turn, address, stream below) -> (observation, stream)`,
so that a round walks this table and stops at the first that fails. A new stage is a row here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from probe.net import Stream
from probe.wire.observation import Observation
from probe.wire.stage import Stage

from . import http, tcp, tls
from .line import Turn

ConnectionStage = Callable[[Turn, str, Stream | None], Awaitable[tuple[Observation, Stream | None]]]

CONNECTION_STAGES: Mapping[Stage, ConnectionStage] = {
    Stage.TCP: tcp.connect,
    Stage.TLS: tls.handshake,
    Stage.HTTP: http.get,
}
