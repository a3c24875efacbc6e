"""The real agent in every scenario, again and again: several labs side by side, one file a run.

Waiting is most of a round, so four labs keep two processors busy. Each run has addresses of its own;
the platforms come in another order each time, and in every other run only half of them are touched,
so that blocking some is seen to accuse no others. How fast things come is asked in every run.

    python -m tests.lab.campaign FOLDER [SCENARIO…]

The files are `Measured` records; ``python -m tests.lab.report FOLDER`` makes docs/lab-report.md of them.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import queue
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.process import BaseProcess
from pathlib import Path

from probe.config import load, load_platforms
from probe.wire.codec import encode
from probe.wire.observation import Round

from .measured import Measured, is_recomputed, round_of
from .namespace import Namespace
from .network import Lab, missing, probe_config
from .scenarios import SCENARIOS, Scenario
from .world import ISPS, PLATFORMS

RUNS, LABS = 5, 4
ROOT = Path(__file__).parent.parent.parent
# A round's own deadline is 60 s; the rest is for a machine with other work.
PATIENCE_S = 150
_COUNTERS = [f"/sys/class/net/eth0/statistics/{way}_bytes" for way in ("rx", "tx")]


@dataclass(frozen=True, slots=True)
class Task:
    """One run to make. `platforms` are measured in this order, `touched` are those of them that the
    scenario is applied to."""

    scenario: str
    number: int
    platforms: tuple[str, ...]
    touched: tuple[str, ...]
    dialled: str = "a"

    @property
    def name(self) -> str:
        """What its file is called."""
        return f"{self.scenario}-{self.number}-{self.dialled}.json"


@dataclass(frozen=True, slots=True)
class Made:
    """When a campaign was made, and of what; a line in its folder."""

    date: str
    commit: str

    @classmethod
    def read(cls, folder: Path) -> Made:
        """What the folder's campaign was."""
        return cls(*(folder / "made").read_text().split(maxsplit=1))

    def write(self, folder: Path) -> None:
        """Say it there."""
        (folder / "made").write_text(f"{self.date} {self.commit}")


def commit() -> str:
    """What the agent and the lab are, now."""

    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, check=True).stdout

    changed = " with changes" if git("status", "--porcelain", "probe", "tests/lab") else ""
    return git("rev-parse", "--short", "HEAD").strip() + changed


def tasks(scenarios: Iterable[Scenario], runs: int, rng: random.Random) -> list[Task]:
    """Every run of a campaign, in any order, so that no scenario always follows the same other."""
    found = [task for scenario in scenarios for task in _of(scenario, runs, rng)]
    rng.shuffle(found)
    return found


