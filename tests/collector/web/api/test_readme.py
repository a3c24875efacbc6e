"""What the readme shows of the API is what a collector answers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.test_architecture import ROOT

from .dark import dark

BASE = "http://127.0.0.1:8460/api/v1"
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(rf"^\$ curl -s '{BASE}(\S+)'\n((?:(?!\$ |```).*\n)+)", README, re.MULTILINE)


def test_there_are_three_examples() -> None:
    assert len(EXAMPLES) == 3


@pytest.mark.parametrize(("path", "shown"), EXAMPLES)
async def test_an_example_answers_what_it_shows(tmp_path: Path, path: str, shown: str) -> None:
    async with dark(tmp_path) as running:
        body = (await running.get(path)).body.decode()
    assert body.replace("\r\n", "\n").strip() == shown.strip()
