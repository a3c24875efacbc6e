"""What ``doctor`` says of consent, quiet and the state folder: each line that is not fine says what to do."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from probe import budget, household, quiet
from probe.config import Config
from probe.consent import VERSION, Answer, write_answer
from probe.doctor import Finding, Health


def found(config: Config) -> dict[str, Finding]:
    return {one.subject: one for one in household.findings(config)}


def test_a_machine_that_is_well_and_was_asked_is_fine(tmp_path: Path) -> None:
    write_answer(tmp_path, Answer(VERSION, given=True, at=0.0, without=()))
    assert {one.health for one in found(Config(state_dir=str(tmp_path))).values()} == {Health.OK}


def undecided(_: Path) -> None: ...


def refused(folder: Path) -> None:
    write_answer(folder, Answer(VERSION, given=False, at=0.0, without=()))


def paused(folder: Path) -> None:
    quiet.pause(folder, 4e9)


def spent(folder: Path) -> None:
    budget.Purse(folder).pay(10**12, time.time())


def open_to_others(folder: Path) -> None:
    (folder / "identity.key").write_bytes(bytes(32))
    (folder / "identity.key").chmod(0o644)


def no_database(folder: Path) -> None:
    (folder / "spool.sqlite").write_bytes(b"no database" * 100)


@pytest.mark.parametrize(
    ("spoil", "subject", "health", "advice"),
    [
        (undecided, "consent", Health.NOTE, "`reachwatch-probe consent`"),
        (refused, "consent", Health.NOTE, "nothing is sent"),
        (paused, "at work", Health.NOTE, "`reachwatch-probe resume`"),
        (spent, "at work", Health.NOTE, "raise [budget]"),
        (open_to_others, "state folder", Health.FAIL, "chmod 600"),
        (no_database, "state folder", Health.FAIL, "set state_dir"),
    ],
)
def test_what_is_not_fine_says_what_to_do(
    tmp_path: Path, spoil: Callable[[Path], None], subject: str, health: Health, advice: str
) -> None:
    spoil(tmp_path)
    one = found(Config(state_dir=str(tmp_path)))[subject]
    assert one.health is health
    assert advice in one.text


def test_a_disk_that_is_nearly_full_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5 << 20))
    one = found(Config(state_dir=str(tmp_path)))["state folder"]
    assert one.health is Health.FAIL
    assert "5 MiB are left" in one.text
