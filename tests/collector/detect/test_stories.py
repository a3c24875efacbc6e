"""Stories of nations and networks, in rounds: what is said, how soon, and what never is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from collector.detect.ballots import Place, Standing
from collector.detect.fold import State
from collector.detect.incidents import WORLD, Cause, Phase, Scope
from collector.detect.network import Condition
from collector.detect.thresholds import DEFAULT

from .homes import FIRST, Home, Story, hit, homes, world

ALL_FOUR = ("x", "facebook", "instagram", "youtube")
PAKISTAN = homes("PK", 7, 6)


def confirmed(country: str = "PK", platform: str = "x") -> Callable[[State], bool]:
    def is_so(state: State) -> bool:
        return state.nations[country, platform].condition is Condition.CONFIRMED

    return is_so


def test_a_nation_goes_dark_and_it_is_known_within_two_rounds_and_over_within_three() -> None:
    story = Story([*PAKISTAN, *world()], ALL_FOUR)
    told = story.told(40, hit(PAKISTAN, 2, 30))
    assert told.first(confirmed()) == 2 + 2
    (incident,) = told.last
    assert (incident.country, incident.scope, incident.phase) == ("PK", Scope.NATION, Phase.ENDED)
    assert [part.platform for part in incident.parts] == sorted(ALL_FOUR)
    assert incident.id == "pk-20231217T1010Z"
    assert (incident.since, incident.ended) == (FIRST + 2, FIRST + 30)
    assert incident.parts[0].cause is Cause.LIKELY_BLOCKING
    assert incident.parts[0].networks[1].failing == incident.parts[0].networks[1].of == 6
    assert told.books[31][0].phase is Phase.CONFIRMED, "three good rounds end it, no fewer"
    assert told.books[32][0].phase is Phase.ENDED


def test_part_of_the_cities_is_enough() -> None:
    """Seven homes of ten on five of seven networks."""
    some = [home for n, home in enumerate(PAKISTAN) if home.asn <= 5 and n % 10 < 7]
    told = Story([*PAKISTAN, *world()], noise=0.01).told(20, hit(some, 0, 20))
    assert told.last[0].phase is Phase.CONFIRMED
    assert told.last[0].scope is Scope.NATION


def test_what_was_shown_beyond_doubt_by_two_homes_is_called_blocking() -> None:
    story = Story([*PAKISTAN, *world()], artefacts=("tls",))
    (incident,) = story.told(8, hit(PAKISTAN, 0, 8)).last
    assert incident.parts[0].cause is Cause.BLOCKING_CONFIRMED
    assert incident.parts[0].artefacts == ("tls",)


def test_one_networks_trouble_is_known_within_three_rounds_and_is_no_nations() -> None:
    here = homes("PK", 4, 8)
    one = [home for home in here if home.asn == 1]
    told = Story([*here, *world()]).told(20, hit(one, 0, 12))
    network = told.first(lambda s: s.networks[Place("PK", 1, "x")].watch.condition is Condition.CONFIRMED)
    assert network == 3
    (incident,) = told.last
    assert (incident.scope, incident.phase) == (Scope.NETWORK, Phase.ENDED)
    assert told.first(confirmed()) is None


def test_a_platforms_own_outage_is_nobodys_blocking() -> None:
    """October 2021: two platforms of one company fail everywhere for six hours."""
    everybody = [*PAKISTAN, *world()]
    ours = {"facebook", "instagram"}
    told = Story(everybody, ALL_FOUR).told(100, lambda _, n, platform: platform in ours and 1 <= n < 73)
    assert {(one.country, one.phase) for one in told.last} == {(WORLD, Phase.ENDED)}
    assert {part.platform for one in told.last for part in one.parts} == ours
    assert {part.cause for one in told.last for part in one.parts} == {Cause.PLATFORM_OUTAGE}
    assert all(one.since == FIRST + 1 for one in told.last)


def test_a_block_in_the_middle_of_an_outage_elsewhere_is_still_seen() -> None:
    """A third of every other country fails, all of this one."""
    abroad = world(6)
    third = [home for n, home in enumerate(abroad) if n % 6 == 0]
    told = Story([*PAKISTAN, *abroad]).told(10, hit([*PAKISTAN, *third], 0, 10))
    assert told.last[0].country == "PK"
    assert told.last[0].phase is Phase.CONFIRMED


def test_a_glitch_of_six_minutes_confirms_nothing() -> None:
    some = [home for n, home in enumerate(PAKISTAN) if n % 5 == 0]
    everybody = hit(PAKISTAN, 3, 4)
    told = Story([*PAKISTAN, *world()]).told(
        20, lambda home, n, p: everybody(home, n, p) or (n == 4 and home in some)
    )
    assert told.first(confirmed()) is None
    assert {incident.phase for incident in told.last} <= {Phase.DISMISSED}


def test_a_roll_out_network_by_network_is_one_incident_that_widens() -> None:
    told = Story([*homes("PK", 6, 9), *world()]).told(
        60, lambda home, n, _: home.country == "PK" and 2 * home.asn <= n < 40
    )
    (incident,) = told.last
    assert (incident.scope, incident.phase) == (Scope.NATION, Phase.ENDED)
    scopes = [book[0].scope for book in told.books if book]
    assert scopes[0] is Scope.NETWORK or scopes[0] is Scope.NATION
    assert set(incident.parts[0].networks) == {1, 2, 3, 4, 5, 6}


def test_an_event_goes_on_for_a_day_and_nobody_is_disarmed_by_it() -> None:
    told = Story([*PAKISTAN, *world()]).told(320, hit(PAKISTAN, 0, 300))
    assert told.states[299].nations["PK", "x"].share == 1.0
    (incident,) = told.last
    assert incident.ended == FIRST + 300
    after = told.states[-1].networks[Place("PK", 1, "x")]
    assert (after.watch.condition, after.votes.prefixes) == (Condition.OK, 6)


def test_silence_is_no_vote_and_ends_nothing() -> None:
    told = Story([*PAKISTAN, *world()]).told(
        30, lambda home, n, _: None if home.country == "PK" and n >= 8 else home.country == "PK" and n >= 2
    )
    assert told.last[0].phase is Phase.CONFIRMED
    assert told.last[0].is_open


def test_a_country_of_few_homes_is_never_called_ok_or_blocked() -> None:
    two = homes("PK", 2, 1)
    told = Story([*two, *world()]).told(10, hit(two, 3, 10))
    assert {state.nations["PK", "x"].condition for state in told.states} == {Condition.INSUFFICIENT}
    assert told.last == ()


@pytest.mark.parametrize("share", [0.3, 0.45])
def test_sybils_below_half_of_the_homes_can_neither_make_nor_hide_a_nations_event(share: float) -> None:
    def lies(home: Home) -> bool:
        return int(home.probe.rsplit("-", 1)[1]) < share * 20

    here = homes("PK", 4, 20)
    made = Story([*here, *world()]).told(
        60, lambda home, n, _: n >= 2 and home.country == "PK" and lies(home)
    )
    assert made.first(confirmed()) is None
    hidden = Story([*here, *world()]).told(
        20, lambda home, n, _: n >= 2 and home.country == "PK" and not lies(home)
    )
    assert hidden.first(confirmed()) is not None


def test_one_persons_many_homes_weigh_as_two() -> None:
    sybils = [Home("PK", asn, f"s{asn}-{n}", token="theirs") for asn in (1, 2) for n in range(30)]
    honest = homes("PK", 2, 6)
    told = Story([*sybils, *honest, *world()]).told(30, hit(sybils, 2, 30))
    assert told.first(confirmed()) is None
    assert told.states[3].networks[Place("PK", 1, "x")].votes.prefixes == 8


def test_one_networks_homes_all_faked_make_no_nation() -> None:
    here = homes("PK", 4, 20)
    told = Story([*here, *world()]).told(30, hit([h for h in here if h.asn == 1], 0, 30))
    assert told.first(confirmed()) is None


def test_keys_made_this_morning_are_heard_and_decide_nothing() -> None:
    young = {home.probe: Standing(since=(FIRST - 30) * 300.0) for home in PAKISTAN}
    told = Story([*PAKISTAN, *world()], standings=young).told(20, hit(PAKISTAN, 2, 20))
    assert told.last == ()
    half_a_week = {home.probe: Standing(since=FIRST * 300.0 - 3.5 * 86_400) for home in PAKISTAN}
    told = Story([*PAKISTAN, *world()], standings=half_a_week).told(20, hit(PAKISTAN, 2, 20))
    assert told.first(confirmed()) is not None


def test_homes_that_always_fail_are_not_asked_and_a_few_flaky_ones_alarm_nobody_for_long() -> None:
    here = homes("PK", 4, 8)
    flaky = [home for home in here if home.asn == 1 and home.probe.endswith(("-0", "-1", "-2"))]

    def fails(home: Home, number: int, _platform: str) -> bool:
        return home in flaky and number >= 5

    told = Story([*here, *world()]).told(250, fails)
    assert told.first(confirmed()) is None
    assert any(one.watch.is_alarmed for state in told.states for one in state.networks.values())
    assert not any(one.watch.is_alarmed for one in told.states[-1].networks.values())


def test_an_event_that_pauses_for_a_moment_is_told_once() -> None:
    told = Story([*PAKISTAN, *world()]).told(
        60, lambda home, n, _: home.country == "PK" and (2 <= n < 20 or 25 <= n < 40)
    )
    (incident,) = told.last
    assert (incident.since, incident.ended) == (FIRST + 2, FIRST + 40)


def test_two_platforms_hours_apart_are_two_incidents() -> None:
    def fails(home: Home, number: int, platform: str) -> bool:
        return home.country == "PK" and number >= {"x": 2, "youtube": 30}[platform]

    told = Story([*PAKISTAN, *world()], ("x", "youtube")).told(40, fails)
    assert [[part.platform for part in one.parts] for one in told.last] == [["x"], ["youtube"]]


def test_the_threshold_of_a_collector_with_rounds_of_a_minute_is_higher() -> None:
    assert replace(DEFAULT, round_s=60.0).h > DEFAULT.h
