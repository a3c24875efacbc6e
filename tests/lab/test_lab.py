"""The lab is what it says, by other programs' witness, before it judges anything."""

from __future__ import annotations

import subprocess
import time
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from . import world
from .network import Lab
from .scenarios import CLEAN, SCENARIOS, Scenario, Sign, Tool
from .signs import check, dig, fetch
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
    try:
        assert lab.zone != before
        assert set(dig(lab, "x.com").split()) == set(lab.zone.country["x.com"][4])
        assert set(lab.zone.every("x.com", 4)) == set(before.every("x.com", 4))
    finally:
        lab.shuffle(0)


def test_whoami_names_the_dialled_providers_resolver(lab: Lab) -> None:
    try:
        for name, isp in ISPS.items():
            lab.dial(name)
            assert dig(lab, world.WHOAMI) == isp.resolver[0]
            check_clean(lab)
    finally:
        lab.dial("a")


def check_clean(lab: Lab) -> None:
    for sign in CLEAN:
        check(lab, sign, PLATFORMS["x"])


def test_one_provider_blocks_and_the_other_does_not(lab: Lab) -> None:
    lab.switch("sni_reset", isps=("a",))
    try:
        assert fetch(lab, "https://x.com/") == "reset"
        lab.dial("b")
        assert fetch(lab, "https://x.com/") == "200"
    finally:
        lab.dial("a")


def test_the_trusted_resolver_answers_over_https(lab: Lab) -> None:
    asked = ("-H", "Content-Type: application/dns-message", "--data-binary", "@-")
    where = ("--resolve", f"{world.DOH_NAME}:443:{world.DOH[0]}", "--cacert", str(lab.ca_file))
    question = bytes.fromhex("00000100000100000000000001780363 6f6d0000010001")
    answer = subprocess.run(
        lab.home.command("curl", "-s", "-m", "3", *where, *asked, f"https://{world.DOH_NAME}/dns-query"),
        input=question, capture_output=True, check=True,
    ).stdout  # fmt: skip
    assert answer[3] & 15 == 0
    assert len(answer) > len(question) + 16


def test_where_no_resolver_is_nobody_answers(lab: Lab) -> None:
    assert dig(lab, "x.com", server=world.NO_RESOLVER) == "timeout"


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
    assert lab.home.run("curl", "-s", "-m", "2", "http://127.0.0.1:1/", check=False).returncode == 7
