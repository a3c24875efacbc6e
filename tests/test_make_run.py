"""``make run``, as a newcomer runs it, on a machine without internet."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.lab.namespace import running

ROOT = Path(__file__).parent.parent
VENV = Path(sys.prefix)


@pytest.mark.slow
@pytest.mark.lab
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="needs root and Debian's iproute2")
@pytest.mark.skipif(not (VENV / "bin" / "reachwatch-probe").exists(), reason="needs the project installed")
def test_it_prints_the_addresses_shows_this_machine_within_90_s_and_stops_in_order(tmp_path: Path) -> None:
    for part in ("Makefile", "pyproject.toml", "requirements.txt"):
        shutil.copy(ROOT / part, tmp_path)
    make = f"make --no-print-directory -o {VENV}/ready VENV={VENV} run"
    log = tmp_path / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            ["unshare", "--net", "bash", "-c", f"ip link set lo up && exec {make}"],
            cwd=tmp_path,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )

    def fetched(url: str) -> str:
        inside = ("nsenter", "--net", f"--target={process.pid}", "curl", "-s", url)
        return subprocess.run(inside, capture_output=True, text=True, timeout=10).stdout

    with running(process):
        deadline = time.monotonic() + 90
        while '"insufficient":1' not in fetched("http://127.0.0.1:8460/api/v1/state"):
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.5)
        state = json.loads(fetched("http://127.0.0.1:8460/api/v1/state"))
        assert state["countries"]["ZZ"]["platforms"]["x"]["statuses"] == {"insufficient": 1}
        assert "cannot judge now" in fetched("http://127.0.0.1:8460/")
        metrics = fetched("http://127.0.0.1:8461/metrics")
        assert 'reachwatch_rounds_total{platform="x",status="insufficient"} 1.0' in metrics
        assert 'reachwatch_rounds_total{platform="x",status="blocked"} 0.0' in metrics
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=20)
    said = log.read_text()
    assert "page     http://127.0.0.1:8460/\nmetrics  http://127.0.0.1:8461/metrics\n" in said
    assert said.index("agent_stopped") < said.index("INFO stopped")
    assert "Traceback" not in said
