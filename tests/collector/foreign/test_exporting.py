"""``export ooni`` as a shell sees it: what is stored comes out line by line, and what is bad is named."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector import cli
from collector.foreign.exporting import Wanted, run
from collector.store import open_store
from collector.store.base import Ingest
from probe.wire.observation import Network, Round
from tests.batches import CLEAN, NOW, at, ingest, someone
from tests.rounds import a_round, fine

Json = dict[str, Any]
X_URLS = ["https://x.com/robots.txt", "https://pbs.twimg.com/robots.txt"]


def stored(data: Path, *items: Ingest) -> None:
    store = open_store(f"sqlite://{data}")
    for item in items:
        store.ingest([item])
    store.close()


def a_batch(sequence: int, seconds: float = -5, rnd: Round = CLEAN, **where: Any) -> Ingest:
    """A batch of one round measured so many seconds from `NOW`."""
    item = ingest(someone(), sequence, replace(rnd, started_at=at(seconds)), received_at=NOW)
    return replace(item, batch=replace(item.batch, **where))


def rotten(sequence: int) -> Ingest:
    return a_batch(sequence, body=b'{"schema": "reachwatch/9"}')


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


Export = Callable[..., tuple[int, list[Json], list[str]]]


@pytest.fixture
def export(data: Path, capsys: pytest.CaptureFixture[str]) -> Export:
    """The command on that folder: its status, its documents and what it says on standard error."""

    def command(*flags: str) -> tuple[int, list[Json], list[str]]:
        status = cli.main(["export", "ooni", "--data-dir", str(data), *flags])
        out, err = capsys.readouterr()
        return status, [json.loads(text) for text in out.splitlines()], err.splitlines()

    return command


def minutes(found: list[Json]) -> list[str]:
    return [m["measurement_start_time"][11:16] for m in found if m["input"] == X_URLS[0]]


def test_every_url_of_every_round_is_a_line(data: Path, export: Export) -> None:
    stored(data, a_batch(1), a_batch(2, -65))
    status, found, err = export()
    assert (status, err) == (0, ["2 batches, 0 of them bad; 2 rounds, 4 measurements"])
    assert [m["input"] for m in found] == X_URLS * 2
    assert {m["test_keys"]["blocking"] for m in found} == {False}


def test_where_it_was_admitted_stands_in_place_of_what_it_declares(data: Path, export: Export) -> None:
    declared = replace(CLEAN, network=Network(country="DE", asn=1))
    stored(data, a_batch(1, rnd=declared, country="TR", asn=9121), a_batch(2, country="ZZ", asn=0))
    _, found, _ = export()
    places = [(m["probe_cc"], m["probe_asn"]) for m in found if m["input"] == X_URLS[0]]
    assert places == [("TR", "AS9121"), ("ZZ", "AS0")]


# 2026-11-24T06:00:00Z
@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        ((), ["05:50", "06:00", "06:10"]),
        (("--since", "2026-11-24T06:00:00Z"), ["06:00", "06:10"]),
        (("--until", "2026-11-24T06:00:00Z"), ["05:50"]),
        (("--since", "2026-11-24T05:51:00Z", "--until", "2026-11-24T07:10:00+01:00"), ["06:00"]),
    ],
)
def test_since_is_included_and_until_is_not_by_when_it_was_measured(
    data: Path, export: Export, flags: tuple[str, ...], wanted: list[str]
) -> None:
    six = 1_795_500_000.0
    assert six == NOW
    stored(data, a_batch(1, -600), a_batch(2, 0), a_batch(3, 600))
    assert minutes(export(*flags)[1]) == wanted


def test_a_round_of_a_clock_that_is_ahead_came_before_it_was_measured(data: Path, export: Export) -> None:
    stored(data, a_batch(1, 300))
    assert minutes(export("--since", "2026-11-24T06:04:00Z")[1]) == ["06:05"]


def test_one_country_alone(data: Path, export: Export) -> None:
    stored(data, a_batch(1), a_batch(2, country="TR"))
    status, found, err = export("--country", "tr")
    assert (status, {m["probe_cc"] for m in found}) == (0, {"TR"})
    assert err == ["1 batches, 0 of them bad; 1 rounds, 2 measurements"]
    assert export("--country", "FR")[:2] == (0, [])


def test_platforms_named_and_of_those_counted_here_alone(data: Path, export: Export, tmp_path: Path) -> None:
    stored(data, a_batch(1))
    assert len(export("--platform", "youtube", "--platform", "x")[1]) == 2
    assert export("--platform", "youtube")[1] == []
    config = tmp_path / "collector.toml"
    config.write_text('platforms = ["youtube"]')
    assert export("--config", str(config))[1] == []


def test_a_bad_batch_is_counted_and_named_and_the_rest_goes_on(data: Path, export: Export) -> None:
    stored(data, a_batch(1), *(rotten(n) for n in range(2, 9)), a_batch(9))
    status, found, err = export()
    assert (status, len(found)) == (1, 4)
    assert err[0] == "9 batches, 7 of them bad; 2 rounds, 4 measurements"
    assert err[1].startswith(f"batch 2 of probe {someone().probe_id}: $.")
    assert (len(err), err[-1]) == (7, "and 2 more bad")


def test_a_store_in_use_says_so(data: Path, export: Export) -> None:
    stored(data, a_batch(1))
    store = open_store(f"sqlite://{data}")
    status, found, err = export()
    store.close()
    assert (status, found) == (1, [])
    assert err == [f"reachwatch-collector: {data}: another collector uses this folder; stop it first"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (
            ("--since", "yesterday"),
            "--since: 'yesterday' is not a time with its zone, such as 2026-11-24T12:00:00Z",
        ),
        (
            ("--until", "2026-11-24T12:00:00"),
            "--until: '2026-11-24T12:00:00' is not a time with its zone, such as 2026-11-24T12:00:00Z",
        ),
        (
            ("--since", "2026-11-24T12:00:00Z", "--until", "2026-11-24T12:00:00Z"),
            "--until: 2026-11-24T12:00:00Z is not after --since",
        ),
        (("--country", "PAK"), "--country: 'PAK' is not a country of two letters, such as PK"),
        (("--country", "P1"), "--country: 'P1' is not a country of two letters, such as PK"),
        (("--country", ""), "--country: '' is not a country of two letters, such as PK"),
        (
            ("--platform", "myspace"),
            "--platform: 'myspace' is none of x, facebook, instagram, youtube",
        ),
        (("--out", "/nowhere/at/all"), "--out /nowhere/at/all: No such file or directory"),
        (("--out", "/tmp"), "--out /tmp: Is a directory"),
    ],
)
def test_what_can_only_be_a_mistake_is_one_line_and_status_2(
    data: Path, export: Export, flags: tuple[str, ...], said: str
) -> None:
    stored(data, a_batch(1))
    assert export(*flags) == (2, [], [f"reachwatch-collector: {said}"])


def test_a_folder_that_is_not_there_is_not_made(data: Path, export: Export) -> None:
    status, _, err = export()
    assert (status, err) == (
        2,
        [f"reachwatch-collector: data_dir: {data}/reachwatch.sqlite: No such file or directory"],
    )
    assert not data.exists()


def test_a_file_is_whole_or_what_it_was(data: Path, export: Export, tmp_path: Path) -> None:
    stored(data, a_batch(1), a_batch(2))
    file = tmp_path / "out.jsonl"
    assert export("--out", str(file))[:2] == (0, [])
    whole = file.read_text()
    assert [json.loads(text)["input"] for text in whole.splitlines()] == X_URLS * 2
    in_use = open_store(f"sqlite://{data}")
    status, _, (said,) = export("--out", str(file))
    in_use.close()
    assert status == 1
    assert "another collector uses this folder" in said
    assert file.read_text() == whole
    assert [path.name for path in tmp_path.glob("*out*")] == ["out.jsonl"]


@pytest.mark.parametrize("to_a_file", [False, True])
def test_what_is_damaged_is_named_and_the_rest_is_written(
    data: Path, export: Export, tmp_path: Path, to_a_file: bool
) -> None:
    stored(data, *(a_batch(n, -60 * n) for n in range(1, 5)))
    db = sqlite3.connect(data / "reachwatch.sqlite")
    db.execute("UPDATE segments SET data = x'00' WHERE id IN (2, 3)")
    db.commit()
    db.close()
    file = tmp_path / "out.jsonl"
    status, found, (summary, *named) = export(*(("--out", str(file)) if to_a_file else ()))
    if to_a_file:
        found = [json.loads(text) for text in file.read_text().splitlines()]
    assert (status, summary) == (1, "2 batches, 0 of them bad; 2 rounds, 4 measurements")
    assert [said.split(":")[0] for said in named] == ["segment 2 is damaged", "segment 3 is damaged"]
    assert minutes(found) == ["05:59", "05:56"]


@pytest.mark.slow
def test_a_reader_that_has_seen_enough_ends_it_without_a_word(data: Path) -> None:
    stored(data, *(a_batch(n) for n in range(1, 60)))
    command = f"{sys.executable} -W error -m collector export ooni --data-dir {data} | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


@pytest.mark.slow
def test_a_full_disk_is_one_line(data: Path) -> None:
    stored(data, a_batch(1))
    command = f"{sys.executable} -W error -m collector export ooni --data-dir {data} > /dev/full"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (
        1,
        "reachwatch-collector: cannot write: No space left on device\n",
    )


def written(item: Ingest) -> Iterator[str]:
    store = open_store("memory:")
    store.ingest([item])
    lines: list[str] = []
    run(store, Wanted(platforms=["x"]), lines.append)
    yield from lines


@given(st.text("0123456789abcdef", min_size=16, max_size=32), st.integers(1, 2**30), st.binary(min_size=8))
def test_nothing_leads_to_the_volunteer(prefix: str, seed: int, signature: bytes) -> None:
    """Neither prefix nor key nor number is in a line: the same round of anybody gives the same."""
    rnd = replace(a_round(*fine("x/web")), started_at=at(-5))
    item = ingest(someone(seed), seed, rnd, prefix=prefix)
    one = replace(item, batch=replace(item.batch, signature=signature))
    lines = [*written(one)]
    assert lines == [*written(ingest(someone(), 1, rnd))] != []
