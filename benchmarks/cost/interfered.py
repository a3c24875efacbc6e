"""One round in a world in which all four platforms are interfered with, with the timeouts, platforms and
objects the agent is shipped with: the limits of a round are kept there, too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab.network import Lab, probe_config

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
# Some are a mechanism's plainest form, some what takes the most time or bytes that we know of; the first
# is nothing at all, to compare with.
SCENARIOS: Sequence[tuple[str, tuple[str, ...]]] = (
    ("clean", ()),
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
class Met:
    """What one round said and spent. The line's are both ways, Ethernet's heads included."""

    scenario: str
    statuses: tuple[str, ...]
    wall_s: float
    cpu_s: float
    carried_kb: float
    packets: int
    observations: int


def met(lab: Lab, scenario: str, flags: Sequence[str]) -> Met:
    """One round with the real command."""
    print(f"{scenario} for all platforms", file=sys.stderr, flush=True)
    _one_segment_a_packet(lab)
    lab.switch(scenario)
    config, note = probe_config(lab, lab.folder / "agent", shipped=True), lab.folder / "spent.json"
    agent = (sys.executable, "-m", "probe", "run", "--json", "--no-upload", "--config", str(config), *flags)
    before = _carried(lab)
    document = json.loads(_run(lab, (sys.executable, "-IS", str(HERE / "spend.py"), str(note), *agent)))
    carried_bytes, packets = (now - then for now, then in zip(_carried(lab), before, strict=True))
    spent = json.loads(note.read_text())
    if spent["status"]:
        raise RuntimeError(f"a round could not judge, in {scenario}")
    return Met(
        scenario=" ".join((scenario, *flags)),
        statuses=tuple(sorted({entry["status"] for entry in document["platforms"]})),
        wall_s=spent["wall_s"],
        cpu_s=spent["cpu_s"],
        carried_kb=carried_bytes / 1000,
        packets=packets,
        observations=len(document["observations"]),
    )


def _one_segment_a_packet(lab: Lab) -> None:
    """As a network card sends them: a virtual cable carries many at once and counts them as one."""
    for place, device in ((lab.home, "eth0"), (lab.internet, "transit"), (lab.domestic, "a")):
        place.ip(f"link set dev {device} gso_max_segs 1")


def _run(lab: Lab, argv: Sequence[str]) -> str:
    """What a command writes, compiled once as an installed one is: else every start would pay for every
    line of source."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        lab.home.command(*argv), cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True, check=False
    )
    if not done.stdout:
        raise RuntimeError(f"{' '.join(argv)} wrote nothing")
    return done.stdout


def _carried(lab: Lab) -> tuple[int, int]:
    """Bytes and packets over the home's cable so far."""
    (link,) = json.loads(lab.home.run("ip", "-json", "-stats", "link", "show", "eth0").stdout)
    ways = (link["stats64"]["rx"], link["stats64"]["tx"])
    return sum(way["bytes"] for way in ways), sum(way["packets"] for way in ways)
