"""History judged again: a rule is changed, and what was stored is counted by the new one."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector import cli
from collector.config import Config
from collector.detect.cells import Cell, CellKey, merge
from collector.ingest.admit import LIVE_S, SPOOLED_S
from collector.rejudge import rejudge
from collector.store import STORES, open_store
from collector.store.base import Ingest, Store
from probe.identity import Identity
from probe.verdict import Status, judge
from probe.verdict.rules import RULES, Rule
from probe.wire.failure import Failure
from probe.wire.observation import Round
from tests.batches import CLEAN, NOW, at, batch, ingest, signed, someone
from tests.collector.conftest import collecting
from tests.rounds import X_ADDRESS, a_round, dns, failed, fine, twice

MINUTE = int(NOW // 60)
DAY_S = 86_400.0

STRICTER = tuple(replace(r, status=Status.BLOCKED) if r.id == "roles.failed" else r for r in RULES)
FAILED = a_round(*twice(failed("x/web", X_ADDRESS, Failure.CONNECTION_TIMEOUT)), *fine("x/media"))
LIED_TO = a_round(
    *twice([dns("x/web", "system", "10.1.1.1", failure=Failure.DNS_BOGON)]),
    *fine("x/web"),
    *fine("x/media"),
)


@pytest.fixture(autouse=True)
def _todays_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "time", SimpleNamespace(time=lambda: NOW))


def judge_by(monkeypatch: pytest.MonkeyPatch, rules: Sequence[Rule]) -> None:
    """The release whose rules these are."""
    monkeypatch.setattr("collector.detect.cells.judge", partial(judge, rules=rules))


def measured(rnd: Round, seconds: float) -> Round:
    return replace(rnd, started_at=at(seconds))


def a_batch(
    rnd: Round, measured_at: float, *, sequence: int = 1, after_s: float = 2.0, prefix: str = "aa"
) -> Ingest:
    """A batch of a round measured so many seconds from `NOW`, received `after_s` later."""
    received_at = NOW + measured_at + after_s
    return ingest(someone(), sequence, measured(rnd, measured_at), prefix, received_at)


def statuses(store: Store) -> dict[int, Mapping[str, int]]:
    """Of X, by minute, counted from that of `NOW`."""
    cells = store.cells_from(0)
    return {key.minute - MINUTE: cell.statuses for key, cell in cells if key.platform == "x"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def stored(data: Path, *items: Ingest, batches_before: float = 0.0, cells_before: float = 0.0) -> None:
    store = open_store(f"sqlite://{data}")
    for item in items:
        store.ingest([item])
    store.expire(batches_before, cells_before, 0)
    store.close()


def counted(data: Path) -> dict[int, Mapping[str, int]]:
    store = open_store(f"sqlite://{data}")
    found = statuses(store)
    store.close()
    return found


def rows(data: Path) -> list[tuple[object, ...]]:
    """The cells as they lie on the disk."""
    db = sqlite3.connect(data / "reachwatch.sqlite")
    found = db.execute("SELECT * FROM cells").fetchall()
    db.close()
    return found


def command(data: Path, *flags: str) -> int:
    return cli.main(["admin", "rejudge", "--data-dir", str(data), *flags])


async def sent(data: Path, who: Identity, *rounds: Round) -> None:
    """A whole collector takes a batch, and stops."""
    async with collecting(Config(data_dir=str(data))) as collector:
        await collector.enrol(who)
        assert await collector.post("/v1/batch", signed(who, batch(who, *rounds))) == 200


async def test_a_changed_rule_changes_what_was_stored(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await sent(data, someone(1), measured(FAILED, -5), measured(CLEAN, -65), measured(FAILED, -70))
    assert counted(data) == {-1: {"unreachable": 1}, -2: {"unreachable": 1, "ok": 1}}
    judge_by(monkeypatch, STRICTER)
    assert command(data) == 0
    assert counted(data) == {-1: {"blocked": 1}, -2: {"blocked": 1, "ok": 1}}
    assert capsys.readouterr().out == (
        "rounds: 3 judged, measured from 2025-10-20T06:00Z on\n"
        "cells: 4 -> 4, 2 changed\n"
        "connectivity: online 3 -> 3\n"
        "x: blocked 0 -> 2, ok 1 -> 1, unreachable 2 -> 0\n"
    )


async def test_by_the_rules_that_counted_it_on_arrival_not_a_byte_changes(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for n, rnd in enumerate((CLEAN, FAILED, LIED_TO, CLEAN), start=1):
        await sent(data, someone(n), *(measured(rnd, -5 - 20 * k - n / 7) for k in range(9)))
    before = rows(data)
    assert len(before) > 2
    for _ in range(2):
        assert command(data) == 0
        assert ", 0 changed\n" in capsys.readouterr().out
    assert rows(data) == before


def test_where_batches_have_expired_cells_keep_their_verdicts(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = a_batch(FAILED, -7200), a_batch(FAILED, -60, sequence=2)
    stored(data, old, new, batches_before=NOW - 3600)
    judge_by(monkeypatch, STRICTER)
    assert command(data) == 0
    assert counted(data) == {-120: {"unreachable": 1}, -1: {"blocked": 1}}
    assert capsys.readouterr().out == (
        "rounds: 1 judged, measured from 2026-11-24T04:11Z on\n"
        "cells: 2 -> 2, 1 changed\n"
        "connectivity: online 1 -> 1\n"
        "x: blocked 0 -> 1, unreachable 1 -> 0\n"
        "cells before 2026-11-24T04:11Z stay as they are: signed rounds that they count may have expired\n"
    )


def test_a_minute_of_which_a_part_may_have_expired_keeps_its_cells(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two rounds of one minute, one came at once and is gone; the other came late and is there."""
    at_once, late = a_batch(FAILED, -7200), a_batch(FAILED, -7200, sequence=2, after_s=7100)
    stored(data, at_once, late, batches_before=NOW - 3600)
    judge_by(monkeypatch, STRICTER)
    assert command(data) == 0
    assert counted(data) == {-120: {"unreachable": 2}}


