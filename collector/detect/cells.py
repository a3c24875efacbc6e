"""Cells: what all probes of one network saw of one platform in one minute.

A cell is a fold over rounds that neither order nor grouping can change (`merge` is commutative,
associative and idempotent on votes), so late and shuffled batches give the same cells. Counts
are of rounds. *Votes* are each probe's newest word, with the tag of the prefix it stands in: ten
probes behind one router are one witness, and which of them is heard is for detection to say. A round
counts in the minute it was measured in, by its own clock, never in the minute it arrived.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from operator import add
from typing import NamedTuple, TypeVar

from probe.verdict import Compared, Level, Status, Verdict, compared, judge
from probe.wire.observation import Batch, GateState, Observation, Phase, Purpose, Round
from probe.wire.stage import STEPS

K = TypeVar("K")
V = TypeVar("V")

# Upper bounds in seconds of the classic histograms, cells and /metrics alike; the last is +Inf.
# Chosen around what FACTS of the field show: 50 ms handshakes, 4 s DNS and 10 s connect timeouts.
BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

# The statuses that are a vote on the platform, and those among them that count as failing.
VOTING = frozenset({Status.OK, Status.BLOCKED, Status.THROTTLED, Status.UNREACHABLE})
FAILING = VOTING - {Status.OK}
# How a home fails that reaches the platform and is held back: no step of it need break.
HELD_BACK = Status.THROTTLED.label

# What stands in a platform's place where a cell, a vote or an incident's part is of the lines themselves,
# whatever they reach: the votes are on whether the controls abroad answer. A line that a portal or the home
# itself holds does not vote. No platform may be called so (`Config` refuses it).
CONNECTIVITY = "connectivity"
_CUT = frozenset({GateState.OFFLINE, GateState.DOMESTIC_ONLY})

UNKNOWN_COUNTRY = "ZZ"  # ISO 3166-1 reserves it for users; CLDR reads it as "unknown region".
UNKNOWN_ASN = 0  # RFC 7607 reserves AS 0.


# Tuples, because they are made, hashed, compared and handed on by the million.
class CellKey(NamedTuple):
    """Which cell: `minute` counts from the Unix epoch."""

    minute: int
    country: str
    asn: int
    platform: str


class Vote(NamedTuple):
    """One probe's newest word: when it was measured (Unix seconds), the verdict's status, the tag of
    the prefix it came from; where it failed how most steps broke, as ``stage failure``, and the
    mechanisms shown beyond doubt; how fast the platform came beside unrelated objects, empty where that
    was not measured (which is less than any speed: votes are in a total order)."""

    at: float
    status: str
    prefix: str
    broke: str = ""
    proven: tuple[str, ...] = ()
    speed: Compared | tuple[()] = ()


class Histogram(NamedTuple):
    """Durations by bucket (not cumulative; one more than `BUCKETS_S`) and their sum.

    The sum is in whole microseconds: fractions added in another order give another sum."""

    counts: tuple[int, ...] = (0,) * (len(BUCKETS_S) + 1)
    total_us: int = 0

    def plus(self, other: Histogram) -> Histogram:
        """Both together."""
        return Histogram(tuple(map(add, self.counts, other.counts)), self.total_us + other.total_us)

    @classmethod
    def of(cls, durations_s: Iterable[float]) -> Histogram:
        """Of these durations, in seconds."""
        counts, total_us = [0] * (len(BUCKETS_S) + 1), 0
        for seconds in durations_s:
            counts[bisect_left(BUCKETS_S, seconds)] += 1
            total_us += round(seconds * 1e6)
        return cls(tuple(counts), total_us)


# Without slots, which dataclasses pickle slowly: it goes from the judge to the collector.
@dataclass(frozen=True)
class Cell:
    """The counts. Keys are words of the wire's vocabularies; `results` is by ``(stage, failure)``,
    failure ``""`` for success; `votes` is by probe, and holds no address."""

    statuses: Mapping[str, int] = field(default_factory=dict)
    mechanisms: Mapping[str, int] = field(default_factory=dict)
    results: Mapping[tuple[str, str], int] = field(default_factory=dict)
    durations: Mapping[str, Histogram] = field(default_factory=dict)
    votes: Mapping[str, Vote] = field(default_factory=dict)


def merge(one: Cell, other: Cell) -> Cell:
    """Both cells' rounds as one cell; of two votes of a probe the newest stands."""
    return Cell(
        statuses=_merged(one.statuses, other.statuses, add),
        mechanisms=_merged(one.mechanisms, other.mechanisms, add),
        results=_merged(one.results, other.results, add),
        durations=_merged(one.durations, other.durations, Histogram.plus),
        votes=_merged(one.votes, other.votes, max),
    )


