"""The API over HTTP: who asks again is not sent it again, who asks wrongly is told why, and a crowd costs
as much as one."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import pytest_asyncio
from pydantic import TypeAdapter

from collector.config import Api
from collector.detect.claims import describe
from collector.detect.evidence import NoEvidence, read
from collector.detect.verifying import checked
from collector.store.base import StoreError
from collector.web.api import charts
from collector.web.api.document import OPERATIONS, document
from tests.collector.detect.homes import FIRST, WARM
from tests.collector.test_detector import END, EVERYBODY, ROUND_S, WHOLE, said

from .dark import INCIDENT, Dark, dark
from .test_incidents import some

PATHS = {
    "state": "/state",
    "country": "/state/PK",
    "series": "/series/PK",
    "incidents": "/incidents",
    "incident": f"/incidents/{INCIDENT}",
    "evidence": f"/incidents/{INCIDENT}/evidence",
    "ledger": "/ledger",
    "openapi": "/openapi.json",
}


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def told(tmp_path: Path) -> AsyncIterator[Dark]:
    """To be changed."""
    async with dark(tmp_path) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Dark]:
    """To be asked, and nothing else."""
    async with dark(tmp_path_factory.mktemp("dark")) as running:
        yield running


async def test_every_operation_is_asked_here() -> None:
    assert list(PATHS) == [one.name for one in OPERATIONS]


async def test_every_answer_is_what_its_type_says(shared: Dark) -> None:
    for one in OPERATIONS:
        got = await shared.get(PATHS[one.name])
        assert got.status == 200
        assert got.headers["Content-Type"] == "application/json"
        TypeAdapter(one.answer).validate_json(got.body)  # every type forbids keys of which it does not know


async def test_the_document_that_is_served_is_the_one_that_is_tested(shared: Dark) -> None:
    assert (await shared.get("/openapi.json")).json == document(OPERATIONS, ("x", "youtube"))


async def test_who_has_it_is_not_sent_it_again_and_any_page_may_read_it(shared: Dark) -> None:
    for path in PATHS.values():
        first = await shared.get(path)
        assert first.headers["Access-Control-Allow-Origin"] == "*"
        assert first.headers["Cache-Control"].startswith("public, max-age=")
        for known in (first.headers["ETag"], f'"other", {first.headers["ETag"]}', "*"):
            again = await shared.get(path, **{"If-None-Match": known})
            assert (again.status, again.body) == (304, b"")
            assert again.headers["ETag"] == first.headers["ETag"]
        assert (await shared.get(path, **{"If-None-Match": '"other"'})).body == first.body


async def test_an_answer_is_good_until_the_next_round(told: Dark) -> None:
    for after_s, age in ((-280, 30), (-9, 9), (0, 1), (500, 1)):
        told.watchers.clock.at = (FIRST + END + 1) * ROUND_S + 15 + after_s
        assert (await told.get("/ledger")).headers["Cache-Control"] == f"public, max-age={age}"
    assert (await told.get("/state")).headers["Cache-Control"] == "public, max-age=2"


async def test_head_is_a_get_without_the_body(shared: Dark) -> None:
    for path in PATHS.values():
        whole, head = await shared.get(path), await shared.get(path, "HEAD")
        assert (head.status, head.body) == (200, b"")
        assert head.headers["ETag"] == whole.headers["ETag"]
        assert int(head.headers["Content-Length"]) == len(whole.body)


async def test_what_can_be_compressed_is_and_says_so(shared: Dark) -> None:
    async with shared.client.get(
        f"{shared.url}/api/v1/series/PK", headers={"Accept-Encoding": "gzip"}
    ) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert int(response.headers["Content-Length"]) < 3000
        assert await response.read() == (await shared.get("/series/PK")).body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_are_told_which_there_are(shared: Dark, method: str) -> None:
    for path in PATHS.values():
        got = await shared.get(path, method)
        assert (got.status, got.headers["Allow"]) == (405, "GET,HEAD")
        assert got.json["status"] == 405


LONG = "a" * 4000


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/nothing", 404, "no such address; /api/v1/openapi.json says which there are"),
        ("", 404, "no such address; /api/v1/openapi.json says which there are"),
        ("/incidents/a/b/c", 404, "no such address; /api/v1/openapi.json says which there are"),
        ("/state/XX", 404, "no probe in XX has reported within the window"),
        ("/state/pk", 400, "country: two capital letters (ISO 3166-1)"),
        ("/state/%00", 400, "country: two capital letters (ISO 3166-1)"),
        ("/state/PK?country=TR", 400, "country: given twice"),
        (f"/state/{LONG}", 400, "country: two capital letters (ISO 3166-1)"),
        (f"/incidents/{LONG}", 404, "no such incident was ever published"),
        ("/incidents/%00%FF%2F", 404, "no such incident was ever published"),
        ("/incidents/%F0%9F%92%A9/evidence", 404, "no such incident was ever published"),
        (f"/incidents/{INCIDENT.upper()}", 404, "no such incident was ever published"),
        ("/incidents?platform=twitter", 400, "platform: one of x, youtube"),
        ("/incidents?cursor=%00", 400, "cursor: none that was given out here"),
        ("/ledger?%FF=1", 400, "\ufffd: unknown parameter"),
        ("/series/PK?from=2023-12-17T12:00:00Z&to=2023-12-17T12:00:00Z", 400, "from: not before to"),
        ("/series/PK?from=2023-12-01T12:00:00Z", 400,
         "from: more than 7 days before to; ask for one week after another"),
        ("/rounds?country=PK", 404, "no such address; /api/v1/openapi.json says which there are"),
    ],
)  # fmt: skip
async def test_a_bad_question_is_told_why_in_the_one_form(
    shared: Dark, path: str, status: int, detail: str
) -> None:
    got = await shared.get(path)
    assert got.headers["Content-Type"] == "application/problem+json"
    assert got.headers["Cache-Control"] == "no-store"
    assert got.headers["Access-Control-Allow-Origin"] == "*"
    title = {400: "Bad Request", 404: "Not Found"}[status]
    assert got.json == {"type": "about:blank", "title": title, "status": status, "detail": detail}
    assert got.status == status


async def test_who_asks_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    async with dark(tmp_path, WHOLE[:1], Api(requests_a_minute=6)) as running:
        assert [(await running.get("/state")).status for _ in range(6)] == [200] * 6
        for path in ("/state", "/nothing", "/state?x=1"):
            refused = await running.get(path)
            assert (refused.status, refused.headers["Retry-After"]) == (429, "10")
        running.watchers.clock.at += 10
        assert (await running.get("/nothing")).status == 404, "a refusal counts like an answer"
        assert (await running.get("/state")).status == 429
        async with running.client.get(running.url + "/healthz") as response:
            assert response.status == 200, "agents and pages are not counted"


async def test_no_address_is_logged_and_none_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    async with dark(tmp_path, WHOLE[:1], Api(requests_a_minute=1)) as running:
        for _ in range(3):
            await running.get("/state")
    assert "127.0.0.1" not in "".join(
        record.getMessage() for record in caplog.records if "/state" in record.getMessage()
    )


async def test_while_the_store_fails_that_is_said(told: Dark) -> None:
    with patch.object(type(told.service.committer.store), "chronicle", side_effect=StoreError("disk")):
        got = await told.get("/series/PK")
    assert (got.status, got.headers["Retry-After"]) == (503, "10")
    assert "disk" not in got.json["detail"]
    assert (await told.get("/series/PK")).status == 200, "and it is not kept"


# Series.


async def test_a_series_has_every_round_that_had_votes_in_every_form(shared: Dark) -> None:
    whole = (await shared.get("/series/PK")).json
    country = [row for row in whole["rows"] if row["scope"] == "country"]
    assert [row["failing"] for row in country if row["failing"]] == [24] * 13
    assert {row["condition"] for row in country} == {"ok", "confirmed"}
    assert len({row["at"] for row in country}) == len(country)
    lines = (await shared.get("/series/PK?format=jsonl")).body.decode().splitlines()
    assert [json.loads(line) for line in lines] == whole["rows"]
    read_back = list(csv.DictReader(io.StringIO((await shared.get("/series/PK?format=csv")).body.decode())))
    assert [row["failing"] for row in read_back] == [str(row["failing"]) for row in whole["rows"]]
    assert list(read_back[0]) == list(whole["rows"][0])


async def test_a_series_can_be_cut_to_the_round(shared: Dark) -> None:
    cut = (await shared.get("/series/PK?from=2023-12-17T10:12:00Z&to=2023-12-17T10:20:00Z&platform=x")).json
    assert (cut["since"], cut["until"]) == ("2023-12-17T10:10:00.000Z", "2023-12-17T10:20:00.000Z")
    assert sorted({row["at"][11:16] for row in cut["rows"]}) == ["10:10", "10:15"]


@pytest.mark.parametrize("span", ["from=0001-01-01T00:00:00Z&to=0001-01-02T00:00:00Z",
                                  "to=9999-12-31T23:59:59Z",
                                  "from=9999-12-31T23:59:00-23:59&to=9999-12-31T23:59:59-23:59"])  # fmt: skip
async def test_times_before_anything_and_after_everything_are_empty(shared: Dark, span: str) -> None:
    got = await shared.get(f"/series/PK?{span}")
    assert (got.status, got.json["rows"]) == (200, [])


async def test_a_country_of_which_nothing_is_known_is_a_gap(shared: Dark) -> None:
    assert (await shared.get("/series/AQ")).json["rows"] == []


async def test_a_long_series_goes_on_in_the_next_answer(told: Dark) -> None:
    whole = (await told.get("/series/PK")).json["rows"]
    with patch.object(charts, "MOST_ROWS", 23):
        path, parts = "/series/PK?format=json&platform=x", list[list[Any]]()
        while path:
            got = await told.get(path)
            parts.append(got.json["rows"])
            link = got.headers.get("Link", "")
            assert bool(link) == (got.json["next"] is not None)
            path = link.partition(">")[0].removeprefix("</api/v1")
    assert [row for part in parts for row in part] == whole
    assert {len(part) for part in parts[:-1]} == {20}, "rounds are not cut in two"


async def test_many_askers_are_one_for_the_store_until_there_is_a_new_round(told: Dark) -> None:
    store = type(told.service.committer.store)
    with patch.object(store, "chronicle", autospec=True, side_effect=store.chronicle) as chronicle:
        await asyncio.gather(*(told.get("/series/PK?format=csv") for _ in range(20)))
        pieces = charts.DAY_S / ROUND_S / charts.PIECE_ROUNDS
        assert chronicle.call_count == pieces
        told.watchers.take([said(home, END) for home in EVERYBODY])
        await told.watchers.at_the_end_of(END)
        assert (await told.get("/series/PK?format=csv")).status == 200
        assert chronicle.call_count == 2 * pieces


# Incidents.


async def with_more(told: Dark) -> None:
    """Publish a few."""
    more = some()
    told.service.committer.store.publish(more)
    detector = told.service.detector
    detector.published = {**detector.published, **{one.incident.id: one for one in more}}


async def test_incidents_come_page_by_page(told: Dark) -> None:
    await with_more(told)
    path, found = "/incidents?limit=2&format=jsonl", list[str]()
    while path:
        got = await told.get(path)
        found += [json.loads(line)["id"] for line in got.body.splitlines()]
        path = got.headers.get("Link", "").partition(">")[0].removeprefix("</api/v1")
    assert found == ["tr-3", "tr-2", INCIDENT, "tr-1", "x-1"]


async def test_an_incident_is_told_as_everywhere_else_and_with_its_whole_history(told: Dark) -> None:
    history = await told.service.sources().revisions(INCIDENT)
    described = [describe(one, told.service.courier.voice) for one in history]
    got = (await told.get(f"/incidents/{INCIDENT}")).json
    assert got == {"id": INCIDENT, "revisions": described}
    assert (await told.get("/incidents")).json["incidents"] == described[-1:]


async def test_as_a_table_an_incident_is_a_line_for_each_platform(shared: Dark) -> None:
    text = (await shared.get("/incidents?format=csv")).body.decode()
    (line,) = csv.DictReader(io.StringIO(text))
    assert (line["id"], line["platform"], line["failing"], line["networks"]) == (INCIDENT, "x", "24", "4")
    assert (line["phase"], line["mechanisms"], line["stage"]) == ("ended", "tls", "tls")


async def test_the_ledger_is_given_whole_and_by_country(shared: Dark) -> None:
    (entry,) = (await shared.get("/ledger")).json["entries"]
    assert (entry["country"], entry["half"], entry["events"], entry["duration_s"]) == (
        "PK",
        "2023-H2",
        1,
        3900.0,
    )
    assert (await shared.get("/ledger?country=TR")).json["entries"] == []
    assert (await shared.get("/ledger?country=PK&platform=x")).json["entries"] == [entry]
    (line,) = csv.DictReader(io.StringIO((await shared.get("/ledger?format=csv")).body.decode()))
    assert (line["causes"], line["incidents"]) == ("blocking_confirmed=1", INCIDENT)


# Evidence.


async def test_evidence_is_a_file_that_holds_under_its_own_digest(shared: Dark) -> None:
    got = await shared.get(f"/incidents/{INCIDENT}/evidence")
    assert all(finding.holds for finding in checked(read(got.body)))
    assert got.headers["ETag"] == f'W/"{hashlib.sha256(got.body).hexdigest()}"'
    assert got.headers["Content-Disposition"] == f'attachment; filename="{INCIDENT}.evidence.json"'


async def test_evidence_is_made_once_for_all_who_ask_and_two_are_never_made_at_once(told: Dark) -> None:
    await with_more(told)
    now, most, made = 0, 0, list[str]()

    async def bundle(_store: Any, _setting: Any, _head: int, name: str, _min_prefixes: int) -> bytes:
        nonlocal now, most
        now, most = now + 1, max(most, now + 1)
        await asyncio.sleep(0)
        made.append(name)
        now -= 1
        if name == "tr-2":
            raise NoEvidence("its rounds have been dropped")
        return b"{}"

    with patch("collector.app.bundle", bundle):
        names = [INCIDENT, "tr-1", "tr-2"] * 5
        answers = await asyncio.gather(*(told.get(f"/incidents/{name}/evidence") for name in names))
    assert sorted(made) == sorted({*names})
    assert most == 1
    assert {got.status for got, name in zip(answers, names, strict=True) if name != "tr-2"} == {200}
    gone = next(got for got, name in zip(answers, names, strict=True) if name == "tr-2")
    assert (gone.status, gone.json["detail"]) == (404, "its rounds have been dropped")


async def test_evidence_of_what_goes_on_is_made_again_when_it_has_gone_on(tmp_path: Path) -> None:
    async with dark(tmp_path, WHOLE[: WARM + 8]) as running:
        before = await running.get(f"/incidents/{INCIDENT}/evidence")
        running.watchers.take(WHOLE[WARM + 8])
        await running.watchers.at_the_end_of(8)
        after = await running.get(f"/incidents/{INCIDENT}/evidence")
    assert read(after.body).rounds[-1].number == read(before.body).rounds[-1].number + 1


async def test_evidence_of_what_is_over_is_made_again_when_its_rounds_were_folded_again(told: Dark) -> None:
    """As a quarantine or a late upload has it: the incident's last word may stay the same."""
    made = 0

    async def bundle(*_about: Any) -> bytes:
        nonlocal made
        made += 1
        return b"{}"

    detector = told.service.detector
    assert detector.published[INCIDENT].incident.ended is not None
    with patch("collector.app.bundle", bundle):
        await told.get(f"/incidents/{INCIDENT}/evidence")
        await told.get(f"/incidents/{INCIDENT}/evidence")
        before = detector.findings
        detector.ordered(told.watchers.clock.at - 1800)
        for _look in range(100):  # each catches up for half a second at most
            await detector.detect()
            if detector.findings is not before:
                break
        assert detector.findings is not before
        assert detector.findings.state.number == before.state.number
        await told.get(f"/incidents/{INCIDENT}/evidence")
    assert made == 2


async def test_names_that_were_made_up_cost_the_store_nothing(shared: Dark) -> None:
    with patch.object(type(shared.service.committer.store), "revisions") as revisions:
        for path in ("/incidents/made-up", "/incidents/made-up/evidence"):
            assert (await shared.get(path)).status == 404
    assert revisions.call_count == 0
