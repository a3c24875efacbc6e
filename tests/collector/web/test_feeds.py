"""Feeds over HTTP: what did not change is not sent again, and a bad question is told what a good one is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from unittest.mock import MagicMock
from xml.etree import ElementTree as ET

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from collector.config import Api, Display
from collector.detect.revisions import Revision
from collector.detect.thresholds import DEFAULT
from collector.web import feeds
from collector.web.sources import Sources
from tests.collector.alerts.receivers import revision
from tests.collector.conftest import Running
from tests.collector.voices import ENGLISH


class Feeds:
    """A server of feeds over what is published."""

    def __init__(self) -> None:
        self.published: dict[str, Revision] = {"pk-1": revision()}
        unasked = MagicMock(side_effect=AssertionError("a feed is made of what is published alone"))
        self.sources = Sources(
            snapshot=unasked,
            findings=unasked,
            published=lambda: self.published,
            revisions=unasked,
            chronicle=unasked,
            evidence=unasked,
            rounds=unasked,
            limits=DEFAULT,
            voice=ENGLISH,
            display=Display(),
            api=Api(),
            wall=unasked,
        )
        self.client: TestClient[web.Request, web.Application]


@pytest.fixture
async def served() -> AsyncIterator[Feeds]:
    served = Feeds()
    app = web.Application()
    app.add_routes(feeds.routes(served.sources))
    async with TestClient(TestServer(app)) as served.client:
        yield served


@pytest.mark.parametrize("path", ["/feeds/all.atom", "/feeds/PK.atom", "/feeds/all.json", "/feeds/TR.json"])
async def test_a_feed_is_sent_once_and_not_again_while_nothing_is_new(served: Feeds, path: str) -> None:
    async with served.client.get(path) as first:
        assert first.status == 200
        assert first.content_type in ("application/atom+xml", "application/feed+json")
        assert await first.read()
        tag = first.headers["ETag"]
    for sent in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        async with served.client.get(path, headers={"If-None-Match": sent}) as again:
            assert (again.status, await again.read()) == (304, b""), sent
            assert again.headers["ETag"] == tag
    served.published |= {n: replace(revision(2, incident=n, country=n[:2]), at=9e9) for n in ("PK-2", "TR-2")}
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
