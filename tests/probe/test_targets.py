"""What an agent keeps of signed lists: across restarts, through a full disk, and when one is over."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from probe.targets import REFUSED_S, Targets
from probe.wire.platform import Endpoint, Role
from probe.wire.targets import signed
from tests.probe.wire.test_targets import KEY, NOW, SHIPPED, STRANGERS, THIEF, X, by_a_thief, listing, raw

PINNED = (base64.b64encode(raw(KEY)).decode(),)
RENEWED = replace(
    X, roles=(Role(name="web", endpoints=(Endpoint(url="https://api.twitter.com/robots.txt"),)),)
)


class Clock:
    now = NOW.timestamp()

    def __call__(self) -> float:
        return self.now


def test_a_list_renews_what_is_measured_and_outlives_a_restart(tmp_path: Path) -> None:
    path, clock = tmp_path / "targets.json", Clock()
    targets = Targets(path, PINNED, clock)
    assert (targets.version, targets.platforms(SHIPPED)) == (0, SHIPPED)
    assert targets.in_words() == "those that came with the agent"
    assert targets.take(signed(listing(RENEWED, version=7), [KEY]))
    for one in (targets, Targets(path, PINNED, clock)):
        assert one.version == 7
        assert one.platforms(SHIPPED) == (RENEWED, *SHIPPED[1:])
        assert one.in_words() == "version 7, until 2026-12-31 00:00Z"


def test_it_adds_no_platform_that_is_not_measured_anyway(tmp_path: Path) -> None:
    targets = Targets(tmp_path / "targets.json", PINNED, Clock())
    assert targets.take(signed(listing(), [KEY]))
    assert targets.platforms(SHIPPED[1:]) == SHIPPED[1:]


def test_one_that_is_over_is_gone_by_no_more_and_none_older_is(tmp_path: Path) -> None:
    clock = Clock()
    targets = Targets(tmp_path / "targets.json", PINNED, clock)
    assert targets.take(signed(listing(RENEWED, version=7), [KEY]))
    clock.now = (NOW + timedelta(days=31)).timestamp()
    restarted = Targets(tmp_path / "targets.json", PINNED, clock)
    assert (restarted.platforms(SHIPPED), restarted.version) == (SHIPPED, 7)
    late = replace(listing(version=6), expires_at=NOW + timedelta(days=60))
    assert not restarted.take(signed(late, [KEY]))


@pytest.mark.parametrize(
    "offered",
    [lambda: signed(listing(), [THIEF]), lambda: by_a_thief(listing(STRANGERS["a stranger's host"]))],
)
def test_what_is_refused_changes_nothing_and_is_not_asked_for_each_minute(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, offered: Callable[[], object]
) -> None:
    clock = Clock()
    targets = Targets(tmp_path / "targets.json", PINNED, clock)
    assert not targets.take(offered())  # type: ignore[arg-type]
    assert targets.platforms(SHIPPED) == SHIPPED
    assert "targets_refused" in caplog.text
    assert targets.version is None
    clock.now += REFUSED_S
    assert targets.version == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", [b"", b"{", b"{}", b"\xff"])
def test_a_damaged_file_is_said_and_the_shipped_targets_stand(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: bytes
) -> None:
    (tmp_path / "targets.json").write_bytes(damage)
    targets = Targets(tmp_path / "targets.json", PINNED, Clock())
    assert targets.platforms(SHIPPED) == SHIPPED
    assert "targets_unreadable" in caplog.text
    assert targets.take(signed(listing(RENEWED), [KEY]))


def test_what_cannot_be_kept_is_not_gone_by(tmp_path: Path) -> None:
    targets = Targets(tmp_path / "gone" / "targets.json", PINNED, Clock())
    assert not targets.take(signed(listing(RENEWED), [KEY]))
    assert targets.platforms(SHIPPED) == SHIPPED


def test_who_pins_no_key_takes_no_list(tmp_path: Path) -> None:
    assert Targets(tmp_path / "targets.json", (), Clock()).version is None
