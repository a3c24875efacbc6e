"""Every story, told through the real store: what is published is what is true, in whatever order it comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from collector.detect.revisions import Revision
from collector.store.base import Ingest
from tests.nation.files import load, names
from tests.nation.recount import Mix, Recount, in_order
from tests.nation.truth import complaints
from tests.nation.world import World


def told(name: str, url: str, mix: Mix = in_order, seed: int = 1) -> tuple[Recount, list[Revision]]:
    recount = Recount(World.of(load(name), seed), url, mix)
    return recount, recount.told()


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_what_is_published_of_a_story_is_true_and_all_of_it(name: str, tmp_path: Path) -> None:
    recount, revisions = told(name, f"sqlite://{tmp_path / 'store'}")
    assert list(complaints(recount.world.story, revisions)) == []


@dataclass
class Muddle:
    """Some come twice, some up to hours late, and none in order."""

    chance: Random
    waiting: list[Ingest] = field(default_factory=list)
    calls: int = 0

    def __call__(self, items: list[Ingest], last: bool) -> list[Ingest]:
        if last:
            return self.waiting
        twice = self.chance.sample(items, len(items) // 10)
        now, late = self._parted(items, 0.8)
        self.calls += 1
        # Now and then, because every time all that is after them is folded again.
        come, waiting = self._parted(self.waiting, 0.5 if self.calls % 24 == 0 else 0.0)
        self.waiting = waiting + late
        now += come + twice
        self.chance.shuffle(now)
        return now

    def _parted(self, items: list[Ingest], share: float) -> tuple[list[Ingest], list[Ingest]]:
        chosen, others = list[Ingest](), list[Ingest]()
        for item in items:
            (chosen if self.chance.random() < share else others).append(item)
        return chosen, others


def final(recount: Recount) -> dict[str, object]:
    """The incidents that stand in the end."""
    return {name: one.incident for name, one in recount.detector.published.items() if not one.withdrawn}


@pytest.mark.slow
def test_shuffled_twice_and_hours_late_it_ends_in_the_same_incidents(tmp_path: Path) -> None:
    plain, _ = told("rollout-one-hour", f"sqlite://{tmp_path / 'plain'}")
    mixed, _ = told("rollout-one-hour", f"sqlite://{tmp_path / 'mixed'}", Muddle(Random(1)))
    assert final(mixed) == final(plain)
    assert final(plain)
