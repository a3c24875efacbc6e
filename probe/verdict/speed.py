"""What the rules see in how fast things come: a platform's objects beside unrelated ones, on the
same line, in the same round, again and again.

A distant server is slow without anybody's doing. It is slow to start (RFC 6928: ten segments, then
twice as many each round trip), so the round trips that a start takes are taken off before anything
is compared; and what a line loses costs it more (Mathis et al. 1997: goodput falls with the round
trip), so it may be as many times slower as it is further away. A transfer cut short by its deadline
counts with what came: that is data, not a failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, inf, log2
from statistics import median
from typing import NamedTuple

from probe.wire.observation import Observation, Round
from probe.wire.stage import Stage

from .evidence import EndpointEvidence, Evidence, evidence_of
from .record import Fact
from .walk import Walk, by_address
from .wording import part

Finds = Callable[[Evidence], Iterable[Fact]]

# So many transfers of each side: fewer are no comparison.
TRIES = 3
CONTROL_TRIES = 3
# Below this no ratio counts: a fast line may be faster to one place than to another. Video of low
# quality takes about as much, and every throttling on record was below a tenth of it.
THROTTLED_BELOW_BPS = 1_500_000
# How many times as fast unrelated objects must come: for slow transfers of any kind OONI's "extreme"
# (dd-007), which a crowded way seldom explains; for a ceiling fewer, and so near the 130-150 kbit/s of
# Russia 2021 (Xue et al.) and so level that nothing but a policer does.
EXTREME_RATIO, CEILING_RATIO = 10.0, 4.0
CEILING_BPS, LEVEL_SPREAD = 300_000, 1.3
# What comes after the first piece must be as much, or take as long, before it is a rate.
LEAST_BYTES, LEAST_S = 32_768, 0.5
# What a server sends before it waits to hear back: ten segments (RFC 6928).
_FIRST_FLIGHT_BYTES = 14_600
# 64 KiB are there in about ten milliseconds then, of which the clock's grain is one.
UNTOLD_BPS = 50e6
# The clock's grain, in seconds, for spans and round trips alike.
_SHORTEST_S = 0.001

# A handshake this much slower than under another name on the same address is held back by name.
HELD_BACK_S = 0.1
HELD_BACK_RATIO = 3.0


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast an object came, in bits a second, and how far away it was, in seconds there and back."""

    bps: float
    rtt_s: float


def rates(transfers: Iterable[Observation], trips: Mapping[str, float]) -> list[Rate]:
    """What each transfer came at once it had started. Left out are those of which too little came to
    tell, and those to an address whose round trip is not known, without which a distant server cannot
    be told from a slow one."""
    found = []
    for seen in transfers:
        detail, rtt_s = seen.transfer, trips.get(seen.address or "")
        if detail is None or rtt_s is None or seen.failure is not None or detail.status not in (200, 206):
            continue
        if detail.timed_bytes >= LEAST_BYTES or detail.timed_s >= LEAST_S:
            took_s = max(detail.timed_s - _start_rounds(detail.timed_bytes) * rtt_s, _SHORTEST_S)
            found.append(Rate(detail.timed_bytes * 8 / took_s, max(rtt_s, _SHORTEST_S)))
    return found


def _start_rounds(size_bytes: int) -> int:
    """The most round trips that slow start takes for so many bytes: each flight is twice the last."""
    return ceil(log2(size_bytes / _FIRST_FLIGHT_BYTES + 1))


class Compared(NamedTuple):
    """How a platform's objects come beside unrelated ones: how many times as fast those come as its slowest
    role, each allowed to be slower by as much as it is further away, and that role's bits a second."""

    ratio: float
    bps: float


def compared(rnd: Round) -> dict[str, Compared]:
    """By platform, what a round says of its speed, whatever it is; without those whose speed was not
    compared."""
    if not any(seen.stage is Stage.TRANSFER for seen in rnd.observations):
        return {}
    found = {}
    for evidence in evidence_of(rnd):
        others = rates(evidence.controls, evidence.round_trips)
        roles = [rates(role.transfers, evidence.round_trips) for role in evidence.roles]
        each = [_compared(theirs, others) for theirs in roles if theirs and others]
        if each:
            found[evidence.platform.name] = max(each)
    return found


def _compared(theirs: Sequence[Rate], others: Sequence[Rate]) -> Compared:
    # Above what can be told from so small an object a ratio would be the clock's.
    best, usual = (
        min(max(bps, 1.0), UNTOLD_BPS) for bps in (_best(theirs), median(rate.bps for rate in others))
    )
    return Compared(round(usual / (_further(theirs, others) * best), 2), round(best))


