"""One language's words, and how a collector speaks with them. PURE.

Whatever people read, on pages, in feeds and in webhooks, is said with these; what programs read is made of
the vocabulary's own words. What a language has no entry for, a platform that an operator added, say, is shown
by the word that the data have for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .thresholds import Thresholds


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

    def listed(self, items: Sequence[str]) -> str:
        """ "A, B and C"."""
        if len(items) < 2:
            return "".join(items)
        return self("list.last", before=self.raw("list.comma").join(items[:-1]), last=items[-1])

    @property
    def keys(self) -> frozenset[str]:
        """Every key there is."""
        return frozenset(self._texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """How one collector speaks: in `words`, of rounds as long as `limits` has them, naming no network of
    fewer prefixes than `min_prefixes`. `public_url` is where readers find it, without a slash at its end;
    empty where that is not known."""

    words: Words
    limits: Thresholds
    min_prefixes: int
    public_url: str = ""

    def address(self, path: str) -> str:
        """A path in full, as others link to it; empty where the collector's own address is not known."""
        return f"{self.public_url}{path}" if self.public_url else ""


def _flat(table: Mapping[str, Any], before: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in table.items():
        found += _flat(value, f"{before}{key}.") if isinstance(value, Mapping) else [(before + key, value)]
    return found
