"""The main job, end to end, with the real commands: from a volunteer's line to an operator's graph."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest

from collector.store import open_store
from probe.wire.codec import decode
from probe.wire.observation import Batch

from .namespace import python, running, stop
from .network import Lab, probe_config
from .world import COLLECTOR, FAMILIES

pytestmark = [pytest.mark.lab, pytest.mark.slow]

T = TypeVar("T")
ALL = ("x", "facebook", "instagram", "youtube")


def run_json(lab: Lab, state: Path) -> tuple[int, dict[str, Any]]:
    config = probe_config(lab, state)
    done = lab.home.run(
        *python("probe", "run", "--json", "--no-upload", "--config", str(config)), check=False
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def statuses(document: dict[str, Any]) -> dict[str, str]:
    return {entry["platform"]: entry["status"] for entry in document["platforms"]}


def until(question: Callable[[], T | None], within_s: float) -> T:
    """Ask until there is an answer; the clock here is the world's, because so are the programs."""
    deadline = time.monotonic() + within_s
    while (answer := question()) is None:
        assert time.monotonic() < deadline, f"nothing after {within_s} s"
        time.sleep(0.1)
    return answer


def test_a_clean_network_gives_ok_for_all_and_one_observation_per_stage_and_address(
    lab: Lab, tmp_path: Path
) -> None:
    status, document = run_json(lab, tmp_path)
    assert status == 0
    assert document["gate"]["state"] == "online"
    assert statuses(document) == dict.fromkeys(ALL, "ok")
    main = [o for o in document["observations"] if o["phase"] == "main"]
    once = Counter((o["target"], o["host"], o["stage"], o["address"]) for o in main if o["stage"] != "dns")
    assert set(once.values()) == {1}
    for target in ("x/web", "youtube/video"):
        stages = [o["stage"] for o in main if o["target"] == target]
        assert list(dict.fromkeys(stages)) == ["dns", "tcp", "tls", "http"]
    asked = Counter(
        (o["target"], o["dns"]["resolver"], o["dns"]["query_type"]) for o in main if o["stage"] == "dns"
    )
    assert set(asked.values()) == {1}
    assert all(o["failure"] is None and o["owner"] is None for o in main)
    found = {o["address"] for o in main if o["host"] == "x.com" and o["address"]}
    assert found <= {address for family in FAMILIES for address in lab.zone.every("x.com", family)}


@pytest.mark.parametrize(
    "scenario", ["dns_bogon", "dns_nxdomain", "dns_refused", "dns_nodata", "dns_blockpage"]
)
def test_where_the_isps_resolver_lies_about_x_x_alone_is_blocked_by_dns(
    lab: Lab, tmp_path: Path, scenario: str
) -> None:
    lab.switch(scenario, platforms=("x",))
    status, document = run_json(lab, tmp_path)
    assert status == 0
    assert statuses(document) == {**dict.fromkeys(ALL, "ok"), "x": "blocked"}
    (x,) = (entry for entry in document["platforms"] if entry["platform"] == "x")
    assert [mechanism["mechanism"] for mechanism in x["mechanisms"]] == ["dns"]
    assert x["scope"] == "full"


def test_with_the_line_cut_nothing_is_judged_and_the_exit_status_says_so(lab: Lab, tmp_path: Path) -> None:
    lab.switch("line_down")
    status, document = run_json(lab, tmp_path)
    assert status == 3
    assert document["gate"]["state"] == "offline"
    assert statuses(document) == dict.fromkeys(ALL, "insufficient")


