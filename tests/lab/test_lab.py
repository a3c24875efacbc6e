"""The lab is what it says, by other programs' witness, before it judges anything."""

from __future__ import annotations

import subprocess
import time

import dns.message
import pytest

from .network import CONTROLS, DOH, RESOLVER, ZONE, Lab

pytestmark = [pytest.mark.lab, pytest.mark.slow]


def dig(lab: Lab, name: str, server: str = RESOLVER, *more: str) -> str:
    return lab.home.run(
        "dig", "+noall", "+comments", "+answer", *more, f"@{server}", name, "A", check=False
    ).stdout


def fetch(lab: Lab, url: str, address: str) -> str:
    host = url.split("/")[2]
    port = "443" if url.startswith("https") else "80"
    answer = lab.home.run(
        "curl", "-s", "-m", "3", "--cacert", str(lab.ca_file), "--resolve", f"{host}:{port}:{address}",
        "-o", "/dev/null", "-w", "%{http_code} %{errormsg}", url, check=False,
    )  # fmt: skip
    return answer.stdout.strip()


def test_every_name_resolves_and_answers_with_a_valid_certificate_when_nobody_interferes(lab: Lab) -> None:
    for name, address in ZONE.items():
        assert address in dig(lab, name)
        if name != "portal.lab":
            assert fetch(lab, f"https://{name}/robots.txt", address) == "200"


def test_the_trusted_resolver_answers_over_https_whatever_the_isp_says(lab: Lab) -> None:
    lab.switch("x_bogon")
    question = dns.message.make_query("x.com", "A").to_wire()
    asked = (
        "-H",
        "Content-Type: application/dns-message",
        "--data-binary",
        "@-",
        "https://doh.lab/dns-query",
    )
    where = ("--resolve", f"doh.lab:443:{DOH}", "--cacert", str(lab.ca_file))
    answer = subprocess.run(
        lab.home.command("curl", "-s", "-m", "3", "--http1.1", *where, *asked),
        input=question,
        capture_output=True,
        check=True,
    )
    assert ZONE["x.com"] in dns.message.from_wire(answer.stdout).to_text()


@pytest.mark.parametrize(
    ("scenario", "sign"),
    [
        ("x_bogon", "10.10.34.35"),
        ("x_nxdomain", "NXDOMAIN"),
        ("x_refused", "REFUSED"),
        ("x_nodata", "ANSWER: 0"),
    ],
)
def test_the_isps_resolver_lies_about_x_and_about_nothing_else(lab: Lab, scenario: str, sign: str) -> None:
    lab.switch(scenario)
    assert sign in dig(lab, "x.com")
    assert sign in dig(lab, "pbs.twimg.com")
    assert ZONE["www.youtube.com"] in dig(lab, "www.youtube.com")
    lab.switch("clean")
    assert ZONE["x.com"] in dig(lab, "x.com")


def test_an_impostor_answers_on_443_and_cannot_show_xs_certificate(lab: Lab) -> None:
    lab.switch("x_impostor")
    address = ZONE["www.debian.org"]
    assert address in dig(lab, "x.com")
    assert fetch(lab, "https://x.com/robots.txt", address).startswith("000 SSL")


def test_a_cut_uplink_leaves_the_home_with_its_router_alone(lab: Lab) -> None:
    lab.switch("uplink_down")
    assert fetch(lab, f"https://{CONTROLS[0]}/robots.txt", ZONE[CONTROLS[0]]).startswith("000")
    assert lab.home.run("ping", "-c1", "-W2", RESOLVER, check=False).returncode == 0


def test_switching_takes_under_two_seconds(lab: Lab) -> None:
    began = time.monotonic()
    lab.switch("x_bogon")
    assert time.monotonic() - began < 2


def test_nothing_of_the_lab_reaches_outside_its_namespaces(lab: Lab) -> None:
    routes = subprocess.run(["ip", "route"], capture_output=True, text=True, check=True).stdout
    assert not any(address in routes for address in ZONE.values())
