"""Published incidents as Atom (RFC 4287) and JSON Feed (1.1, https://jsonfeed.org/version/1.1). PURE.

One entry an incident, said by its last revision; what was withdrawn stays, and says so. An entry's id is made
of the incident's, so that a reader sees a revision as news of something known.
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

from collector.detect.claims import describe, title
from collector.detect.revisions import Revision
from collector.detect.thresholds import Thresholds
from probe.wire.codec import rfc3339

MOST = 100  # entries in a feed; the archive is the API's
EVERYWHERE = "all"
_ATOM = "http://www.w3.org/2005/Atom"
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

    @property
    def title(self) -> str:
        """Its name."""
        return "reachwatch" if self.place == EVERYWHERE else f"reachwatch: {self.place}"


def feed(place: str, published: Iterable[Revision]) -> Feed:
    """The newest entries of a place; `published` is each incident's last revision."""
    here = (one for one in published if place in (EVERYWHERE, one.incident.country))
    return Feed(place=place, revisions=nlargest(MOST, here, key=lambda one: (one.at, one.incident.id)))


def atom(feed: Feed, limits: Thresholds, min_prefixes: int) -> bytes:
    """The feed as an Atom document."""
    root = ET.Element(f"{{{_ATOM}}}feed")
    _text(root, "id", _urn("feed", feed.place))
    _text(root, "title", feed.title)
    _text(root, "updated", _time(feed.updated or 0.0))
    _text(_sub(root, "author"), "name", "reachwatch")
    _sub(root, "link", rel="self", href=f"/feeds/{feed.place}.atom", type="application/atom+xml")
    for revision in feed.revisions:
        _entry(root, revision, describe(revision, limits, min_prefixes))
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _entry(root: ET.Element, revision: Revision, told: dict[str, Any]) -> None:
    entry = _sub(root, "entry")
    _text(entry, "id", _urn("incident", revision.incident.id))
    _text(entry, "title", title(revision))
    _text(entry, "updated", told["revision"]["at"])
    for tag in _tags(told):
        _sub(entry, "category", term=tag)
    _text(entry, "content", _content(told), type="text")


def json_feed(feed: Feed, limits: Thresholds, min_prefixes: int) -> bytes:
    """The feed as a JSON Feed document; the whole description of an incident is under ``_reachwatch``."""
    items = []
    for revision in feed.revisions:
        told = describe(revision, limits, min_prefixes)
        items.append(
            {
                "id": _urn("incident", revision.incident.id),
                "title": title(revision),
                "content_text": _content(told),
                "date_modified": told["revision"]["at"],
                "tags": _tags(told),
                "_reachwatch": told,
            }
        )
    whole = {"version": "https://jsonfeed.org/version/1.1", "title": feed.title, "items": items}
    return json.dumps(whole, separators=(",", ":")).encode()


def _tags(told: dict[str, Any]) -> list[str]:
    return [told["country"], told["phase"], *(part["platform"] for part in told["parts"])]


def _content(told: dict[str, Any]) -> str:
    said = told["revision"]
    return f"{told['claim']}. Revision {said['number']}: {said['reason']}."


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
