"""The catalogues: the same keys in every language, words for everything detection may say, and no bare words
in a template."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from collector import language, web
from collector.detect.incidents import Cause, Phase, Scope
from collector.detect.words import Words
from collector.language import languages, words
from collector.web.pages.now import Kind
from probe.verdict.record import Mechanism
from probe.wire.stage import Stage

COLLECTOR = Path(language.__file__).parent
WEB = Path(web.__file__).parent
TEMPLATES = sorted((WEB / "templates").iterdir())
ENGLISH = words()
NAMES = {"reachwatch"}  # what is the same in every language


@pytest.mark.parametrize("language", languages())
def test_every_language_has_the_same_keys_with_the_same_places_to_fill_in(language: str) -> None:
    other = words(language)
    assert other.keys == ENGLISH.keys
    for key in ENGLISH.keys:
        assert places(other.raw(key)) == places(ENGLISH.raw(key)), key
    assert (other.lang, other.dir) == (language, "rtl" if language in ("ar", "fa", "ur") else "ltr")


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_there_is_a_word_for_everything_that_detection_may_say() -> None:
    wanted = {
        *(f"cause.{one}" for one in Cause),
        *(f"phase.{one}" for one in (*Phase, "withdrawn")),
        *(f"scope.{one}" for one in Scope),
        *(f"stage.{one}" for one in Stage),
        *(f"mechanism.{one}" for one in Mechanism),
        *(f"{of}.{one}" for of in ("state", "means") for one in Kind),
    }
    assert wanted - ENGLISH.keys == set()


def test_every_key_that_a_template_asks_for_is_there_and_every_other_is_asked_for_by_somebody() -> None:
    code = [*COLLECTOR.glob("detect/sentences.py"), *COLLECTOR.glob("detect/words.py")]
    code += [*COLLECTOR.glob("alerts/feeds.py"), *COLLECTOR.glob("web/pages/*.py")]
    source = "".join(path.read_text() for path in [*TEMPLATES, *code])
    speaks = r"(?:\bt|html|count|_t|words|raw|self|Refused\(\d+,)"
    asked = set(re.findall(speaks + r"""\(?\s*"([a-z0-9_.]+)"(?! ~)""", source))
    for key in asked:
        assert key in ENGLISH.keys or f"{key}.one" in ENGLISH.keys, key
    named = ("name.", "phase.", "scope.", "cause.", "platform.", "stage.", "mechanism.", "means.", "state.")
    counted = ("country.w", "method.blind_", "refused.title_", "claim.sure.", "claim.possible.", "reason.")
    for key in ENGLISH.keys - {"lang", "dir"}:
        stem = key.removesuffix(".one").removesuffix(".other")
        is_put_together = f'"{stem.rpartition(".")[2]}"' in source
        assert stem in source or is_put_together or key.startswith((*named, *counted)), f"unused: {key}"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_no_words_of_its_own(path: Path) -> None:
    text = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", "", path.read_text(), flags=re.DOTALL)
    text = re.sub(r"<(code|pre)\b.*?</\1>", "", text, flags=re.DOTALL)  # what is typed into a machine
    bare = re.sub(r"<[^>]*>", " ", text)
    assert set(re.findall(r"[A-Za-z]{2,}", bare)) - {"AS"} == set()
    said = re.findall(r'(?:aria-label|title|alt|placeholder)="([^"]*)"', text)
    assert [one for one in said if re.search("[A-Za-z]{2,}", one)] == []


def test_what_the_catalogue_does_not_know_is_shown_by_its_own_word() -> None:
    assert ENGLISH.name("platform", "some_other") == "some other"
    assert ENGLISH.name("name", "PK") == "Pakistan"
    assert ENGLISH.name("name", "XQ") == "XQ"


def test_one_is_not_many() -> None:
    assert ENGLISH.count("counts.probes", 1) == "1 probe reporting"
    assert ENGLISH.count("counts.probes", 0) == "0 probes reporting"


def test_a_key_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        Words({"lang": "en", "dir": "ltr"})("no.such")
