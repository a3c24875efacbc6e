"""The lab is what it says, by other programs' witness, before it judges anything."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dns.message
import pytest

from . import world
from .namespace import ETC, python, running, sweep
from .network import UP_WITHIN_S, Lab
from .packet import ACK, RST, SYN
from .scenarios import CLEAN, SCENARIOS, Scenario, Sign, Tool
from .signs import check, dig, fetch, shows
from .world import ISPS, PLATFORMS

pytestmark = [pytest.mark.lab, pytest.mark.slow]

CONFIGS = Path(__file__).parent.parent.parent / "configs" / "platforms"
# What a platform's own name says where nobody interferes with it.
UNTOUCHED = (Sign(Tool.DIG, "genuine"), Sign(Tool.CURL, "200"), Sign(Tool.PLAIN, "301"))


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_the_scenario_shows_where_it_was_applied_and_nowhere_else(lab: Lab, scenario: Scenario) -> None:
    touched, *others = scenario.only
    lab.switch(scenario.name, platforms=(touched,))
    for sign in scenario.signs:
        check(lab, sign, PLATFORMS[touched])
    if not scenario.whole_line:
        untouched = next(name for name in PLATFORMS if name != touched)
        for sign in UNTOUCHED:
            check(lab, sign, PLATFORMS[untouched])
    if others:
        lab.switch(scenario.name)
        for sign in scenario.signs[:1]:
            check(lab, sign, PLATFORMS[others[-1]])


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "clean"])
def test_the_signs_of_a_scenario_do_not_all_show_in_a_clean_world(lab: Lab, name: str) -> None:
    platform = PLATFORMS[SCENARIOS[name].only[0]]
    assert not all(shows(lab, sign, platform) for sign in SCENARIOS[name].signs)


def test_every_name_the_agent_measures_has_addresses_of_both_families_here_and_abroad(lab: Lab) -> None:
    files = [tomllib.loads(file.read_text()) for file in CONFIGS.glob("*.toml")]
    urls = [url for file in files for role in file["role"] for url in role["urls"]]
    assert len(urls) > 15
    for host in {urlsplit(url).hostname for url in urls}:
        assert host in lab.zone.country
    for records in (lab.zone.country, lab.zone.public):
        for platform in PLATFORMS.values():
            for host in platform.hosts:
                assert all(len(records[host][family]) == world.PER_REGION for family in world.FAMILIES)


def test_every_name_resolves_and_answers_with_a_valid_certificate_when_nobody_interferes(lab: Lab) -> None:
    for owner in (*world.OWNERS, *world.DOMESTIC):
        for host in owner.hosts:
            for family in world.FAMILIES:
                assert set(dig(lab, host, family=family).split()) == set(lab.zone.country[host][family])
                assert fetch(lab, f"https://{host}/robots.txt", family=family) == "200"


def test_the_lines_resolver_and_the_public_ones_never_agree_and_are_both_right(lab: Lab) -> None:
    for server in (world.QUAD9, world.GOOGLE_DNS):
        here, there = dig(lab, "x.com"), dig(lab, "x.com", server=server)
        assert set(here.split()) == set(lab.zone.country["x.com"][4])
        assert set(there.split()) == set(lab.zone.public["x.com"][4])
        assert not set(here.split()) & set(there.split())


def test_shuffling_hands_out_other_genuine_addresses(lab: Lab) -> None:
    before = lab.zone
    lab.shuffle(7)
    assert lab.zone != before
    assert set(dig(lab, "x.com").split()) == set(lab.zone.country["x.com"][4])
    assert set(lab.zone.every("x.com", 4)) == set(before.every("x.com", 4))


def test_whoami_names_the_dialled_providers_resolver(lab: Lab) -> None:
    for name, isp in ISPS.items():
        lab.dial(name)
        assert dig(lab, world.WHOAMI) == isp.resolver[0]
        for sign in CLEAN:
            check(lab, sign, PLATFORMS["x"])


def test_one_provider_blocks_and_the_other_does_not(lab: Lab) -> None:
    lab.switch("sni_reset", platforms=("x",), isps=("a",))
    assert fetch(lab, "https://x.com/") == "reset"
    assert lab.truth("x").interfered
    assert not lab.truth("youtube").interfered
    lab.dial("b")
    assert fetch(lab, "https://x.com/") == "200"
    assert not lab.truth("x").interfered
    lab.switch("down_timeout", platforms=("x",), isps=("a",))
    assert lab.truth("x") == SCENARIOS["down_timeout"].truth


def test_the_trusted_resolver_answers_over_https(lab: Lab) -> None:
    asked = ("-H", "Content-Type: application/dns-message", "--data-binary", "@-")
    where = ("--resolve", f"{world.DOH_NAME}:443:{world.DOH[0]}", "--cacert", str(lab.ca_file))
    answer = subprocess.run(
        lab.home.command("curl", "-s", "-m", "3", *where, *asked, f"https://{world.DOH_NAME}/dns-query"),
        input=dns.message.make_query("x.com", "A").to_wire(), capture_output=True, check=True,
    ).stdout  # fmt: skip
    found = {record.to_text() for record in dns.message.from_wire(answer).answer[0]}
    assert found == set(lab.zone.public["x.com"][4])


def test_where_no_resolver_is_nobody_answers(lab: Lab) -> None:
    assert dig(lab, "x.com", server=world.NO_RESOLVER) == "timeout"


def hops(lab: Lab, address: str, *more: str) -> list[str]:
    return lab.home.run(*python("tests.lab.hops", address, *more)).stdout.split()


@pytest.mark.parametrize("scenario", ["clean", "sni_reset"])
def test_a_hop_is_a_hop_with_and_without_the_box(lab: Lab, scenario: str) -> None:
    lab.switch(scenario)
    v4 = [world.ROUTER, ISPS["a"].line[0], "110.93.254.1"]
    v6 = [f"{ISPS['a'].lan6}1", ISPS["a"].line[1], "2401:ba80:0:a::1"]
    for address, expected in ((world.QUAD9, v4), ("2620:fe::fe", v6)):
        for kind in (("udp", "33434"), ("tcp", "443")):
            assert hops(lab, address, *kind) == expected


@contextmanager
def watching(lab: Lab, log: Path) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """A capture at the home's device; the call gives what has arrived so far."""
    process = lab.home.popen(*python("tests.lab.watch", "eth0"), log=log)
    with running(process):
        while not (log.exists() and "listening" in log.read_text()):
            time.sleep(0.02)
        yield lambda: [json.loads(line) for line in log.read_text().splitlines()[1:]]


