"""The catalogues: one language is one file, ``text/LANGUAGE.toml``, with the keys of every other.

A test holds them equal. Which files there are is which languages a collector can speak.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib.resources import files

from .detect.words import Words

LANGUAGE = "en"
TEXT = files("collector").joinpath("text")


def languages() -> Sequence[str]:
    """Every language there is a file of."""
    names = (one.name for one in TEXT.iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def words(language: str = LANGUAGE) -> Words:
    """A language's catalogue, as it was packaged."""
    return Words(tomllib.loads(TEXT.joinpath(f"{language}.toml").read_text(encoding="utf-8")))
