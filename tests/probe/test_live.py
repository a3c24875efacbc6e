"""What is seen while a round runs: counts a person understands, in whatever room there is."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.live import Progress, frame, live
from probe.round import Activity
from probe.screen import cells
from probe.wire.failure import Failure
from probe.wire.observation import Observation, Phase, Purpose
from tests.glass import Window, seen
from tests.rounds import (
    X_ADDRESS,
    X,
    control,
    dns,
    elsewhere,
    failed,
    fine,
    innocuous,
    path,
    reached,
    transfer,
)

PLATFORMS = tuple(
    replace(X, name=name, title=title)
    for name, title in {"x": "X", "facebook": "Facebook", "instagram": "Instagram", "weibo": "微博"}.items()
)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def progress_of(*observations: Observation, clock: Clock | None = None) -> Progress:
    progress = Progress(PLATFORMS, 60.0, clock or Clock())
    for observation in observations:
        progress.see(observation)
    return progress


def row(*observations: Observation) -> list[str]:
    return progress_of(*observations).table("-")[1][1:]


def test_a_row_fills_in_stage_by_stage() -> None:
    lookup, tcp = dns("x/web", "system", X_ADDRESS), reached("x/web", X_ADDRESS)[0]
    cut = failed("x/web", X_ADDRESS, Failure.TLS_RESET)
    assert row() == ["-", "-", "-", "-"]
    assert row(lookup, tcp) == ["ok", "ok", "-", "-"]
    assert row(*cut, *cut) == ["-", "ok", "all 2 failed", "-"]
    assert row(*cut, *fine("x/web")) == ["ok", "ok", "1 of 2 failed", "ok"]


NOT_THE_PLATFORMS = {
    "an innocuous name on its address": innocuous(failed("x/web", X_ADDRESS, Failure.TLS_RESET)),
    "its name at another's address": elsewhere(failed("x/web", X_ADDRESS, Failure.TLS_RESET)),
    "an address where no resolver runs": [dns("x/web", "nobody", failure=Failure.DNS_TIMEOUT)],
    "the trusted resolver": [dns("x/web", "doh", failure=Failure.DNS_TIMEOUT)],
    "a name that has no address of the other family": [
        dns("x/web", "system", failure=Failure.DNS_NO_ANSWER, kind="AAAA")
    ],
    "this machine's own trouble": failed("x/web", X_ADDRESS, Failure.NO_ROUTE),
    "where on the way it breaks": [path("x/web", "syn", "reset/expired")],
    "an unrelated site": [control(Phase.BEFORE, "one.example", Failure.CONNECTION_TIMEOUT)],
    "cleartext, which nobody would miss": failed("x/plain", X_ADDRESS, Failure.HTTP_RESET),
    "an unrelated site, on the way": [
        replace(control(Phase.MAIN, "one.example", Failure.HTTP_RESET), purpose=Purpose.CONTROL)
    ],
}


@pytest.mark.parametrize("what", NOT_THE_PLATFORMS)
def test_what_the_agent_asks_on_its_own_account_is_no_failure_of_the_platforms(what: str) -> None:
    assert "failed" not in " ".join(row(*NOT_THE_PLATFORMS[what]))


def test_a_name_is_what_the_lines_own_resolver_makes_of_it() -> None:
    assert row(dns("x/web", "doh", X_ADDRESS))[0] == "-"


def test_where_speed_is_compared_it_has_a_column() -> None:
    """That of the platform's slowest part, which is what may be held back."""
    slow, fast = (transfer("x/media", rate) for rate in (120, 130)), transfer("x/web", 20_000)
    table = progress_of(*fine("x/web"), fast, *slow).table("-")
    assert [row[-1] for row in table] == ["speed", "127 kbit/s", "-", "-", "-"]


@pytest.mark.parametrize(
    ("activity", "said"),
    [
        (Activity.BEFORE, "checking the line: 12 s"),
        (Activity.MEASURING, "measuring: 12 s"),
        (Activity.SPEED, "comparing speed: 12 s"),
        (Activity.WHY, "asking why it failed: 12 s, up to 60 s"),
        (Activity.AFTER, "checking the line again: 12 s"),
    ],
)
def test_what_the_round_is_at_is_said_in_words(activity: Activity, said: str) -> None:
    clock = Clock()
    progress = progress_of(clock=clock)
    clock.now_s += 12
    progress.enter(activity)
    assert progress.doing() == said


BUSY = [
    *fine("x/web"),
    *(failed("x/media", X_ADDRESS, Failure.TLS_RESET) * 30)[:90],
    *(replace(o, target="facebook/web") for o in fine("x/web")),
    *(replace(o, target="weibo/web") for o in failed("x/web", X_ADDRESS, Failure.CONNECTION_TIMEOUT) * 12),
]


@given(
    st.lists(st.sampled_from(BUSY)),
    st.sampled_from(Activity),
    st.integers(1, 200),
    st.integers(1, 60),
    st.sampled_from(["utf-8", "ascii"]),
)
def test_the_table_is_never_wider_or_taller_than_the_terminal(
    observations: list[Observation], activity: Activity, columns: int, rows: int, encoding: str
) -> None:
    progress = progress_of(*observations)
    progress.enter(activity)
    screen = Window(columns, rows, encoding=encoding)
    lines = frame(progress, progress.doing(), screen.dots, screen)
    assert all(cells(line) < max(columns, 2) for line in lines)
    assert len(lines) < max(rows, 2)
    assert encoding != "ascii" or all(line.isascii() for line in lines)


