"""Three hops in network namespaces, for questions about packets.

    client 192.168.7.10 -- 192.168.7.1 near 198.18.1.1 -- 198.18.1.2 far 104.244.42.254 -- 104.244.42.1 server

and the same in IPv6. Every host but the client is one of the censor's places; needs root.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NEEDED = {"ip": "iproute2", "iptables": "iptables", "setpriv": "util-linux"}
HOSTS = ("client", "near", "far", "server")
SERVER = {4: "104.244.42.1", 6: "2606:1f80:f000::1"}
NEAR = {4: "192.168.7.1", 6: "fd07::1"}
FAR = {4: "198.18.1.2", 6: "2001:db8:1::2"}

LINKS = (
    ("client", "near", ("192.168.7.10/24", "fd07::10/64"), (f"{NEAR[4]}/24", f"{NEAR[6]}/64")),
    ("near", "far", ("198.18.1.1/24", "2001:db8:1::1/64"), (f"{FAR[4]}/24", f"{FAR[6]}/64")),
    ("far", "server", ("104.244.42.254/24", "2606:1f80:f000::fe/64"), (f"{SERVER[4]}/24", f"{SERVER[6]}/64")),
)
ROUTES = (
    ("client", "default", NEAR),
    ("near", "default", FAR),
    ("far", "default", {4: "198.18.1.1", 6: "2001:db8:1::1"}),
    ("server", "default", {4: "104.244.42.254", 6: "2606:1f80:f000::fe"}),
)

# Routers that answer all of many questions (one a second is Linux's custom), and addresses that can
# be used at once.
SETTINGS = (
    "net.ipv4.ip_forward=1",
    "net.ipv4.icmp_ratelimit=0",
    "net.ipv6.conf.all.forwarding=1",
    "net.ipv6.icmp.ratelimit=0",
    "net.ipv6.conf.default.accept_dad=0",
)


def missing() -> str | None:
    """Why it cannot be had on this machine, or None."""
    if os.geteuid() != 0:
        return "the lab needs root for network namespaces: sudo make test"
    packages = [package for tool, package in NEEDED.items() if shutil.which(tool) is None]
    return f"the lab needs Debian's {' '.join(packages)}" if packages else None


def ip(*argv: str) -> None:
    subprocess.run(["ip", *argv], check=True, capture_output=True, timeout=20)


class Hops:
    """The hosts and links, and what runs on them; `close` leaves nothing behind."""

    def __init__(self, pem: Path) -> None:
        self._names = {host: f"hops{os.getpid()}-{host}" for host in HOSTS}
        self._stack = contextlib.ExitStack()
        for name in self._names.values():
            ip("netns", "add", name)
            self._stack.callback(ip, "netns", "del", name)
            ip("-n", name, "link", "set", "lo", "up")
        for host in HOSTS:
            self.run(host, "sysctl", "-qw", *SETTINGS)
        for one, other, addresses, others in LINKS:
            self._link(one, other, addresses, others)
        for host, to, via in ROUTES:
            for family, gateway in via.items():
                ip("-n", self._names[host], f"-{family}", "route", "add", to, "via", gateway)
        self._stack.enter_context(self.running("server", "tests.probe.hops.server", str(pem)))

    def _link(self, one: str, other: str, addresses: Sequence[str], others: Sequence[str]) -> None:
        a, b = self._names[one], self._names[other]
        ip("link", "add", other, "netns", a, "type", "veth", "peer", "name", one, "netns", b)
        for name, device, own in ((a, other, addresses), (b, one, others)):
            ip("-n", name, "link", "set", device, "up")
            for address in own:
                ip("-n", name, "addr", "add", address, "dev", device, *(["nodad"] if ":" in address else []))

    def close(self) -> None:
        self._stack.close()

    def run(self, host: str, *argv: str) -> str:
        command = ["ip", "netns", "exec", self._names[host], *argv]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout

    @contextmanager
    def running(self, host: str, module: str, *argv: str) -> Iterator[None]:
        """A module of these tests, from the moment it is ready."""
        command = ["ip", "netns", "exec", self._names[host], sys.executable, "-m", module, *argv]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
                yield
            finally:
                process.kill()

    @contextmanager
    def rules(self, host: str, *rules: str) -> Iterator[None]:
        """iptables rules, appended and taken away again."""
        tables = {"4": "iptables", "6": "ip6tables"}
        split = [rule.split() for rule in rules]
        try:
            for family, *rule in split:
                self.run(host, tables[family], *rule)
            yield
        finally:
            for family in tables.values():
                for table in ("filter", "mangle"):
                    self.run(host, family, "-t", table, "-F")

    def counts(self, host: str, family: str) -> list[int]:
        """How many packets each rule on incoming ones has seen."""
        lines = self.run(host, family, "-nvxL", "INPUT").splitlines()[2:]
        return [int(line.split()[0]) for line in lines]

    def ask(self, question: str, family: int, *helper: str, without: Sequence[str] = ()) -> Any:
        """What the agent's own code says on the client, under `without` where a privilege is taken."""
        module = ("-m", "tests.probe.hops.client")
        argv = (*without, sys.executable, *module, question, SERVER[family], "x.com", *helper)
        return json.loads(self.run("client", *argv))
