"""Nobody is found by anything that the API gives out: a store full of known names is asked for everything."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from collector.config import Api
from collector.store.base import Ingest
from probe.wire.observation import Round
from probe.wire.stage import DnsDetail, Resolver
from tests import golden
from tests.batches import batch, someone
from tests.collector.detect.homes import FIRST, WARM
from tests.collector.test_detector import EVERYBODY, ROUND_S, WHOLE

from .dark import INCIDENT, dark

pytestmark = pytest.mark.slow

OPEN = Api(requests_a_minute=0, rounds=True)
RESOLVER = "198.51.100.253"
HOUR = "2023-12-17T10:"
PATHS = [
    "/state", "/state/PK", "/series/PK", "/series/PK?format=csv", "/series/PK?format=jsonl", "/incidents",
    "/incidents?format=csv", "/incidents?format=jsonl", f"/incidents/{INCIDENT}",
    f"/incidents/{INCIDENT}/evidence", "/ledger", "/ledger?format=csv", "/openapi.json",
    "/rounds?country=PK", "/rounds?country=PK&platform=x&until=2023-12-17T10:30:00Z",
]  # fmt: skip


def measuring(item: Ingest, number: int) -> Ingest:
    """A home's batch with a real round in it, measured at a second of its own, by a resolver of its own."""
    seed = EVERYBODY.index(next(home for home in EVERYBODY if home.probe == item.batch.probe)) + 1
    at = (FIRST + number) * ROUND_S + 60 + seed + 0.125
    named = replace(
        golden.read("sni_reset"),
        started_at=datetime.fromtimestamp(at, UTC),
        round_id=f"{seed:016x}{number:016x}",
    )
    body = batch(someone(seed), with_resolver(named), sequence=item.batch.sequence)
    cells = {
        key: replace(cell, votes={probe: vote._replace(at=at) for probe, vote in cell.votes.items()})
        for key, cell in item.cells.items()
    }
    return replace(item, cells=cells, batch=replace(item.batch, body=body))


def with_resolver(rnd: Round) -> Round:
    def own(detail: DnsDetail) -> DnsDetail:
        return replace(detail, server=RESOLVER) if detail.resolver is Resolver.SYSTEM else detail

    seen = tuple(replace(o, dns=o.dns and own(o.dns)) for o in rnd.observations)
    return replace(rnd, observations=seen)


@cache
def filled() -> list[list[Ingest]]:
    """The story, with real rounds in two of its detector's rounds."""
    return [
        [measuring(one, number) if one.batch.country == "PK" and 2 <= number < 4 else one for one in items]
        for number, items in enumerate(WHOLE[: WARM + 8], -WARM)
    ]


async def test_nothing_that_is_known_of_a_home_is_in_any_answer(tmp_path: Path) -> None:
    async with dark(tmp_path, filled(), OPEN) as running:
        answers = {path: await running.get(path) for path in PATHS}
    assert {got.status for got in answers.values()} == {200}
    raw = answers[PATHS[-1]].body
    assert len(raw.splitlines()) > 50, "raw rounds are there, as many as chance drew"
    for path, got in answers.items():
        for seed, home in enumerate(EVERYBODY, 1):
            for known in (someone(seed).probe_id, f"{seed:016x}{3:016x}"):
                assert known.encode() not in got.body, path
            assert f'"{home.probe}"'.encode() not in got.body, path
        assert b"prefix of" not in got.body
        assert RESOLVER.encode() not in got.body, path


async def test_raw_rounds_are_told_to_the_detector_s_round_whatever_window_is_asked_for(
    tmp_path: Path,
) -> None:
    """With a window of a second, whoever asks for one after another would find the second of each home."""
    async with dark(tmp_path, filled(), OPEN) as running:
        narrow, other, whole = [
            await running.get(f"/rounds?country=PK&since={HOUR}{since}Z&until={HOUR}{until}Z")
            for since, until in (("11:05", "11:05.5"), ("14:00", "14:00.1"), ("10:00", "15:00"))
        ]
    assert narrow.body == other.body == whole.body != b""
    for line in whole.body.splitlines():
        one: dict[str, Any] = json.loads(line)
        assert one["measurement_start_time"] == one["test_start_time"] == "2023-12-17 10:10:00"


async def test_a_network_of_few_homes_is_in_no_answer_by_its_number(tmp_path: Path) -> None:
    few = [home.probe for home in EVERYBODY if home.country == "PK"][:2]

    def moved(item: Ingest) -> Ingest:
        """Two of the first network's homes stand in one of their own."""
        if item.batch.probe not in few:
            return item
        cells = {key._replace(asn=64_500): cell for key, cell in item.cells.items()}
        return replace(item, cells=cells, batch=replace(item.batch, asn=64_500))

    story = [[moved(one) for one in items] for items in filled()]
    async with dark(tmp_path, story, OPEN) as running:
        answers = {path: await running.get(path) for path in PATHS}
    for path, got in answers.items():
        assert b"64500" not in got.body, path
    assert b'"other"' in answers["/series/PK"].body, "but they are counted"


async def test_raw_rounds_are_read_for_one_at_a_time(tmp_path: Path) -> None:
    async with dark(tmp_path, filled(), OPEN) as running:
        reading, go_on = asyncio.Event(), asyncio.Event()

        async def slow(_committer: object, _wanted: object) -> list[str]:
            reading.set()
            await go_on.wait()
            return ["{}"]

        async def second(first: Awaitable[Any]) -> tuple[Any, Any]:
            await reading.wait()
            refused = await running.get("/rounds?country=PK")
            go_on.set()
            return refused, await first

        with patch("collector.app.measured", slow):
            async with asyncio.TaskGroup() as group:
                first = group.create_task(running.get("/rounds?country=PK"))
                refused, given = await second(first)
        assert (refused.status, refused.headers["Retry-After"]) == (429, "5")
        assert (given.status, given.body) == (200, b"{}\n")
        assert (await running.get("/rounds?country=AQ")).body == b""


async def test_raw_rounds_of_more_than_an_hour_are_not_asked_for_at_once(tmp_path: Path) -> None:
    async with dark(tmp_path, WHOLE[:1], OPEN) as running:
        for query, detail in (
            ("since=2023-12-17T10:00:00Z&until=2023-12-17T11:00:01Z",
             "since: more than an hour before until; ask for one after another"),
            ("since=2023-12-17T10:00:00Z&until=2023-12-17T10:00:00Z", "since: not before until"),
            ("platform=twitter", "platform: one of x, youtube"),
        ):  # fmt: skip
            assert (await running.get(f"/rounds?country=PK&{query}")).json["detail"] == detail
        assert (await running.get("/rounds")).json["detail"] == "country: missing"
        assert "/rounds" in (await running.get("/openapi.json")).json["paths"]
        assert (await running.get("/rounds?country=PK&until=9999-12-31T23:59:59Z")).body == b""
        assert (await running.get("/rounds?country=PK&until=0001-01-01T00:00:00%2B23:59")).body == b""
