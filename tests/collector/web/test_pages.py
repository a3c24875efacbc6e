"""The pages as they are served: whole without JavaScript, made once for everybody, clear where there is
nothing, and never about one home."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from unittest.mock import patch

import aiohttp
import pytest

from collector.config import Api, Config, Display
from collector.detect.cells import Cell, CellKey, Vote
from collector.detect.fold import State
from collector.detect.nation import NationWatch
from collector.detect.network import Condition
from collector.detector import Findings
from collector.web.pages.preview import drawn
from collector.web.pages.render import Renderer
from tests.batches import NOW, batch, signed, someone
from tests.browser.conftest import TELLING
from tests.browser.evening import INCIDENT, Stage, staged
from tests.collector.conftest import Running, collecting


async def text_of(where: Running | Stage, path: str, status: int = 200) -> str:
    async with aiohttp.ClientSession() as client, client.get(where.url + path) as response:
        assert response.status == status
        return await response.text()


def plain(html: str) -> str:
    """What a reader reads."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html.replace("<wbr>", ""))).replace("\u00a0", " ")


INCIDENTS = "/api/v1/incidents?country=PK"
PAGES = [
    "/",
    "/country/PK",
    "/country/TR",
    "/country/EE",
    f"/incident/{INCIDENT}",
    "/ledger",
    "/method",
    "/take-part",
]


