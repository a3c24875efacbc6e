"""A story's silence, told over HTTP to a real collector, is told as the story says it must be."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from collector.detect.incidents import Cause, Incident, Phase, Scope
from collector.detect.thresholds import DEFAULT
from collector.store import open_store
from tests.nation.drive import replay
from tests.nation.files import load
from tests.nation.story import Story
from tests.nation.test_drive import config
from tests.nation.world import World

BEGINS, ENDS, LENGTH = 2400.0, 4800.0, 6600.0


def shortened() -> Story:
    """The shipped story with the night before and most of the dark left out."""
    story = load("mobile-shutdown")
    (event,) = story.event
    return replace(
        story,
        start=story.start + timedelta(seconds=event.begins - BEGINS),
        length=LENGTH,
        event=(replace(event, begins=BEGINS, ends=ENDS),),
        expect=replace(story.expect, incident=()),
    )


@pytest.mark.slow
async def test_a_mobile_shutdown_is_called_one_and_what_was_measured_in_it_bears_it_out(
    tmp_path: Path,
) -> None:
    world = World.of(shortened(), 1, scale=0.4)
    await replay(world, config(tmp_path))
    store = open_store(f"sqlite://{config(tmp_path).data_path}")
    incidents: dict[str, Incident] = {one.incident.id: one.incident for one in store.revisions()}
    store.close()
    (incident,) = incidents.values()
    (expected,) = load("mobile-shutdown").expect.incident
    assert (incident.country, str(incident.cause)) == (expected.country, str(expected.cause))
    assert incident.cause is Cause.MOBILE_SHUTDOWN
    assert (incident.scope, incident.phase) == (Scope.NATION, Phase.ENDED)
    assert incident.since * DEFAULT.round_s == world.story.began + BEGINS
    assert incident.ended is not None
    assert 0 <= incident.ended * DEFAULT.round_s - world.story.began - ENDS <= 900
    (part,) = incident.parts
    assert set(part.networks) <= {45669, 59257, 24499, 56167}
