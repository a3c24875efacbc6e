"""Nothing is sent without a yes to the text as it stands, and what was left out is not measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from probe import cli, volunteer
from probe.config import Config
from probe.consent import (
    TEXT,
    VERSION,
    Answer,
    ConsentError,
    Standing,
    read_answer,
    remaining,
    standing,
    write_answer,
)
from probe.identity import Installation
from probe.spool import Spool

YES = Answer(VERSION, True, 1000.0)
NO = replace(YES, given=False)


@pytest.mark.parametrize(
    ("answer", "setting", "expected"),
    [
        (None, "", Standing.UNDECIDED),
        (None, "yes", Standing.GIVEN),
        (None, "no", Standing.REFUSED),
        (YES, "", Standing.GIVEN),
        (YES, "no", Standing.REFUSED),
        (NO, "", Standing.REFUSED),
        (NO, "yes", Standing.GIVEN),
        (replace(YES, version=VERSION - 1), "", Standing.UNDECIDED),
        (replace(YES, version=VERSION + 1), "", Standing.UNDECIDED),
        (replace(NO, version=VERSION - 1), "", Standing.REFUSED),
    ],
)
def test_only_a_yes_to_this_text_is_one(answer: Answer | None, setting: str, expected: Standing) -> None:
    assert standing(answer, setting) is expected


def test_what_was_left_out_is_left_out_even_of_what_is_not_sent() -> None:
    assert remaining(["x", "youtube"], replace(NO, without=("x",))) == ("youtube",)
    assert remaining(["x", "youtube"], None) == ("x", "youtube")


def test_an_answer_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert read_answer(state) is None
    write_answer(state, replace(YES, without=("x",)))
    assert read_answer(state) == replace(YES, without=("x",))
    assert [file.name for file in state.iterdir()] == ["consent.json"]
    assert (state / "consent.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", "null", '"yes"', "[" * 100_000]
    + [
        json.dumps({"version": 1, "given": True, "at": 1.0, "without": []} | {key: wrong})
        for key, wrong in [("given", "yes"), ("given", 1), ("version", "x"), ("at", None), ("without", "x")]
    ],
)
def test_an_answer_that_cannot_be_read_is_no_yes(tmp_path: Path, text: str) -> None:
    (tmp_path / "consent.json").write_text(text)
    with pytest.raises(ConsentError, match=r"consent\.json: damaged; answer again"):
        read_answer(tmp_path)


def command(state: Path, monkeypatch: pytest.MonkeyPatch, *argv: str) -> int:
    monkeypatch.setenv("REACHWATCH_STATE_DIR", str(state))
    return cli.main(argv)


def test_it_is_answered_by_flags_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(tmp_path, monkeypatch, "consent", "--show") == 0
    assert capsys.readouterr().out == "not answered yet: nothing is sent (`reachwatch-probe consent`)\n"
    assert command(tmp_path, monkeypatch, "consent", "--yes", "--without", "x", "--without", "youtube") == 0
    assert capsys.readouterr().out.endswith("Z: rounds are sent; without x, youtube\n")
    assert command(tmp_path, monkeypatch, "consent", "--no") == 0
    assert command(tmp_path, monkeypatch, "consent", "--show") == 0
    assert "measured for this machine alone, nothing is sent\n" in capsys.readouterr().out
    monkeypatch.setenv("REACHWATCH_CONSENT", "yes")
    assert command(tmp_path, monkeypatch, "consent", "--show") == 0
    assert capsys.readouterr().out == "given, by the configuration: rounds are sent\n"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("consent",), "no terminal to ask on: consent --yes or --no"),
        (
            ("consent", "--yes", "--without", "myspace"),
            "--without: 'myspace' is not measured",
        ),
        (
            (
                "consent",
                "--yes",
                *(f"--without={name}" for name in ("x", "facebook", "instagram", "youtube")),
            ),
            "--without: leaves nothing to measure",
        ),
        (("start", "--collector", "http://127.0.0.1:9"), "nobody has agreed to sending yet"),
    ],
)
def test_what_cannot_be_answered_is_one_line_and_status_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    argv: tuple[str, ...],
    said: str,
) -> None:
    assert command(tmp_path, monkeypatch, *argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"reachwatch-probe: {said}")


def test_a_platform_left_out_cannot_be_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_answer(tmp_path, replace(YES, without=("x",)))
    assert command(tmp_path, monkeypatch, "run", "--platform", "x") == 2
    assert "platforms: x: left out by your consent" in capsys.readouterr().err
    assert command(tmp_path, monkeypatch, "config", "check") == 0
    assert "usable; 3 platforms" in capsys.readouterr().out


def test_the_text_names_what_stops_it() -> None:
    assert all(word in TEXT for word in ("pause", "resume", "consent --no", "--without", "forget"))


def test_a_no_drops_what_waits_to_be_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool.open(tmp_path / "spool.sqlite", max_bytes=1 << 20, max_age_s=1e6)
    spool.add("me", lambda _: (b"body", b"signature"), now=1.0)
    assert command(tmp_path, monkeypatch, "consent", "--no") == 0
    assert spool.figures().pending == 0
    spool.close()


def test_forget_deletes_rounds_and_seed_and_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_answer(tmp_path, NO)
    seed = Installation.load_or_create(tmp_path)
    Spool.open(tmp_path / "spool.sqlite", max_bytes=1 << 20, max_age_s=1e6).close()
    assert command(tmp_path, monkeypatch, "forget") == 2
    assert "no terminal to ask on: forget --yes" in capsys.readouterr().err
    assert Installation.load_or_create(tmp_path) == seed
    with volunteer.alone(tmp_path):
        assert command(tmp_path, monkeypatch, "forget", "--yes") == 1
    assert "another agent is running" in capsys.readouterr().err
    assert Installation.load_or_create(tmp_path) == seed
    assert command(tmp_path, monkeypatch, "forget", "--yes") == 0
    assert "What collectors have stays with them" in capsys.readouterr().out
    assert {file.name for file in tmp_path.iterdir()} == {"consent.json", "agent.lock"}
    assert read_answer(tmp_path) == NO
    assert Installation.load_or_create(tmp_path) != seed


def test_a_no_holds_at_once_for_an_agent_that_runs(tmp_path: Path) -> None:
    config = Config(state_dir=str(tmp_path))
    said = [volunteer.agrees(config)]
    for answer in (YES, NO, YES):
        write_answer(tmp_path, answer)
        said.append(volunteer.agrees(config))
    (tmp_path / "consent.json").write_text("{")
    assert [*said, volunteer.agrees(config)] == [False, True, False, True, False]
