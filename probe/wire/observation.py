"""What one probe saw: an observation per stage and address, a round of them, a batch of rounds.

Records are self-describing: a round carries the targets it measured and the gate it passed, so
that its verdict can be recomputed years later from the round alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from annotated_types import Ge, Le, Len

from .address import read_address
from .failure import Failure, Owner
from .openenum import OpenEnum
from .platform import Platform
from .stage import (
    Address,
    Count,
    DnsDetail,
    HttpDetail,
    PacketsDetail,
    PathDetail,
    Stage,
    TcpDetail,
    Text,
    TlsDetail,
    TransferDetail,
)
from .strict import STRICT

SCHEMA: Literal["reachwatch/1"] = "reachwatch/1"

# What a round may hold; a round of the four platforms with every question asked holds a third of it.
MOST_OBSERVATIONS = 4096

Seconds = Annotated[float, Ge(0), Le(86_400)]
Country = Annotated[str, Len(2, 2)]
Asn = Annotated[int, Ge(1), Le(2**32 - 1)]
ProbeId = Annotated[str, Len(32, 32)]


class Phase(OpenEnum):
    """When in the round: the gate before, the platforms, the gate after."""

    BEFORE = "before"
    MAIN = "main"
    AFTER = "after"


class Purpose(OpenEnum):
    """What an observation was made for: an endpoint as a person uses it, or a question about why
    one failed."""

    ENDPOINT = "endpoint"
    # An innocuous name on an address of the platform.
    INNOCUOUS = "innocuous"
    # The platform's name at an address that has nothing to do with it.
    ELSEWHERE = "elsewhere"
    # An unrelated site under its own name, on the way while endpoints fail.
    CONTROL = "control"
    # The platform's name on its address as somebody abroad met it.
    ABROAD = "abroad"
    # What lies below a transfer.
    TRANSFER = "transfer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One stage on one address. `failure` None means the stage succeeded.

    `target` is ``platform/role``, or ``foreign/…``, ``domestic/…``, ``portal/…`` for controls.
    `start_s` counts from the round's start on the monotonic clock, so that a clock set in
    mid-round cannot bend it. `hop` counts redirects followed, `attempt` repetitions from 1.
    `host` is the name that was resolved or shown, which `purpose` may make another than the target's.
    """

    __pydantic_config__ = STRICT
    stage: Stage
    target: Text
    host: Text
    start_s: Seconds
    duration_s: Seconds
    phase: Phase = Phase.MAIN
    purpose: Purpose = Purpose.ENDPOINT
    address: Address | None = None
    port: Annotated[int, Ge(1), Le(65_535)] | None = None
    hop: Annotated[int, Ge(0), Le(16)] = 0
    attempt: Annotated[int, Ge(1), Le(16)] = 1
    failure: Failure | None = None
    owner: Owner | None = None
    dns: DnsDetail | None = None
    tcp: TcpDetail | None = None
    tls: TlsDetail | None = None
    http: HttpDetail | None = None
    transfer: TransferDetail | None = None
    path: PathDetail | None = None
    packets: PacketsDetail | None = None

    def __post_init__(self) -> None:
        if (self.failure is None) != (self.owner is None):
            raise ValueError("owner goes with failure")
        if self.address is not None:
            read_address(self.address)

    @property
    def family(self) -> int | None:
        """4 or 6, by the address or by the record type asked for; None where neither is known."""
        if self.address is not None:
            return 6 if ":" in self.address else 4
        if self.dns is not None:
            return {"A": 4, "AAAA": 6}.get(self.dns.query_type)
        return None


class GateState(OpenEnum):
    """What this machine could judge during the round."""

    ONLINE = "online"
    OFFLINE = "offline"
    PORTAL = "portal"
    DOMESTIC_ONLY = "domestic_only"
    LOCAL_INTERCEPTION = "local_interception"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The gate's conclusion with its counts: foreign controls passed, of how many, each time."""

    __pydantic_config__ = STRICT
    state: GateState
    controls: Count
    passed_before: Count
    passed_after: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Where the probe says it is; None where the volunteer did not say."""

    __pydantic_config__ = STRICT
    country: Country | None = None
    asn: Asn | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Everything one probe did in one turn. `started_at` is UTC by the probe's own clock."""

    __pydantic_config__ = STRICT
    round_id: Annotated[str, Len(32, 32)]
    started_at: datetime
    duration_s: Seconds
    network: Network
    gate: Gate
    targets: Annotated[tuple[Platform, ...], Len(1, 16)]
    observations: Annotated[tuple[Observation, ...], Len(0, MOST_OBSERVATIONS)]

    def __post_init__(self) -> None:
        if self.started_at.tzinfo is None:
            raise ValueError("a time needs its zone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What is signed and sent: rounds of one probe under a rising sequence number."""

    __pydantic_config__ = STRICT
    schema: Literal["reachwatch/1"]
    probe: ProbeId
    sequence: Annotated[int, Ge(1), Le(2**53)]
    agent: Text
    rounds: Annotated[tuple[Round, ...], Len(1, 64)]