@pytest.mark.parametrize("after_s", [-LIVE_S, SPOOLED_S])
def test_a_batch_that_came_as_early_or_as_late_as_may_be_is_judged_with_its_minute(
    data: Path, monkeypatch: pytest.MonkeyPatch, after_s: float
) -> None:
    measured_at = -300 * 3600.0
    shift = -(NOW + measured_at) % 60  # the first moment of a minute
    stored(data, a_batch(FAILED, measured_at + shift, after_s=after_s))
    judge_by(monkeypatch, STRICTER)
    moment = datetime.fromtimestamp(NOW + measured_at + shift, UTC).isoformat()
    assert command(data, "--since", moment) == 0
    assert list(counted(data).values()) == [{"blocked": 1}]


def test_since_leaves_alone_what_was_measured_before(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = [a_batch(FAILED, -60 * n, sequence=n) for n in (1, 2, 3)]
    stored(data, *rounds)
    judge_by(monkeypatch, STRICTER)
    assert command(data, "--since", at(-100).isoformat()) == 0
    assert counted(data) == {-3: {"unreachable": 1}, -2: {"blocked": 1}, -1: {"blocked": 1}}


async def test_of_a_batch_only_the_rounds_from_then_on_are_judged(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await sent(data, someone(1), *(measured(FAILED, -60 * n) for n in (1, 2, 3)))
    judge_by(monkeypatch, STRICTER)
    assert command(data, "--since", at(-100).isoformat()) == 0
    assert counted(data) == {-3: {"unreachable": 1}, -2: {"blocked": 1}, -1: {"blocked": 1}}
    assert capsys.readouterr().out.startswith("rounds: 2 judged, measured from 2026-11-24T05:58Z on\n")


@pytest.mark.parametrize("flags", [(), ("--since", at(-6 * DAY_S).isoformat())])
def test_cells_that_retention_let_go_are_not_brought_back(
    data: Path, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    (tmp_path / "own.toml").write_text("[retention]\ncells_days = 4.0\n")
    old, new = a_batch(CLEAN, -5 * DAY_S), a_batch(CLEAN, -60, sequence=2)
    stored(data, old, new, cells_before=NOW - 4 * DAY_S)
    assert command(data, "--config", str(tmp_path / "own.toml"), *flags) == 0
    assert counted(data) == {-1: {"ok": 1}}


def test_a_cell_that_rotted_on_the_disk_is_made_again(data: Path) -> None:
    stored(data, a_batch(CLEAN, -60))
    whole = rows(data)
    with closing(sqlite3.connect(data / "reachwatch.sqlite", isolation_level=None)) as db:
        db.execute("UPDATE cells SET cells = substr(cells, 1, 9)")
    assert rows(data) != whole
    assert command(data) == 0
    assert rows(data) == whole


def test_the_platforms_counted_are_those_of_now(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.toml").write_text('platforms = ["youtube"]\n')
    stored(data, a_batch(CLEAN, -60))
    assert command(data, "--config", str(tmp_path / "own.toml")) == 0
    assert counted(data) == {}
    assert "x: ok 1 -> 0\n" in capsys.readouterr().out
    assert command(data) == 0
    assert counted(data) == {-1: {"ok": 1}}


class TestAnyHistory:
    """The promise itself, against a ledger of everything that ever arrived."""

    ARRIVALS = st.lists(
        st.tuples(
            st.booleans(),
            st.integers(-100 * 3600, 0),
            st.one_of(st.integers(-int(LIVE_S), 900), st.integers(-int(LIVE_S), int(SPOOLED_S))),
            st.sampled_from("pq"),
        ),
        min_size=1,
        max_size=8,
    )

    @pytest.mark.parametrize("kind", sorted(STORES))
    @settings(max_examples=60, deadline=None)
    @given(ARRIVALS, st.lists(st.integers(-100 * 3600, 0), max_size=2), st.integers(1, 4))
    def test_a_minute_is_judged_as_if_all_of_it_came_today_or_left_alone(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        kind: str,
        arrivals: Sequence[tuple[bool, int, int, str]],
        cutoffs: Sequence[int],
        together: int,
    ) -> None:
        items = [
            a_batch(FAILED if fails else CLEAN, measured_at, sequence=n, after_s=after_s, prefix=prefix)
            for n, (fails, measured_at, after_s, prefix) in enumerate(arrivals, start=1)
        ]
        items.sort(key=lambda item: item.batch.received_at)
        store = open_store(f"{kind}://{tmp_path_factory.mktemp('store')}")
        for start in range(0, len(items), together):
            store.ingest(items[start : start + together])
        for cutoff in cutoffs:
            store.expire(NOW + cutoff, 0, 0)
        left = {signed.sequence for signed in store.batches()}
        with pytest.MonkeyPatch.context() as patch:
            judge_by(patch, STRICTER)
            done = rejudge(store, {"x"}, 0)
        after = dict(store.cells_from(0))
        store.close()
        gone_at = [i.batch.received_at for i in items if i.batch.sequence not in left]
        by_today = total([replace(i, cells={k: blocked(c) for k, c in i.cells.items()}) for i in items])
        for key, cell in total(items).items():
            if key.minute >= done.first_minute:
                assert after.pop(key) == by_today[key]
            else:
                assert after.pop(key) == cell
                # And for a reason: what is gone may have been measured in that minute.
                assert key.minute * 60 - LIVE_S <= max(gone_at)
        assert after == {}


def total(items: Sequence[Ingest]) -> dict[CellKey, Cell]:
    found: dict[CellKey, Cell] = {}
    for item in items:
        for key, cell in item.cells.items():
            found[key] = merge(found.get(key, Cell()), cell)
    return found


def blocked(cell: Cell) -> Cell:
    """The cell as the stricter rules give it."""
    word = {"unreachable": "blocked"}
    return replace(
        cell,
        statuses={word.get(status, status): n for status, n in cell.statuses.items()},
        votes={p: vote._replace(status=word.get(vote.status, vote.status)) for p, vote in cell.votes.items()},
    )


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    return err


def test_a_folder_that_is_missing_is_said_and_not_made(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(data) == 2
    assert one_line(capsys) == (
        f"reachwatch-collector: data_dir: {data}/reachwatch.sqlite: No such file or directory\n"
    )
    assert not data.exists()


def test_a_folder_without_a_store_does_not_become_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(tmp_path) == 2
    assert "No such file or directory" in one_line(capsys)
    assert list(tmp_path.iterdir()) == []


def test_while_a_collector_is_running_nothing_is_touched(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(data, a_batch(FAILED, -60))
    judge_by(monkeypatch, STRICTER)
    running = open_store(f"sqlite://{data}")
    assert command(data) == 1
    assert one_line(capsys) == (
        f"reachwatch-collector: {data}: another collector uses this folder; stop it first\n"
    )
    assert statuses(running) == {-1: {"unreachable": 1}}
    running.close()


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-11-24", "2026-11-24T12:00:00", "0001-01-01T00:00:00+14:00", ""]
)
def test_a_time_that_is_none_is_refused(data: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    stored(data)
    assert command(data, "--since", text) == 2
    assert one_line(capsys) == (
        f"reachwatch-collector: --since: {text!r} is not a time with its zone, such as 2026-11-24T12:00:00Z\n"
    )


@pytest.fixture
def _stored_half_readable(data: Path) -> None:
    good, bad = a_batch(FAILED, -120), a_batch(FAILED, -60, sequence=7)
    stored(data, good, replace(bad, batch=replace(bad.batch, body=b'{"schema":"reachwatch/0"}')))


@pytest.mark.usefixtures("_stored_half_readable")
def test_a_batch_that_cannot_be_read_is_named_and_nothing_has_changed(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(data)
    judge_by(monkeypatch, STRICTER)
    assert command(data) == 1
    assert f"batch 7 of probe {someone().probe_id}: $." in one_line(capsys)
    assert rows(data) == before


@pytest.mark.usefixtures("_stored_half_readable")
def test_rot_on_the_disk_is_said_and_nothing_has_changed(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows(data)
    db = sqlite3.connect(data / "reachwatch.sqlite")
    db.execute("UPDATE segments SET data = substr(data, 1, 40) WHERE id = 1")
    db.commit()
    db.close()
    judge_by(monkeypatch, STRICTER)
    assert command(data) == 1
    assert "segment 1 is damaged" in one_line(capsys)
    assert rows(data) == before
