"""Who makes a round: the agent and Debian's blackbox exporter, each in a process of its own that makes one
when told to, and what that process spent on it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import world
from tests.lab.namespace import wait_for
from tests.lab.network import UP_WITHIN_S

from .line import CONTROLS, DOH, PLATFORM, PORTAL, RESOLVER, Line

HERE = Path(__file__).parent
# Who they are, as the report calls them.
AGENT, BESIDE, HTTP, STAGES = "agent", "beside", "http", "stages"
# In a namespace of their own nobody else has them.
FIRST_PORT = 9115
# The last FINs of a round are its own.
SETTLED_S = 0.15
# The exporter's own limit, above what any probe here takes.
_TIMEOUT_S = 5


@dataclass(frozen=True, slots=True)
class Spent:
    """What one round took. `endpoints_s` is the part of the endpoints alone, `tls_s` are the handshakes."""

    wall_s: float
    endpoints_s: float
    cpu_s: float
    carried_kb: float
    resident_mib: float
    tls_s: Sequence[float]


class Rival:
    """One of them. `measured` is whose costs count, `told` the process that makes it make a round."""

    def __init__(self, line: Line, told: subprocess.Popen[str], measured_pid: int, order: str = "") -> None:
        self._line, self._told, self._pid, self._order = line, told, measured_pid, order

    def round(self) -> Spent:
        """One round, now."""
        cpu_s, carried = _cpu_s(self._pid), self._line.carried_bytes()
        answer = self._ask(self._order)
        time.sleep(SETTLED_S)
        return Spent(
            wall_s=answer["wall_s"],
            endpoints_s=answer["endpoints_s"],
            cpu_s=_cpu_s(self._pid) - cpu_s,
            carried_kb=(self._line.carried_bytes() - carried) / 1000,
            resident_mib=_resident_mib(self._pid),
            tls_s=answer["tls_s"],
        )

    def pushed_bytes(self) -> int:
        """What the agent sends of one more round, compressed."""
        return int(self._ask("weigh")["pushed_bytes"])

    def _ask(self, order: str) -> dict[str, Any]:
        if self._told.stdin is None or self._told.stdout is None:
            raise TypeError("a process without pipes")
        self._told.stdin.write(f"{order}\n")
        self._told.stdin.flush()
        answer = self._told.stdout.readline()
        if not answer:
            raise RuntimeError("a round failed; what it said stands above")
        return dict(json.loads(answer))


def agent(line: Line, endpoints: Sequence[str], name: str) -> Rival:
    """Our agent, measuring these endpoints of one platform, with its gate around them."""
    process = line.asked_at_home(str(HERE / "agent.py"), str(_agent_config(line, endpoints, name)))
    return Rival(line, process, process.pid)


def exporter(line: Line, kinds: Sequence[str], hosts: Sequence[str]) -> Rival:
    """A blackbox exporter that is asked for every kind of probe of every host at once."""
    config, port = line.folder / "blackbox.yml", FIRST_PORT + len(kinds)
    config.write_text(_modules(line, hosts))
    listen = f"--web.listen-address=127.0.0.1:{port}"
    words = ("prometheus-blackbox-exporter", f"--config.file={config}", listen)
    process = line.at_home(*words)
    wait_for("the blackbox exporter", _home_curl(line, port), time.monotonic() + UP_WITHIN_S)
    urls = [f"http://127.0.0.1:{port}/probe?{_query(kind, host)}" for host in hosts for kind in kinds]
    return Rival(line, line.asked_at_home(str(HERE / "scraper.py")), process.pid, json.dumps(urls))


def _home_curl(line: Line, port: int) -> list[str]:
    return line.home.command("curl", "-fsSo", "/dev/null", f"http://127.0.0.1:{port}/-/healthy")


def _query(kind: str, host: str) -> str:
    targets = {
        "dns": (f"dns_{host}", RESOLVER),
        "tcp": ("tcp", f"{host}:443"),
        "tls": ("tls", f"{host}:443"),
        "http": ("http", f"https://{host}/generate_204"),
    }
    module, target = targets[kind]
    return f"module={module}&target={target}"


def _modules(line: Line, hosts: Sequence[str]) -> str:
    """The exporter's configuration; JSON is YAML."""
    four: Mapping[str, object] = {"preferred_ip_protocol": "ip4", "ip_protocol_fallback": False}
    tls = {"ca_file": str(line.ca_file)}
    timeout = f"{_TIMEOUT_S}s"
    http = {**four, "valid_status_codes": [200, 204], "tls_config": tls}
    modules: dict[str, object] = {
        "tcp": {"prober": "tcp", "timeout": timeout, "tcp": four},
        "tls": {"prober": "tcp", "timeout": timeout, "tcp": {**four, "tls": True, "tls_config": tls}},
        "http": {"prober": "http", "timeout": timeout, "http": http},
    }
    for host in hosts:
        question = {**four, "query_name": host, "query_type": "A"}
        modules[f"dns_{host}"] = {"prober": "dns", "timeout": timeout, "dns": question}
    return json.dumps({"modules": modules})


def _agent_config(line: Line, endpoints: Sequence[str], name: str) -> Path:
    state = line.folder / name
    state.mkdir()
    (state / f"{PLATFORM}.toml").write_text(
        f'name = "{PLATFORM}"\ntitle = "X"\nhosts = ["x.com"]\n'
        + "".join(
            f'[[role]]\nname = "{host.partition(".")[0]}"\nurls = ["https://{host}/generate_204"]\n'
            for host in endpoints
        )
    )
    controls = json.dumps([f"https://{host}/generate_204" for host in CONTROLS])
    path = state / "probe.toml"
    path.write_text(
        f'consent = "yes"\nstate_dir = "{state}"\nplatforms = ["{PLATFORM}"]\nplatform_dir = "{state}"\n'
        f'[collector]\nurls = ["http://{world.COLLECTOR}:8460"]\n'
        f'[resolvers]\nsystem = ["{RESOLVER}"]\n'
        f'doh_url = "https://{world.DOH_NAME}/dns-query"\ndoh_addresses = ["{DOH}"]\n'
        f'[controls]\nforeign = {controls}\nportal_url = "http://{PORTAL}/success.txt"\n'
        f'[tls]\nca_file = "{line.ca_file}"\n'
    )
    return path


def _cpu_s(pid: int) -> float:
    """All its threads', to the nanosecond (clock_getcpuclockid(3): the clock of another process)."""
    return time.clock_gettime((~pid << 3) | 2)


def _resident_mib(pid: int) -> float:
    """Now, not at the most (proc_pid_status(5))."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))