def test_an_injected_reset_comes_three_times_with_one_id_and_before_the_servers_acknowledgement(
    lab: Lab, tmp_path: Path
) -> None:
    lab.switch("sni_reset", platforms=("x",))
    with watching(lab, tmp_path / "watch") as arrived:
        assert fetch(lab, "https://x.com/") == "reset"
        time.sleep(0.2)
        opening, *resets = arrived()[:4]
    assert opening["flags"] == SYN | ACK
    assert [packet["flags"] for packet in resets] == [RST | ACK] * 3
    assert [packet["seq"] - resets[0]["seq"] for packet in resets] == [0, 1460, 4380]
    assert {packet["ipid"] for packet in resets} == {0x4D2}
    assert {packet["ttl"] for packet in resets} == {101 - 2}  # the provider's router and the home's
    assert opening["ttl"] == 64 - 3
    assert resets[0]["seq"] == opening["seq"] + 1


def test_an_injected_page_comes_before_the_true_answer_and_in_its_place(lab: Lab, tmp_path: Path) -> None:
    lab.switch("http_injected", platforms=("x",))
    with watching(lab, tmp_path / "watch") as arrived:
        assert fetch(lab, "http://x.com/") == "200"
        time.sleep(0.2)
        page, true = [packet for packet in arrived() if packet["bytes"]]
    assert page["seq"] == true["seq"]
    assert (page["ttl"], true["ttl"]) == (101 - 2, 64 - 3)


def test_a_late_reset_lets_the_client_wait(lab: Lab) -> None:
    lab.switch("sni_reset_late", platforms=("x",))
    began = time.monotonic()
    assert fetch(lab, "https://x.com/") == "reset"
    assert time.monotonic() - began > 1


@pytest.mark.parametrize(("host", "ttl"), [("www.youtube.com", 128), ("www.debian.org", 255)])
def test_servers_differ_in_the_ttl_they_start_with(lab: Lab, tmp_path: Path, host: str, ttl: int) -> None:
    with watching(lab, tmp_path / "watch") as arrived:
        for family in world.FAMILIES:
            assert fetch(lab, f"https://{host}/robots.txt", family=family) == "200"
        time.sleep(0.2)
        assert {packet["ttl"] for packet in arrived()} == {ttl - 3}


def test_after_a_residual_block_the_same_address_and_port_stay_dead_for_any_name(lab: Lab) -> None:
    lab.switch("sni_residual", platforms=("x",))
    (first, second) = lab.zone.public["x.com"][4]

    def innocuous(address: str) -> int:
        where = ("--resolve", f"example.org:443:{address}")
        return lab.home.run(
            "curl", "-sk", "-m", "1", "-o", "/dev/null", *where, "https://example.org/", check=False
        ).returncode  # fmt: skip

    assert innocuous(first) == 0
    assert fetch(lab, "https://x.com/") == "timeout"
    assert innocuous(first) == 28
    assert innocuous(second) == 0


TWICE = (
    "import socket, sys; s = socket.socket(2, 2); s.settimeout(1)\n"
    "s.sendto(bytes.fromhex(sys.argv[2]), (sys.argv[1], 53))\n"
    "try:\n while True: print(s.recv(999).hex())\n"
    "except TimeoutError: pass"
)


