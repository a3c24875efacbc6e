"""What was measured, as docs/ingest.md says it. PURE but for the day and the machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from benchmarks.freshness.cores import Cores

if TYPE_CHECKING:
    from .__main__ import Run

WANTED, WANTED_S, WANTED_STORED = 1000, 0.1, 1.2


def written(runs: Sequence[Run], found: tuple[Cores, Cores]) -> str:
    """The report."""
    alone = ", ".join(f"{one.alone:.0f}" for one in found)
    head = f"""# What one core takes

Written by `make bench-ingest` on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, Linux \
{platform.release()}, Python {platform.python_version()}. One core verified {alone} signatures of 6 KB a \
second, before and after.
The whole collector, with its judge and its detector, has one core; the load has the other. Each batch is one
round, signed with its home's key, over connections that stay open, and has its receipt once it is stored
durably. Beside it, on the same core, Debian's Pushgateway is given the same round's stages as series, over as
many connections; what it takes is kept in memory alone.

| | {" | ".join(run.name for run in runs)} | wanted |
|---|{"---|" * len(runs)}---|
"""
    rows = (
        ("observations a round", [f"{run.observations}" for run in runs], ""),
        ("compressed, with its head, KB", [f"{run.packed / 1000:.1f}" for run in runs], ""),
        ("rounds a second", [f"{run.most.taken:.0f}" for run in runs], f"≥ {WANTED}"),
        ("p50 at half of that, ms", [f"{run.half.quantile(0.5) * 1000:.0f}" for run in runs], ""),
        (
            "p99 at half of that, ms",
            [f"{run.half.quantile(0.99) * 1000:.0f}" for run in runs],
            f"≤ {WANTED_S * 1000:.0f}",
        ),
        *(
            (f"CPU a round: {part}, ms", [f"{run.cpu_s[part] * 1000:.2f}" for run in runs], "")
            for part in runs[0].cpu_s
        ),
        (
            "stored bytes a round ÷ its compressed size",
            [f"{run.stored / run.packed:.2f}" for run in runs],
            f"≤ {WANTED_STORED} and cells",
        ),
        ("the Pushgateway: pushes a second", [_pushed(run) for run in runs], ""),
        ("rounds taken ÷ its pushes", [_ratio(run) for run in runs], ""),
        ("answers", [_answers(run) for run in runs], ""),
    )
    return head + "".join(f"| {name} | {' | '.join(cells)} | {wanted} |\n" for name, cells, wanted in rows)


def _pushed(run: Run) -> str:
    return f"{run.pushed.taken:.0f}" if run.pushed else "not installed"


def _ratio(run: Run) -> str:
    return f"{run.most.taken / run.pushed.taken:.1f}" if run.pushed and run.pushed.taken else ""


def _answers(run: Run) -> str:
    counted = run.most.answers + run.half.answers
    return ", ".join(f"{count} {status}" for status, count in counted.most_common())
