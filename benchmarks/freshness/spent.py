"""What a process has used and what it had to wait for, as Linux tells it: CPU by thread, memory."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU in seconds by thread; seconds that its threads were ready and no core was free; resident memory
    now and at most, in MiB."""

    cpu_s: Mapping[int, float]
    waited_s: float
    resident_mib: float
    most_mib: float


def spent(pid: int) -> Spent:
    """Of a process that runs. The first thread is the event loop's."""
    cpu, waited_ns = {}, 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        # proc(5): after the name in brackets, the 12th and 13th fields are user and system time.
        fields = (task / "stat").read_text().rpartition(")")[2].split()
        cpu[int(task.name)] = (int(fields[11]) + int(fields[12])) / _TICKS
        waited_ns += int((task / "schedstat").read_text().split()[1])
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    now, most = (int(status[key].split()[0]) / 1024 for key in ("VmRSS", "VmHWM"))
    return Spent(cpu, waited_ns / 1e9, now, most)


def spent_between(before: Spent, after: Spent) -> Spent:
    """What was used meanwhile, the busiest thread first; memory as it is at the end."""
    used = {thread: cpu_s - before.cpu_s.get(thread, 0.0) for thread, cpu_s in after.cpu_s.items()}
    ordered = dict(sorted(used.items(), key=lambda item: -item[1]))
    return Spent(ordered, after.waited_s - before.waited_s, after.resident_mib, after.most_mib)
