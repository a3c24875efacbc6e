"""The real agent in some of the scenarios, live: every mechanism, every way of not being able to judge, and
the worlds in which it would be easy to accuse somebody. All of them, five times: ``make lab-report``."""

from __future__ import annotations

from pathlib import Path

import pytest

from .campaign import Task, measure
from .compare import Ruling, ruling
from .network import Lab
from .scenarios import SCENARIOS
from .world import PLATFORMS

pytestmark = [pytest.mark.lab, pytest.mark.slow]

CHOSEN = (
    "cache_in_isp",
    "dns_nxdomain",
    "dns_blockpage",
    "dns_proxy",
    "ip_icmp",
    "sni_reset",
    "mitm_other_ca",
    "http_303",
    "throttle_media",
    "dns_tls_ip",
    "down_timeout",
    "site_captcha",
    "abroad_slow",
    "ipv6_broken",
    "controls_of_one_company_blocked",
    "shutdown",
    "line_down",
    "captive_portal",
    "interception_spared",
    "router_filter",
    "clock_years",
)


@pytest.mark.parametrize("name", CHOSEN)
def test_what_is_said_is_true_of_the_touched_and_the_untouched(lab: Lab, tmp_path: Path, name: str) -> None:
    touched = SCENARIOS[name].only[:1]
    run = measure(lab, Task(name, 1, tuple(PLATFORMS), touched), tmp_path)
    assert not run.trouble
    assert len(run.verdicts()) == len(PLATFORMS)
    for said, with_peers in ((run.verdicts(), False), (run.verdicts_with_peers(), True)):
        for platform, verdict in said.items():
            truth = run.truth(platform)
            assert ruling(truth.told_by_peers if with_peers else truth, verdict) is Ruling.TRUE, verdict
