"""Raw rounds given out: of networks alone, of lines that could judge, and in no order that tells anything."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from collector import rounds
from collector.ingest.commit import Committer
from collector.metrics import Metrics
from collector.rounds import LATE_S, Wanted, measured
from collector.store import open_store
from collector.store.base import Ingest, SignedBatch
from probe.wire.observation import Gate, GateState, Round
from tests import golden
from tests.batches import batch, someone

ROUND_S = 300.0
NUMBER = 5_676_026
AT = NUMBER * ROUND_S + 17.25
HOME = golden.read("sni_reset")  # of x and instagram, x touched


def home(seed: int, rnd: Round = HOME, *, asn: int = 1, country: str = "PK", late_s: float = 20.0) -> Ingest:
    who = someone(seed)
    began = replace(rnd, started_at=datetime.fromtimestamp(AT + seed, UTC), round_id=f"{seed:032x}")
    return Ingest(
        batch=SignedBatch(
            probe=who.probe_id, sequence=1, received_at=AT + seed + late_s, country=country, asn=asn,
            located_by="declared", prefix=f"prefix {seed}", signature=b"", body=batch(who, began),
        ),
        cells={},
    )  # fmt: skip


def wanted(*alone: tuple[int, int, str], key: bytes = b"k") -> Wanted:
    return Wanted(country="PK", round_s=ROUND_S, alone=frozenset(alone or {(NUMBER, 1, "x")}), key=key)


@pytest.fixture(params=["memory", "sqlite"])
async def committer(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Committer]:
    store = open_store(f"{request.param}://{tmp_path / 'store'}")
    committer = Committer(store, Metrics("0", ("x",)), lambda: AT)
    yield committer
    committer.close()


def platform_of(measurement: Any) -> str:
    return str(measurement["test_keys"]["x_reachwatch"]["target"]).partition("/")[0]


async def given(committer: Committer, asked: Wanted, *items: Ingest) -> list[Any]:
    for item in items:
        committer.store.ingest([item])
    return [json.loads(line) for line in await measured(committer, asked)]


async def test_a_measurement_says_where_and_in_which_round_and_not_who_or_when(committer: Committer) -> None:
    found = await given(committer, wanted(), home(1))
    assert {one["measurement_start_time"] for one in found} == {"2023-12-17 10:10:00"}
    assert {(one["probe_cc"], one["probe_asn"]) for one in found} == {("PK", "AS1")}
    assert {platform_of(one) for one in found} == {"x"}
    assert "http-failure" in {one["test_keys"]["blocking"] for one in found}
    text = json.dumps(found)
    for known in (someone(1).probe_id, "prefix 1", f"{1:032x}", "10:10:1", "101018", f"{1:032x}"[:16]):
        assert known not in text


async def test_only_what_may_be_told_of_by_itself_is_given(committer: Committer) -> None:
    items = [home(1), home(2, asn=2), home(3, country="TR"), home(400)]
    assert len({one["report_id"] for one in await given(committer, wanted(), *items)}) == 1
    both = await given(
        committer, wanted((NUMBER, 1, "x"), (NUMBER, 2, "instagram"), (NUMBER + 1, 1, "youtube"))
    )
    told = {(one["probe_asn"], platform_of(one)) for one in both}
    assert told == {("AS1", "x"), ("AS2", "instagram")}


@pytest.mark.parametrize("state", [one for one in GateState if one is not GateState.ONLINE])
async def test_a_line_that_could_not_judge_is_nobody_s_business(
    committer: Committer, state: GateState
) -> None:
    gate = Gate(state=state, controls=6, passed_before=0, passed_after=0)
    assert await given(committer, wanted(), home(1, replace(HOME, gate=gate))) == []


async def test_what_cannot_be_read_and_what_came_too_late_is_passed_over(committer: Committer) -> None:
    bad = home(2)
    items = [replace(bad, batch=replace(bad.batch, body=b"{}")), home(3, late_s=ROUND_S + LATE_S), home(1)]
    assert len({one["report_id"] for one in await given(committer, wanted(), *items)}) == 1


async def test_chance_decides_which_are_given_and_not_the_order_in_which_they_came(
    committer: Committer,
) -> None:
    for seed in range(1, 13):
        committer.store.ingest([home(seed)])
    with patch.object(rounds, "MOST_BATCHES", 3), patch.object(rounds, "PIECE", 2):
        chosen = [await measured(committer, wanted(key=key)) for key in (b"1", b"1", b"2", b"3")]
    names = [{json.loads(line)["annotations"]["reachwatch_round"] for line in lines} for lines in chosen]
    assert [len(one) for one in names] == [3] * 4
    assert names[0] == names[1], "whoever asks again is given the same"
    assert names[0].isdisjoint(names[2]), "and a round has another name under another key"
    assert all(lines == sorted(lines, key=lambda line: json.loads(line)["report_id"]) for lines in chosen)


async def test_so_many_lines_and_no_more(committer: Committer) -> None:
    for seed in range(1, 5):
        committer.store.ingest([home(seed)])
    with patch.object(rounds, "MOST_LINES", 7):
        assert len(await measured(committer, wanted())) == 7


async def test_the_store_is_read_a_little_at_a_time(committer: Committer) -> None:
    for seed in range(1, 8):
        committer.store.ingest([home(seed)])
    counted = patch.object(Committer, "call", autospec=True, side_effect=Committer.call)
    with patch.object(rounds, "PIECE", 2), counted as call:
        assert await measured(committer, wanted())
        assert call.call_count == 5
    with patch.object(rounds, "PIECE", 2), patch.object(rounds, "MOST_READ", 4):
        few = {json.loads(line)["report_id"] for line in await measured(committer, wanted())}
    assert len(few) == 4
