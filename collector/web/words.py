"""Everything that pages say, in one language: a catalogue, which is a file of its own.

A language is one file ``text/LANGUAGE.toml`` with the keys of every other; a test holds them equal. What has
no entry, a platform that an operator added, say, is shown by the word that the data have for it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

LANGUAGE = "en"


class Words:
    """One language. `lang` and `dir` are what HTML calls so."""

    def __init__(self, catalogue: Mapping[str, Any]) -> None:
        self._texts = dict(_flat(catalogue))
        self.lang, self.dir = self._texts["lang"], self._texts["dir"]

    def __call__(self, key: str, **values: object) -> str:
        """The text of a dotted key with the values filled in; raises `KeyError` where there is none."""
        return self._texts[key].format_map(values)

    def raw(self, key: str) -> str:
        """The text with its braces as they are."""
        return self._texts[key]

    def count(self, key: str, n: int, **values: object) -> str:
        """The text for so many: ``key.one`` or ``key.other``."""
        return self(f"{key}.{'one' if n == 1 else 'other'}", n=n, **values)

    def name(self, of: str, value: str) -> str:
        """What a value of the data is called; the value itself where the catalogue does not know it."""
        return self._texts.get(f"{of}.{value}", value.replace("_", " "))

    @property
    def keys(self) -> frozenset[str]:
        """Every key there is."""
        return frozenset(self._texts)


def words(language: str = LANGUAGE) -> Words:
    """A language's catalogue, as it was packaged."""
    text = files("collector.web").joinpath("text", f"{language}.toml").read_text(encoding="utf-8")
    return Words(tomllib.loads(text))


def _flat(table: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in table.items():
        found += _flat(value, f"{before}{key}.") if isinstance(value, Mapping) else [(before + key, value)]
    return found
