"""What was given up is seen, sent again or dropped; nothing else is touched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from collector.cli import main
from collector.store import open_store
from collector.store.base import Delivery

from .receivers import SECRET, revision


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with two dead letters and one delivery that waits."""
    store = open_store(f"sqlite://{tmp_path}")
    store.subscribe(["ops"])
    store.publish([revision(1), revision(2), revision(1, incident="pk-2")])
    for one in store.outbox()[:2]:
        store.post(replace(one, attempts=one.number, error="status 410", dead=True))
    store.close()
    return tmp_path


def outbox(folder: Path, *, dead: bool) -> list[Delivery]:
    store = open_store(f"sqlite://{folder}")
    try:
        return store.outbox(dead=dead)
    finally:
        store.close()


def run(folder: Path, *words: str) -> int:
    file = folder / "own.toml"
    file.write_text(f'[[webhooks]]\nname = "ops"\nurl = "https://ops.example/"\nsecret = "{SECRET}"\n')
    return main(["admin", "dead-letters", *words, "--data-dir", str(folder), "--config", str(file)])


def test_what_nobody_is_configured_to_hear_is_not_put_back(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["admin", "dead-letters", "retry", "--all", "--data-dir", str(folder)]
    assert main(argv) == 1
    assert (
        capsys.readouterr().err == "reachwatch-collector: ops/pk-1/1: no webhook of that name is configured\n"
    )
    assert len(outbox(folder, dead=True)) == 2


def test_they_are_listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "list") == 0
    said = capsys.readouterr()
    assert said.out == (
        "ops/pk-1/1  2023-12-17T10:15:01Z  1 attempt, last: status 410\n"
        "ops/pk-1/2  2023-12-17T10:15:02Z  2 attempts, last: status 410\n"
    )
    assert said.err == "2 dead letters\n"
    assert len(outbox(folder, dead=True)) == 2


def test_one_is_tried_again_as_if_it_were_new(folder: Path) -> None:
    assert run(folder, "retry", "ops/pk-1/2") == 0
    assert [one.number for one in outbox(folder, dead=True)] == [1]
    back = next(one for one in outbox(folder, dead=False) if one.incident == "pk-1")
    assert (back.number, back.attempts) == (2, 0)
    assert back.at == back.due > 1_750_000_000, "72 hours begin anew"


def test_all_are_dropped_and_what_waits_is_not(folder: Path) -> None:
    assert run(folder, "drop", "--all") == 0
    assert outbox(folder, dead=True) == []
    assert [one.incident for one in outbox(folder, dead=False)] == ["pk-2"]


@pytest.mark.parametrize("letter", ["ops/pk-1/3", "ops/pk-2/1", ""])
def test_a_letter_that_is_not_there_is_named_and_the_others_stay(
    folder: Path, letter: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, "drop", "ops/pk-1/1", letter) == 1
    assert capsys.readouterr().err == f"reachwatch-collector: {letter}: no such dead letter\n"
    assert len(outbox(folder, dead=True)) == 2


@pytest.mark.parametrize("words", [["drop"], ["retry"], ["drop", "--all", "ops/pk-1/1"]])
def test_nothing_is_done_where_it_is_not_said_to_which(
    folder: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(folder, *words) == 2
    assert capsys.readouterr().err.endswith(f"dead-letters {words[0]}: name the letters, or say --all\n")
    assert len(outbox(folder, dead=True)) == 2
