"""What agent and collector say to each other beside batches: enrolment, heartbeats, answers.

Requests are signed: `SIGNATURE_HEADER` carries the Ed25519 signature (RFC 8032) in base64 over
the body as it was before any content coding; `PROBE_HEADER` names the key it was made with.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from annotated_types import Ge, Le, Len

from .observation import Network, ProbeId
from .openenum import OpenEnum
from .platform import Name
from .stage import Count, Text
from .strict import STRICT
from .targets import SignedTargets
from .work import Wanted, Work

PROBE_HEADER = "Reachwatch-Probe"
SIGNATURE_HEADER = "Reachwatch-Signature"


class Presence(OpenEnum):
    """A heartbeat's message: still here, or leaving on purpose (so silence means something)."""

    ALIVE = "alive"
    BYE = "bye"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """A key introduces itself, signed with itself (proof of possession). `public_key` is base64; `token` is
    the one that a collector which is not open to everybody has given out, `work` what it has asked for."""

    __pydantic_config__ = STRICT
    schema: Literal["reachwatch/1"]
    public_key: Annotated[str, Len(44, 44)]
    agent: Text
    network: Network
    token: Annotated[str, Len(1, 100)] | None = None
    work: Work | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """One a minute, so that the absence of a probe can be told from its silence between rounds. `targets` is
    the version of the signed list that the probe goes by, 0 before its first; None where it takes none."""

    __pydantic_config__ = STRICT
    schema: Literal["reachwatch/1"]
    probe: ProbeId
    state: Presence
    sent_at: datetime
    network: Network
    targets: Annotated[int, Ge(0), Le(2**53)] | None = None

    def __post_init__(self) -> None:
        if self.sent_at.tzinfo is None:
            raise ValueError("a time needs its zone")


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerView:
    """What probes in other countries see of one platform now: how many voted, how many failed."""

    __pydantic_config__ = STRICT
    platform: Name
    countries: Count
    votes: Count
    failing: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The collector's answer, given only once what it answers is stored durably. `targets` is what a
    heartbeat gets whose probe goes by an older list."""

    __pydantic_config__ = STRICT
    schema: Literal["reachwatch/1"]
    server_time: datetime
    probe: ProbeId
    sequence: Annotated[int, Ge(1), Le(2**53)] | None = None
    duplicate: bool = False
    peers: Annotated[tuple[PeerView, ...], Len(0, 16)] = ()
    targets: SignedTargets | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Why a request was not taken: a code of the closed list, where in the body (JSON path), and the work
    that is to be done for it, if any."""

    __pydantic_config__ = STRICT
    code: Annotated[str, Len(1, 40)]
    path: Text
    message: Annotated[str, Len(0, 500)]
    server_time: datetime
    work: Wanted | None = None
