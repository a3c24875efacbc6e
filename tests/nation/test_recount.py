"""Every story, told through the real store: what is published is what is true, in whatever order it comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from collector.detect.revisions import Revision
from collector.store.base import Ingest
from tests.nation.files import load, names
from tests.nation.recount import Mix, Recount
from tests.nation.truth import complaints
from tests.nation.world import World

PAKISTAN = "pakistan-2023-12-17"


async def told(name: str, url: str, mix: Mix = list, seed: int = 1) -> tuple[World, list[Revision]]:
    world = World.of(load(name), seed)
    return world, await Recount(world, url, mix).told()


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
async def test_what_is_published_of_a_story_is_true_and_all_of_it(name: str, tmp_path: Path) -> None:
    world, revisions = await told(name, f"sqlite://{tmp_path / 'store'}")
    assert list(complaints(world.story, revisions)) == []


@dataclass
class Muddle:
    """Some come twice, some hours late, and none in order."""

    chance: Random
    waiting: list[Ingest] = field(default_factory=list)

    def __call__(self, items: list[Ingest]) -> list[Ingest]:
        late = [item for item in items if self.chance.random() < 0.2]
        twice = self.chance.sample(items, len(items) // 10)
        come = [item for item in self.waiting if self.chance.random() < 0.01]
        self.waiting = [item for item in self.waiting if item not in come] + late
        now = [item for item in items if item not in late] + come + twice
        self.chance.shuffle(now)
        return now


def final(revisions: list[Revision]) -> dict[str, object]:
    """The incidents that stand in the end."""
    last = {one.incident.id: one for one in revisions}
    return {name: one.incident for name, one in last.items() if not one.withdrawn}
