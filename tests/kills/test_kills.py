"""SIGKILL at any instant, on either side: nothing promised is lost, and nothing is counted twice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest

from .cycles import Found, kill_agents, kill_collectors

pytestmark = pytest.mark.slow

KILLS = 6


@pytest.mark.parametrize("kill", [kill_collectors, kill_agents])
async def test_a_kill_loses_nothing_promised_and_counts_nothing_twice(
    tmp_path: Path, kill: Callable[[int, Path, Random], Awaitable[Found]]
) -> None:
    found = await kill(KILLS, tmp_path, Random(1))
    assert len(found.promised) > KILLS
    assert (found.lost, found.twice, found.miscounted) == (0, 0, 0)
