"""What a round costs this revision and an earlier one, side by side in the test lab: ``make bench``.

Both agents measure the same clean world with the same configuration, in turns (A B B A), so that what
else this machine does touches both alike; what counts is their ratio. Then this revision's agent meets
worlds in which all four platforms are interfered with, with the timeouts it is shipped with. Needs root.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.lab.network import Lab, missing, probe_config

from .report import Escalated, Long, Short, written

ROOT = Path(__file__).parent.parent
HERE = Path(__file__).parent
# The last revision before endpoints that fail are asked about, and speed is compared.
BASE = "9dd2b34"
# Processes that measure many rounds, of each revision, and how many rounds.
LONG, LONG_ROUNDS = 4, 10
# Some are a mechanism's plainest form, some what takes the most time or bytes that we know of.
ESCALATED = (
    ("sni_reset", ()),
    ("sni_drop", ()),
    ("sni_residual", ()),
    ("ip_drop", ()),
    ("ip_swallow", ()),
    ("dns_injection", ()),
    ("dns_timeout", ()),
    ("mitm_other_ca", ()),
    ("dns_tls_ip", ()),
    ("throttle_ip", ("--transfers",)),
    ("ipv6_broken", ()),
)


@dataclass(frozen=True, slots=True)
class Tree:
    """One revision's source."""

    folder: Path
    revision: str


def main() -> int:
    """0 once the report is written; 2 where the lab cannot be had."""
    arguments = _parser().parse_args()
    trouble = missing()
    if trouble:
        print(trouble, file=sys.stderr)
        return 2
    after = Tree(ROOT, _git("describe", "--always", "--dirty"))
    with (
        _checked_out(arguments.base) as before,
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        Lab(Path(folder)) as lab,
    ):
        _one_segment_a_packet(lab)
        short = _in_turns(lab, (before, after), arguments.rounds)
        long = _in_one_process(lab, (before, after))
        escalated = [_escalated(lab, after, name, flags) for name, flags in ESCALATED]
    text = written(before.revision, after.revision, short, long, escalated)
    arguments.out.write_text(text, encoding="utf-8")
    print(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.round_cost", description=__doc__)
    parser.add_argument("--base", default=BASE, metavar="REVISION", help="the earlier one (%(default)s)")
    parser.add_argument("--rounds", type=int, default=20, metavar="N", help="of each (default %(default)s)")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "costs.md", metavar="FILE")
    return parser


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@contextmanager
def _checked_out(revision: str) -> Iterator[Tree]:
    with tempfile.TemporaryDirectory(prefix="bench-base-") as parent:
        folder = Path(parent) / "tree"
        _git("worktree", "add", "--detach", str(folder), revision)
        try:
            yield Tree(folder, _git("rev-parse", "--short", revision))
        finally:
            _git("worktree", "remove", "--force", str(folder))


def _one_segment_a_packet(lab: Lab) -> None:
    """As a network card sends them: a virtual cable carries many at once and counts them as one."""
    for place, device in ((lab.home, "eth0"), (lab.internet, "transit"), (lab.domestic, "a")):
        place.ip(f"link set dev {device} gso_max_segs 1")


def _in_turns(lab: Lab, trees: Sequence[Tree], rounds: int) -> list[list[Short]]:
    """Each tree's rounds, a process each; the first of each only compiles and warms up."""
    lab.switch("clean")
    spent: list[list[Short]] = [[] for _ in trees]
    for number in range(rounds + 1):
        _say(f"clean round {number} of {rounds}")
        for index in _order(number):
            spent[index].append(_round(lab, trees[index])[0])
    return [one[1:] for one in spent]


def _in_one_process(lab: Lab, trees: Sequence[Tree]) -> list[list[Long]]:
    spent: list[list[Long]] = [[] for _ in trees]
    for number in range(LONG):
        _say(f"{LONG_ROUNDS} rounds in one process, {number + 1} of {LONG}")
        for index in _order(number):
            config = _config(lab, f"long-{index}-{number}")
            argv = (sys.executable, str(HERE / "rounds_in_one_process.py"), str(config), str(LONG_ROUNDS))
            found = json.loads(_run(lab, trees[index], argv))
            # The first round of a process imports and warms up.
            spent[index].append(Long(**{**found, "cpu_s": tuple(found["cpu_s"][1:])}))
    return spent


def _order(number: int) -> tuple[int, int]:
    return (0, 1) if number % 2 == 0 else (1, 0)


def _escalated(lab: Lab, tree: Tree, scenario: str, flags: Sequence[str]) -> Escalated:
    _say(f"{scenario} for all platforms")
    lab.switch(scenario)
    spent, document = _round(lab, tree, *flags)
    statuses = tuple(sorted({entry["status"] for entry in document["platforms"]}))
    return Escalated(" ".join((scenario, *flags)), statuses, spent)


def _round(lab: Lab, tree: Tree, *flags: str) -> tuple[Short, dict[str, Any]]:
    """One round with the real command, and what it wrote."""
    config, note = _config(lab, tree.revision), lab.folder / "spent.json"
    agent = (sys.executable, "-m", "probe", "run", "--json", "--no-upload", "--config", str(config), *flags)
    before = _carried(lab)
    document = json.loads(_run(lab, tree, (sys.executable, "-IS", str(HERE / "spend.py"), str(note), *agent)))
    carried = _carried(lab)
    spent = json.loads(note.read_text())
    if spent.pop("status"):
        raise RuntimeError(f"a round of {tree.revision} could not judge, in {lab.scenario.name}")
    short = Short(**spent, carried_kb=0, packets=0, observations=len(document["observations"]))
    carried_bytes, packets = (after - earlier for after, earlier in zip(carried, before, strict=True))
    return replace(short, carried_kb=carried_bytes / 1000, packets=packets), document


def _config(lab: Lab, state: str) -> Path:
    return probe_config(lab, lab.folder / state, shipped=True)


def _run(lab: Lab, tree: Tree, argv: Sequence[str]) -> str:
    """What a command writes that finds this tree's `probe` before any installed one, compiled once as an
    installed one is: else every start would pay for every line of source."""
    environ = {**os.environ, "PYTHONPATH": str(tree.folder)}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        lab.home.command(*argv), cwd=tree.folder, env=environ, stdout=subprocess.PIPE, text=True, check=False
    )
    if not done.stdout:
        raise RuntimeError(f"{' '.join(argv)} wrote nothing")
    return done.stdout


def _carried(lab: Lab) -> tuple[int, int]:
    """Bytes and packets over the home's cable so far, both ways, Ethernet's heads included."""
    (link,) = json.loads(lab.home.run("ip", "-json", "-stats", "link", "show", "eth0").stdout)
    ways = (link["stats64"]["rx"], link["stats64"]["tx"])
    return sum(way["bytes"] for way in ways), sum(way["packets"] for way in ways)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
