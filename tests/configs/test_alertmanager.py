"""Alertmanager: who is told of what, that a country is one notification, and what holds others back."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.configs.shipped import ALERTS, PROMETHEUS, Rule

CONFIG = PROMETHEUS / "alertmanager.yml"
SERVER = "prometheus-alertmanager"
RECEIVERS = {"country": "watchers", "platform": "watchers", "collector": "operators"}
needs_amtool = pytest.mark.skipif(
    not shutil.which("amtool"), reason="needs amtool, of Debian's prometheus-alertmanager"
)
needs_server = pytest.mark.skipif(
    not shutil.which(SERVER), reason="needs Alertmanager, of Debian's prometheus-alertmanager"
)
Alert = dict[str, str]
Sent = tuple[str, frozenset[tuple[str, str, str]]]
Tell = Callable[..., list[Sent]]


def amtool(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["amtool", *map(str, words)], capture_output=True, text=True)


def labelled(name: str, **labels: str) -> Alert:
    """An alert as Prometheus sends it: with the labels that its rule adds."""
    rule = next(rule for rule in ALERTS if rule.name == name)
    return {"alertname": name, "severity": rule.fields["severity"], "scope": rule.fields["scope"], **labels}


@needs_amtool
def test_amtool_takes_the_configuration() -> None:
    done = amtool("check-config", CONFIG)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 inhibit rules" in done.stdout


@needs_amtool
@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_goes_to_those_whom_it_concerns(alert: Rule) -> None:
    labels = [f"{key}={value}" for key, value in labelled(alert.name, country="PK", platform="x").items()]
    expected = RECEIVERS[alert.fields["scope"]]
    done = amtool(
        "config", "routes", "test", f"--config.file={CONFIG}", f"--verify.receivers={expected}", *labels
    )
    assert (done.returncode, done.stdout.strip()) == (0, expected), done.stderr


@needs_amtool
def test_an_alert_of_somebody_elses_goes_to_operators() -> None:
    done = amtool("config", "routes", "test", f"--config.file={CONFIG}", "alertname=Other", "country=PK")
    assert done.stdout.strip() == "operators"


def test_only_alerts_and_labels_that_exist_inhibit_and_are_inhibited() -> None:
    text = CONFIG.read_text()
    assert named("alertname", text) <= {alert.name for alert in ALERTS}
    assert named("scope", text) <= {alert.fields["scope"] for alert in ALERTS}


def named(label: str, text: str) -> set[str]:
    found = re.findall(rf'\b{label} (?:= (\w+)|=~ "([\w|]+)")', text)
    return {name for one, several in found for name in (one or several).split("|")}


class Hooks(ThreadingHTTPServer):
    """Takes webhooks, and keeps who was told of which alerts together, and who that they are over."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Hook)
        self.sent: list[Sent] = []
        self.ended: list[Sent] = []


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        labels = [alert["labels"] for alert in body["alerts"]]
        alerts = frozenset((x["alertname"], x.get("country", ""), x.get("platform", "")) for x in labels)
        assert isinstance(self.server, Hooks)
        told = self.server.ended if body["status"] == "resolved" else self.server.sent
        told.append((body["receiver"], alerts))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Tell]:
    """A real Alertmanager with the shipped routes, its waits cut from minutes to seconds."""
    hooks = Hooks()
    threading.Thread(target=hooks.serve_forever, daemon=True).start()
    text = re.sub(r"group_(wait|interval): \w+", r"group_\1: 2s", CONFIG.read_text())
    (tmp_path / "alertmanager.yml").write_text(
        text.replace("127.0.0.1:9095", f"127.0.0.1:{hooks.server_port}")
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            SERVER,
            f"--config.file={tmp_path}/alertmanager.yml",
            f"--storage.path={tmp_path}/data",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def post(alerts: list[Alert], *, over: bool = False) -> list[Sent]:
        ends = {"endsAt": datetime.now(UTC).isoformat()} if over else {}
        body = json.dumps([{"labels": alert, **ends} for alert in alerts]).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/v2/alerts", body, {"Content-Type": "application/json"}
        )
        deadline = time.monotonic() + 20
        while True:
            try:
                urllib.request.urlopen(request, timeout=5).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "Alertmanager does not come up"
                time.sleep(0.1)
        time.sleep(4)  # twice what a group waits: what is not sent by now is held back
        return sorted(hooks.ended if over else hooks.sent, key=lambda sent: (sent[0], sorted(sent[1])))

    try:
        yield post
    finally:
        process.terminate()
        process.wait(timeout=10)
        hooks.shutdown()
        hooks.server_close()


