"""A first faulty internet in network namespaces: a home, its ISP, and an internet behind it.

    home 192.168.1.10 -- 192.168.1.1 isp 198.18.0.1 -- 198.18.0.2 internet -- 198.51.100.10 collector

The ISP does NAT and runs the line's resolver (unbound). The internet holds every address the
platforms' names resolve to, with nginx behind them under a lab CA, one authority for DNS
(9.9.9.9) and one trusted resolver over HTTPS (1.1.1.1, `doh`). Addresses are plausible ones of their
owners and exist in these namespaces alone. Needs root.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.authority import Authority

from .scenarios import SCENARIOS, Cut

NEEDED = {"ip": "iproute2", "nft": "nftables", "unbound": "unbound", "nginx": "nginx-light"}
PREFIX = "rw"

AUTHORITY, DOH = "9.9.9.9", "1.1.1.1"
RESOLVER, COLLECTOR = "192.168.1.1", "198.51.100.10"

# Name to address, as the authority says it. FACTS of the field: X on its own network and media
# elsewhere, Meta's and Google's own prefixes; the controls on their operators' own.
ZONE = {
    "x.com": "104.244.42.1",
    "api.x.com": "104.244.42.2",
    "abs.twimg.com": "104.244.42.67",
    "pbs.twimg.com": "104.244.43.131",
    "www.facebook.com": "157.240.1.35",
    "graph.facebook.com": "157.240.1.20",
    "static.xx.fbcdn.net": "157.240.1.19",
    "scontent.xx.fbcdn.net": "31.13.64.21",
    "www.instagram.com": "157.240.1.174",
    "i.instagram.com": "157.240.1.63",
    "static.cdninstagram.com": "31.13.64.63",
    "scontent.cdninstagram.com": "31.13.64.52",
    "www.youtube.com": "142.250.1.91",
    "youtubei.googleapis.com": "142.250.1.95",
    "i.ytimg.com": "142.250.1.119",
    "redirector.googlevideo.com": "172.217.0.110",
    "www.wikipedia.org": "91.198.174.192",
    "www.debian.org": "130.89.148.77",
    "www.ietf.org": "104.16.44.99",
    "portal.lab": "93.184.215.14",
}
CONTROLS = ("www.wikipedia.org", "www.debian.org", "www.ietf.org")


def missing() -> str | None:
    """Why the lab cannot be had on this machine, or None."""
    if os.geteuid() != 0:
        return "the lab needs root for network namespaces: sudo make test"
    packages = [package for tool, package in NEEDED.items() if shutil.which(tool) is None]
    return f"the lab needs Debian's {' '.join(packages)}" if packages else None


class Namespace:
    """One host of the lab."""

    def __init__(self, name: str) -> None:
        self.name = name

    def command(self, *argv: str) -> list[str]:
        """The command line that runs `argv` here."""
        return ["ip", "netns", "exec", self.name, *argv]

    def run(self, *argv: str, timeout: float = 60, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run to the end, output captured."""
        return subprocess.run(
            self.command(*argv), capture_output=True, text=True, timeout=timeout, check=check
        )

    def popen(self, *argv: str, log: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start in the background, output to a file."""
        with log.open("ab") as out:
            return subprocess.Popen(
                self.command(*argv), stdout=out, stderr=out, env={**os.environ, **(env or {})}
            )


class Lab:
    """The whole, set up when entered and gone when left, whatever happens in between."""

    def __init__(self, folder: Path) -> None:
        tag = f"{PREFIX}{os.getpid()}"
        self.folder = folder
        self.home, self.isp = Namespace(f"{tag}-home"), Namespace(f"{tag}-isp")
        self.internet, self.collector = Namespace(f"{tag}-net"), Namespace(f"{tag}-col")
        self.ca_file = folder / "ca.pem"
        self._lied: tuple[str, ...] = ()
        self._running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Lab:
        sweep()
        try:
            self._wire()
            self._serve()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running:
            process.terminate()
        for process in self._running:
            process.wait(timeout=10)
        for namespace in (self.home, self.isp, self.internet, self.collector):
            subprocess.run(["ip", "netns", "delete", namespace.name], capture_output=True, check=False)

    def switch(self, name: str) -> None:
        """Make the ISP behave as the scenario says, from now on."""
        scenario = SCENARIOS[name]
        for domain in self._lied:
            self._unbound_control("local_zone_remove", domain)
        for domain, answer in scenario.answers.items():
            self._lie(domain, answer)
        self._lied = tuple(scenario.answers)
        rules = ["flush chain inet lab cut"]
        if Cut.UPLINK in scenario.cuts:
            rules += [f"add rule inet lab cut {way} wan drop" for way in ("oifname", "iifname")]
        if Cut.COLLECTOR in scenario.cuts:
            rules.append(f"add rule inet lab cut ip daddr {COLLECTOR} drop")
        self._nft(self.isp, "\n".join(rules))
        self._unbound_control("flush_zone", ".")

    def _lie(self, domain: str, answer: str) -> None:
        kinds = {"nxdomain": "always_nxdomain", "nodata": "always_nodata", "refuse": "always_refuse"}
        self._unbound_control("local_zone", domain, kinds.get(answer, "redirect"))
        if answer not in kinds:
            self._unbound_control("local_data", f"{domain} 60 IN A {answer}")

    def _unbound_control(self, *words: str) -> None:
        self.isp.run("unbound-control", "-c", str(self.folder / "isp.conf"), *words)

    def _nft(self, where: Namespace, text: str) -> None:
        subprocess.run(where.command("nft", "-f", "-"), input=text, text=True, check=True)

    def _wire(self) -> None:
        for namespace in (self.home, self.isp, self.internet, self.collector):
            _ip("netns", "add", namespace.name)
            namespace.run("ip", "link", "set", "lo", "up")
        self._link(self.home, "eth0", "192.168.1.10/24", self.isp, "lan", f"{RESOLVER}/24")
        self._link(self.isp, "wan", "198.18.0.1/24", self.internet, "isp", "198.18.0.2/24")
        self._link(self.collector, "eth0", f"{COLLECTOR}/24", self.internet, "col", "198.51.100.1/24")
        self.home.run("ip", "route", "add", "default", "via", RESOLVER)
        self.isp.run("ip", "route", "add", "default", "via", "198.18.0.2")
        self.collector.run("ip", "route", "add", "default", "via", "198.51.100.1")
        for namespace in (self.isp, self.internet):
            namespace.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        for address in sorted({*ZONE.values(), AUTHORITY, DOH}):
            self.internet.run("ip", "address", "add", f"{address}/32", "dev", "lo")
        self._nft(
            self.isp,
            "table inet lab {\n"
            " chain cut { type filter hook prerouting priority -150; }\n"
            " chain nat { type nat hook postrouting priority 100; oifname wan masquerade; }\n"
            "}",
        )

    @staticmethod
    def _link(one: Namespace, name: str, address: str, two: Namespace, name2: str, address2: str) -> None:
        peer = ("type", "veth", "peer", "name", name2, "netns", two.name)
        _ip("link", "add", name, "netns", one.name, *peer)
        for namespace, device, text in ((one, name, address), (two, name2, address2)):
            namespace.run("ip", "address", "add", text, "dev", device)
            namespace.run("ip", "link", "set", device, "up")

    def _serve(self) -> None:
        authority = Authority("reachwatch lab CA")
        self.ca_file.write_bytes(authority.pem())
        pem = authority.issue([*ZONE, "doh.lab"], self.folder)
        # The controls' own certificate: no control can speak for a platform.
        other = authority.issue(CONTROLS, self.folder)
        (self.folder / "net.conf").write_text(_unbound_internet())
        (self.folder / "isp.conf").write_text(_unbound_isp(self.folder))
        (self.folder / "nginx.conf").write_text(_nginx(self.folder, pem, other))
        log = self.folder / "servers.log"
        self._running = [
            self.internet.popen("unbound", "-d", "-c", str(self.folder / "net.conf"), log=log),
            self.isp.popen("unbound", "-d", "-c", str(self.folder / "isp.conf"), log=log),
            self.internet.popen(*python("tests.lab.doh", DOH, str(pem), AUTHORITY), log=log),
            self.internet.popen("nginx", "-p", str(self.folder), "-c", "nginx.conf", log=log),
        ]
        self._wait_until_up()

    def _wait_until_up(self) -> None:
        deadline = time.monotonic() + 15
        while True:
            with contextlib.suppress(subprocess.CalledProcessError, subprocess.TimeoutExpired):
                self._unbound_control("status")
                for url in (f"http://{ZONE['portal.lab']}/", f"https://{DOH}/"):
                    self.internet.run("curl", "-ksSo", "/dev/null", url, timeout=2)
                return
            if time.monotonic() > deadline:
                raise RuntimeError((self.folder / "servers.log").read_text())
            time.sleep(0.1)


def probe_config(lab: Lab, state: Path, **more: object) -> Path:
    """A ``probe.toml`` for the home, everything in it of the lab."""
    resolv = lab.folder / "resolv.conf"
    resolv.write_text(f"nameserver {RESOLVER}\n")
    state.mkdir(parents=True, exist_ok=True)
    settings = "".join(f"{key} = {value!r}\n".replace("'", '"') for key, value in more.items())
    controls = ", ".join(f'"https://{host}/robots.txt"' for host in CONTROLS)
    path = state / "probe.toml"
    path.write_text(
        f'state_dir = "{state}"\n{settings}'
        '[network]\ncountry = "PK"\nasn = 17557\n'
        f'[collector]\nurls = ["http://{COLLECTOR}:8460"]\n'
        f'[resolvers]\nresolv_conf = "{resolv}"\ndoh_url = "https://doh.lab/dns-query"\n'
        f'doh_addresses = ["{DOH}"]\n'
        f"[controls]\nforeign = [{controls}]\n"
        'portal_url = "http://portal.lab/success.txt"\nportal_body = "success"\n'
        f'[tls]\nca_file = "{lab.ca_file}"\n'
        "[timeouts]\ndns_s = 2.0\ntcp_s = 3.0\ntls_s = 3.0\nhttp_s = 3.0\n"
    )
    return path


def sweep() -> None:
    """Remove what a killed test process left behind."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    for name in (line.split()[0] for line in listed.splitlines() if line.startswith(PREFIX)):
        pid = name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


_UNBOUND = """server:
 username: ""
 chroot: ""
 use-syslog: no
 pidfile: ""
 do-daemonize: no
 access-control: 0.0.0.0/0 allow
 module-config: "iterator"
"""


def _unbound_internet() -> str:
    """The authority for every name."""
    data = "".join(f' local-data: "{name} 60 IN A {address}"\n' for name, address in ZONE.items())
    return (
        f'{_UNBOUND} interface: {AUTHORITY}\n local-zone: "." static\n{data}'
        "remote-control:\n control-enable: no\n"
    )


def _unbound_isp(folder: Path) -> str:
    return (
        f"{_UNBOUND} interface: {RESOLVER}\n do-not-query-localhost: no\n"
        f'forward-zone:\n name: "."\n forward-addr: {AUTHORITY}\n'
        f'remote-control:\n control-enable: yes\n control-interface: "{folder}/isp.sock"\n'
        " control-use-cert: no\n"
    )


def _nginx(folder: Path, pem: Path, other: Path) -> str:
    control_addresses = {ZONE[host] for host in CONTROLS}
    blocks = [
        (pem, sorted(set(ZONE.values()) - control_addresses)),
        (other, sorted(control_addresses)),
    ]
    servers = "".join(
        " server {\n"
        + "".join(f"  listen {a}:443 ssl;\n  listen {a}:80;\n" for a in addresses)
        + f"  ssl_certificate {certificate};\n  ssl_certificate_key {certificate};\n"
        "  location = /generate_204 { return 204; }\n"
        '  location = /success.txt { return 200 "success\\n"; }\n'
        '  location = / { if ($scheme = http) { return 301 https://$host/; } return 200 "hello\\n"; }\n'
        '  location / { return 200 "User-agent: *\\n"; }\n }\n'
        for certificate, addresses in blocks
    )
    return (
        "daemon off;\nuser root;\nworker_processes 1;\n"
        f"pid {folder}/nginx.pid;\nerror_log {folder}/nginx.log;\n"
        "events { worker_connections 512; }\n"
        f"http {{\n access_log off;\n client_body_temp_path {folder}/body;\n"
        f" proxy_temp_path {folder}/proxy;\n fastcgi_temp_path {folder}/fastcgi;\n"
        f" uwsgi_temp_path {folder}/uwsgi;\n scgi_temp_path {folder}/scgi;\n{servers}}}\n"
    )


def stop(process: subprocess.Popen[bytes], number: int = signal.SIGTERM, timeout: float = 15) -> int:
    """End a process that the lab started (``ip netns exec`` becomes it) and return its status."""
    process.send_signal(number)
    return process.wait(timeout=timeout)


def python(*argv: str) -> Sequence[str]:
    """The command line of one of our own modules, warnings as errors."""
    return (sys.executable, "-W", "error", "-m", *argv)


@contextlib.contextmanager
def running(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Kill it in the end if the test did not stop it."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
