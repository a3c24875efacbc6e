"""What other programs see from the home, in one word each: the witnesses of `Scenario.signs`."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

from . import world
from .actions import lie_addresses
from .effects import Answer
from .namespace import python
from .network import Lab
from .scenarios import Sign, Tool
from .world import Platform

ENOUGH_S = "1.3"  # on a line without delay whatever takes longer does not come
CODE = "%{http_code}"
FAST_BYTES_S = 200_000

_EXITS = {6: "unresolved", 7: "refused", 28: "timeout", 35: "reset", 56: "reset", 60: "certificate"}
_LIES = {
    "block page": Answer.BLOCK_PAGE,
    "another platform": Answer.OTHER_PLATFORM,
    "neighbour": Answer.NEIGHBOUR,
    "dead neighbour": Answer.DEAD_NEIGHBOUR,
    "resolver": Answer.RESOLVER,
}


def check(lab: Lab, sign: Sign, platform: Platform) -> None:
    """Fails with what was seen if the sign does not show for this platform."""
    seen, expected = _look(lab, sign, platform)
    assert seen, f"{platform.name}: {sign} showed nothing"
    assert seen <= expected, f"{platform.name}: {sign} showed {seen}, not {expected}"


def shows(lab: Lab, sign: Sign, platform: Platform) -> bool:
    """Whether it does."""
    seen, expected = _look(lab, sign, platform)
    return bool(seen) and seen <= expected


def _look(lab: Lab, sign: Sign, platform: Platform) -> tuple[set[str], set[str]]:
    host = sign.host or platform.hosts_of((sign.role,))[0]
    seen = _WITNESSES[sign.tool](lab, sign, host)
    return set(seen.split()), _expected(lab, sign, platform, host)


def _expected(lab: Lab, sign: Sign, platform: Platform, host: str) -> set[str]:
    if sign.tool is not Tool.DIG:
        return set(sign.expect.split())
    if sign.expect == "genuine":
        return set(lab.zone.every(host, sign.family))
    if sign.expect == "cloudflare":
        return set(world.addresses(world.X_ON_CLOUDFLARE, host, sign.family))
    if sign.expect == "cache":
        return {world.cache_address(lab.dialled, host, sign.family)}
    if sign.expect in _LIES:
        return set(lie_addresses(_LIES[sign.expect], platform, lab.dialled, lab.zone))
    return {sign.expect}


def dig(lab: Lab, name: str, *, server: str = world.ROUTER, family: int = 4) -> str:
    """The addresses, else the word for why there are none."""
    kind = "A" if family == 4 else "AAAA"
    asked = ("dig", "+noall", "+comments", "+answer", "+tries=1", "+time=1", f"@{server}", name, kind)
    lines = lab.home.run(*asked, check=False).stdout.splitlines()
    found = [line.split()[-1] for line in lines if line and not line.startswith(";")]
    if found:
        return " ".join(found)
    status = [line.partition("status: ")[2].partition(",")[0] for line in lines if "status: " in line]
    if not status:
        return "timeout"
    return "nodata" if status[0] == "NOERROR" else status[0].lower()


def fetch(
    lab: Lab, url: str, *, family: int = 4, here: bool = False, wanted: str = CODE, limit: str = ENOUGH_S
) -> str:
    """How fetching from a genuine address ends: what curl is asked for, or the word for its error."""
    scheme, _, host = url.partition("://")[0], "", url.split("/")[2]
    address = (lab.zone.country if here else lab.zone.public)[host][family][0]
    where = f"{host}:{443 if scheme == 'https' else 80}:{f'[{address}]' if family == 6 else address}"
    done = lab.home.run(
        "curl", "-s", "-m", limit, "--cacert", str(lab.ca_file), "--resolve", where, "-o", "/dev/null",
        "-w", wanted, url, check=False,
    )  # fmt: skip
    too_late = done.returncode == 28 and wanted != CODE
    return (
        done.stdout if done.returncode == 0 or too_late else _EXITS.get(done.returncode, str(done.returncode))
    )


def _dig(lab: Lab, sign: Sign, host: str) -> str:
    return dig(lab, host, server=sign.server, family=sign.family)


def _curl(lab: Lab, sign: Sign, host: str) -> str:
    return fetch(lab, f"https://{host}/robots.txt", family=sign.family, here=sign.here)


def _plain(lab: Lab, sign: Sign, host: str) -> str:
    return fetch(lab, f"http://{host}/", family=sign.family)


def _issuer(lab: Lab, sign: Sign, host: str) -> str:
    address = lab.zone.public[host][sign.family][0]
    shown = lab.home.run(
        "openssl", "s_client", "-connect", f"{address}:443", "-servername", host, text="", check=False
    ).stdout
    return sign.expect if f"i:CN = {sign.expect}" in shown else shown[:200]


def _speed(lab: Lab, sign: Sign, host: str) -> str:
    rate = fetch(lab, f"https://{host}/", family=sign.family, wanted="%{speed_download}", limit="1.5")
    return "fast" if rate.isdigit() and int(rate) > FAST_BYTES_S else "slow" if rate.isdigit() else rate


def _wait(lab: Lab, sign: Sign, host: str) -> str:
    url = f"https://{host}/robots.txt"
    took = fetch(lab, url, family=sign.family, wanted="%{time_appconnect}", limit="5")
    return "long" if float(took) > 0.5 else "short"


def _loss(lab: Lab, _sign: Sign, host: str) -> str:
    address = lab.zone.public[host][4][0]
    many = ("curl", "-sZ", "--parallel-max", "60", "-m", "3", "-H", "Connection: close", "-o", "/dev/null")
    times = lab.home.run(*many, "-w", "%{time_connect}\n", f"http://{address}/[1-60]", check=False).stdout
    second_syn_s = 0.9  # RFC 6298: the first is repeated after a second
    return "lossy" if max(map(float, times.split())) > second_syn_s else "whole"


def _collector(lab: Lab, _sign: Sign, _host: str) -> str:
    done = lab.home.run("curl", "-s", "-m", ENOUGH_S, f"http://{world.COLLECTOR}:1/", check=False)
    return _EXITS[done.returncode]


def _clock(lab: Lab, _sign: Sign, _host: str) -> str:
    """The agent's command line with `date` in place of the agent."""
    around = lab.agent_command()[: -len(python("probe"))]
    said = subprocess.run([*around, "date", "+%s"], capture_output=True, text=True, check=True).stdout
    off_s = int(said) - time.time()
    if abs(off_s) < 60:
        return "right"
    return f"{'hours' if abs(off_s) < 86400 else 'years'} {'ahead' if off_s > 0 else 'behind'}"


_WITNESSES: dict[Tool, Callable[[Lab, Sign, str], str]] = {
    Tool.DIG: _dig,
    Tool.CURL: _curl,
    Tool.PLAIN: _plain,
    Tool.ISSUER: _issuer,
    Tool.SPEED: _speed,
    Tool.WAIT: _wait,
    Tool.LOSS: _loss,
    Tool.COLLECTOR: _collector,
    Tool.CLOCK: _clock,
}
