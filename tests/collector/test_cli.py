"""The collector's commands, as a shell sees them."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


ANYWHERE = ("--metrics-listen", "127.0.0.1:0", "--listen")


def command(*argv: str) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "collector", *argv]


@contextmanager
def serving(data: Path) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """A collector on ports of the kernel's choice: the process and both addresses."""
    process = subprocess.Popen(
        command("serve", "--data-dir", str(data), *ANYWHERE, "127.0.0.1:0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline() for _ in range(2)]
        yield process, *(line.split()[1] for line in lines)  # type: ignore[misc]
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def fetched(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return str(answer.read().decode())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_both_addresses_serves_and_stops_cleanly_when_asked(
    tmp_path: Path, number: signal.Signals
) -> None:
    with serving(tmp_path) as (process, page, metrics):
        assert "No probe has reported yet" in fetched(page)
        assert "reachwatch_build_info" in fetched(metrics)
        assert fetched(page + "readyz") == "ready\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert re.fullmatch(r"\S+ INFO stopped\n", err)


def test_a_port_in_use_and_a_folder_in_use_are_one_line_each_and_status_1(tmp_path: Path) -> None:
    with serving(tmp_path / "one") as (_, page, _metrics):
        taken = page.removeprefix("http://").rstrip("/")
        for data, listen, said in (
            (tmp_path / "two", taken, f"cannot listen on {taken}: Address already in use"),
            (tmp_path / "one", "127.0.0.1:0", "another collector uses this folder"),
        ):
            argv = command(
                "serve", "--data-dir", str(data), "--listen", listen, "--metrics-listen", "127.0.0.1:0"
            )
            done = subprocess.run(argv, capture_output=True, text=True, timeout=20)
            assert done.returncode == 1
            assert said in done.stderr
            assert len(done.stderr.splitlines()) == 1


def test_config_check_says_usable(capfd: pytest.CaptureFixture[str]) -> None:
    done = subprocess.run(command("config", "check"), capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout) == (0, "defaults: usable; 4 platforms\n")
