"""The commands, as a shell sees them: standard output, standard error, exit status.

Run in a network namespace without any way out, so that no test ever asks the real world anything.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

OFFLINE = ("unshare", "--net", "--map-root-user") if os.geteuid() else ("unshare", "--net")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not shutil.which("unshare")
        or subprocess.run([*OFFLINE, "true"], capture_output=True).returncode != 0,
        reason="needs unshare and the right to make a network namespace",
    ),
]


def probe(state: Path, *argv: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run ``reachwatch-probe`` offline with a state folder of the test's own."""
    return subprocess.run(
        [*OFFLINE, sys.executable, "-W", "error", "-m", "probe", *argv],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "REACHWATCH_STATE_DIR": str(state), "TERM": "dumb", **environ},
    )


def test_run_without_internet_says_so_plainly_and_exits_3(tmp_path: Path) -> None:
    done = probe(tmp_path, "run")
    assert done.returncode == 3
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == ["X", "Facebook", "Instagram", "YouTube"]
    assert "could not be judged. This line is offline" in lines[0]
    assert all("could not be judged, for the same reason as X." in line for line in lines[1:])
    assert "blocked" not in done.stdout


def test_run_json_is_one_document_and_nothing_else(tmp_path: Path) -> None:
    done = probe(tmp_path, "run", "--json", "--platform", "x", "--platform", "youtube")
    document = json.loads(done.stdout)
    assert done.returncode == 3
    assert document["schema"] == "reachwatch/1"
    assert document["gate"]["state"] == "offline"
    assert [p["platform"] for p in document["platforms"]] == ["x", "youtube"]
    assert {p["status"] for p in document["platforms"]} == {"insufficient"}


def test_a_round_is_in_the_history_and_waits_for_its_collector(tmp_path: Path) -> None:
    collector = {"REACHWATCH_COLLECTOR__URLS": '["http://127.0.0.1:9"]', "REACHWATCH_CONSENT": "yes"}
    done = probe(tmp_path, "run", **collector)
    assert done.returncode == 3
    assert "the round waits on this machine" in done.stderr
    status = probe(tmp_path, "status", **collector).stdout
    assert "agent        not running" in status
    assert "waiting      1 rounds" in status
    assert "obstacle     the collector is unreachable, and this line is not well (offline)" in status
    assert "route        http://127.0.0.1:9: failed " in status
    (line,) = probe(tmp_path, "history").stdout.splitlines()
    assert "offline  x insufficient  facebook insufficient" in line


@pytest.mark.parametrize(("answer", "waiting"), [("", 1), ("no", 0)])
def test_without_a_yes_a_round_is_measured_and_not_sent(tmp_path: Path, answer: str, waiting: int) -> None:
    collector = {"REACHWATCH_COLLECTOR__URLS": '["http://127.0.0.1:9"]', "REACHWATCH_CONSENT": answer}
    done = probe(tmp_path, "run", "--json", **collector)
    assert (done.returncode, json.loads(done.stdout)["gate"]["state"]) == (3, "offline")
    (line,) = done.stderr.splitlines()
    assert "`reachwatch-probe consent`" in line
    status = probe(tmp_path, "status").stdout
    assert f"waiting      {waiting} rounds" in status
    assert "obstacle" not in status, "no collector was ever asked"


def test_no_upload_keeps_the_round_here(tmp_path: Path) -> None:
    probe(tmp_path, "run", "--no-upload", REACHWATCH_COLLECTOR__URLS='["http://127.0.0.1:9"]')
    assert "waiting      0 rounds" in probe(tmp_path, "status").stdout


def test_status_and_history_before_the_first_round(tmp_path: Path) -> None:
    assert "last round   none yet" in probe(tmp_path, "status").stdout
    assert probe(tmp_path, "history").stdout == "no rounds yet\n"


def test_doctor_says_for_each_line_what_to_do_and_exits_1(tmp_path: Path) -> None:
    done = probe(tmp_path, "doctor")
    assert done.returncode == 1
    subjects = [line[6:24].strip() for line in done.stdout.splitlines()]
    assert subjects == [
        *("consent", "at work", "state folder"),
        *("resolver", "trusted resolver", "IPv6", "clock"),
        *("path evidence", "packet evidence", "collector"),
    ]
    assert "FAIL  trusted resolver" in done.stdout
    assert "another resolvers.doh_url" in done.stdout


@pytest.mark.parametrize(
    ("argv", "status", "said"),
    [
        ((), 2, "usage:"),
        (("fly",), 2, "invalid choice: 'fly'"),
        (
            ("run", "--config", "/nowhere.toml"),
            2,
            "reachwatch-probe: /nowhere.toml: No such file or directory",
        ),
        (("run", "--platform", "myspace"), 2, "reachwatch-probe: platforms: no file for 'myspace'"),
        (("history", "--limit", "many"), 2, "invalid int value"),
    ],
)
def test_usage_and_configuration_errors_exit_2(
    tmp_path: Path, argv: tuple[str, ...], status: int, said: str
) -> None:
    done = probe(tmp_path, *argv)
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_state_folder_that_cannot_be_used_is_one_line_and_status_1(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = probe(tmp_path / "file" / "state", "run")
    assert done.returncode == 1
    assert done.stderr.startswith("reachwatch-probe: ")
    assert len(done.stderr.splitlines()) == 1


def test_two_agents_on_one_folder_are_one_too_many(tmp_path: Path) -> None:
    import fcntl

    with (tmp_path / "agent.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = probe(tmp_path, "start")
    assert done.returncode == 1
    assert "another agent is running on" in done.stderr


def test_a_terminal_that_is_not_utf8_is_no_trouble(tmp_path: Path) -> None:
    done = probe(tmp_path, "run", PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0")
    assert done.returncode == 3
    done.stdout.encode("ascii")
