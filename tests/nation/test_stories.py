"""What a story says is true it also makes so: rounds fail where and when the truth says, nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

import pytest

from collector.detect.incidents import Cause
from probe.verdict import Status, Verdict, judge
from probe.wire.exchange import Presence
from tests.nation.files import load, names
from tests.nation.population import Probe
from tests.nation.story import Incident, Story
from tests.nation.templates import Seen, template
from tests.nation.timeline import Route, sendings
from tests.nation.world import World

QUARTER_S = 900.0
# What votes are counted as failing, as collector.detect.cells counts them.
FAILING = {Status.BLOCKED, Status.THROTTLED, Status.UNREACHABLE}
OF_NO_PLATFORM = {Cause.MOBILE_SHUTDOWN, Cause.SHUTDOWN, Cause.COLLECTOR_BLOCKED}
# What an incident's rounds must be called for its cause to be told.
CALLED = {
    Cause.BLOCKING_CONFIRMED: Status.BLOCKED,
    Cause.THROTTLING: Status.THROTTLED,
    Cause.PLATFORM_OUTAGE: Status.UNREACHABLE,
}


@cache
def judged(seen: Seen) -> tuple[Verdict, ...]:
    return judge(template(seen).rnd)


def statuses(world: World, probes: Iterable[Probe], platform: str, at: float) -> list[Status]:
    """The votes of those who are up, three rounds' worth around a moment."""
    return [
        verdict.status
        for probe in probes
        for number in (3, 4, 5)
        if world.is_up(probe, at)
        for verdict in judged(world.sees(probe, at, number))
        if verdict.platform == platform and verdict.status is not Status.INSUFFICIENT
    ]


def failing(votes: list[Status]) -> float:
    return sum(vote in FAILING for vote in votes) / len(votes)


def told() -> Iterator[tuple[str, Incident]]:
    for name in names():
        story = load(name)
        for incident in story.expect.incident:
            if incident.cause not in OF_NO_PLATFORM:
                yield name, incident


def people(world: World, incident: Incident) -> list[Probe]:
    return [probe for probe in world.probes if incident.country in (None, probe.country)]


INCIDENTS = list(told())


@pytest.mark.parametrize(("name", "incident"), INCIDENTS, ids=[name for name, _ in INCIDENTS])
def test_rounds_fail_from_the_onset_to_the_end_and_by_what_the_cause_says(
    name: str, incident: Incident
) -> None:
    world = World.of(load(name), 1)
    assert incident.end is not None
    for platform in incident.platforms:
        theirs = people(world, incident)
        assert failing(statuses(world, theirs, platform, incident.onset[0] - 1)) < 0.05
        during = statuses(world, theirs, platform, incident.onset[1] + QUARTER_S)
        assert failing(during) > 0.5
        assert during.count(CALLED[incident.cause]) > 0.9 * sum(vote in FAILING for vote in during)
        assert failing(statuses(world, theirs, platform, incident.end[0] - QUARTER_S)) > 0.3
        assert failing(statuses(world, theirs, platform, incident.end[1])) < 0.05


@pytest.mark.parametrize("name", names())
def test_nothing_fails_that_nobody_was_told_of(name: str) -> None:
    story = load(name)
    world = World.of(story, 1)
    claims = [*story.expect.incident, *story.expect.may]
    for country in story.country:
        theirs = [probe for probe in world.probes if probe.country == country.code]
        for platform in story.platforms:
            if not any(_is_about(claim, country.code, platform) for claim in claims):
                votes = [v for at in _hours(story) for v in statuses(world, theirs, platform, at)]
                assert failing(votes) < 0.05, (country.code, platform)


def _is_about(claim: Incident, country: str, platform: str) -> bool:
    return claim.country in (None, country) and platform in (claim.platforms or (platform,))


def _hours(story: Story) -> Iterator[float]:
    yield from (hour * 3600.0 + 1800.0 for hour in range(int(story.length // 3600)))


def test_in_a_mobile_shutdown_only_mobile_probes_of_the_country_fall_silent_without_a_word() -> None:
    story = load("mobile-shutdown")
    world = World.of(story, 1)
    event = story.event[0]
    heard: dict[str, set[bool]] = {}
    for sending in sendings(world):
        if sending.at > event.begins + 600:
            break
        if sending.route is Route.HEARTBEAT and event.begins <= sending.at:
            is_alive = f'"state":"{Presence.ALIVE}"'.encode() in sending.body
            heard.setdefault(sending.probe.name, set()).add(is_alive)
    up = [probe for probe in world.probes if world.is_up(probe, event.begins)]
    silent = [probe for probe in up if probe.name not in heard]
    cut = [probe for probe in up if probe.country == "PK" and probe.network.mobile]
    assert len(cut) > 50
    assert set(silent) <= set(cut)
    assert len(silent) > 0.9 * len(cut)