def held_back(evidence: Evidence) -> Iterator[Fact]:
    """Every transfer of a role is slow, and unrelated objects come very many times as fast."""
    yield from _behind(evidence, EXTREME_RATIO, lambda theirs: True)


def at_a_ceiling(evidence: Evidence) -> Iterator[Fact]:
    """Every transfer of a role comes at one and the same slow rate, as a policer lets it, and
    unrelated objects many times as fast. A crowded way is slow by another measure each time."""
    yield from _behind(evidence, CEILING_RATIO, _is_level)


def spares(evidence: Evidence) -> bool:
    """Whether some role that was compared comes as fast as things do on this line."""
    others = [rate.bps for rate in rates(evidence.controls, evidence.round_trips)]
    best = [
        max(rate.bps for rate in theirs)
        for role in evidence.roles
        if (theirs := rates(role.transfers, evidence.round_trips))
    ]
    usual = median(others) if others else inf
    return any(bps >= THROTTLED_BELOW_BPS or usual < CEILING_RATIO * bps for bps in best)


def _is_level(theirs: Sequence[Rate]) -> bool:
    slowest, fastest = min(rate.bps for rate in theirs), max(rate.bps for rate in theirs)
    return fastest <= CEILING_BPS and fastest <= LEVEL_SPREAD * slowest


def _behind(evidence: Evidence, ratio: float, fits: Callable[[Sequence[Rate]], bool]) -> Iterator[Fact]:
    if not any(role.transfers for role in evidence.roles):
        return
    others = rates(evidence.controls, evidence.round_trips)
    for role in evidence.roles:
        theirs = rates(role.transfers, evidence.round_trips)
        enough = len(theirs) >= TRIES and len(others) >= CONTROL_TRIES
        if enough and _is_held_back(theirs, others, ratio) and fits(theirs):
            best, usual = _best(theirs), median(rate.bps for rate in others)
            yield Fact(
                f"This line gets {part(role.target)} of {evidence.platform.title} at {in_words(best)}, "
                f"unrelated sites at {in_words(usual)}.",
                role.target,
                role.transfers[0].family,
            )


def _is_held_back(theirs: Sequence[Rate], others: Sequence[Rate], ratio: float) -> bool:
    """The fastest of theirs against the usual and the slowest of the others', each allowed to be
    slower by as much as it is further away."""
    best, beside = _best(theirs), [rate.bps for rate in others]
    wanted = ratio * _further(theirs, others) * best
    return best < THROTTLED_BELOW_BPS and median(beside) >= wanted and min(beside) >= wanted / 2


def _best(theirs: Sequence[Rate]) -> float:
    return max(rate.bps for rate in theirs)


def _further(theirs: Sequence[Rate], others: Sequence[Rate]) -> float:
    """How many times as far away theirs are, and so may be as many times slower; never less than one."""
    return max(median(rate.rtt_s for rate in theirs) / median(rate.rtt_s for rate in others), 1.0)


def in_words(rate_bps: float) -> str:
    """A rate for people. An object that is small for the line is there before its rate can be told."""
    if rate_bps >= UNTOLD_BPS:
        return f"over {UNTOLD_BPS / 1e6:.0f} Mbit/s"
    return f"{rate_bps / 1000:.0f} kbit/s" if rate_bps < 1e6 else f"{rate_bps / 1e6:.1f} Mbit/s"


def handshake_held_back(evidence: Evidence) -> Iterator[Fact]:
    """Handshakes under the platform's name take far longer than under another, on one address."""
    for endpoint in evidence.endpoints():
        if not endpoint.innocuous:
            continue
        beside = by_address(endpoint.innocuous)
        for address, walks in by_address(endpoint.walks).items():
            theirs, others = excesses(walks), excesses(beside.get(address, ()))
            if len(theirs) >= TRIES and len(others) >= TRIES and is_slow(min(theirs), max(others)):
                yield Fact(
                    f"To open a connection under the name {endpoint.host} takes {min(theirs):.1f} s more "
                    "than the line needs; under another name on the same server it does not.",
                    endpoint.target,
                    walks[0].family,
                )


def excesses(walks: Iterable[Walk]) -> list[float]:
    """What each completed handshake took beyond the round trips it needs (RFC 8446: one; TLS 1.2: two;
    one more where the server asks again, or its chain outgrows ten segments)."""
    found = []
    for walk in walks:
        tcp, tls = walk.at(Stage.TCP), walk.at(Stage.TLS)
        if tcp is not None and tcp.tcp is not None and tls is not None and walk.passed(Stage.TLS):
            found.append(max(tls.duration_s - 3 * (tcp.tcp.rtt_s or 0.0), 0.0))
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
