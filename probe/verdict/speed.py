"""What the rules see in how fast things come: a platform's objects beside unrelated ones, on the
same line, in the same round, again and again.

A distant server is slow to start without anybody's doing (RFC 6928: ten segments, then twice as
many each round trip), so the round trips that a start takes are taken off before anything is
compared. A transfer cut short by its deadline counts with what came: that is data, not a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from statistics import median

from probe.wire.observation import Observation
from probe.wire.stage import Stage

from .evidence import EndpointEvidence, Evidence
from .record import Fact
from .walk import Walk

Finds = Callable[[Evidence], Iterable[Fact]]

# So many transfers of each side: fewer are no comparison.
TRIES = 3
CONTROL_TRIES = 3
# Below this no ratio counts: a fast line may be faster to one place than to another. Video of low
# quality takes about as much, and every throttling on record was below a tenth of it.
THROTTLED_BELOW_BPS = 1_500_000
# What comes after the first piece must be as much, or take as long, before it is a rate.
LEAST_BYTES, LEAST_S = 32_768, 0.5
# Round trips of slow start that a body of 64 KiB takes after its first piece.
_START_ROUNDS = 3
_SHORTEST_S = 0.001

# A handshake this much slower than under another name on the same address is held back by name.
HELD_BACK_S = 0.1
HELD_BACK_RATIO = 3.0


def rate_bps(seen: Observation) -> float | None:
    """A transfer's rate in bits a second once it had started; None where too little came to tell."""
    detail = seen.transfer
    if detail is None or seen.failure is not None or detail.status not in (200, 206):
        return None
    if detail.timed_bytes < LEAST_BYTES and detail.timed_s < LEAST_S:
        return None
    start_s = _START_ROUNDS * ((seen.tcp.rtt_s if seen.tcp else None) or 0.0)
    return detail.timed_bytes * 8 / max(detail.timed_s - start_s, _SHORTEST_S)


def slower_by(ratio: float) -> Finds:
    """Every transfer of a role is slow, and unrelated objects come at least so many times as fast."""

    def finds(evidence: Evidence) -> Iterator[Fact]:
        controls = _rates(evidence.controls)
        for role in evidence.roles:
            rates = _rates(role.transfers)
            if len(rates) < TRIES or len(controls) < CONTROL_TRIES:
                continue
            if _is_held_back(rates, controls, ratio):
                yield Fact(
                    f"{evidence.platform.title} ({role.role.name}) comes at {_kbps(max(rates))} on this "
                    f"line, unrelated sites at {_kbps(median(controls))}.",
                    role.target,
                    role.transfers[0].family,
                )

    return finds


def _is_held_back(rates: Sequence[float], controls: Sequence[float], ratio: float) -> bool:
    """The fastest of theirs against the usual and the slowest of the others'."""
    best = max(rates)
    return (
        best < THROTTLED_BELOW_BPS and median(controls) >= ratio * best and min(controls) >= ratio / 2 * best
    )


def _rates(observations: Iterable[Observation]) -> list[float]:
    found = (rate_bps(o) for o in observations if o.stage is Stage.TRANSFER)
    return [rate for rate in found if rate is not None]


def _kbps(rate: float) -> str:
    return f"{rate / 1000:.0f} kbit/s" if rate < 1e6 else f"{rate / 1e6:.1f} Mbit/s"


def handshake_held_back(evidence: Evidence) -> Iterator[Fact]:
    """Handshakes under the platform's name take far longer than under another, on one address."""
    for endpoint in evidence.endpoints():
        for address in {walk.address for walk in endpoint.walks}:
            theirs = excesses(w for w in endpoint.walks if w.address == address)
            others = excesses(w for w in endpoint.innocuous if w.address == address)
            if len(theirs) >= TRIES and len(others) >= TRIES and is_slow(min(theirs), max(others)):
                yield Fact(
                    f"A handshake under the name {endpoint.host} takes {min(theirs):.1f} s more than "
                    "the line needs; under another name on the same server it does not.",
                    endpoint.target,
                    6 if ":" in address else 4,
                )


def excesses(walks: Iterable[Walk]) -> list[float]:
    """What each completed handshake took beyond the round trips it needs (RFC 8446: one; TLS 1.2: two)."""
    found = []
    for walk in walks:
        tcp, tls = walk.at(Stage.TCP), walk.at(Stage.TLS)
        if tcp is not None and tcp.tcp is not None and tls is not None and walk.passed(Stage.TLS):
            found.append(max(tls.duration_s - 2 * (tcp.tcp.rtt_s or 0.0), 0.0))
    return found


def is_slow(excess_s: float, beside_s: float) -> bool:
    """Whether one handshake's excess stands out beside another's."""
    return excess_s >= HELD_BACK_S and excess_s >= HELD_BACK_RATIO * beside_s


def seems_slow(endpoint: EndpointEvidence, control_excesses: Sequence[float]) -> bool:
    """Whether an endpoint's handshakes are slow enough beside the controls' to look closer: a
    suspicion, which costs bytes and accuses nobody."""
    if any(walk.trickled for walk in endpoint.walks):
        return True
    theirs = excesses(endpoint.walks)
    return bool(theirs and control_excesses) and is_slow(min(theirs), median(control_excesses))
