"""A pause is a pause until its end, whatever becomes of its file, and a metered line is left alone."""

from __future__ import annotations

import re
from math import inf
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from probe import cli
from probe.quiet import duration_s, pause, paused_until, reason, resume


@pytest.mark.parametrize(("text", "seconds"), [("30m", 1800.0), ("2h", 7200.0), ("1d", 86_400.0)])
def test_a_duration_is_a_number_and_a_unit(text: str, seconds: float) -> None:
    assert duration_s(text) == seconds


@given(st.text())
@example("0m")
@example("-1h")
@example("1e9d")
@example("\u0661h")
@example("1h\n")
def test_anything_else_is_none(text: str) -> None:
    if re.fullmatch("[1-9][0-9]{0,4}[mhd]", text):
        assert duration_s(text) > 0
        return
    with pytest.raises(ValueError, match="is no duration such as 30m"):
        duration_s(text)


@pytest.mark.parametrize(
    ("paused", "interface", "expected"),
    [
        (None, None, ""),
        (None, "eth0", ""),
        (None, "wwan0", "wwan0 is metered"),
        (inf, "eth0", "paused"),
        (7200.0, None, "paused until 1970-01-01 02:00Z"),
        (999.0, "eth0", ""),
        (1000.0, "eth0", ""),
    ],
)
def test_why_to_keep_still(paused: float | None, interface: str | None, expected: str) -> None:
    assert reason(paused, 1000.0, interface, ["wwan*", "ppp*"]) == expected


def test_a_pause_is_kept_until_it_is_ended(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert paused_until(state) is None
    pause(state, 2000.5)
    assert paused_until(state) == 2000.5
    assert (resume(state), resume(state), paused_until(state)) == (True, False, None)


@pytest.mark.parametrize("text", ["", "soon", "nan", "1e300", "inf"])
def test_what_cannot_be_read_is_a_pause_without_end(tmp_path: Path, text: str) -> None:
    (tmp_path / "paused").write_text(text)
    assert paused_until(tmp_path) == inf


def test_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REACHWATCH_STATE_DIR", str(tmp_path))
    assert cli.main(["pause", "--for", "soon"]) == 2
    assert capsys.readouterr().err == (
        "reachwatch-probe: --for: 'soon' is no duration such as 30m, 2h or 1d\n"
    )
    assert cli.main(["pause"]) == 0
    assert capsys.readouterr().out == "paused; to go on: `reachwatch-probe resume`\n"
    assert cli.main(["status"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1] == "quiet        paused"
    assert said[-2].startswith("consent      not answered yet")
    assert said[-1] == "line         0 MB of 500 today, 0 MB of 8000 this month"
    assert (cli.main(["resume"]), cli.main(["resume"])) == (0, 0)
    assert capsys.readouterr().out == "resumed\nwas not paused\n"
