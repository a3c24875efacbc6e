"""A collector that speaks another language says nothing in English: what is read is all in the catalogue.

The language is made of the English file, letter by letter, and written from the right.
"""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from html import unescape
from pathlib import Path
from typing import Any
from unittest.mock import patch
from xml.etree import ElementTree as ET

import pytest

from collector import language
from collector.config import Display
from tests.browser.evening import INCIDENT, Stage, staged

from .test_pages import PAGES, text_of

HERE = "https://reach.example"
LATIN = "abcdefghijklmnopqrstuvwxyz"
OTHER = "".join(map(chr, range(0x0621, 0x063B)))  # Arabic: as many, and no capitals
LETTERS = str.maketrans(LATIN + LATIN.upper(), OTHER * 2)
# What every language has from elsewhere: names of protocols, of numbers, of failures, of what is typed.
SAME = {"AS", "DNS", "TCP", "TLS", "HTTP", "URL", "XX", "tls_reset_error", "generic_timeout_error", INCIDENT}


def translated(table: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: translated(value)
        if isinstance(value, Mapping)
        else "".join(
            part if part.startswith("{") else part.translate(LETTERS)
            for part in re.split(r"(\{\w+\})", value)
        )
        for key, value in table.items()
    }


def as_toml(table: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for key, value in table.items():
        if not isinstance(value, Mapping):
            yield f"{before}{json.dumps(key)} = {json.dumps(value, ensure_ascii=False)}"
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from as_toml(value, f"{before}{json.dumps(key)}.")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The evening, told in the other language."""
    folder = tmp_path_factory.mktemp("text")
    shutil.copy(Path(str(language.TEXT)) / "en.toml", folder)
    english = tomllib.loads((folder / "en.toml").read_text())
    other = {**translated(english), "lang": "qps", "dir": "rtl"}
    (folder / "qps.toml").write_text("\n".join(as_toml(other)))
    with patch.object(language, "TEXT", folder):
        display = Display(language="qps", public_url=f"{HERE}/")
        with staged(tmp_path_factory.mktemp("evening"), display) as stage:
            yield stage


def bare(html: str) -> str:
    """What is read or read out: no markup, no commands, no words of the measured report, which are marked."""
    html = re.sub(
        r'<(code|pre|style)\b.*?</\1>|<[a-z]+\b[^>]*\blang="en".*?</[a-z]+>', " ", html, flags=re.DOTALL
    )
    named = r'(?:aria-label|title|alt|data-label|data-on|data-off)="([^"]*)"'
    named += r'|<meta (?:name="description"|property="og:(?:title|description)") content="([^"]*)"'
    said = [first or last for first, last in re.findall(named, html)]
    return unescape(" ".join([*said, re.sub(r"<[^>]*>", " ", html)]))


def english_in(text: str) -> set[str]:
    words = set(re.findall(r"[A-Za-z][A-Za-z0-9_-]+", text))
    return {one for one in words - SAME if not re.fullmatch(r"AS\d+|[a-z]{2}-\d{8}T\d{4}Z", one)}


PICTURES = [f"/embed/{INCIDENT}.svg", "/embed/country/PK.svg"]


@pytest.mark.slow
@pytest.mark.parametrize("path", [*PAGES, *PICTURES])
async def test_no_page_and_no_picture_has_a_word_of_english(told: Stage, path: str) -> None:
    html = await text_of(told, path)
    assert 'lang="qps"' in html
    assert english_in(bare(html)) == set()


@pytest.mark.slow
async def test_a_page_that_is_not_there_is_refused_in_the_language(told: Stage) -> None:
    for path, status in (("/country/XX", 404), ("/country/pk", 400), ("/incident/none", 404)):
        assert english_in(bare(await text_of(told, path, status))) == set()


@pytest.mark.slow
async def test_feeds_and_the_apis_sentences_are_in_it_and_what_programs_read_is_not(told: Stage) -> None:
    root = ET.fromstring(await text_of(told, "/feeds/PK.atom"))
    atom = "{http://www.w3.org/2005/Atom}"
    for entry in root.iter(f"{atom}entry"):
        for name in ("title", "content"):
            assert english_in(str(entry.findtext(f"{atom}{name}"))) == set()
    feed = json.loads(await text_of(told, "/feeds/all.json"))
    assert feed["language"] == "qps"
    (incident, *_) = json.loads(await text_of(told, "/api/v1/incidents"))["incidents"]
    assert english_in(incident["claim"] + incident["revision"]["reason"]) == set()
    assert (incident["phase"], incident["scope"], incident["parts"][0]["stage"]) == (
        "confirmed",
        "nation",
        "tls",
    )


@pytest.mark.slow
async def test_a_preview_of_a_page_has_addresses_in_full_where_the_collector_knows_its_own(
    told: Stage,
) -> None:
    for path in (f"/incident/{INCIDENT}", "/country/PK"):
        html = await text_of(told, path)
        assert f'<meta property="og:url" content="{HERE}{path}">' in html
        assert "og:image" not in html, "its letters cannot be drawn"


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/embed/country/PK.png", f"/embed/{INCIDENT}.png"])
async def test_what_cannot_be_drawn_in_its_letters_is_no_picture(told: Stage, path: str) -> None:
    assert english_in(bare(await text_of(told, path, 404))) == set()
