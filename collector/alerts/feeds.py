"""Published incidents as Atom (RFC 4287) and JSON Feed (1.1, https://jsonfeed.org/version/1.1). PURE.

One entry an incident, said by its last revision; what was withdrawn stays, and says so. An entry's id is made
of the incident's alone, so that a reader sees a revision as news of something known wherever the collector
moves. Links are in full where the collector knows its own address, and left out where it does not.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import nlargest
from typing import Any
from xml.etree import ElementTree as ET

from collector.detect.claims import describe
from collector.detect.revisions import Revision
from collector.detect.sentences import title
from collector.detect.words import Voice, Words
from probe.wire.codec import rfc3339

MOST = 100  # entries in a feed; the archive is the API's
EVERYWHERE = "all"
_ATOM = "http://www.w3.org/2005/Atom"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
# What XML 1.0 cannot say, not even escaped (2.2); failures' names come over the wire.
_UNSAYABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

ET.register_namespace("", _ATOM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One feed: of `place`, a country or `EVERYWHERE`. `updated` is Unix seconds, None where nothing was
    ever published."""

    place: str
    revisions: Sequence[Revision]

    @property
    def updated(self) -> float | None:
        """When the newest of its entries was said."""
        return max((one.at for one in self.revisions), default=None)

    def title(self, voice: Voice) -> str:
        """Its name."""
        site = voice.words("site.name")
        if self.place == EVERYWHERE:
            return site
        return voice.words("feed.title", site=site, country=voice.words.name("name", self.place))

    @property
    def page(self) -> str:
        """Where what it tells of is shown."""
        return "/" if self.place == EVERYWHERE else f"/country/{self.place}"


def feed(place: str, published: Iterable[Revision]) -> Feed:
    """The newest entries of a place; `published` is each incident's last revision."""
    here = (one for one in published if place in (EVERYWHERE, one.incident.country))
    return Feed(place=place, revisions=nlargest(MOST, here, key=lambda one: (one.at, one.incident.id)))


def atom(feed: Feed, voice: Voice) -> bytes:
    """The feed as an Atom document."""
    root = ET.Element(f"{{{_ATOM}}}feed", {_LANG: voice.words.lang})
    _text(root, "id", _urn("feed", feed.place))
    _text(root, "title", feed.title(voice))
    _text(root, "updated", _time(feed.updated or 0.0))
    _text(_sub(root, "author"), "name", "reachwatch")
    own = f"/feeds/{feed.place}.atom"
    _sub(root, "link", rel="self", href=voice.address(own) or own, type="application/atom+xml")
    if page := voice.address(feed.page):
        _sub(root, "link", rel="alternate", href=page, type="text/html")
    for revision in feed.revisions:
        _entry(root, title(revision, voice.words), describe(revision, voice), voice.words)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _entry(root: ET.Element, name: str, told: dict[str, Any], words: Words) -> None:
    entry = _sub(root, "entry")
    _text(entry, "id", _urn("incident", told["id"]))
    _text(entry, "title", name)
    _text(entry, "updated", told["revision"]["at"])
    if told["url"]:
        _sub(entry, "link", rel="alternate", href=told["url"], type="text/html")
    for tag in _tags(told):
        _sub(entry, "category", term=tag)
    _text(entry, "content", _content(told, words), type="text")


def json_feed(feed: Feed, voice: Voice) -> bytes:
    """The feed as a JSON Feed document; the whole description of an incident is under ``_reachwatch``."""
    items = []
    for revision in feed.revisions:
        told = describe(revision, voice)
        items.append(
            {
                "id": _urn("incident", revision.incident.id),
                **_addressed("url", told["url"]),
                "title": title(revision, voice.words),
                "content_text": _content(told, voice.words),
                "date_modified": told["revision"]["at"],
                "tags": _tags(told),
                "_reachwatch": told,
            }
        )
    whole = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title(voice),
        "language": voice.words.lang,
        **_addressed("home_page_url", voice.address(feed.page)),
        **_addressed("feed_url", voice.address(f"/feeds/{feed.place}.json")),
        "items": items,
    }
    return json.dumps(whole, separators=(",", ":")).encode()


def _tags(told: dict[str, Any]) -> list[str]:
    return [told["country"], told["phase"], *(part["platform"] for part in told["parts"])]


def _content(told: dict[str, Any], words: Words) -> str:
    said = told["revision"]
    return words("feed.content", claim=told["claim"], number=said["number"], reason=said["reason"])


def _addressed(name: str, url: str | None) -> dict[str, str]:
    return {name: url} if url else {}


def _sub(parent: ET.Element, name: str, **attributes: str) -> ET.Element:
    sayable = {key: _sayable(value) for key, value in attributes.items()}
    return ET.SubElement(parent, f"{{{_ATOM}}}{name}", sayable)


def _text(parent: ET.Element, name: str, text: str, **attributes: str) -> None:
    _sub(parent, name, **attributes).text = _sayable(text)


def _sayable(text: str) -> str:
    return _UNSAYABLE.sub("\ufffd", text)


def _urn(kind: str, name: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_URL, f"reachwatch/{kind}/{name}").urn


def _time(at: float) -> str:
    return rfc3339(datetime.fromtimestamp(at, UTC))
