"""What was measured, as docs/freshness.md says it. PURE but for the day and the machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import quantiles

from .cores import Cores
from .load import LOOK_S, PLACES, Seen
from .spent import Spent

TARGET_S = 5.0
_NAMES = {"page": "`/`", "api": "`/api/v1/state`", "metrics": "`/metrics`"}


@dataclass(frozen=True, slots=True)
class Run:
    """One run of so many `seconds` of load. `own_s` is the CPU that the load itself took, in seconds;
    `queue` how many of everybody's tasks this machine was running on average in its last minute; `cores`
    what its cores could do before and after."""

    probes: int
    requests: int
    seconds: float
    seen: Seen
    collector: Spent
    own_s: float
    queue: float
    cores: tuple[Cores, Cores]


def written(runs: Sequence[Run]) -> str:
    """The report."""
    head = f"""# How fresh page, API and metrics are

Written by `make bench-fresh` on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, Linux \
{platform.release()}, Python {platform.python_version()}.
Enrolled probes measure every five minutes, and send a batch each over HTTP, signed, from an address and over
a connection of its own. In mid-run a round ends, and the detector folds it. Delays run from a batch's sending
to the answer in which it first shows; each place is asked every {LOOK_S} s. The load comes from the same
cores.

Not in it: heartbeats, of which so many probes would send five for each batch. And a batch here is 6 KB of
JSON, as the simulated nation's are (one role of a platform, one family). What the agent measured of two
platforms in the lab (`tests/golden/clean.json.gz`) is 77 KB, and takes five times as long to decode and
judge.
"""
    return "\n".join((head, *(_one(number, run) for number, run in enumerate(runs, 1))))


def _one(number: int, run: Run) -> str:
    seen, used = run.seen, run.collector
    rows = [_row(_NAMES[place], seen.delays(place), len(seen.received)) for place in PLACES]
    looks = [_row(f"an answer of {_NAMES[place]}", seen.looks[place]) for place in PLACES]
    threads = ", ".join(f"{cpu_s / run.seconds:.2f}" for cpu_s in used.cpu_s.values() if cpu_s > 0.5)
    before, after = (f"{one.alone:.0f} ({one.together:.0f})" for one in run.cores)
    return f"""## Run {number}: {run.probes} probes

{run.requests / run.seconds:.0f} batches a second for {run.seconds:.0f} s. One core of this machine, alone \
(and all of them at once), verified {before} signatures of such batches a second before, {after} after.

| from a batch to | p50, s | p99, s | most, s | of | p99 ≤ {TARGET_S:.0f} s |
|---|---|---|---|---|---|
{_row("its receipt", seen.took)}
{chr(10).join(rows)}
{chr(10).join(looks)}

Answers: {", ".join(f"{count} {answer}" for answer, count in seen.answers.most_common())}. \
The load was {seen.behind_s:.1f} s late at most and took {run.own_s / run.seconds:.2f} of a core.
The collector used {sum(used.cpu_s.values()) / run.seconds:.2f} cores (three processes, by thread {threads}) \
and {used.resident_mib:.0f} MiB, {used.most_mib:.0f} MiB at most. Its threads were ready for \
{used.waited_s / run.seconds:.2f} s of each second without a core to run on; the machine's load was \
{run.queue:.1f}.
"""


def _row(name: str, delays: Sequence[float], wanted: int = 0) -> str:
    """What never showed counts as slower than all that did."""
    missing = max(0, wanted - len(delays))
    ordered = sorted([*delays, *[float("inf")] * missing])
    if len(ordered) < 2:
        return f"| {name} | | | | {len(ordered)} | |"
    p99 = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    p50 = quantiles(ordered, n=2)[0]
    verdict = ("yes" if p99 <= TARGET_S else "**no**") if wanted else ""
    return f"| {name} | {p50:.2f} | {p99:.2f} | {ordered[-1]:.2f} | {len(ordered)} | {verdict} |"
