"""The processes beside a collector live as long as it does, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from collector.beside import Beside, Gone

ECHO = "from collector.piped import heard, pipes, said\na, b = pipes()\nfor one in heard(a): said(b, one)"


def children(pid: int) -> set[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, check=False)
    return {int(one) for one in found.stdout.split()}


def is_there(pid: int) -> bool:
    """Whether it runs; who has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_none_of_them_outlives_the_collector(tmp_path: Path, how: signal.Signals) -> None:
    nowhere = ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--data-dir", str(tmp_path)]
    command = [sys.executable, "-m", "collector", "serve", *nowhere]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as collector:
        assert collector.stdout
        assert collector.stdout.readline().startswith(b"page")
        beside = children(collector.pid)
        assert beside, "the detector at least"
        collector.send_signal(how)
        collector.wait(20)
    deadline = time.monotonic() + 10
    while any(map(is_there, beside)):
        assert time.monotonic() < deadline, "a process was left behind"
        time.sleep(0.02)


async def test_things_of_any_size_come_back_as_they_were() -> None:
    beside = Beside(sys.executable, "-c", ECHO)
    for thing in (None, {"a": (1, 2.5)}, b"\0" * 5_000_000, "ü" * 70_000):
        await beside.say(thing)
        assert await beside.hear(10) == thing
    await beside.end()
    assert beside.pid is None


@pytest.mark.parametrize(("how", "said"), [(signal.SIGKILL, "ended$"), (signal.SIGABRT, "ended by SIGABRT")])
async def test_how_one_ended_is_said_and_another_is_begun(how: signal.Signals, said: str) -> None:
    beside = Beside(sys.executable, "-c", ECHO)
    await beside.say(1)
    assert await beside.hear(10) == 1
    first = beside.pid
    assert first
    os.kill(first, how)
    with pytest.raises(Gone, match=said):
        await beside.hear(10)
    await beside.say(2)
    assert await beside.hear(10) == 2
    assert beside.pid != first
    await beside.end()


async def test_to_end_what_never_began_is_no_trouble() -> None:
    beside = Beside("/nowhere")
    await beside.end()
    with pytest.raises(Gone, match="No such file"):
        await beside.say(1)
    with pytest.raises(Gone, match="nobody is there"):
        await beside.hear()
