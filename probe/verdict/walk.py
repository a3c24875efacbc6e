"""One way to one address in one attempt: its stages after DNS, as far as they went."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from probe.wire.failure import Failure, Owner
from probe.wire.observation import Observation
from probe.wire.stage import Stage

# One failure is never an event: so many attempts must agree before a round says `blocked`.
CONFIRMING = 2

_TIMEOUTS = frozenset({Failure.TLS_TIMEOUT, Failure.HTTP_TIMEOUT})
_WAY = (Stage.TCP, Stage.TLS, Stage.HTTP)


@dataclass(frozen=True, slots=True)
class Walk:
    """The observations of one walk, in the order of the stages."""

    address: str
    attempt: int
    seen: tuple[Observation, ...]

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.address else 4

    def at(self, stage: Stage) -> Observation | None:
        """What was seen at a stage; None where it was not reached."""
        for o in self.seen:
            if o.stage is stage:
                return o
        return None

    def failure(self, stage: Stage) -> Failure | None:
        """How that stage failed; None where it did not, or was not reached."""
        seen = self.at(stage)
        return seen.failure if seen else None

    def cut(self, stage: Stage, failures: Set[Failure]) -> bool:
        """Whether that stage failed so. A timeout until which something came is none of it: it is
        the far end of slow."""
        seen = self.at(stage)
        return seen is not None and seen.failure in failures and not _trickled(seen)

    @property
    def trickled(self) -> bool:
        """Whether it broke for want of time, with something coming."""
        return self.broken is not None and _trickled(self.broken)

    def passed(self, stage: Stage) -> bool:
        """Whether that stage was reached and succeeded."""
        seen = self.at(stage)
        return seen is not None and seen.failure is None

    @property
    def broken(self) -> Observation | None:
        """The stage that failed, if one did and the failure is not this machine's own."""
        failed = [o for o in self.seen if o.failure is not None and o.owner is not Owner.LOCAL]
        return failed[-1] if failed else None

    @property
    def status(self) -> int | None:
        """The HTTP status, if an answer came whole."""
        seen = self.at(Stage.HTTP)
        return seen.http.status if seen and seen.http and seen.failure is None else None


def _trickled(seen: Observation) -> bool:
    return seen.failure in _TIMEOUTS and bool(seen.tcp and seen.tcp.bytes_received)


def walks_of(observations: Iterable[Observation]) -> tuple[Walk, ...]:
    """Observations of one purpose and host, arranged by address, port and attempt."""
    found: dict[tuple[str, int | None, int], list[Observation]] = {}
    for o in observations:
        if o.stage in _WAY and o.address is not None:
            found.setdefault((o.address, o.port, o.attempt), []).append(o)
    return tuple(Walk(key[0], key[2], tuple(seen)) for key, seen in found.items())


def round_trips(observations: Iterable[Observation]) -> dict[str, float]:
    """The shortest round trip seen to each address, in seconds: a queue that somebody's shaper fills
    makes those that come after it longer."""
    found: dict[str, float] = {}
    for o in observations:
        rtt_s = o.tcp.rtt_s if o.tcp else None
        if rtt_s is not None and o.address is not None:
            found[o.address] = min(rtt_s, found.get(o.address, rtt_s))
    return found


def by_address(walks: Iterable[Walk]) -> dict[str, list[Walk]]:
    """The walks to each address."""
    found: dict[str, list[Walk]] = {}
    for walk in walks:
        found.setdefault(walk.address, []).append(walk)
    return found


def repeatedly(walks: Sequence[Walk], stage: Stage, failures: Set[Failure]) -> bool:
    """Whether a stage failed so often enough, and more often than it succeeded."""
    failed = sum(walk.cut(stage, failures) for walk in walks)
    return failed >= CONFIRMING and failed > sum(walk.passed(stage) for walk in walks)
