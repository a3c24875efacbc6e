"""``python -m benchmarks.freshness``: prepare, drive a collector through the end of a round, write
docs/freshness.md."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from collector.store.base import Seen as Presence
from collector.store.sqlite import SqliteStore
from probe.wire.exchange import Presence as Word
from tests.nation.population import Probe
from tests.nation.world import World

from .cores import cores
from .crowd import INTERVAL_S, Request, a_world, crowd, history, marked, request
from .load import drive
from .report import Run, written
from .spent import spent, spent_between

ROOT = Path(__file__).parent.parent.parent
OUT = ROOT / "docs" / "freshness.md"
# Whole rounds before the one that ends in mid-run: enough for every probe to be armed.
PAST_ROUNDS = 15
# The run begins so long before a round ends: the detector folds that round while the load goes on.
BEFORE_S, STAY_S = 45.0, 8.0
MARKED_S = 0.5  # between two marked probes
GROWN_S = 8 * 86_400.0


@dataclass(frozen=True, slots=True)
class Plan:
    """`ends` is when the round ends that is folded meanwhile, in Unix seconds."""

    probes: list[Probe]
    marks: list[Probe]
    ends: float
    seconds: float

    @property
    def begins(self) -> float:
        """When the first request is sent, in Unix seconds."""
        return self.ends - BEFORE_S


def main() -> int:
    """0 once the report is written; 1 where the machine was too slow to be ready in time."""
    arguments = _parser().parse_args()
    runs = []
    for number, probes in enumerate(arguments.probes, 1):
        run = _run(arguments, number, probes)
        if run is None:
            return 1
        runs.append(run)
    text = written(runs)
    arguments.out.write_text(text, encoding="utf-8")
    print(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.freshness", description=__doc__)
    crowds = [100_000, 50_000]
    parser.add_argument("--probes", type=int, nargs="+", default=crowds, metavar="N", help="a run each")
    parser.add_argument("--seconds", type=float, default=120.0, metavar="S", help="of load (%(default)s)")
    parser.add_argument("--ready", type=float, default=420.0, metavar="S", help="to prepare (%(default)s)")
    parser.add_argument("--out", type=Path, default=OUT, metavar="FILE")
    parser.add_argument("--folder", metavar="DIR", help="for the store, instead of a temporary one's place")
    return parser


def _run(arguments: argparse.Namespace, number: int, probes: int) -> Run | None:
    ends = -(-(time.time() + arguments.ready + BEFORE_S) // INTERVAL_S) * INTERVAL_S
    count = int(arguments.seconds / MARKED_S)
    plan = Plan(crowd(probes), marked(count), ends, arguments.seconds)
    world = a_world([*plan.probes, *plan.marks])
    first = cores()
    with tempfile.TemporaryDirectory(prefix="freshness-", dir=arguments.folder) as folder:
        _say(f"run {number}: {len(plan.probes)} probes; the load begins in {plan.begins - time.time():.0f} s")
        _prepare(Path(folder), plan, world)
        with _collector(Path(folder)) as (process, main, metrics):
            requests = list(_requests(plan, world))
            _say(f"{len(requests)} requests signed; the detector catches up")
            if not asyncio.run(_has_caught_up(metrics, plan)):
                return None
            before = spent(process.pid)
            began = time.process_time()
            seen = asyncio.run(drive(main, metrics, requests, STAY_S))
            own_s, after = time.process_time() - began, spent(process.pid)
            queue = os.getloadavg()[0]
    return Run(
        probes=len(plan.probes), requests=len(requests), seconds=plan.seconds, seen=seen,
        collector=spent_between(before, after), own_s=own_s, queue=queue, cores=(first, cores()),
    )  # fmt: skip


def _prepare(folder: Path, plan: Plan, world: World) -> None:
    """The keys of everybody, who reports, and the cells of everything before the load begins."""
    store = SqliteStore.open(str(folder))
    try:
        # What is prepared need not outlive a power cut: 100 000 keys are as many transactions.
        store._db.execute("PRAGMA synchronous = OFF")
        for probe in (*plan.probes, *plan.marks):
            store.enrol(probe.probe_id, probe.identity.public_key, plan.ends - GROWN_S)
        _say("keys are there")
        first = plan.ends - (PAST_ROUNDS + 1) * INTERVAL_S
        store.replace_cells(int(first // 60), history(world, plan.probes, first, plan.begins))
        store.see(
            Presence(
                probe=one.probe_id, at=plan.begins, state=Word.ALIVE, country=one.country,
                asn=one.network.asn, prefix="",
            )
            for one in plan.probes
        )  # fmt: skip
        _say("history is there")
    finally:
        store.close()


def _requests(plan: Plan, world: World) -> Iterator[Request]:
    """Each probe's next round at its moment, and marked ones evenly among them."""
    found = []
    for probe in plan.probes:
        turn = (plan.begins - probe.phase_s) // INTERVAL_S + 1
        at = turn * INTERVAL_S + probe.phase_s
        while at < plan.begins + plan.seconds:
            found.append(request(world, probe, at, int(turn)))
            at, turn = at + INTERVAL_S, turn + 1
    for n, probe in enumerate(plan.marks):
        found.append(request(world, probe, plan.begins + n * MARKED_S, 1, with_heartbeat=True))
    return iter(sorted(found, key=lambda one: one.at))


@contextmanager
def _collector(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """The real command; its process, where it listens and where its metrics are."""
    nowhere = ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--data-dir", str(folder)]
    unlimited = {**os.environ, "REACHWATCH_API__REQUESTS_A_MINUTE": "0"}  # one address looks all the time
    process = subprocess.Popen(
        [sys.executable, "-m", "collector", "serve", *nowhere],
        cwd=ROOT, stdout=subprocess.PIPE, text=True, env=unlimited,
    )  # fmt: skip
    try:
        lines = [process.stdout.readline() for _ in range(2)] if process.stdout else []
        main, metrics = re.findall(r"http://([\d.]+:\d+)", "".join(lines))
        yield process, main, metrics
    finally:
        process.terminate()
        process.wait(60)


async def _has_caught_up(metrics: str, plan: Plan) -> bool:
    """Wait until the detector has folded all that is prepared, and then for the load to begin."""
    wanted = re.compile(r"(?m)^reachwatch_detector_lag_seconds (\S+)")
    async with aiohttp.ClientSession() as client:
        while time.time() < plan.begins:
            async with client.get(f"http://{metrics}/metrics") as response:
                found = wanted.search(await response.text())
            if found and float(found[1]) < INTERVAL_S + 60:
                _say(f"ready, {plan.begins - time.time():.0f} s early")
                await asyncio.sleep(max(0.0, plan.begins - 2 - time.time()))
                return True
            await asyncio.sleep(2)
    _say("not ready in time: --ready takes more seconds")
    return False


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