class Balanced(HTMLParser):
    """Counts what is opened and not closed."""

    VOID = frozenset({"meta", "link", "path", "rect", "br", "wbr"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.slow
@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_whole_and_says_that_it_is_a_replay(told: Stage, path: str) -> None:
    async with aiohttp.ClientSession() as client, client.get(told.url + path) as response:
        html = await response.text()
        policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert TELLING in html
    assert not re.search(r"<script(?! src)|\sstyle=|\son[a-z]+=|https?://", html)
    page = Balanced()
    page.feed(html)
    assert page.open == []


@pytest.mark.slow
async def test_the_world_shows_incidents_first_and_never_well_where_too_few_report(told: Stage) -> None:
    html = await text_of(told, "/")
    text = plain(html)
    assert "1 incident is open: Pakistan." in text
    assert text.index("Nation-scale disruption of") < text.index("Countries")
    assert re.findall(r'<a href="/country/(..)"', html)[:2] == ["PK", "TR"]
    estonia = plain(html.partition('href="/country/EE"')[2].partition("</tr>")[0])
    assert estonia.count("too few to say 2 of 2 reached it lately") == 4
    assert "reached all" not in estonia


@pytest.mark.slow
async def test_a_country_shows_the_claim_the_counts_the_gap_and_where_it_breaks(told: Stage) -> None:
    html = await text_of(told, "/country/PK")
    text = plain(html)
    assert "at worst 31 of 35 probes on 4 of 5 networks" in text
    assert "began between 14:15 and 14:25 UTC" in text
    assert "(20:15 there)" in text
    assert "12-17 11:50 \u2013" in text, "a table's row of the time in which nobody reported"
    assert "Encryption (TLS) tls_reset_error 3" in text
    (x, *_) = re.findall(r'class="line l0" d="([^"]*)"', html)[1:] or [""]
    assert x.count("M") == 2, "a line in two pieces"


@pytest.mark.slow
async def test_a_small_network_is_named_nowhere(told: Stage) -> None:
    for path in ("/country/PK", "/country/PK?window=7d", f"/incident/{INCIDENT}", f"/embed/{INCIDENT}.svg"):
        html = await text_of(told, path)
        assert "17557" in html or "svg" in path
        assert "23674" not in html


@pytest.mark.slow
async def test_an_incident_has_its_timeline_evidence_and_picture(told: Stage) -> None:
    html = await text_of(told, f"/incident/{INCIDENT}")
    revisions = re.findall(r"Revision (\d)", html)
    assert revisions == sorted(revisions, reverse=True)
    assert len(revisions) >= 3
    for link in (f"/api/v1/incidents/{INCIDENT}/evidence", f"/embed/{INCIDENT}.svg"):
        assert f'href="{link}"' in html
    picture = await text_of(told, f"/embed/{INCIDENT}.svg")
    assert "Pakistan: confirmed" in picture
    assert "This is a replay." in picture
    assert "This is a replay." in await text_of(told, "/embed/country/PK.svg")


@pytest.mark.slow
async def test_an_incident_that_goes_on_is_told_alike_wherever_it_is_shown(told: Stage) -> None:
    """Its counts go on from the last revision, which stays in the timeline as it was told."""
    service = told.running.service
    last = service.detector.published[INCIDENT]
    worse = [
        replace(part, networks={asn: replace(one, failing=one.of) for asn, one in part.networks.items()})
        for part in last.incident.parts
    ]
    now = replace(last, incident=replace(last.incident, parts=tuple(worse)))
    with (
        patch.object(service.detector, "published", {**service.detector.published, INCIDENT: now}),
        patch.object(service.detector, "findings", replace(service.detector.findings)),
    ):
        (claim,) = (one["claim"] for one in json.loads(await text_of(told, INCIDENTS))["incidents"])
        for path in ("/", "/country/PK", f"/incident/{INCIDENT}"):
            assert claim[1:] in plain(await text_of(told, path)), path
        then = json.loads(await text_of(told, f"/api/v1/incidents/{INCIDENT}"))["revisions"][-1]["claim"]
        assert claim != then
        assert plain(await text_of(told, f"/incident/{INCIDENT}")).count(then[1:]) == 1


@pytest.mark.slow
async def test_the_ledger_has_a_line_for_each_platform(told: Stage) -> None:
    text = plain(await text_of(told, "/ledger"))
    assert "2023, July to December" in text
    assert text.count("Pakistan") == 4
    assert "Turkey YouTube 1 1 h 0 min" in text


@pytest.mark.slow
async def test_the_method_gives_the_numbers_of_the_thresholds(told: Stage) -> None:
    limits = told.running.service.detector.limits
    text = plain(await text_of(told, "/method"))
    assert f"threshold h = {limits.h:.3g}" in text
    assert f"none more than {limits.network_cap:.0%}".replace("%", " %") in text
    assert "false nation-scale CONFIRMED" in text


REFUSED = [
    ("/country/xx", 400, "two capital letters"),
    ("/country/PKX", 400, "two capital letters"),
    ("/country/", 400, "two capital letters"),
    ("/country/%2e%2e%2f", 400, "two capital letters"),
    ("/country/%3Cscript%3E", 400, "two capital letters"),
    ("/country/AQ", 404, "No probe has reported from Antarctica"),
    ("/country/PK?window=9y", 400, "6h, 24h or 7d"),
    ("/country/PK?window=", 400, "6h, 24h or 7d"),
    ("/incident/nothing", 404, "no incident of that name"),
    ("/incident/..%2f..%2fetc", 404, "no incident of that name"),
    ("/incident/" + "x" * 5000, 404, "no incident of that name"),
    ("/embed/nothing.svg", 404, "no incident of that name"),
    ("/embed/country/P.svg", 400, "two capital letters"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("path", "status", "why"), REFUSED)
async def test_what_there_is_not_is_said_in_the_same_look(
    told: Stage, path: str, status: int, why: str
) -> None:
    async with (
        aiohttp.ClientSession() as client,
        client.get(told.url + path, allow_redirects=False) as response,
    ):
        html = await response.text()
        assert (response.status, response.content_type) == (status, "text/html")
    assert why in html
    assert 'rel="stylesheet"' in html
    assert "<script>" not in html


@pytest.mark.slow
async def test_a_page_is_made_once_however_many_ask_and_not_sent_to_who_has_it(told: Stage) -> None:
    told.running.clock.now += 60
    await asyncio.to_thread(told.do, told.running.service.refresh())
    made = 0
    render = Renderer.__call__

    def counted(self: Renderer, template: str, **values: object) -> str:
        nonlocal made
        made += 1
        return render(self, template, **values)

    with patch.object(Renderer, "__call__", counted):
        answers = await asyncio.gather(*(text_of(told, "/country/PK") for _ in range(20)))
    assert made == 1
    assert len(set(answers)) == 1
    async with aiohttp.ClientSession() as client:
        async with client.get(told.url + "/country/PK") as response:
            etag = response.headers["ETag"]
            assert response.headers["Cache-Control"] == "no-cache"
        known = {"If-None-Match": etag}
        async with client.get(told.url + "/country/PK", headers=known) as response:
            assert (response.status, await response.read()) == (304, b"")


@pytest.mark.slow
async def test_a_page_is_small_and_smaller_compressed(told: Stage) -> None:
    for path in (*PAGES, "/country/PK?window=24h", "/country/PK?window=7d"):
        whole = len((await text_of(told, path)).encode())
        async with aiohttp.ClientSession() as client, client.get(told.url + path) as response:
            assert response.headers["Content-Encoding"] == "gzip"
            assert int(response.headers["Content-Length"]) < 0.6 * whole
        assert whole < 80_000


async def test_words_of_probes_cannot_write_into_a_page(collector: Running) -> None:
    cells = {
        CellKey(int(NOW // 60) - 1, "<x", 1, "x"): Cell(
            statuses={"ok": 1}, votes={"p": Vote(NOW - 30, "ok", "p")}, results={("<b>", "<b>"): 1}
        )
    }
    store = collector.service.committer.store
    with patch.object(store, "cells", return_value=cells):
        await collector.service.refresh()
    html = await text_of(collector, "/")
    assert "<x" not in html
    assert "&lt;x" in html


PREVIEWS = [f"/embed/{INCIDENT}.png", "/embed/country/PK.png", "/embed/country/EE.png"]


@pytest.mark.slow
@pytest.mark.parametrize("path", PREVIEWS)
async def test_a_preview_is_a_png_that_others_may_show_and_is_drawn_once(told: Stage, path: str) -> None:
    async with aiohttp.ClientSession() as client:
        with patch("collector.web.pages.previews.drawn", wraps=drawn) as drawing:
            for _ in range(3):
                async with client.get(told.url + path) as response:
                    body, headers = await response.read(), response.headers
        assert drawing.call_count == 1
        assert (response.status, response.content_type, body[:8]) == (200, "image/png", b"\x89PNG\r\n\x1a\n")
        assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert len(body) < 150_000
        known = {"If-None-Match": headers["ETag"]}
        async with client.get(told.url + path, headers=known) as response:
            assert (response.status, await response.read()) == (304, b"")
    assert await text_of(told, "/embed/country/XX.png", 404)


@pytest.mark.slow
async def test_a_preview_is_given_as_often_as_the_apis_answers(tmp_path: Path) -> None:
    config = Config(data_dir=str(tmp_path / "data"), api=Api(requests_a_minute=2))
    async with collecting(config) as running, aiohttp.ClientSession() as client:
        for status in (404, 404, 429):
            async with client.get(running.url + "/embed/country/PK.png") as response:
                assert response.status == status
        assert response.headers["Retry-After"] == "30"


@pytest.mark.slow
async def test_without_an_address_of_its_own_a_page_names_no_picture_and_no_address(told: Stage) -> None:
    for path in ("/country/PK", f"/incident/{INCIDENT}"):
        html = await text_of(told, path)
        assert '<meta property="og:title"' in html
        assert not re.search("og:(image|url)", html)


@pytest.mark.slow
async def test_with_one_a_page_names_both_in_full(tmp_path: Path) -> None:
    display = Display(public_url="https://reach.example")
    with staged(tmp_path, display) as stage:
        for path, image in ((f"/incident/{INCIDENT}", PREVIEWS[0]), ("/country/PK", PREVIEWS[1])):
            html = await text_of(stage, path)
            assert f'<meta property="og:url" content="https://reach.example{path}">' in html
            assert f'<meta property="og:image" content="https://reach.example{image}">' in html


async def test_an_empty_collector_says_how_to_begin(collector: Running) -> None:
    html = await collector.get("/")
    assert "No probe has reported yet" in html
    assert "No round has been examined yet" in html
    assert "replay" not in html
    for path in ("/ledger", "/method", "/take-part"):
        assert await collector.get(path)


async def test_before_the_first_round_charts_end_now_and_not_at_the_epoch(collector: Running) -> None:
    who = someone()
    await collector.enrol(who)
    await collector.post("/v1/batch", signed(who, batch(who)))
    page = await collector.get("/country/PK")
    begins, ends = (datetime.fromtimestamp(at // 300 * 300, UTC) for at in (NOW - 21_600, NOW))
    assert f"From {begins:%m-%d %H:%M} to {ends:%m-%d %H:%M}." in page
    series = json.loads(await collector.get("/api/v1/series/PK"))
    assert (series["rows"], series["since"][:4], series["until"][:4]) == ([], f"{ends:%Y}", f"{ends:%Y}")
    assert "1970" not in await collector.get("/api/v1/series/PK?from=2023-12-16T00:00Z")


async def test_a_collector_that_looks_at_nothing_any_more_does_not_stay_green(collector: Running) -> None:
    """Snapshots and detection stop, the listener goes on: a store that fails, say."""
    nations = {("PK", platform): NationWatch(condition=Condition.OK) for platform in ("x", "youtube")}
    state = State(number=int(NOW // 300) - 1, nations=nations)
    collector.service.detector.findings = Findings(state=state, book=(), until=NOW - 30)
    await collector.service.refresh()
    assert "✓ reached" in plain(await text_of(collector, "/country/PK"))
    collector.clock.now += 6 * 3600
    for path in ("/", "/country/PK"):
        table = plain(await text_of(collector, path)).partition("What the words claim")[0]
        assert "✓ reached" not in table
        assert "Nothing newer than" in table


async def test_the_operators_word_on_a_replay_cannot_be_markup(tmp_path: Path) -> None:
    config = Config(data_dir=str(tmp_path / "data"), display=Display(replay="<b>Not</b> now"))
    async with collecting(config) as running:
        assert "&lt;b&gt;Not&lt;/b&gt; now" in await running.get("/")


async def test_the_api_says_what_the_page_says(collector: Running) -> None:
    who = someone()
    await collector.enrol(who)
    await collector.post("/v1/batch", signed(who, batch(who)))
    state = json.loads(await collector.get("/api/v1/state"))
    x = state["countries"]["PK"]["platforms"]["x"]
    assert (x["votes"], x["failing"], x["ratio"], x["statuses"]) == (1, 0, 1.0, {"ok": 1})
    assert json.loads(await collector.get("/api/v1/state/PK"))["countries"] == state["countries"]
    assert x["stages"]["tls"] == {"succeeded": 2, "failed": 0}
    page = plain(await collector.get("/country/PK"))
    assert "Encryption (TLS) 2/2" in page
    assert "too few to say 1 of 1 reached it lately" in page
    assert state["countries"]["PK"]["networks"] == {}, "a network of one prefix is one home"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/state/XX", 404),
        ("GET", "/api/v1/state/pakistan", 400),
        ("POST", "/api/v1/state", 405),
        ("GET", "/v1/batch", 405),
        ("HEAD", "/", 200),
        ("HEAD", "/live", 200),
        ("GET", "/static/style.css", 200),
        ("GET", "/static/live.js", 200),
        ("GET", "/static/icon.svg", 200),
        ("GET", "/favicon.ico", 200),
        ("GET", "/static/../page.py", 404),
        ("GET", "/static/base.html", 404),
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
