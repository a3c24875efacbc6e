"""Where stories lie: one TOML file each in ``tests/stories/``, and the countries that many of them share in
``tests/stories/places/``, so that no network is written down a dozen times."""

from __future__ import annotations

import re
from pathlib import Path

from .story import Story, read

_OWN_COUNTRIES = re.compile(r"^\s*\[\[\s*country\s*\]\]", re.MULTILINE)

STORIES = Path(__file__).parent.parent / "stories"


def names() -> list[str]:
    """Every story there is."""
    return sorted(path.stem for path in STORIES.glob("*.toml"))


def load(name: str, places: str = "twelve") -> Story:
    """A story by its name, or by the path of its file. One that has no countries of its own is set in
    `places`. Raises `ConfigError` or `OSError`."""
    path = Path(name) if name.endswith(".toml") else STORIES / f"{name}.toml"
    text = path.read_text(encoding="utf-8")
    if not _OWN_COUNTRIES.search(text):
        text += "\n" + (STORIES / "places" / f"{places}.toml").read_text(encoding="utf-8")
    return read(text, path.name)
