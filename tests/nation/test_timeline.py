"""What is sent, when and in which order; twice the same story is twice the same bytes."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from hashlib import sha256
from itertools import islice, pairwise

import pytest

from tests.nation.files import load, names
from tests.nation.small import EXACT, HEAD, event, story
from tests.nation.story import Story
from tests.nation.timeline import Route, Sending, sendings
from tests.nation.world import World


def told(one: Story, seed: int = 1) -> list[Sending]:
    return list(sendings(World.of(one, seed)))


def fingerprint(all_of_it: list[Sending]) -> str:
    digest = sha256()
    for s in all_of_it:
        digest.update(f"{s.at} {s.route} {s.probe.probe_id} {s.probe.home} ".encode() + s.body)
        digest.update(s.probe.identity.sign(s.body))
    return digest.hexdigest()


def rounds(all_of_it: list[Sending]) -> dict[str, list[tuple[float, int]]]:
    """By probe, when each batch arrives and under which sequence."""
    found = defaultdict(list)
    for s in all_of_it:
        if s.route is Route.BATCH:
            found[s.probe.name].append((s.at, json.loads(s.body)["sequence"]))
    return found


@pytest.mark.parametrize("name", names())
def test_a_story_begins_with_introductions_and_goes_on_in_order(name: str) -> None:
    world = World.of(load(name), 1)
    first = list(islice(sendings(world), 3000))
    assert all(one.at <= other.at for one, other in pairwise(first))
    assert {s.route for s in first[: len(world.probes)]} == {Route.ENROL}
    assert len({s.probe.probe_id for s in first[: len(world.probes)]}) == len(world.probes)


def test_the_same_story_and_seed_give_the_same_bytes_and_another_seed_others() -> None:
    one = story(event("tls_reset", efficacy="0.7", leaks="0.1"), probes="[probes]\nbye_share = 0.5")
    assert fingerprint(told(one)) == fingerprint(told(one)) != fingerprint(told(one, seed=2))


def test_one_probe_more_leaves_the_others_as_they_were() -> None:
    one, more = story(), story(head=HEAD)
    here = {p.name: p for p in World.of(one, 1).probes}
    there = {p.name: p for p in World.of(more, 1, scale=2).probes}
    assert all(
        there[name].probe_id == p.probe_id and there[name].phase_s == p.phase_s for name, p in here.items()
    )


def test_everybody_is_there_once_a_minute_and_measures_once_an_interval() -> None:
    counts = Counter((s.probe.name, s.route) for s in told(story()))
    assert {n for (_, route), n in counts.items() if route is Route.HEARTBEAT} == {20}
    assert {n for (_, route), n in counts.items() if route is Route.BATCH} <= {3, 4}
    assert {n for (_, route), n in counts.items() if route is Route.ENROL} == {1}


def test_sequences_rise_without_a_gap_even_where_rounds_waited() -> None:
    ways = EXACT + 'late_share = 0.5\nlate = ["+1m", "+5m"]\n'
    one = story(event("silence", mobile_only="true", ends="+12m"), probes=ways)
    for arrived in rounds(told(one)).values():
        assert [sequence for _, sequence in arrived] == list(range(1, len(arrived) + 1))


def test_who_was_cut_off_sends_afterwards_and_is_silent_meanwhile() -> None:
    one = told(story(event("silence", countries='["PK"]', mobile_only="true", ends="+12m")))
    cut = [s for s in one if s.probe.network.mobile and s.at >= 0]
    assert not [s for s in cut if 300 <= s.at < 720]
    back = [s for s in cut if 720 <= s.at < 840 and s.route is Route.BATCH]
    assert Counter(s.probe.name for s in back).most_common()[-1][1] >= 1
    assert {json.loads(s.body)["rounds"][0]["gate"]["state"] for s in back} == {"online", "offline"}
    assert len({s.at for s in back}) > 4  # not all at once


def test_nothing_is_sent_to_a_collector_that_is_down_and_no_round_is_lost() -> None:
    restarted = told(story('[[restart]]\nat = "+8m"\ndown = "+3m"'))
    assert not [s for s in restarted if 480 <= s.at < 660]
    undisturbed = told(story())
    for name, arrived in rounds(undisturbed).items():
        assert len(rounds(restarted)[name]) == len(arrived)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_going_to_bed_is_said_or_not(share: float) -> None:
    # 17:00 in Pakistan, and within the hour everybody's probe goes off.
    day = [1.0] * 18 + [0.0] * 6
    ways = f"{EXACT}\nonline = {day}\nbye_share = {share}"
    one = told(story(probes=ways, head=HEAD.replace("+20m", "+1h10m")))
    beats = [s for s in one if s.route is Route.HEARTBEAT and s.probe.country == "PK"]
    alive = {s.probe.name for s in beats if b'"alive"' in s.body}
    assert len(alive) >= 15
    assert {s.probe.name for s in beats if b'"bye"' in s.body} == (alive if share else set())


def test_a_key_made_in_mid_story_is_introduced_then_and_speaks_afterwards() -> None:
    lie = '[[hostile]]\nshare = 0.2\nclaims = "tls_reset"\nbegins = "+9m"\nends = "+20m"\nenrolled = "+8m"\n'
    one = told(story(lie))
    first: dict[str, Sending] = {}
    for s in one:
        first.setdefault(s.probe.name, s)
    assert {s.route for s in first.values()} == {Route.ENROL}
    assert {s.at for s in first.values()} == {480.0, -8 * 86_400.0}