def drawn(columns: int, rows: int) -> list[str]:
    return frame(progress_of(*BUSY), "measuring: 3 s", "…", Window(columns, rows))


def test_the_stages_stand_side_by_side_where_there_is_room() -> None:
    assert drawn(80, 24) == [
        "measuring: 3 s",
        "platform   name  connection     encryption       answer",
        "X          ok    ok             30 of 31 failed  ok",
        "Facebook   ok    ok             ok               ok",
        "Instagram  …     …              …                …",
        "微博       …     all 12 failed  …                …",
    ]


def test_a_small_terminal_shows_how_far_each_platform_got() -> None:
    assert drawn(40, 10) == [
        "measuring: 3 s",
        "X          encryption: 30 of 31 failed",
        "Facebook   answer: ok",
        "Instagram  …",
        "微博       connection: all 12 failed",
    ]
    assert drawn(40, 5) == [*drawn(40, 10)[:3], "and 2 more"]


def test_what_is_left_on_the_screen_is_one_whole_table() -> None:
    screen = Window()
    progress = progress_of()
    with live(progress, screen):
        for observation in fine("x/web"):
            progress.see(observation)
    lines = seen(screen.text())
    assert lines[0] == "done in 0 s"
    assert lines[2].split() == ["X", "ok", "ok", "ok", "ok"]
    assert lines[3].split() == ["Facebook", "-", "-", "-", "-"]
    assert len(lines) == 8
    assert "\x1b[3" not in screen.text()


def test_a_round_that_is_stopped_says_so_and_leaves_a_whole_table() -> None:
    screen = Window()
    with pytest.raises(KeyboardInterrupt), live(progress_of(), screen):
        raise KeyboardInterrupt
    lines = seen(screen.text())
    assert lines[0] == "stopped after 0 s: nothing is kept of this round"
    assert [line.split()[0] for line in lines[1:6]] == ["platform", "X", "Facebook", "Instagram", "微博"]


@pytest.mark.parametrize("environ", [{"TERM": "dumb"}, {}])
def test_a_terminal_that_cannot_draw_gets_a_line_for_what_begins(environ: dict[str, str]) -> None:
    screen = Window(environ=environ)
    with live(progress_of(), screen):
        pass
    assert screen.text() == "checking the line: 0 s\ndone in 0 s\n"


def test_off_a_terminal_nothing_is_shown() -> None:
    screen = Window()
    screen.is_terminal = False
    with live(progress_of(*BUSY), screen):
        pass
    assert screen.text() == ""


SILENT = (
    "ip link set lo up && ip address add 192.0.2.1/32 dev lo && ip route add default dev lo src 192.0.2.1"
)


@contextmanager
def in_a_window(command: list[str], environ: dict[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A program on a terminal of its own, which Ctrl-C reaches."""

    def take_terminal() -> None:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    ours, theirs = pty.openpty()
    resize(ours, 80, 24)
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ, preexec_fn=take_terminal
    )
    os.close(theirs)
    try:
        yield process, ours
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def resize(terminal: int, columns: int, rows: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def read_until(terminal: int, pattern: str, within_s: float = 20.0) -> str:
    """What is written until the pattern is in it; all of it, where the program ends first."""
    written, deadline = "", time.monotonic() + within_s
    while not re.search(pattern, written):
        assert time.monotonic() < deadline, written
        try:
            written += os.read(terminal, 65_536).decode()
        except OSError:  # Linux's EIO: nobody has the other end any more
            break
    return written


@pytest.mark.slow
@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("unshare"),
    reason="needs root, ip and unshare for a line on which nothing ever answers",
)
def test_a_real_run_survives_a_smaller_window_and_ctrl_c(tmp_path: Path) -> None:
    run = f'{SILENT} && exec "{sys.executable}" -m probe run --no-upload'
    environ = {
        **os.environ,
        "TERM": "xterm",
        "REACHWATCH_STATE_DIR": str(tmp_path),
        "REACHWATCH_RESOLVERS__SYSTEM": '["10.9.9.9"]',
        "PYTHONPATH": str(Path(__file__).parent.parent.parent),
    }
    with in_a_window(["unshare", "--net", "sh", "-c", run], environ) as (process, terminal):
        wide = read_until(terminal, "checking the line: 1 s")
        assert "platform   name  connection  encryption  answer" in seen(wide.replace("\r\n", "\n"))
        resize(terminal, 30, 6)
        narrow = read_until(terminal, "checking the line: 2 s")
        os.write(terminal, b"\x03")
        rest = read_until(terminal, "never said")
        assert process.wait(timeout=10) == 130
    small = seen((narrow[narrow.index("\x1b[H") :] + rest).replace("\r\n", "\n"))
    assert re.fullmatch(r"stopped after \d+ s: nothing is", small[0])
    assert small[1:] == ["kept of this round", "X          -", "Facebook   -", "and 2 more", "", ""]
    assert "?25l" not in wide + narrow + rest  # the cursor was never hidden
