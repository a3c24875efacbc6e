"""The page: readable as it is served, and never greener than the data."""

from __future__ import annotations

import json
import re

import pytest

from collector.detect.cells import Cell, CellKey
from collector.snapshot import Tally, take
from collector.web.page import FEW, render, state_of
from tests.batches import NOW, batch, signed, someone
from tests.collector.conftest import Running
from tests.collector.test_snapshot import cell

STATES = [
    (Tally(), "none", "no data"),
    (Tally(statuses={"insufficient": 4}), "none", "cannot judge"),
    (Tally(votes=1), "few", "reached from 1 vantage point: too few"),
    (Tally(votes=2, failing=2), "few", "not reached from 2 vantage points: too few"),
    (Tally(votes=2, failing=1), "few", "reached by some from 2 vantage points: too few"),
    (Tally(votes=5), "ok", "reachable from all 5 vantage points"),
    (Tally(votes=5, failing=1), "some", "fails from 1 of 5 vantage points"),
    (Tally(votes=5, failing=4), "bad", "fails from 4 of 5 vantage points"),
]


@pytest.mark.parametrize(("tally", "kind", "words"), STATES)
def test_a_state_is_said_in_words(tally: Tally, kind: str, words: str) -> None:
    state = state_of(tally)
    assert state.kind == kind
    assert words in state.words
    assert state.sign


def test_never_green_below_the_fewest_votes() -> None:
    assert all(state_of(Tally(votes=n)).kind != "ok" for n in range(FEW))


def test_signs_differ_so_that_colour_is_never_the_only_one() -> None:
    signs = {state_of(tally).kind: state_of(tally).sign for tally, _, _ in STATES}
    assert len(set(signs.values())) == len(signs)


def page(*cells: tuple[CellKey, Cell]) -> str:
    return render(take(dict(cells), [], now=NOW, window_s=600, platforms=("x",)))


def test_countries_with_failures_come_first() -> None:
    votes = {f"p{n}": (-60.0, "ok") for n in range(4)}
    failing = {f"p{n}": (-60.0, "blocked") for n in range(4)}
    html = page(cell(-1, "AT", votes), cell(-1, "PK", failing), cell(-1, "ZA", votes))
    assert re.findall(r"<h2>(..)</h2>", html) == ["PK", "AT", "ZA"]


def test_whatever_agents_say_cannot_write_into_the_page() -> None:
    html = page(cell(-1, "<i", {"p": (-60.0, "ok")}))
    assert "<i<" not in html
    assert "&lt;i" in html


async def test_the_page_is_served_under_a_strict_policy_and_without_script(collector: Running) -> None:
    async with collector.client.get(collector.url + "/") as response:
        text = await response.text()
        policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'")
    assert "unsafe" not in policy
    assert "No probe has reported yet" in text
    assert not re.search(r"<script|style=|onload|https?://", text)


async def test_the_api_says_what_the_page_says(collector: Running) -> None:
    who = someone()
    await collector.enrol(who)
    await collector.post("/v1/batch", signed(who, batch(who)))
    state = json.loads(await collector.get("/api/v1/state"))
    x = state["countries"]["PK"]["platforms"]["x"]
    assert (x["votes"], x["failing"], x["ratio"], x["statuses"]) == (1, 0, 1.0, {"ok": 1})
    assert json.loads(await collector.get("/api/v1/state/PK"))["countries"] == state["countries"]
    assert x["stages"]["tls"] == {"succeeded": 2, "failed": 0}
    assert "TLS 2 of 2" in (await collector.get("/")).replace("\u00a0", " ")
    assert state["countries"]["PK"]["networks"] == {}, "a network of one prefix is one home"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/state/XX", 404),
        ("GET", "/api/v1/state/pakistan", 400),
        ("POST", "/api/v1/state", 405),
        ("GET", "/v1/batch", 405),
        ("HEAD", "/", 200),
        ("GET", "/static/style.css", 200),
        ("GET", "/static/../page.py", 404),
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/metrics", 404),
    ],
)
async def test_each_address_answers_as_it_should(
    collector: Running, method: str, path: str, status: int
) -> None:
    async with collector.client.request(method, collector.url + path) as response:
        assert response.status == status


async def test_not_ready_when_the_store_has_not_been_seen_for_a_while(collector: Running) -> None:
    collector.clock.now += 60
    async with collector.client.get(collector.url + "/readyz") as response:
        assert response.status == 503