def test_an_injected_answer_comes_before_the_true_one_and_where_nobody_is_it_comes_alone(lab: Lab) -> None:
    lab.switch("dns_injection", platforms=("x",))
    question = dns.message.make_query("x.com", "A").to_wire().hex()

    def answers(server: str) -> list[str]:
        lines = lab.home.run("python3", "-c", TWICE, server, question).stdout.split()
        messages = [dns.message.from_wire(bytes.fromhex(line)) for line in lines]
        return [message.answer[0][0].to_text() for message in messages]

    forged, true = answers(world.GOOGLE_DNS)
    assert forged == "8.7.198.45"
    assert true in lab.zone.public["x.com"][4]
    assert answers(world.NO_RESOLVER) == ["8.7.198.45"]


def test_what_one_scenario_has_led_aside_is_not_led_there_in_the_next(lab: Lab) -> None:
    """One flow, by its port, in both."""
    asked = (
        "dig",
        "+tries=1",
        "+time=1",
        "+short",
        f"-b{world.HOME}#31053",
        f"@{world.NO_RESOLVER}",
        "x.com",
    )
    lab.switch("dns_proxy_honest")
    assert lab.home.run(*asked).stdout
    lab.switch("clean")
    assert lab.home.run(*asked, check=False).returncode == 9  # nobody answered


def test_one_provider_can_lie_with_the_other_honest_and_each_about_its_own_block_page(lab: Lab) -> None:
    lab.switch("dns_blockpage", platforms=("x",))
    for name in ("b", "a"):
        lab.dial(name)
        assert dig(lab, "x.com") == ISPS[name].block_page[0]


def test_the_vantage_abroad_sees_no_censor(lab: Lab) -> None:
    for name in ("sni_reset", "ip_drop", "dns_injection", "shutdown"):
        lab.switch(name)
        url, (address, *_) = "https://x.com/robots.txt", lab.zone.public["x.com"][4]
        there = ("--cacert", str(lab.ca_file), "--resolve", f"x.com:443:{address}")
        assert lab.abroad.run("curl", "-sSf", "-m", "3", *there, url).stdout.startswith("User-agent")
        found = lab.abroad.run("dig", "+short", f"@{world.QUAD9}", "x.com").stdout
        assert set(found.split()) == set(lab.zone.public["x.com"][4])


def test_switching_takes_under_two_seconds_to_the_heaviest_scenario_and_back(lab: Lab) -> None:
    for name in ("dns_tls_ip", "throttle_sni", "cache_in_isp", "router_filter", "clean"):
        began = time.monotonic()
        lab.switch(name)
        assert time.monotonic() - began < 2


def test_nothing_of_the_lab_reaches_outside_its_namespaces(lab: Lab) -> None:
    routes = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout
    rules = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
    assert not any(address in routes for address in lab.zone.country["x.com"][4])
    assert "table inet lab" not in rules
    with socket.create_server(("0.0.0.0", 0)) as ours:
        listed = subprocess.run(["ip", "-4", "-j", "address"], capture_output=True, text=True, check=True)
        addresses = [entry["local"] for link in json.loads(listed.stdout) for entry in link["addr_info"]]
        for address in addresses:
            url = f"http://{address}:{ours.getsockname()[1]}/"
            assert lab.home.run("curl", "-s", "-m", "1", url, check=False).returncode in (7, 28)
        ours.settimeout(0)
        with pytest.raises(BlockingIOError):
            ours.accept()


KILLED = (
    "import os, sys, time; from pathlib import Path; from tests.lab.network import Lab\n"
    "began = time.monotonic(); Lab(Path(sys.argv[1])).__enter__()\n"
    "print(time.monotonic() - began, flush=True); os.kill(os.getpid(), 9)"
)


def test_it_is_up_in_fifteen_seconds_and_after_a_crash_all_of_it_goes(lab: Lab, tmp_path: Path) -> None:
    crashed = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    out, _ = crashed.communicate(timeout=60)
    assert float(out) < UP_WITHIN_S
    left = f"rw{crashed.pid}-"
    assert left in namespaces()
    sweep()
    assert left not in namespaces()
    assert not list(ETC.glob(f"{left}*"))
    assert not subprocess.run(["pgrep", "-f", str(tmp_path)], capture_output=True, check=False).stdout
    assert lab.home.name in namespaces()  # what is in use stays


def namespaces() -> str:
    return subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout


def test_an_unknown_scenario_is_one_line_with_the_list() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.lab", "sni_rest"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("no scenario 'sni_rest'; there are: clean ")


def test_the_shell_is_in_the_home_and_has_the_agent_ready() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.lab", "sni_reset", "--platforms", "x"],
        input="curl -s https://x.com/; echo =$?\nreachwatch-probe run --no-upload | cat\n",
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert "=35" in done.stdout
    assert "YouTube: reachable." in done.stdout
    assert "X: reachable." not in done.stdout