def _merged(one: Mapping[K, V], other: Mapping[K, V], both: Callable[[V, V], V]) -> dict[K, V]:
    found = dict(one)
    for key, value in other.items():
        found[key] = both(found[key], value) if key in found else value
    return found


def cells_of_batch(
    batch: Batch, platforms: Collection[str], *, country: str, asn: int, prefix: str
) -> dict[CellKey, Cell]:
    """What a batch adds by the rules of this release, of the platforms that are counted. The only
    way from rounds to cells: what is stored on arrival and what is judged again later are the same."""
    found: dict[CellKey, Cell] = {}
    for rnd in batch.rounds:
        verdicts = [verdict for verdict in judge(rnd) if verdict.platform in platforms]
        for key, cell in cells_of(
            rnd, verdicts, country=country, asn=asn, prefix=prefix, probe=batch.probe
        ).items():
            found[key] = merge(found[key], cell) if key in found else cell
    return found


def cells_of(
    rnd: Round, verdicts: Iterable[Verdict], *, country: str, asn: int, prefix: str, probe: str
) -> dict[CellKey, Cell]:
    """What one round of a probe adds. `prefix` is the tag of its source prefix, not the prefix itself."""
    at = rnd.started_at.timestamp()
    speeds = compared(rnd)
    line = CellKey(int(at // 60), country, asn, CONNECTIVITY)
    by_platform: dict[str, list[Observation]] = {}
    for observation in rnd.observations:
        if _counts(observation):
            by_platform.setdefault(observation.target.partition("/")[0], []).append(observation)
    return {line: _line(rnd.gate.state, at, prefix, probe)} | {
        line._replace(platform=verdict.platform): _cell(
            verdict,
            by_platform.get(verdict.platform, []),
            {probe: Vote(at, verdict.status, prefix, speed=speeds.get(verdict.platform, ()))},
        )
        for verdict in verdicts
    }


def _line(gate: GateState, at: float, prefix: str, probe: str) -> Cell:
    votes = {}
    if gate is GateState.ONLINE:
        votes[probe] = Vote(at, Status.OK, prefix)
    elif gate in _CUT:
        votes[probe] = Vote(at, Status.UNREACHABLE, prefix, f"gate {gate.label}")
    return Cell(statuses={gate.label: 1}, votes=votes)


def _counts(observation: Observation) -> bool:
    """Whether it is a step as a person's program makes it. Questions about why one failed are made
    only where one did, and would count as so many more failures."""
    return (
        observation.phase is Phase.MAIN
        and observation.purpose in (Purpose.ENDPOINT, Purpose.TRANSFER)
        and (observation.stage in STEPS or not observation.stage.is_known)
    )


def _cell(verdict: Verdict, observations: Iterable[Observation], votes: Mapping[str, Vote]) -> Cell:
    results: Counter[tuple[str, str]] = Counter()
    timed: dict[str, list[float]] = {}
    for observation in observations:
        stage = observation.stage.label
        results[stage, observation.failure.label if observation.failure else ""] += 1
        # A failed stage's duration is its timeout, not a measurement: only successes are timed.
        if observation.failure is None:
            timed.setdefault(stage, []).append(observation.duration_s)
    return Cell(
        statuses={verdict.status.label: 1},
        mechanisms={finding.mechanism.label: 1 for finding in verdict.mechanisms},
        results=results,
        durations={stage: Histogram.of(durations_s) for stage, durations_s in timed.items()},
        votes={probe: _told(vote, verdict, results) for probe, vote in votes.items()}
        if verdict.status in VOTING
        else {},
    )


def _told(vote: Vote, verdict: Verdict, results: Mapping[tuple[str, str], int]) -> Vote:
    """The vote with how it failed, if it did."""
    if verdict.status not in FAILING:
        return vote
    broken = {key: times for key, times in results.items() if key[1]}
    stage, failure = max(broken, key=lambda key: (broken[key], key), default=("", ""))
    broke = HELD_BACK if verdict.status is Status.THROTTLED else f"{stage} {failure}".strip()
    proven = {finding.mechanism.label for finding in verdict.mechanisms if finding.level is Level.PROVEN}
    return vote._replace(broke=broke, proven=tuple(sorted(proven)))