@pytest.fixture
def collector(lab: Lab, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A collector in its own namespace, facing the lab and, for metrics, itself."""
    where = ("--listen", f"{COLLECTOR}:8460", "--metrics-listen", "127.0.0.1:8461")
    log = tmp_path / "collector.log"
    process = lab.collector.popen(
        *python("collector", "serve", "--data-dir", str(tmp_path / "data"), *where), log=log
    )
    with running(process):
        until(lambda: True if log.exists() and "metrics" in log.read_text() else None, 15)
        yield process


def test_ten_rounds_measured_while_the_collector_is_cut_off_arrive_once_with_their_own_times(
    lab: Lab, tmp_path: Path, collector: subprocess.Popen[bytes]
) -> None:
    state = tmp_path / "agent"
    config = probe_config(lab, state, interval_s=5, platforms=["x"])

    def history() -> list[str]:
        done = lab.home.run(
            *python("probe", "history", "--limit", "100", "--config", str(config)), check=False
        )
        return [line.split()[0] for line in done.stdout.splitlines() if line.startswith("2")]

    def status() -> str:
        return lab.home.run(*python("probe", "status", "--config", str(config)), check=False).stdout

    def stored() -> int:
        """How many batches the running collector has, by its metrics."""
        text = lab.collector.run("curl", "-s", "http://127.0.0.1:8461/metrics").stdout
        (line,) = (
            x for x in text.splitlines() if x.startswith('reachwatch_ingest_batches_total{result="new"}')
        )
        return int(float(line.split()[-1]))

    agent = lab.home.popen(*python("probe", "start", "--config", str(config)), log=tmp_path / "agent.log")
    with running(agent):
        until(lambda: stored() or None, 30)
        lab.switch("collector_blocked")
        began = len(history())
        until(lambda: True if len(history()) >= began + 10 else None, 120)
        assert stored() <= began + 1
        lab.switch("clean")
        # The agent may be waiting out its backoff; what was measured meanwhile follows at once.
        until(lambda: True if stored() >= began + 10 and "waiting      0 rounds" in status() else None, 240)
        assert stop(agent) == 0
    assert stop(collector) == 0
    with_times = history()
    store = open_store(f"sqlite://{tmp_path / 'data'}")
    batches = [decode(Batch, batch.body) for batch in store.batches()]
    store.close()
    arrived = [rnd.started_at for batch in batches for rnd in batch.rounds]
    assert len(arrived) == len(set(arrived)) >= began + 10
    assert len({batch.sequence for batch in batches}) == len(batches)
    measured = {datetime.fromisoformat(text) for text in with_times}
    assert set(arrived) <= measured
    assert len(measured - set(arrived)) <= 1, "only a round finished after the last upload may still wait"
    gaps = [(b - a).total_seconds() for a, b in zip(sorted(arrived), sorted(arrived)[1:], strict=False)]
    assert max(gaps) < 15, "the rounds keep the times they were measured at, not the time they arrived"


@pytest.mark.skipif(not shutil.which("prometheus"), reason="needs Debian's prometheus")
def test_prometheus_sees_the_ratio_fall_within_one_scrape_of_the_lying_resolver(
    lab: Lab, tmp_path: Path, collector: subprocess.Popen[bytes]
) -> None:
    (tmp_path / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
        "scrape_configs:\n- job_name: reachwatch\n  static_configs: [{targets: ['127.0.0.1:8461']}]\n"
    )
    prometheus = lab.collector.popen(
        "prometheus", f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'tsdb'}",
        "--web.listen-address=127.0.0.1:9090", "--log.level=error", log=tmp_path / "prometheus.log",
    )  # fmt: skip

    def ratio(platform: str) -> float | None:
        query = f'reachwatch_reachability_ratio{{country="PK",platform="{platform}"}}'
        url = f"http://127.0.0.1:9090/api/v1/query?query={urllib.parse.quote(query)}"
        done = lab.collector.run("curl", "-s", url, check=False)
        result = json.loads(done.stdout or '{"data":{"result":[]}}')["data"]["result"]
        return float(result[0]["value"][1]) if result else None

    config = probe_config(lab, tmp_path / "agent")

    def measure() -> None:
        lab.home.run(*python("probe", "run", "--config", str(config)))

    with running(prometheus):
        measure()
        until(lambda: True if ratio("x") == 1.0 else None, 30)
        lab.switch("dns_bogon", platforms=("x",))
        measure()
        began = time.monotonic()
        until(lambda: True if ratio("x") == 0.0 else None, 10)
        # The snapshot is taken every 2 s and scraped every 1 s.
        assert time.monotonic() - began < 6
        assert ratio("youtube") == 1.0
        text = lab.collector.run("curl", "-s", "http://127.0.0.1:8461/metrics").stdout
        checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
        stop(prometheus)
