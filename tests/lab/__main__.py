"""The lab by hand: set up, switched, and a shell in the home with the agent ready.

python -m tests.lab [SCENARIO] [--platforms x,youtube] [--isps a] [--dial b]
"""

from __future__ import annotations

import argparse
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from . import world
from .network import Lab, missing, probe_config
from .scenarios import SCENARIOS
from .world import ISPS, PLATFORMS

ROOT = Path(__file__).parent.parent.parent


def main() -> int:
    """0 once the shell has been left; 2 if what was asked for is not there."""
    arguments = _parser().parse_args()
    trouble = _trouble(arguments) or missing()
    if trouble:
        print(trouble, file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))  # so that the lab is taken down all the same
    with tempfile.TemporaryDirectory(prefix="lab-") as folder, Lab(Path(folder)) as lab:
        lab.dial(arguments.dial)
        lab.switch(arguments.scenario, arguments.platforms, arguments.isps)
        print(_guide(lab))
        rc = Path(folder) / "bashrc"
        rc.write_text(_rc(lab, probe_config(lab, Path(folder) / "probe")))
        subprocess.run(lab.home.command("bash", "--rcfile", str(rc), "-i"), check=False, cwd=ROOT)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description="A country in a box.")
    parser.add_argument("scenario", nargs="?", default="clean", help="one of tests/lab/scenarios.py")
    parser.add_argument("--platforms", type=_names, metavar="NAME,…", help="only these are touched")
    parser.add_argument("--isps", type=_names, metavar="NAME,…", help="only at these providers")
    parser.add_argument("--dial", default="a", metavar="NAME", help="whose customer the home is")
    return parser


def _names(text: str) -> list[str]:
    return text.split(",")


def _trouble(arguments: argparse.Namespace) -> str | None:
    """What was asked for and is not there, in one line."""
    asked = (
        ("scenario", [arguments.scenario], SCENARIOS),
        ("platform", arguments.platforms or [], PLATFORMS),
        ("provider", [arguments.dial, *(arguments.isps or [])], ISPS),
    )
    for kind, names, known in asked:
        for name in names:
            if name not in known:
                return f"no {kind} {name!r}; there are: {' '.join(known)}"
    return None


def _guide(lab: Lab) -> str:
    scenario, target = lab.scenario, lab.target
    truth = "interfered with" if scenario.truth.interfered else "not interfered with"
    statuses = " or ".join(sorted(status.value for status in scenario.truth.statuses))
    effects = "\n             ".join(map(str, scenario.effects)) or "none"
    return (
        f"scenario     {scenario.name} {scenario.notes}\n"
        f"effects      {effects}\n"
        f"touched      {', '.join(p.name for p in target.platforms)} at provider "
        f"{', '.join(i.name for i in target.isps)}: {truth}, an honest verdict is {statuses}\n"
        f"home         {world.HOME} behind {world.ROUTER}, dialled provider {lab.dialled.name}, "
        f"resolver {lab.dialled.resolver[0]}\n"
        f"abroad       ip netns exec {lab.abroad.name} …, no censor in between\n"
        f"public DNS   {world.QUAD9} {world.GOOGLE_DNS}, over HTTPS {world.DOH[0]}\n"
        f"to try       reachwatch-probe run; curl -v https://x.com/; dig x.com; hops 9.9.9.9\n"
        "Leaving the shell takes everything down."
    )


def _rc(lab: Lab, config: Path) -> str:
    agent = shlex.join(lab.agent_command())
    python, root = shlex.quote(sys.executable), shlex.quote(str(ROOT))
    return (
        f"PS1='[lab {lab.scenario.name}, home] \\w # '\n"
        f"export PYTHONPATH={root} SSL_CERT_FILE={lab.ca_file} CURL_CA_BUNDLE={lab.ca_file}\n"
        f'reachwatch-probe() {{ {agent} "$@" --config {config}; }}\n'
        f'hops() {{ {python} -m tests.lab.hops "$@"; }}\n'
        f'watch() {{ {python} -m tests.lab.watch "${{1:-eth0}}"; }}\n'
    )


if __name__ == "__main__":
    sys.exit(main())
