"""What the readme shows of the API is what a collector answers.

Where detection says something else now, ``python -m tests.collector.web.api.test_readme`` renews it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.test_architecture import ROOT

from .dark import dark

BASE = "http://127.0.0.1:8460/api/v1"
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(rf"^\$ curl -s '{BASE}(\S+)'\n((?:(?!\$ |```).*\n)+)", README, re.MULTILINE)


def test_there_are_three_examples() -> None:
    assert len(EXAMPLES) == 3


async def test_the_readme_shows_what_is_answered(tmp_path: Path) -> None:
    assert renewed(README, await answered(tmp_path)) == README


def renewed(readme: str, answers: Mapping[str, str]) -> str:
    """The readme with these answers, by path, under its examples."""
    for path, shown in EXAMPLES:
        asked = f"$ curl -s '{BASE}{path}'\n"
        readme = readme.replace(f"{asked}{shown}", f"{asked}{answers[path].strip()}\n")
    return readme


async def answered(folder: Path) -> dict[str, str]:
    async with dark(folder) as running:
        return {path: (await running.get(path)).body.decode().replace("\r\n", "\n") for path, _ in EXAMPLES}


if __name__ == "__main__":
    with TemporaryDirectory() as name:
        (ROOT / "README.md").write_text(renewed(README, asyncio.run(answered(Path(name)))), encoding="utf-8")
