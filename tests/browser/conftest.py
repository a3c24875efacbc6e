"""One evening, served for as many tests as look at it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from collector.config import Display

from .evening import Stage, staged

TELLING = "The evening of 17 December 2023, told again."


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The whole evening; nobody goes on with it."""
    with staged(tmp_path_factory.mktemp("evening"), Display(replay=TELLING)) as stage:
        yield stage