@needs_server
@pytest.mark.slow
def test_a_country_is_one_notification_and_what_is_confirmed_is_not_called_possible(
    told: Tell,
) -> None:
    sent = told(
        [
            labelled("NationDisruptionSuspected", country="PK", platform="x"),
            labelled("NationDisruptionConfirmed", country="PK", platform="x"),
            labelled("NationDisruptionSuspected", country="PK", platform="youtube"),
            labelled("CountrySilent", country="PK"),
            labelled("NationThrottled", country="IR", platform="x"),
        ]
    )
    about_pk = {
        ("NationDisruptionConfirmed", "PK", "x"),
        ("NationDisruptionSuspected", "PK", "youtube"),
        ("CountrySilent", "PK", ""),
    }
    about_ir = {("NationThrottled", "IR", "x")}
    assert sent == [("watchers", frozenset(about_pk)), ("watchers", frozenset(about_ir))]


@needs_server
@pytest.mark.slow
def test_a_platforms_own_outage_holds_back_that_platform_alone(
    told: Tell,
) -> None:
    sent = told(
        [
            labelled("NationDisruptionConfirmed", country="PK", platform="x"),
            labelled("NationThrottled", country="IR", platform="x"),
            labelled("NationDisruptionConfirmed", country="PK", platform="youtube"),
            labelled("CountrySilent", country="MM"),
            labelled("PlatformOutage", platform="x"),
        ]
    )
    assert {alert for _, alerts in sent for alert in alerts} == {
        ("NationDisruptionConfirmed", "PK", "youtube"),
        ("CountrySilent", "MM", ""),
        ("PlatformOutage", "", "x"),
    }


@needs_server
@pytest.mark.slow
def test_when_the_whole_world_falls_silent_only_operators_are_told(
    told: Tell,
) -> None:
    countries = [labelled("CountrySilent", country=country) for country in ("PK", "IR", "DE")]
    block = labelled("NationDisruptionConfirmed", country="PK", platform="x")
    sent = told([*countries, block, labelled("ProbesVanished")])
    assert sent == [("operators", frozenset({("ProbesVanished", "", "")}))]


@needs_server
@pytest.mark.slow
@pytest.mark.parametrize("gone", ["CollectorDown", "CollectorStale", "DetectorStale"])
def test_a_collector_that_is_gone_tells_nobody_that_something_is_over(told: Tell, gone: str) -> None:
    block = labelled("NationDisruptionConfirmed", country="PK", platform="x")
    outage = labelled("PlatformOutage", platform="youtube")
    known = labelled("NationThrottled", country="IR", platform="facebook")
    assert {alert for _, alerts in told([block, outage, known]) for alert in alerts} == {
        ("NationDisruptionConfirmed", "PK", "x"),
        ("PlatformOutage", "", "youtube"),
        ("NationThrottled", "IR", "facebook"),
    }
    assert told([known], over=True) == [("watchers", frozenset({("NationThrottled", "IR", "facebook")}))]
    assert told([labelled(gone)])[0] == ("operators", frozenset({(gone, "", "")}))
    assert len(told([block, outage], over=True)) == 1, "nobody hears of an end that nobody saw"
