"""``python -m benchmarks.ingest``: load one core, write docs/ingest.md."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.freshness.cores import cores
from collector.store.sqlite import SqliteStore
from probe.wire.observation import Round
from tests.kills.collector import free_port

from .load import Load, most, steadily
from .report import written
from .rounds import ROUNDS, homes, posts, pushes

ROOT = Path(__file__).parent.parent.parent
OUT = ROOT / "docs" / "ingest.md"
SECONDS = 15.0
GUESS = 1500.0  # what is signed beforehand, in batches a second
GROUPS = 100
SERVED, LOADING = 0, 1  # the cores
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Run:
    """One kind of round. `cpu_s` is CPU a round by part, in seconds; `stored` bytes that a stored one takes,
    `packed` those that one came in; `pushed` is the Pushgateway's load with the same, None without one."""

    name: str
    observations: int
    plain: int
    packed: float
    most: Load
    half: Load
    cpu_s: Mapping[str, float]
    stored: float
    pushed: Load | None


def main() -> int:
    """0 once the report is written; 2 where there are not two cores."""
    arguments = _parser().parse_args()
    if len(os.sched_getaffinity(0)) < 2:
        print("two cores are needed: one serves, one sends", file=sys.stderr)
        return 2
    before = cores()
    os.sched_setaffinity(0, {LOADING})
    runs = [_run(name, rnd, arguments.seconds) for name, rnd in ROUNDS.items()]
    os.sched_setaffinity(0, {SERVED, LOADING})
    text = written(runs, (before, cores()))
    arguments.out.write_text(text, encoding="utf-8")
    print(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, metavar="S", help="of each load")
    parser.add_argument("--out", type=Path, default=OUT, metavar="FILE")
    return parser


def _run(name: str, rnd: Round, seconds: float) -> Run:
    people = homes()
    count = int(GUESS * seconds)
    requests = list(posts(rnd, people, 1, count))
    with tempfile.TemporaryDirectory(prefix="ingest-") as folder:
        store = SqliteStore.open(folder)
        store._db.execute("PRAGMA synchronous = OFF")
        for who in people:
            store.enrol(who.probe_id, who.public_key, time.time())
        store.close()
        with _collector(Path(folder)) as (process, port):
            used = _used(process.pid)
            size = _size(Path(folder))
            loaded = asyncio.run(most(port, iter(requests), seconds))
            cpu = {part: cpu_s - used[part] for part, cpu_s in _used(process.pid).items()}
            rate = loaded.taken / 2
            sent = sum(loaded.answers.values())
            later = list(posts(rnd, people, 1_000_000, int(rate * seconds)))
            half = asyncio.run(steadily(port, later, rate))
        batches = (loaded.taken + half.taken) * seconds
        stored = (_size(Path(folder)) - size) / max(1.0, batches)
    taken = max(1.0, loaded.taken * seconds)
    return Run(
        name=name,
        observations=len(rnd.observations),
        plain=len(requests[0]),
        packed=sum(map(len, requests[:sent])) / max(1, sent),
        most=loaded,
        half=half,
        cpu_s={part: cpu_s / taken for part, cpu_s in cpu.items()},
        stored=stored,
        pushed=_pushed(rnd, seconds),
    )


@contextmanager
def _on_one_core(*command: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        ["taskset", "-c", str(SERVED), *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environ},
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def _collector(folder: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    argv = (sys.executable, "-m", "collector", "serve", "--data-dir", str(folder))
    anywhere = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
    with _on_one_core(*argv, *anywhere) as process:
        found = re.search(r":(\d+)/", process.stdout.readline() if process.stdout else "")
        if not found:
            raise RuntimeError("the collector did not start")
        time.sleep(3)  # its first look at an empty store
        yield process, int(found[1])


def _pushed(rnd: Round, seconds: float) -> Load | None:
    """What Debian's Pushgateway takes on the same core, once each home's group is there."""
    if not shutil.which("prometheus-pushgateway"):
        return None
    port = free_port()
    with _on_one_core("prometheus-pushgateway", f"--web.listen-address=127.0.0.1:{port}"):
        for _ in range(100):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        first = list(pushes(rnd, GROUPS, GROUPS))
        asyncio.run(steadily(port, first, 20.0))
        return asyncio.run(most(port, pushes(rnd, GROUPS, 10**9), seconds))


def _used(pid: int) -> dict[str, float]:
    """CPU seconds so far by part: the event loop, the process's other threads, and the processes beside."""
    used = {"event loop": 0.0, "store and snapshots": 0.0, "judge": 0.0, "detector": 0.0}
    for task in Path(f"/proc/{pid}/task").iterdir():
        used["event loop" if int(task.name) == pid else "store and snapshots"] += _cpu_s(task)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if int(_fields(process)[1]) != pid:
                continue
            part = "judge" if b"judge" in (process / "cmdline").read_bytes() else "detector"
            used[part] += _cpu_s(process)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return used


def _cpu_s(place: Path) -> float:
    fields = _fields(place)
    return (int(fields[11]) + int(fields[12])) / TICKS


def _fields(place: Path) -> list[str]:
    """proc(5): after the name in brackets, the 2nd field is the parent, the 12th and 13th are the times."""
    return (place / "stat").read_text().rpartition(")")[2].split()


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


if __name__ == "__main__":
    sys.exit(main())