def _of(scenario: Scenario, runs: int, rng: random.Random) -> Iterator[Task]:
    halves = _halves(rng.sample(scenario.only, len(scenario.only)))
    for number in range(1, runs + 1):
        whole = number % 2 and not scenario.is_crowded
        touched = scenario.only if whole else halves[(number if scenario.is_crowded else number // 2) % 2]
        for line in ISPS if len(scenario.isps) < len(ISPS) else rng.sample(tuple(ISPS), 1):
            order = tuple(rng.sample(tuple(PLATFORMS), len(PLATFORMS)))
            yield Task(scenario.name, number, order, tuple(rng.sample(touched, len(touched))), line)


def _halves(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Two halves; both the whole where that cannot be divided."""
    half = len(names) // 2
    return (tuple(names[:half]), tuple(names[half:])) if half else (tuple(names), tuple(names))


def measure(lab: Lab, task: Task, state: Path) -> Measured:
    """Make one run. Whatever goes wrong is said in it."""
    lab.dial(task.dialled)
    lab.switch(task.scenario, task.touched)
    lab.shuffle(task.number)
    config = probe_config(lab, state)
    peers = lab.scenario.truth.is_untellable
    elsewhere = _start(lab, probe_config(lab, state / "abroad", vantage="abroad"), task) if peers else None
    began = _bytes(lab.home)
    home = _start(lab, config, task, at_home=True)
    measured, trouble = _finish(home, config, task)
    abroad, more_trouble = _finish(elsewhere, config, task) if elsewhere else (None, "")
    return Measured(
        scenario=task.scenario,
        number=task.number,
        dialled=task.dialled,
        touched=task.touched,
        bytes=_bytes(lab.home) - began,
        round=measured,
        abroad=abroad,
        trouble=trouble or more_trouble,
    )


def _start(lab: Lab, config: Path, task: Task, *, at_home: bool = False) -> subprocess.Popen[str]:
    chosen = [word for name in task.platforms for word in ("--platform", name)]
    words = ("run", "--json", "--no-upload", "--transfers", "--config", str(config), *chosen)
    place = lab.home if at_home else lab.abroad
    return subprocess.Popen(
        place.command(*lab.agent_command(*words)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _finish(agent: subprocess.Popen[str], config: Path, task: Task) -> tuple[Round | None, str]:
    """The agent's round, and what was wrong with it."""
    try:
        out, said = agent.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        agent.kill()
        out, said = agent.communicate()
        return None, f"no end after {PATIENCE_S} s: {said[-300:]}"
    if agent.returncode not in (0, 3) or not out:
        return None, f"status {agent.returncode}: {said[-300:]}"
    document = json.loads(out)
    settings = load(config, {"platforms": task.platforms}, {})
    found = round_of(document, load_platforms(settings))
    return found, "" if is_recomputed(document, found) else "judged again, it says something else"


def _bytes(home: Namespace) -> int:
    return sum(map(int, home.run("cat", *_COUNTERS).stdout.split()))


def carry_out(wanted: Iterable[Task], labs: int) -> Iterator[tuple[Task, Measured]]:
    """Make the runs in so many labs; each is yielded as it is done, in any order. A lab that fails
    ends the whole: a campaign that lacks runs is none."""
    todo: multiprocessing.Queue[Task | None] = multiprocessing.Queue()
    done: multiprocessing.Queue[tuple[Task, Measured]] = multiprocessing.Queue()
    chosen = list(wanted)
    workers = [multiprocessing.Process(target=_work, args=(todo, done)) for _ in range(labs)]
    for task in (*chosen, *(None for _ in workers)):
        todo.put(task)
    for worker in workers:
        worker.start()
    try:
        for _ in chosen:
            yield _next(done, workers)
    except BaseException:
        for worker in workers:
            worker.terminate()
        raise
    finally:
        for worker in workers:
            worker.join()


def _next(
    done: multiprocessing.Queue[tuple[Task, Measured]], workers: Sequence[BaseProcess]
) -> tuple[Task, Measured]:
    while True:
        try:
            return done.get(timeout=5)
        except queue.Empty:
            if any(worker.exitcode for worker in workers):
                raise RuntimeError("a lab has failed; its words are above") from None


def _work(
    todo: multiprocessing.Queue[Task | None], done: multiprocessing.Queue[tuple[Task, Measured]]
) -> None:
    """One lab, until there is nothing left to do."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the lab is taken down all the same
    with tempfile.TemporaryDirectory(prefix="lab-") as folder, Lab(Path(folder)) as lab:
        while (task := todo.get()) is not None:
            done.put((task, measure(lab, task, Path(folder) / "probe")))


def main() -> int:
    """0 once every run is in the folder; 2 if what was asked for is not there."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.campaign", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("scenario", nargs="*", help="all if none is named")
    parser.add_argument("--runs", type=int, default=RUNS, help="of each scenario")
    parser.add_argument("--labs", type=int, default=LABS, help="side by side")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.scenario if name not in SCENARIOS]
    trouble = f"no scenario {unknown[0]!r}" if unknown else missing()
    if trouble:
        print(trouble, file=sys.stderr)
        return 2
    chosen = [SCENARIOS[name] for name in arguments.scenario or SCENARIOS]
    wanted = tasks(chosen, arguments.runs, random.Random(1))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the labs are taken down all the same
    arguments.folder.mkdir(parents=True, exist_ok=True)
    Made(f"{datetime.now(UTC):%Y-%m-%d}", commit()).write(arguments.folder)
    for count, (task, measured) in enumerate(carry_out(wanted, arguments.labs), 1):
        (arguments.folder / task.name).write_bytes(encode(measured))
        print(f"{count}/{len(wanted)} {task.name} {measured.trouble}", file=sys.stderr, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
