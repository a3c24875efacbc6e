"""A country in a box: a home, two providers, the world behind them, and a switch for what goes wrong.

    with Lab(folder) as lab:
        lab.switch("sni_reset", platforms=("x",))
        lab.home.run("curl", ...)

`wiring` says what is connected, `servers` what runs, `scenarios` what can be switched to; README.md
has the picture. Needs root.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from . import actions, servers, wiring, world
from .actions import Orders, Target, place_of
from .effects import EVERYWHERE, Effect, Elsewhere
from .names import DOH_PORT, write_zone
from .namespace import PREFIX, Namespace, python, stop, sweep, wait_for
from .scenarios import OK, SCENARIOS, Scenario, Truth
from .world import ISPS, PLATFORMS, Isp

NEEDED = {
    "ip": "iproute2", "tc": "iproute2", "nft": "nftables", "iptables": "iptables", "unbound": "unbound",
    "dnsmasq": "dnsmasq-base", "nginx": "nginx-light", "dig": "bind9-dnsutils", "curl": "curl",
    "openssl": "openssl", "sysctl": "procps", "faketime": "faketime",
}  # fmt: skip
UP_WITHIN_S = 15
PLATFORM_FILES = Path(__file__).parent.parent.parent / "configs" / "platforms"
# Roles that have something to transfer here: any path of a site of the lab is a large object.
WITH_OBJECTS = ("web", "media", "video")
DIG = ("dig", "+time=1", "+tries=1")


def missing() -> str | None:
    """Why the lab cannot be had on this machine, or None."""
    if os.geteuid() != 0:
        return "the lab needs root for network namespaces: sudo make test"
    packages = sorted({package for tool, package in NEEDED.items() if shutil.which(tool) is None})
    return f"the lab needs Debian's {' '.join(packages)}" if packages else None


class Lab:
    """The whole, set up when entered and gone when left, whatever happens in between."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.places = {name: Namespace(f"{PREFIX}{os.getpid()}-{name}") for name in wiring.PLACES}
        self.home, self.router = self.places["home"], self.places["router"]
        self.isp = {name: self.places[place_of(isp)] for name, isp in ISPS.items()}
        self.internet, self.domestic = self.places["internet"], self.places["domestic"]
        self.abroad, self.collector = self.places["abroad"], self.places["collector"]
        self.ca_file = folder / "ca.pem"
        self.dialled = ISPS["a"]
        self.seed = 0
        self.scenario = SCENARIOS["clean"]
        self.target = Target(world.zone(), tuple(PLATFORMS.values()), tuple(ISPS.values()))
        self._orders = Orders()
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def zone(self) -> world.Zone:
        """What the world's names resolve to at present."""
        return self.target.zone

    def __enter__(self) -> Lab:
        sweep()
        try:
            wiring.wire(self.places)
            self._serve()
            self.dial(self.dialled.name)
            self.switch("clean")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)
        for place in self.places.values():
            place.delete()

    def dial(self, name: str) -> None:
        """Be a customer of this provider from now on."""
        self.dialled = ISPS[name]
        wiring.dial(self.places, self.dialled)
        (self.folder / "upstream").write_text(f"server={self.dialled.resolver[0]}\n")
        self._restart_router()

    def shuffle(self, seed: int) -> None:
        """Give every name others of its owner's addresses; the scenario stays."""
        self.seed = seed
        target = self.target
        names = [platform.name for platform in target.platforms]
        self.switch(self.scenario.name, names, [isp.name for isp in target.isps])

    def switch(
        self, name: str, platforms: Iterable[str] | None = None, isps: Iterable[str] | None = None
    ) -> None:
        """Make the scenario true, for some platforms and providers only if any are named."""
        self.scenario = SCENARIOS[name]
        self.target = self._target(self.scenario, platforms, isps)
        self._carry_out(self.scenario.effects, self.target)

    def block_collector(self, effect: Effect) -> None:
        """Do to the collector's name, at both providers, what is done to a platform's. No scenario, because
        no verdict is about it; the next `switch` undoes it."""
        self._carry_out((effect,), Target(self.zone, (world.COLLECTOR_SITE,), tuple(ISPS.values())))

    def _carry_out(self, chosen: Iterable[Effect], target: Target) -> None:
        before, self._orders = self._orders, actions.orders_for(chosen, target)
        write_zone(self.folder / "zone.json", self.zone.without(self._orders.gone))
        for place in ("router", "isp-a", "isp-b", "internet"):
            self.places[place].nft(_ruleset(place, self._orders))
        for place in ("router", "isp-a", "isp-b"):
            self._match_strings(place, before)
        for isp in ISPS.values():
            self._tell_box(isp)
            self._lie(isp, before)
        self._shape(before)
        (self.folder / "filtered").write_text("\n".join(self._orders.filtered) + "\n")
        tracked = [self.places[place].name for place in ("router", "isp-a", "isp-b", "internet")]
        subprocess.run(python("tests.lab.conntrack", *tracked), check=True, capture_output=True)
        self._restart_router()

    def restore(self) -> None:
        """A clean world as it was in the beginning."""
        self.seed = 0
        if self.dialled.name != "a":
            self.dial("a")
        self.switch("clean")

    def truth(self, platform: str) -> Truth:
        """What an honest verdict on this platform may be, measured from the home at present."""
        touched = self.scenario.whole_line or platform in (one.name for one in self.target.platforms)
        everywhere = any(isinstance(effect, EVERYWHERE) for effect in self.scenario.effects)
        reached = everywhere or self.dialled in self.target.isps
        return self.scenario.truth if touched and reached else OK

    def agent_command(self, *argv: str) -> list[str]:
        """The command line that runs the agent as the scenario wants it, anywhere in the lab."""
        command = list(python("probe", *argv))
        for offset in self._orders.clock:
            command = ["faketime", "--exclude-monotonic", "-f", offset, *command]
        return command

    def _target(
        self, scenario: Scenario, platforms: Iterable[str] | None, isps: Iterable[str] | None
    ) -> Target:
        wanted = [name for name in (platforms or PLATFORMS) if name in scenario.only]
        lines = [name for name in (isps or ISPS) if name in scenario.isps]
        elsewhere = Elsewhere() in scenario.effects and "x" in wanted
        zone = world.zone(self.seed, x_elsewhere=elsewhere)
        return Target(zone, tuple(PLATFORMS[p] for p in wanted), tuple(ISPS[i] for i in lines))

    # Telling the programs.

    def _match_strings(self, place: str, before: Orders) -> None:
        tables = {"mangle": "PREROUTING", "filter": "FORWARD"}
        if not any(orders.strings[place, table] for orders in (before, self._orders) for table in tables):
            return
        text = ""
        for table, chain in tables.items():
            rules = "".join(f"{rule}\n" for rule in self._orders.strings[place, table])
            text += f"*{table}\n:{chain} ACCEPT [0:0]\n{rules}COMMIT\n"
        for program in ("iptables-restore", "ip6tables-restore"):
            self.places[place].run(program, text=text)

    def _tell_box(self, isp: Isp) -> None:
        """Returns when the box has taken its orders."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as box:
            box.settimeout(5)
            box.connect(str(self.folder / f"box-{isp.name}.sock"))
            box.sendall(json.dumps(self._orders.box[isp.name]).encode() + b"\n")
            if box.recv(16) != b"ok\n":
                raise RuntimeError(f"the box refused {self._orders.box[isp.name]}")

    def _lie(self, isp: Isp, before: Orders) -> None:
        def names(lines: Iterable[str]) -> str:
            return "".join(f"{line.split()[0]}\n" for line in lines)

        # Data go with their zones.
        if before.zones[isp.name]:
            self._unbound(isp, "local_zones_remove", text=names(before.zones[isp.name]))
        for domain in before.lame[isp.name]:
            self._unbound(isp, "forward_remove", domain)
        now = self._orders
        if now.zones[isp.name]:
            self._unbound(isp, "local_zones", text="\n".join(now.zones[isp.name]) + "\n")
        if now.data[isp.name]:
            self._unbound(isp, "local_datas", text="\n".join(now.data[isp.name]) + "\n")
        for domain in now.lame[isp.name]:
            self._unbound(isp, "forward_add", domain, world.LAME)
        # What it has learnt is of the world before, servers it could not reach included.
        for forget in (("flush_zone", "."), ("flush_infra", "all"), ("flush_requestlist",)):
            self._unbound(isp, *forget)

    def _unbound(self, isp: Isp, *words: str, text: str | None = None) -> None:
        config = str(self.folder / f"unbound-{isp.name}.conf")
        self.isp[isp.name].run("unbound-control", "-c", config, *words, text=text)

    def _shape(self, before: Orders) -> None:
        for place, device in before.rates:
            self.places[place].run("tc", "qdisc", "del", "dev", device, "root")
        for (place, device), kbit in self._orders.rates.items():
            # A bucket of a few packets, and a queue of half a second, as access lines have.
            shape = ("tbf", "rate", f"{kbit}kbit", "burst", "8kb", "latency", "500ms")
            self.places[place].run("tc", "qdisc", "add", "dev", device, "root", *shape)

    def _restart_router(self) -> None:
        """It joins a question to an equal one it still waits for, which may be of another scenario."""
        if "dnsmasq" in self._running:
            stop(self._running["dnsmasq"])
        self._start("dnsmasq", self.router, *servers.dnsmasq(self.folder))
        asked = self.router.command(*DIG, f"@{world.ROUTER}", "version.bind", "CH", "TXT")
        wait_for("the router's dnsmasq", asked, time.monotonic() + UP_WITHIN_S)

    # Setting up.

    def _serve(self) -> None:
        certs = servers.certificates(self.folder)
        servers.documents(self.folder / "www")
        write_zone(self.folder / "zone.json", self.zone)
        (self.folder / "upstream").write_text("")
        (self.folder / "filtered").write_text("")
        self.home.resolve_by(world.ROUTER)
        self.abroad.resolve_by(world.QUAD9)
        for part, place in (("authority", self.internet), ("domestic", self.domestic)):
            self._start(f"names-{part}", place, *python("tests.lab.names", str(self.folder), part))
        self._nginx("internet", servers.internet(certs))
        self._nginx("domestic", servers.domestic(certs))
        self._nginx("router", servers.router(certs))
        for isp in ISPS.values():
            self._nginx(place_of(isp), servers.provider(isp, certs))
            config = self.folder / f"unbound-{isp.name}.conf"
            config.write_text(servers.unbound(isp, self.folder))
            self._start(f"unbound-{isp.name}", self.isp[isp.name], "unbound", "-d", "-c", str(config))
            box = python("tests.lab.box", wiring.BOX, str(self.folder / f"box-{isp.name}.sock"))
            self._start(f"box-{isp.name}", self.isp[isp.name], *box)
        self._wait_until_up()

    def _nginx(self, name: str, blocks: Iterable[str]) -> None:
        config = self.folder / f"nginx-{name}.conf"
        config.write_text(servers.nginx(self.folder, name, blocks))
        self._start(f"nginx-{name}", self.places[name], "nginx", "-p", str(self.folder), "-c", str(config))

    def _start(self, name: str, place: Namespace, *argv: str) -> None:
        self._running[name] = place.popen(*argv, log=self.folder / "servers.log")

    def _wait_until_up(self) -> None:
        """Every program has answered, or the lab is none."""
        until = time.monotonic() + UP_WITHIN_S
        fetch = ("curl", "-ksSo", "/dev/null", "-m", "1")
        portal = self.zone.public[world.PORTAL.hosts[0]][4][0]
        bank = self.zone.public[world.DOMESTIC_CONTROLS[0]][4][0]
        questions: list[tuple[Namespace, Sequence[str]]] = [
            (self.internet, (*DIG, f"@{world.QUAD9}", "example")),
            (self.internet, (*fetch, f"http://127.0.0.1:{DOH_PORT}/")),
            (self.internet, (*fetch, f"http://{portal}/")),
            (self.domestic, (*fetch, f"https://{bank}/")),
            (self.domestic, (*DIG, f"@{world.DOMESTIC_AUTHORITY}", "example")),
            (self.router, (*fetch, f"http://{world.ROUTER}/")),
        ]
        for isp in ISPS.values():
            control = ("unbound-control", "-c", str(self.folder / f"unbound-{isp.name}.conf"), "status")
            questions += [
                (self.isp[isp.name], control),
                (self.isp[isp.name], (*fetch, f"http://{isp.block_page[0]}/")),
                (self.isp[isp.name], ("test", "-S", str(self.folder / f"box-{isp.name}.sock"))),
            ]
        try:
            for place, argv in questions:
                wait_for(f"{place.name}: {' '.join(argv)}", place.command(*argv), until)
        except TimeoutError as error:
            said = (self.folder / "servers.log").read_text()
            raise RuntimeError(f"{error}; the servers said:\n{said}") from None


def _ruleset(place: str, orders: Orders) -> str:
    lines = [f"flush chain inet lab {chain}" for chain in wiring.CHAINS]
    for chain in wiring.CHAINS:
        lines += [f"add rule inet lab {chain} {rule}" for rule in orders.rules.get((place, chain), ())]
    return "\n".join(lines) + "\n"


def probe_config(
    lab: Lab,
    state: Path,
    *,
    vantage: str = "home",
    isp: Isp | None = None,
    shipped: bool = False,
    **more: object,
) -> Path:
    """A ``probe.toml`` for the home, for the vantage abroad, or for a home at `isp` that asks its provider's
    resolver itself; everything in it of the lab. `shipped` leaves the agent its own timeouts, platform files
    and objects to transfer: with the lab's a test waits less and more roles have something to transfer."""
    at_home = vantage == "home"
    state.mkdir(parents=True, exist_ok=True)
    resolv = state / "resolv.conf"
    asked = isp.resolver[0] if isp else world.ROUTER
    resolv.write_text(f"nameserver {asked if at_home else world.QUAD9}\n")
    ours = {} if shipped else {"platform_dir": str(_platform_files(state / "platforms"))}
    settings = _table({**ours, **more})
    asn = (isp or lab.dialled).asn
    network = f'country = "PK"\nasn = {asn}\n' if at_home else 'country = "DE"\nasn = 24940\n'
    domestic = world.DOMESTIC_CONTROLS if at_home else ()
    path = state / "probe.toml"
    path.write_text(
        f'state_dir = "{state}"\nconsent = "yes"\n{settings}'
        f"[network]\n{network}"
        f'[collector]\nurls = ["http://{world.COLLECTOR}:8460"]\n'
        f'[resolvers]\nresolv_conf = "{resolv}"\ndoh_url = "https://{world.DOH_NAME}/dns-query"\n'
        f"doh_addresses = {json.dumps(world.DOH[:2])}\n"
        f"[controls]\nforeign = {_urls(world.CONTROLS)}\ndomestic = {_urls(domestic)}\n"
        f'portal_url = "http://{world.PORTAL.hosts[0]}/success.txt"\nportal_body = "success"\n'
        f'[tls]\nca_file = "{lab.ca_file}"\n' + ("" if shipped else _OURS)
    )
    return path


def _urls(hosts: Iterable[str], name: str = "robots.txt") -> str:
    return json.dumps([f"https://{host}/{name}" for host in hosts])


_OURS = (
    f"[transfers]\ncontrols = {_urls(world.CONTROLS[:3], 'large')}\n"
    "[timeouts]\ndns_s = 2.0\ntcp_s = 3.0\ntls_s = 3.0\nhttp_s = 3.0\n"
)


def _platform_files(folder: Path) -> Path:
    """The agent's own platform files, with an object to transfer where a role has none."""
    folder.mkdir(exist_ok=True)
    for file in PLATFORM_FILES.glob("*.toml"):
        found = tomllib.loads(file.read_text())
        roles = found.pop("role")
        for role in roles:
            if role["name"] in WITH_OBJECTS:
                host = urlsplit(role["urls"][0]).hostname
                role.setdefault("transfer", f"https://{host}/large")
        tables = [_table(found), *("[[role]]\n" + _table(role) for role in roles)]
        (folder / file.name).write_text("\n".join(tables))
    return folder


def _table(values: Mapping[str, object]) -> str:
    """TOML writes strings, booleans and lists of them as JSON does."""
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
