"""What a round says of a platform: the words of a verdict."""

from __future__ import annotations

from dataclasses import dataclass

from probe.wire.openenum import OpenEnum


class Status(OpenEnum):
    """The verdict in one word; this package's README defines each."""

    OK = "ok"
    BLOCKED = "blocked"
    THROTTLED = "throttled"
    UNREACHABLE = "unreachable"
    INSUFFICIENT = "insufficient"


class Mechanism(OpenEnum):
    """How access is interfered with."""

    DNS = "dns"
    IP = "ip"
    TLS = "tls"
    MITM = "mitm"
    HTTP = "http"
    THROTTLE = "throttle"


class Level(OpenEnum):
    """How strong the evidence for a mechanism is."""

    PROVEN = "proven"
    LIKELY = "likely"
    WEAK = "weak"


class Scope(OpenEnum):
    """Whether every required role is affected or only some."""

    FULL = "full"
    PARTIAL = "partial"


@dataclass(frozen=True, slots=True)
class Fact:
    """Something a rule saw, in words for a volunteer; which role and address family it touches."""

    text: str
    target: str | None = None
    family: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A mechanism with its evidence level and whom it touches."""

    mechanism: Mechanism
    level: Level
    families: tuple[int, ...]
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """A rule that spoke, and the facts it rests on in words a volunteer can read."""

    rule: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one round says of one platform. `scope` is None where nothing could be judged."""

    platform: str
    status: Status
    scope: Scope | None
    mechanisms: tuple[Finding, ...]
    reasons: tuple[Reason, ...]
