"""A censor blocks the collector, by its name, its address and what a ClientHello shows: rounds arrive."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.authority import Authority
from tests.probe.test_dial import pin_of

from . import servers
from .effects import Answer, BlockAddresses, Effect, Lie, Refusal, SniReset
from .namespace import python, running, stop
from .network import Lab, probe_config
from .test_main_job import collector, until
from .world import COLLECTOR, COLLECTOR_ELSEWHERE, COLLECTOR_SITE

__all__ = ["collector"]

pytestmark = [pytest.mark.lab, pytest.mark.slow]

ROUND_S = 15
URL = f"https://{COLLECTOR_SITE.hosts[0]}"
BORROWED, ELSEWHERE = f"{URL} as www.example.com", f"{URL} at {COLLECTOR_ELSEWHERE}"


@pytest.fixture
def pem(lab: Lab, tmp_path: Path, collector: subprocess.Popen[bytes]) -> Iterator[Path]:
    """TLS before the collector, with a certificate nobody vouches for."""
    certificate = Authority("Nobody's").issue(COLLECTOR_SITE.hosts, tmp_path)
    config = tmp_path / "nginx.conf"
    config.write_text(servers.nginx(tmp_path, "collector", servers.before_collector(certificate)))
    nginx = lab.collector.popen("nginx", "-p", str(tmp_path), "-c", str(config), log=tmp_path / "nginx.log")
    yield certificate
    stop(nginx)  # killed, it would leave its workers and their sockets behind


def agent_config(lab: Lab, state: Path, pem: Path) -> Path:
    """Two routes: the name's own with one more address, and the same under another name."""
    config = probe_config(lab, state, interval_s=ROUND_S, platforms=["x"])
    usual = f"urls = {json.dumps([f'http://{COLLECTOR}:8460'])}\n"
    text, pins = config.read_text(), json.dumps([pin_of(pem)])
    assert usual in text
    config.write_text(
        text.replace(usual, "")
        + f'[[collector.routes]]\nurl = "{URL}"\naddresses = ["{COLLECTOR_ELSEWHERE}"]\npins = {pins}\n'
        + f'[[collector.routes]]\nurl = "{URL}"\nserver_name = "www.example.com"\npins = {pins}\n'
    )
    return config


@pytest.mark.parametrize(
    ("effect", "other", "word"),
    [
        (Lie(Answer.NXDOMAIN), ELSEWHERE, "its name does not resolve"),
        (BlockAddresses(Refusal.DROP), ELSEWHERE, "no answer in time"),
        (SniReset(), BORROWED, "connection reset by peer"),
    ],
    ids=["by DNS", "by address", "by SNI"],
)
def test_with_the_first_way_to_the_collector_blocked_rounds_arrive_by_another_within_two(
    lab: Lab, tmp_path: Path, pem: Path, effect: Effect, other: str, word: str
) -> None:
    config = agent_config(lab, tmp_path / "agent", pem)

    def said(command: str) -> list[str]:
        done = lab.home.run(*python("probe", command, "--config", str(config)), check=False)
        return done.stdout.splitlines()

    def sent_to(way: str) -> bool:
        return any(line.startswith("last upload") and line.endswith(f", to {way}") for line in said("status"))

    def rounds() -> int:
        return sum(line.startswith("2") for line in said("history"))

    def arrived() -> int | None:
        """After how many rounds: counted before asking, which takes seconds on a busy machine."""
        count = rounds()
        return count if sent_to(other) else None

    agent = lab.home.popen(*python("probe", "start", "--config", str(config)), log=tmp_path / "agent.log")
    with running(agent):
        until(lambda: sent_to(URL) or None, 60)
        lab.block_collector(effect)
        began = rounds()
        assert until(arrived, 4 * ROUND_S) <= began + 2
        status = said("status")
    assert any(line.startswith(f"route        {other}: worked ") for line in status)
    (first,) = (line for line in status if line.startswith(f"route        {URL}: "))
    assert f"({word}); worked " in first
