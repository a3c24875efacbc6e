"""The spool: nothing finished is lost, the bounds hold, and what had to go is counted."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from probe.spool import Spool, SpoolError

DAY = 86_400.0


def opened(path: Path, max_bytes: int = 1 << 20, max_age_s: float = 3 * DAY) -> Spool:
    return Spool.open(path / "spool.sqlite", max_bytes=max_bytes, max_age_s=max_age_s)


def noise(sequence: int) -> tuple[bytes, bytes]:
    """A body that does not compress, so that bounds can be counted in it."""
    import random

    return random.Random(sequence).randbytes(10_000), b"s" * 64


def test_the_oldest_comes_first_and_leaves_only_when_done(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    first, second = (spool.add("me", noise, now=1000.0 + i).sequence for i in range(2))
    item = spool.peek("me")
    assert item is not None
    assert (item.sequence, item.body, item.signature) == (first, *noise(first))
    assert spool.peek("me") == item
    spool.done(first)
    following = spool.peek("me")
    assert following is not None
    assert following.sequence == second
    spool.close()


def test_what_waits_under_one_name_is_not_seen_under_another(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.add("home", noise, now=1000.0)
    away = spool.add("away", noise, now=1001.0).sequence
    item = spool.peek("away")
    assert item is not None
    assert item.sequence == away
    spool.done(away)
    assert spool.peek("away") is None
    assert (spool.waiting("home"), spool.waiting("away"), spool.figures().pending) == (1, 0, 1)
    assert (spool.empty(), spool.figures().pending) == (1, 0)
    spool.close()


def test_what_was_added_is_there_after_a_restart(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    sequence = spool.add("me", noise, now=1000.0).sequence
    spool.close()
    again = opened(tmp_path)
    item = again.peek("me")
    assert item is not None
    assert item.sequence == sequence
    assert again.add("me", noise, now=1000.0).sequence == sequence + 1
    again.close()


def test_sequence_numbers_go_on_rising_when_the_file_is_lost(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    last = max(spool.add("me", noise, now=1000.0).sequence for _ in range(5))
    spool.close()
    for file in tmp_path.iterdir():
        file.unlink()
    fresh = opened(tmp_path)
    assert fresh.add("me", noise, now=1001.0).sequence > last
    fresh.close()


def test_when_it_is_full_the_oldest_go_and_are_counted(tmp_path: Path) -> None:
    spool = opened(tmp_path, max_bytes=35_000)
    added = [spool.add("me", noise, now=1000.0 + i) for i in range(5)]
    assert [a.dropped for a in added] == [0, 0, 0, 1, 1]
    figures = spool.figures()
    assert (figures.pending, figures.dropped) == (3, 2)
    assert figures.size_bytes <= 35_000
    item = spool.peek("me")
    assert item is not None
    assert item.sequence == added[2].sequence
    spool.close()


def test_what_is_too_old_goes_and_is_counted(tmp_path: Path) -> None:
    spool = opened(tmp_path, max_age_s=DAY)
    spool.add("me", noise, now=0.0)
    assert spool.add("me", noise, now=2 * DAY).dropped == 1
    assert spool.figures().pending == 1
    spool.close()


def test_a_refused_batch_is_gone_and_its_reason_counted(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.refuse(spool.add("me", noise, now=1000.0).sequence, "too_old")
    assert (spool.peek("me"), spool.figures().refused) == (None, {"too_old": 1})
    spool.close()


def test_history_is_newest_first_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probe.spool.HISTORY_ROUNDS", 3)
    spool = opened(tmp_path)
    for i in range(5):
        spool.remember(float(i), str(i).encode())
    assert spool.history(10) == [b"4", b"3", b"2"]
    spool.close()


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spool.add("me", noise, now=1.0)
    assert {file.stat().st_mode & 0o077 for file in tmp_path.iterdir()} == {0}
    spool.close()


def test_a_damaged_file_is_one_clear_line_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "spool.sqlite").write_bytes(b"this is no database" * 100)
    with pytest.raises(SpoolError, match=r"spool\.sqlite: file is not a database"):
        opened(tmp_path)


def test_a_batch_the_disk_has_spoilt_is_counted_and_does_not_hold_up_the_others(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    spoilt, sound = (spool.add("me", noise, now=1000.0 + i).sequence for i in range(2))
    spool._db.execute("UPDATE spool SET body = x'00' WHERE sequence = ?", (spoilt,))
    item = spool.peek("me")
    assert item is not None
    assert item.sequence == sound
    assert spool.figures().refused == {"damaged": 1}
    spool.close()


def test_status_neither_writes_nor_waits_for_who_does(tmp_path: Path) -> None:
    agent = opened(tmp_path)
    agent.add("me", noise, now=1000.0)
    agent._db.execute("BEGIN IMMEDIATE")
    status = opened(tmp_path)
    assert status.figures().pending == 1
    status.close()
    agent.close()


def test_two_processes_may_add_at_once(tmp_path: Path) -> None:
    agent, run = opened(tmp_path), opened(tmp_path)
    sequences = [spool.add("me", noise, now=1000.0).sequence for spool in (agent, run, agent, run)]
    assert sequences == sorted(set(sequences))
    assert agent.figures().pending == 4
    agent.close()
    run.close()


def test_a_file_of_a_newer_release_is_left_alone(tmp_path: Path) -> None:
    import sqlite3

    db = sqlite3.connect(tmp_path / "spool.sqlite")
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(SpoolError, match="newer release"):
        opened(tmp_path)


def test_a_full_disk_is_said_and_what_was_there_stays(tmp_path: Path) -> None:
    spool = opened(tmp_path)
    kept = spool.add("me", noise, now=1.0).sequence
    spool._db.execute("PRAGMA max_page_count = 12")

    def fill() -> None:
        for i in range(20):
            spool.add("me", noise, now=2.0 + i)

    with pytest.raises(SpoolError, match="full"):
        fill()
    item = spool.peek("me")
    assert item is not None
    assert item.sequence == kept
    spool.close()


CHILD = """
import sys
from pathlib import Path
from probe.spool import Spool
spool = Spool.open(Path(sys.argv[1]), max_bytes=1 << 30, max_age_s=1e9)
while True:
    print(spool.add("me", lambda n: (b"body %d" % n, b"s"), now=1.0).sequence, flush=True)
"""


@pytest.mark.slow
def test_a_kill_at_any_instant_loses_nothing_that_was_added(tmp_path: Path) -> None:
    told: set[int] = set()
    for cycle in range(8):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path / "spool.sqlite")], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        for _ in range(5 + cycle * 7):
            told.add(int(child.stdout.readline()))
        child.send_signal(signal.SIGKILL)
        told |= {int(line) for line in child.communicate()[0].splitlines() if line.isdigit()}
    spool = opened(tmp_path)
    kept = {row[0] for row in spool._db.execute("SELECT sequence FROM spool")}
    spool.close()
    # The last line may be cut short by the kill; a number that was told whole must be there.
    assert len(told - kept) <= 8
    assert {t for t in told if len(str(t)) == len(str(max(kept)))} <= kept
