"""Network namespaces and the programs in them: made, joined, run in, and gone when their maker is.

Names begin with the maker's process id, so that what a killed process left behind can be told from
what is in use. Programs die with their maker (PR_SET_PDEATHSIG, by ``setpriv``).
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

PREFIX = "rw"
ETC = Path("/etc/netns")  # ip-netns(8): files here stand in for those of /etc inside


class Namespace:
    """One host of the lab."""

    def __init__(self, name: str) -> None:
        self.name = name

    def command(self, *argv: str) -> list[str]:
        """The command line that runs `argv` here."""
        return ["ip", "netns", "exec", self.name, *argv]

    def run(
        self, *argv: str, timeout: float = 60, check: bool = True, text: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end, `text` as input, output captured."""
        return subprocess.run(
            self.command(*argv), capture_output=True, text=True, timeout=timeout, check=check, input=text
        )

    def popen(self, *argv: str, log: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start in the background, output to a file; it ends with this process at the latest."""
        mortal = ["setpriv", "--pdeathsig", "TERM", *self.command(*argv)]
        with log.open("ab") as out:
            return subprocess.Popen(mortal, stdout=out, stderr=out, env={**os.environ, **(env or {})})

    def create(self) -> None:
        """Make it, with loopback, both families, and no opinion on where packets come from."""
        subprocess.run(["ip", "netns", "add", self.name], check=True, capture_output=True)
        every = ("all", "default")
        settings = [f"net.ipv4.conf.{one}.rp_filter=0" for one in every]
        settings += [f"net.ipv6.conf.{one}.accept_dad=0" for one in every]
        settings += ["net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.default.disable_ipv6=0"]
        self.run("sysctl", "-qw", *settings)
        self.ip("link set lo up")

    def forward(self) -> None:
        """Make it a router. It lets pass what it does not understand, as most do, and sends an error
        for every packet that earns one: with Linux's limit of one a second, refused would look dropped."""
        settings = ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]
        settings += ["net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0"]
        self.run("sysctl", "-qw", *settings, "net.netfilter.nf_conntrack_tcp_be_liberal=1")

    def ip(self, *lines: str) -> None:
        """Carry out lines of ip(8); those that begin with -6 come last, in a batch of their own."""
        six = [line.removeprefix("-6 ") for line in lines if line.startswith("-6 ")]
        rest = [line for line in lines if not line.startswith("-6 ")]
        for flags, batch in (((), rest), (("-6",), six)):
            if batch:
                command = ["ip", *flags, "-n", self.name, "-batch", "-"]
                text = "\n".join(batch) + "\n"
                subprocess.run(command, input=text, text=True, check=True, capture_output=True)

    def nft(self, text: str) -> None:
        """Carry out nftables' rules, all or none."""
        self.run("nft", "-f", "-", text=text)

    def resolve_by(self, *servers: str) -> None:
        """Give programs that run here a resolv.conf of their own."""
        folder = ETC / self.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "resolv.conf").write_text("".join(f"nameserver {server}\n" for server in servers))

    def delete(self) -> None:
        """End what runs here and remove it; no complaint if there is nothing."""
        delete(self.name)


def link(one: Namespace, name: str, two: Namespace, name2: str) -> None:
    """A cable between two hosts."""
    words = ["link", "add", "name", name, "netns", one.name, "type", "veth", "peer", "name", name2]
    subprocess.run(["ip", *words, "netns", two.name], check=True, capture_output=True)
    one.ip(f"link set dev {name} up")
    two.ip(f"link set dev {name2} up")


def sweep() -> None:
    """Remove what a killed process left behind."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    left = {line.split()[0] for line in listed.splitlines() if line.startswith(PREFIX)}
    left |= {folder.name for folder in ETC.glob(f"{PREFIX}[0-9]*-*")}
    for name in left:
        pid = name.removeprefix(PREFIX).partition("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            delete(name)


def delete(name: str) -> None:
    """By name, because a sweep knows no more."""
    pids = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False).stdout
    for pid in pids.split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)
    shutil.rmtree(ETC / name, ignore_errors=True)
    with contextlib.suppress(OSError):
        ETC.rmdir()  # only if it is empty: others may keep theirs there


def stop(process: subprocess.Popen[bytes], number: int = signal.SIGTERM, timeout: float = 15) -> int:
    """End a process that was started here (``ip netns exec`` becomes it) and return its status."""
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


def wait_for(question: str, argv: Sequence[str], deadline: float) -> None:
    """Repeat a command until it succeeds; `question` names it if it never does."""
    while subprocess.run(argv, capture_output=True, check=False, timeout=20).returncode != 0:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the lab: {question} is not up")
        time.sleep(0.05)
