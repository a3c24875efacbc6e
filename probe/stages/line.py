"""What every stage is given: the line it measures on, and whose turn it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from probe.config import Timeouts
from probe.kept import Kept
from probe.net import Net
from probe.pace import Pace
from probe.trust import Trust
from probe.wire.failure import Failure
from probe.wire.observation import Observation, Phase, Purpose
from probe.wire.platform import Endpoint
from probe.wire.stage import (
    DnsDetail,
    HttpDetail,
    PacketsDetail,
    PathDetail,
    Stage,
    TcpDetail,
    TlsDetail,
    TransferDetail,
)

Clock = Callable[[], float]
Record = Callable[[Observation], None]
Detail = DnsDetail | TcpDetail | TlsDetail | HttpDetail | TransferDetail | PathDetail | PacketsDetail


@dataclass(frozen=True, slots=True)
class Line:
    """One volunteer's line during one round. `clock` is monotonic, in seconds; `record` is called
    with each observation the moment it is complete, so a cancelled round loses only the stage
    it was in."""

    net: Net
    clock: Clock
    started: float
    timeouts: Timeouts
    trust: Trust
    record: Record
    # What is asked of the trusted resolver goes over these, until the round is over.
    kept: Kept = field(default_factory=Kept)
    # Names and addresses whose certificate this machine's own store has refused: once is enough.
    refused: set[tuple[str, str]] = field(default_factory=set)
    # An installation's own, for all its rounds.
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose turn it is: one endpoint, in one phase, at one redirect hop and attempt."""

    line: Line
    target: str
    endpoint: Endpoint
    phase: Phase = Phase.MAIN
    purpose: Purpose = Purpose.ENDPOINT
    hop: int = 0
    attempt: int = 1
    # Only the captive-portal check knows the body it must see.
    wanted_body: str | None = None

    async def come(self) -> None:
        """Wait until its host may be connected to once more."""
        if wait_s := self.line.pace.wait_s(self.endpoint.host, self.line.clock()):
            await asyncio.sleep(wait_s)

    def observe(
        self,
        stage: Stage,
        began: float,
        *,
        address: str | None = None,
        failure: Failure | None = None,
        detail: Detail | None = None,
        tcp: TcpDetail | None = None,
    ) -> Observation:
        """Make the observation of a stage that began at `began` on the line's clock, and record it.
        `tcp` is the connection's state beside a later stage's failure."""
        observation = Observation(
            stage=stage,
            target=self.target,
            host=self.endpoint.host,
            start_s=round(max(0.0, began - self.line.started), 6),
            duration_s=round(max(0.0, self.line.clock() - began), 6),
            phase=self.phase,
            purpose=self.purpose,
            address=address,
            port=self.endpoint.port if address else None,
            hop=self.hop,
            attempt=self.attempt,
            failure=failure,
            owner=failure.owner if failure else None,
            dns=detail if isinstance(detail, DnsDetail) else None,
            tcp=detail if isinstance(detail, TcpDetail) else tcp,
            tls=detail if isinstance(detail, TlsDetail) else None,
            http=detail if isinstance(detail, HttpDetail) else None,
            transfer=detail if isinstance(detail, TransferDetail) else None,
            path=detail if isinstance(detail, PathDetail) else None,
            packets=detail if isinstance(detail, PacketsDetail) else None,
        )
        self.line.record(observation)
        return observation
