"""What a process and those beside it have used and had to wait for, as Linux tells it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
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
    """Of a process that runs, and of its children."""
    cpu, waited_ns, memory = dict[int, float](), 0, Counter[str]()
    for process in _family(pid):
        for task in (process / "task").iterdir():
            fields = _fields(task)
            cpu[int(task.name)] = (int(fields[11]) + int(fields[12])) / _TICKS
            waited_ns += int((task / "schedstat").read_text().split()[1])
        for line in (process / "status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in ("VmRSS", "VmHWM"):
                memory[name] += int(value.split()[0])
    return Spent(cpu, waited_ns / 1e9, memory["VmRSS"] / 1024, memory["VmHWM"] / 1024)


def _family(pid: int) -> Iterator[Path]:
    yield Path(f"/proc/{pid}")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if int(_fields(process)[1]) == pid:
                yield process
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile


def _fields(process: Path) -> list[str]:
    """proc(5): after the name in brackets, the 2nd field is the parent, the 12th and 13th are user and
    system time."""
    return (process / "stat").read_text().rpartition(")")[2].split()


def spent_between(before: Spent, after: Spent) -> Spent:
    """What was used meanwhile, the busiest thread first; memory as it is at the end."""
    used = {thread: cpu_s - before.cpu_s.get(thread, 0.0) for thread, cpu_s in after.cpu_s.items()}
    ordered = dict(sorted(used.items(), key=lambda item: -item[1]))
    return Spent(ordered, after.waited_s - before.waited_s, after.resident_mib, after.most_mib)
