"""Feeds that any reader can read: well-formed whatever comes over the wire, newest first, bounded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from collector.alerts.feeds import MOST, atom, feed, json_feed
from collector.detect.claims import describe
from collector.detect.incidents import WORLD, Cause
from collector.detect.revisions import Revision
from collector.detect.sentences import sentence
from collector.detect.words import Voice
from tests.collector.voices import ENGLISH, FOUND

from .receivers import CONFIRMED, ENDED, NOW, SUSPECTED, revision

A = "{http://www.w3.org/2005/Atom}"


def as_atom(published: Sequence[Revision], place: str = "all", voice: Voice = ENGLISH) -> ET.Element:
    return ET.fromstring(atom(feed(place, published), voice))


def as_json(published: Sequence[Revision], place: str = "all", voice: Voice = ENGLISH) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json_feed(feed(place, published), voice))
    return found


def texts(parent: ET.Element, *names: str) -> list[str | None]:
    return [parent.findtext(f"{A}{name}") for name in names]


def test_an_entry_is_an_incident_in_the_words_of_its_claim() -> None:
    one = revision(2, ENDED)
    (entry,) = as_atom([one]).findall(f"{A}entry")
    assert texts(entry, "title", "updated") == [
        "Over: nation-scale disruption of X in Pakistan",
        "2023-12-17T10:15:02.000Z",
    ]
    assert entry.findtext(f"{A}content") == f"{sentence(one, ENGLISH)}. Revision 2: over."
    assert [one.get("term") for one in entry.findall(f"{A}category")] == ["PK", "ended", "x"]
    (item,) = as_json([one])["items"]
    assert item["title"] == entry.findtext(f"{A}title")
    assert item["content_text"] == entry.findtext(f"{A}content")
    assert item["_reachwatch"] == describe(one, ENGLISH)


def test_everything_that_rfc_4287_requires_is_there() -> None:
    for published in ([], [revision()]):
        root = as_atom(published)
        assert root.tag == f"{A}feed"
        for parent in (root, *root.findall(f"{A}entry")):
            for name in ("id", "title", "updated"):
                assert len(parent.findall(f"{A}{name}")) == 1
            UUID(str(parent.findtext(f"{A}id")).removeprefix("urn:uuid:"))
            datetime.fromisoformat(str(parent.findtext(f"{A}updated")))
        assert root.findtext(f"{A}author/{A}name") == "reachwatch"
        assert [one.get("rel") for one in root.findall(f"{A}link")] == ["self"]


def test_everything_that_json_feed_requires_is_there() -> None:
    assert as_json([]) == {
        "version": "https://jsonfeed.org/version/1.1", "title": "reachwatch", "language": "en", "items": [],
    }  # fmt: skip
    (item,) = as_json([revision()])["items"]
    assert {type(item[name]) for name in ("id", "title", "content_text", "date_modified")} == {str}


def test_who_knows_where_it_is_links_to_what_it_tells_of_and_ids_stay() -> None:
    one, here = revision(), "https://reach.example"
    root, bare = as_atom([one], "PK", FOUND), as_atom([one], "PK")
    assert {link.get("rel"): link.get("href") for link in root.findall(f"{A}link")} == {
        "self": f"{here}/feeds/PK.atom",
        "alternate": f"{here}/country/PK",
    }
    (link,) = root.findall(f"{A}entry/{A}link")
    assert (link.get("rel"), link.get("href")) == ("alternate", f"{here}/incident/{one.incident.id}")
    assert bare.findall(f"{A}entry/{A}link") == []
    for id_of in (f"{A}id", f"{A}entry/{A}id"):
        assert root.findtext(id_of) == bare.findtext(id_of)
    told = as_json([one], voice=FOUND)
    assert (told["home_page_url"], told["feed_url"]) == (f"{here}/", f"{here}/feeds/all.json")
    (item,), (before,) = told["items"], as_json([one])["items"]
    assert item["url"] == link.get("href")
    assert "url" not in before
    assert item["id"] == before["id"]


def test_a_revision_is_news_of_the_same_entry() -> None:
    first, second = (as_json([revision(n)])["items"][0] for n in (1, 2))
    assert first["id"] == second["id"]
    assert first["date_modified"] < second["date_modified"]
    other = as_json([revision(incident="pk-2")])["items"][0]
    assert other["id"] != first["id"]
    assert as_atom([revision()]).findtext(f"{A}entry/{A}id") == first["id"]


def test_what_is_possible_says_so_and_what_was_withdrawn_says_so() -> None:
    taken_back = replace(revision(2), withdrawn=True, reason="nothing late_data")
    (item,) = as_json([taken_back])["items"]
    assert item["title"] == "Withdrawn: nation-scale disruption of X in Pakistan"
    assert item["content_text"].startswith("withdrawn (late data: nothing was wrong); what had been said:")
    (possible,) = as_json([revision(1, SUSPECTED)])["items"]
    assert possible["title"].startswith("Possible ")


def test_a_countrys_feed_is_its_own_and_the_worlds_is_in_the_whole_one() -> None:
    published = [
        revision(incident=f"{country}-1", country=country) for country in ("PK", "TR", WORLD)
    ]  # fmt: skip
    assert [one["_reachwatch"]["country"] for one in as_json(published, "PK")["items"]] == ["PK"]
    assert len(as_json(published)["items"]) == 3
    assert as_json(published, "PK")["title"] == "reachwatch: Pakistan"
    assert as_atom(published, "PK").findtext(f"{A}id") != as_atom(published).findtext(f"{A}id")


def test_the_newest_are_first_and_there_are_no_more_than_can_be_read() -> None:
    published = [replace(revision(incident=f"pk-{n}"), at=NOW + n) for n in range(MOST + 50)]
    found = as_json(published[::-1])["items"]
    assert [one["_reachwatch"]["id"] for one in found] == [f"pk-{n}" for n in range(MOST + 49, 49, -1)]
    assert as_atom(published).findtext(f"{A}updated") == found[0]["date_modified"]


@given(st.text(max_size=40))
def test_whatever_a_probe_calls_its_failure_is_text_in_a_document_that_can_be_read(word: str) -> None:
    part = replace(CONFIRMED, cause=Cause.BLOCKING_CONFIRMED, broke=f"tls {word}", artefacts=(word,))
    one = replace(revision(1, part), reason=word)
    (entry,) = as_atom([one]).findall(f"{A}entry")
    assert len(list(entry)) == 7, "id, title, updated, three categories, content"
    (item,) = as_json([one])["items"]
    assert word in item["content_text"]


def test_markup_is_text() -> None:
    part = replace(CONFIRMED, cause=Cause.BLOCKING_CONFIRMED, artefacts=("<script>&]]>",))
    content = as_atom([revision(1, part)]).findtext(f"{A}entry/{A}content")
    assert content is not None
    assert "blocking shown by <script>&]]>" in content
