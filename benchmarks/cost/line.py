"""A home at the end of a line of 50 ms, there and back, and at its other end all that a round asks: a
resolver, a trusted one over HTTPS, unrelated sites, a platform's endpoints and a collector.

Real programs (dnsmasq, nginx, our collector), IPv4 alone, one address for each site. Needs root.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.cost.delay import ONE_WAY_S
from tests.authority import Authority
from tests.lab import world
from tests.lab.names import DOH_PORT, write_zone
from tests.lab.namespace import PREFIX, Namespace, python, sweep, wait_for
from tests.lab.network import DIG, UP_WITHIN_S, missing
from tests.lab.servers import nginx

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
ROUND_TRIP_S = 2 * ONE_WAY_S
HOME, AWAY = "39.32.10.2", "39.32.10.1"
RESOLVER, DOH = "203.99.163.240", world.DOH[0]
PLATFORM = "x"
ENDPOINTS = tuple(f"a{number:02}.x.com" for number in range(1, 17))
CONTROLS = world.CONTROLS[:3]
PORTAL = world.PORTAL.hosts[0]
# Each site's address: of the platform's network, of the first controls' and the portal's own.
ADDRESSES = {host: f"104.244.42.{number}" for number, host in enumerate(ENDPOINTS, 1)} | {
    host: world.addresses(owner, host, 4)[0]
    for owner in (*world.FOREIGN[: len(CONTROLS)], world.PORTAL)
    for host in owner.hosts
}
NEEDED = {"prometheus-blackbox-exporter": "prometheus-blackbox-exporter"}


def lacking() -> str | None:
    """Why this cannot be had on this machine, or None."""
    packages = [package for tool, package in NEEDED.items() if shutil.which(tool) is None]
    return missing() or (f"the benchmark needs Debian's {' '.join(packages)}" if packages else None)


class Line:
    """The whole, set up when entered and gone when left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home, self.away = (Namespace(f"{PREFIX}{os.getpid()}-{name}") for name in ("home", "away"))
        self.ca_file = folder / "ca.pem"
        self._running: list[subprocess.Popen[bytes]] = []
        self._asked: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Line:
        sweep()
        try:
            self._lay()
            self._serve()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for asked in self._asked:
            asked.kill()
            asked.wait()
        for process in self._running:
            process.kill()
            process.wait()
        for place in (self.home, self.away):
            place.delete()

    def carried_bytes(self) -> int:
        """What the line has carried so far, both ways, with the heads of IP."""
        (link,) = json.loads(self.home.run("ip", "-json", "-stats", "link", "show", "line").stdout)
        return int(link["stats64"]["rx"]["bytes"] + link["stats64"]["tx"]["bytes"])

    @property
    def environ(self) -> dict[str, str]:
        """What our own programs run with: compiled once, as an installed agent is."""
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        return environ

    def at_home(self, *argv: str) -> subprocess.Popen[bytes]:
        """Start a program in the home; it ends with the line."""
        self._running.append(self.home.popen(*argv, log=self.folder / "home.log"))
        return self._running[-1]

    def asked_at_home(self, *argv: str) -> subprocess.Popen[str]:
        """Start one of our own programs in the home, that is asked on standard input."""
        process = subprocess.Popen(
            self.home.command(sys.executable, *argv),
            cwd=ROOT, env=self.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._asked.append(process)
        return process

    def _lay(self) -> None:
        for place in (self.home, self.away):
            place.create()
        forwarder = subprocess.Popen(
            [sys.executable, "-IS", str(HERE / "delay.py"), self.home.name, self.away.name],
            stdout=subprocess.PIPE,
        )
        self._running.append(forwarder)
        if forwarder.stdout is None or not forwarder.stdout.readline():
            raise RuntimeError("the line could not be laid")
        self.home.ip(
            f"addr add {HOME} peer {AWAY} dev line", "link set dev line up", f"route add default via {AWAY}"
        )
        self.away.ip(f"addr add {AWAY} peer {HOME} dev line", "link set dev line up")
        served = (RESOLVER, DOH, world.COLLECTOR, *ADDRESSES.values())
        self.away.ip(*(f"addr add {address}/32 dev lo" for address in served))
        self.home.resolve_by(RESOLVER)

    def _serve(self) -> None:
        (self.folder / "nginx.conf").write_text(nginx(self.folder, "away", self._sites()))
        hosts = self.folder / "hosts"
        hosts.write_text("".join(f"{address} {host}\n" for host, address in ADDRESSES.items()))
        write_zone(
            self.folder / "zone.json", world.Zone({}, {host: {4: (at,)} for host, at in ADDRESSES.items()})
        )
        self._start("nginx", "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"))
        self._start(
            "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
            "--user=root", "--pid-file=", "--log-facility=-", "--bind-interfaces", "--local=//",
            f"--listen-address={RESOLVER}", f"--addn-hosts={hosts}",
        )  # fmt: skip
        self._start(*python("benchmarks.cost.trusted", str(self.folder / "zone.json")))
        self._start(
            *python("collector", "serve", "--listen", f"{world.COLLECTOR}:8460"),
            "--data-dir", str(self.folder / "collector"),
        )  # fmt: skip
        until = time.monotonic() + UP_WITHIN_S
        fetch = ("curl", "-ksSo", "/dev/null", "-m", "1")
        for argv in (
            (*DIG, f"@{RESOLVER}", ENDPOINTS[0]),
            (*fetch, f"http://127.0.0.1:{DOH_PORT}/"),
            (*fetch, f"https://{ADDRESSES[ENDPOINTS[0]]}/"),
            (*fetch, f"http://{world.COLLECTOR}:8460/readyz"),
        ):
            wait_for(" ".join(argv), self.away.command(*argv), until)

    def _sites(self) -> Sequence[str]:
        authority = Authority("Bench CA")
        self.ca_file.write_bytes(authority.pem())
        owners = ((ENDPOINTS, ENDPOINTS), *(((host,), (host,)) for host in CONTROLS))
        sites = [
            _site([ADDRESSES[host] for host in hosts], authority.issue(names, self.folder), "return 204;")
            for names, hosts in owners
        ]
        forward = f"proxy_pass http://127.0.0.1:{DOH_PORT};"
        sites.append(_site([DOH], authority.issue([world.DOH_NAME], self.folder), forward))
        return [
            *sites,
            f"server {{ listen {ADDRESSES[PORTAL]}:80; location / {{ return 200 'success'; }} }}\n",
        ]

    def _start(self, *argv: str) -> None:
        self._running.append(self.away.popen(*argv, log=self.folder / "servers.log"))


def _site(addresses: Sequence[str], pem: Path, answer: str) -> str:
    listens = "".join(f"listen {address}:443 ssl; " for address in addresses)
    keys = f"ssl_certificate {pem}; ssl_certificate_key {pem}; ssl_protocols TLSv1.2 TLSv1.3;"
    return f"server {{ {listens}{keys} location / {{ {answer} }} }}\n"
