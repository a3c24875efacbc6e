"""Feeds over HTTP: what did not change is not sent again, and a bad question is told what a good one is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from unittest.mock import MagicMock, patch
from xml.etree import ElementTree as ET

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from collector.config import Api, Display
from collector.detect.claims import describe
from collector.detect.fold import State
from collector.detect.revisions import Revision
from collector.detect.thresholds import DEFAULT
from collector.detector import Findings
from collector.limit import Limiter
from collector.web import feeds
from collector.web.sources import Sources
from tests.batches import NOW
from tests.collector.alerts.receivers import revision
from tests.collector.conftest import Running
from tests.collector.voices import ENGLISH

A_MINUTE = 40


class Feeds:
    """A server of feeds over what is published."""

    def __init__(self) -> None:
        self.published: dict[str, Revision] = {"pk-1": revision()}
        self.findings = Findings(state=State(), book=(), until=0.0)
        unasked = MagicMock(side_effect=AssertionError("a feed is made of what is published alone"))
        self.sources = Sources(
            snapshot=unasked,
            findings=lambda: self.findings,
            published=lambda: self.published,
            revisions=unasked,
            chronicle=unasked,
            evidence=unasked,
            rounds=unasked,
            limits=DEFAULT,
            voice=ENGLISH,
            display=Display(),
            api=Api(requests_a_minute=A_MINUTE),
            wall=lambda: NOW,
        )
        self.client: TestClient[web.Request, web.Application]

    def say(self, **revisions: Revision) -> None:
        """Publish, as the detector does: with new findings."""
        self.published |= revisions
        self.findings = replace(self.findings)


@pytest.fixture
async def served() -> AsyncIterator[Feeds]:
    served = Feeds()
    app = web.Application()
    limiter = Limiter(served.sources.api.requests_a_minute, b"key")
    app.add_subapp("/feeds", feeds.application(served.sources, limiter))
    async with TestClient(TestServer(app)) as served.client:
        yield served


@pytest.mark.parametrize("path", ["/feeds/all.atom", "/feeds/PK.atom", "/feeds/all.json", "/feeds/TR.json"])
async def test_a_feed_is_sent_once_and_not_again_while_nothing_is_new(served: Feeds, path: str) -> None:
    async with served.client.get(path) as first:
        assert first.status == 200
        assert first.content_type in ("application/atom+xml", "application/feed+json")
        assert await first.read()
        tag = first.headers["ETag"]
    for sent in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        async with served.client.get(path, headers={"If-None-Match": sent}) as again:
            assert (again.status, await again.read()) == (304, b""), sent
            assert again.headers["ETag"] == tag
    served.say(**{n: replace(revision(2, incident=n, country=n[:2]), at=9e9) for n in ("PK-2", "TR-2")})
    async with served.client.get(path, headers={"If-None-Match": tag}) as news:
        assert news.status == 200


async def test_who_goes_by_the_date_is_told_by_the_date(served: Feeds) -> None:
    async with served.client.get("/feeds/all.atom") as first:
        date = first.headers["Last-Modified"]
    assert date == "Sun, 17 Dec 2023 10:15:01 GMT"
    for header, status in [(date, 304), ("Sun, 17 Dec 2023 10:15:00 GMT", 200), ("yesterday", 200)]:
        async with served.client.get("/feeds/all.atom", headers={"If-Modified-Since": header}) as again:
            assert again.status == status
    both = {"If-Modified-Since": date, "If-None-Match": '"other"'}
    async with served.client.get("/feeds/all.atom", headers=both) as again:
        assert again.status == 200, "the tag decides where one is sent"


async def test_a_feed_is_made_once_for_everybody_until_there_are_new_findings(served: Feeds) -> None:
    with patch("collector.alerts.feeds.describe", wraps=describe) as described:
        for _ in range(3):
            async with served.client.get("/feeds/all.atom") as response:
                first = await response.read()
        assert described.call_count == 1
        served.say(**{"pk-2": revision(incident="pk-2")})
        async with served.client.get("/feeds/all.atom") as response:
            assert await response.read() != first
        assert described.call_count == 3


@pytest.mark.parametrize(("accept", "coding"), [("gzip", "gzip"), ("gzip;q=0", None), ("identity", None)])
async def test_a_feed_is_compressed_for_who_can_read_it(
    served: Feeds, accept: str, coding: str | None
) -> None:
    async with served.client.get("/feeds/all.json", headers={"Accept-Encoding": accept}) as response:
        assert response.headers.get("Content-Encoding") == coding
        assert len((await response.json(content_type=None))["items"]) == 1


async def test_who_asks_too_often_is_asked_to_wait(served: Feeds) -> None:
    for _ in range(A_MINUTE):
        async with served.client.get("/feeds/all.atom") as response:
            assert response.status == 200
    async with served.client.get("/feeds/all.atom") as response:
        assert (response.status, response.content_type) == (429, "application/problem+json")
        assert int(response.headers["Retry-After"]) >= 1


async def test_a_country_of_which_nothing_was_said_has_an_empty_feed(served: Feeds) -> None:
    async with served.client.get("/feeds/FR.json") as response:
        assert (response.status, (await response.json(content_type=None))["items"]) == (200, [])
        assert "Last-Modified" not in response.headers


@pytest.mark.parametrize(
    ("path", "status", "why"),
    [
        ("/feeds/pk.atom", 400, "a feed is of all, or of two capital letters (ISO 3166-1)"),
        ("/feeds/PAK.json", 400, "a feed is of all, or of two capital letters (ISO 3166-1)"),
        ("/feeds/%3Cx%3E.atom", 400, "a feed is of all, or of two capital letters (ISO 3166-1)"),
        ("/feeds/PK.rss", 404, "a feed is one of atom, json"),
    ],
)
async def test_a_bad_question_is_answered_as_the_api_does(
    served: Feeds, path: str, status: int, why: str
) -> None:
    async with served.client.get(path) as response:
        assert response.content_type == "application/problem+json"
        assert (response.status, (await response.json(content_type=None))["detail"]) == (status, why)


async def test_the_running_collector_has_them(collector: Running) -> None:
    root = ET.fromstring(await collector.get("/feeds/all.atom"))
    assert root.tag.endswith("feed")
