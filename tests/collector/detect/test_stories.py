"""Stories of nations and networks, in rounds: what is said, how soon, and what never is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from collector.detect.ballots import Place, Standing
from collector.detect.fold import State
from collector.detect.incidents import WORLD, Cause, Phase, Scope
from collector.detect.network import Condition
from collector.detect.revisions import Revision
from collector.detect.sentences import sentence
from collector.detect.thresholds import DEFAULT
from tests.collector.voices import ENGLISH

from .homes import FIRST, WARM, Home, Story, Told, hit, homes, world

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
    assert told.books[30][0].phase is Phase.CONFIRMED, "two good rounds end it, no fewer"
    assert told.books[31][0].phase is Phase.ENDED


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
    assert {one.cause for one in incident.parts} == {Cause.DISRUPTION}, "it may be its operator's own fault"
    assert told.first(confirmed()) is None


@pytest.mark.parametrize(
    ("each", "silent", "known"),
    [
        (8, "", 3),
        (8, "in turn", 3),
        (8, "two for good", 3),
        (8, "four for good", 3),
        (8, "five for good", None),
        (7, "", None),
    ],
)
def test_a_network_of_eight_homes_is_judged_though_some_are_away(
    each: int, silent: str, known: int | None
) -> None:
    """As many have to fail as of eight: four. A network that never had eight is never judged alone."""
    here = homes("PK", 4, each)
    one = [home for home in here if home.asn == 1]

    def fails(home: Home, number: int, _platform: str) -> bool | None:
        n = int(home.probe.rsplit("-", 1)[1])
        away = {"": 0, "in turn": 0, "two for good": 2, "four for good": 4, "five for good": 5}[silent]
        if home not in one:
            return False
        is_away = silent == "in turn" and n == number % 8
        return None if is_away or n < away else True

    told = Story([*here, *world()]).told(12, fails)
    first = told.first(lambda s: s.networks[Place("PK", 1, "x")].watch.condition is Condition.CONFIRMED)
    assert first == known


def test_a_platforms_own_outage_is_nobodys_blocking() -> None:
    """October 2021: two platforms of one company fail everywhere for six hours."""
    everybody = [*PAKISTAN, *world()]
    ours = {"facebook", "instagram"}
    told = Story(everybody, ALL_FOUR).told(100, lambda _, n, platform: platform in ours and 1 <= n < 73)
    assert {(one.country, one.phase) for one in told.last} == {(WORLD, Phase.ENDED)}
    assert {part.platform for one in told.last for part in one.parts} == ours
    assert {part.cause for one in told.last for part in one.parts} == {Cause.PLATFORM_OUTAGE}
    assert all(one.since == FIRST + 1 for one in told.last)


def first_of(some: Iterable[Home], most: int) -> list[Home]:
    """The first so many homes of each network."""
    return [home for home in some if int(home.probe.rsplit("-", 1)[1]) < most]


def causes(told: Told, country: str = "PK") -> set[Cause]:
    """Every cause that was ever given of a country's incidents."""
    return {part.cause for book in told.books for one in book if one.country == country for part in one.parts}


@pytest.mark.parametrize("abroad", [1, 2, 3], ids=["a fifth", "two fifths", "three fifths"])
def test_an_outage_that_hits_one_country_hardest_is_nobodys_blocking(abroad: int) -> None:
    """Neither while it lasts, though it lasts for hours, nor in the rounds in which it is over and the
    world is well again first."""
    hardest = first_of(PAKISTAN, 5)
    told = Story([*PAKISTAN, *world(5)]).told(60, hit([*hardest, *first_of(world(5), abroad)], 2, 50))
    assert causes(told) <= {Cause.DISRUPTION}
    votes = told.states[49].networks[Place("DE", 1, "x")].votes
    assert (votes.failing_prefixes, votes.prefixes) == (abroad, 5), "who bears witness is not disarmed"


def test_a_block_that_began_in_a_well_world_stays_likely_while_the_world_stumbles() -> None:
    stumble = hit(first_of(world(5), 1), 8, 20)
    dark = hit(PAKISTAN, 2, 30)
    told = Story([*PAKISTAN, *world(5)]).told(40, lambda *said: dark(*said) or stumble(*said))
    assert told.last[0].parts[0].cause is Cause.LIKELY_BLOCKING


def test_what_was_shown_beyond_doubt_is_blocking_in_a_world_in_trouble_too() -> None:
    story = Story([*PAKISTAN, *world(5)], artefacts=("tls",))
    told = story.told(8, hit([*PAKISTAN, *first_of(world(5), 1)], 0, 8))
    assert Cause.BLOCKING_CONFIRMED in causes(told)


def test_two_countries_that_block_together_do_not_excuse_each_other() -> None:
    turkey = homes("TR", 4, 6, first_asn=50)
    told = Story([*PAKISTAN, *turkey, *world(5)]).told(20, hit([*PAKISTAN, *turkey], 2, 20))
    assert Cause.LIKELY_BLOCKING in causes(told)
    assert Cause.LIKELY_BLOCKING in causes(told, "TR")


def test_a_trouble_that_outlasts_a_day_is_how_things_are_and_its_homes_are_disarmed() -> None:
    told = Story([*PAKISTAN, *world(5)]).told(320, hit(first_of(world(5), 1), 0, 320))
    assert told.states[280].networks[Place("DE", 1, "x")].votes.prefixes == 5
    assert told.states[-1].networks[Place("DE", 1, "x")].votes.prefixes == 4


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


def in_turn(home: Home) -> float:
    """Six homes of a network measure one after another, evenly over the round."""
    return (int(home.probe.rsplit("-", 1)[1]) + 0.5) / 6


def between(since: float, until: float) -> Callable[[Home, int, str], bool]:
    """What is so in Pakistan from one moment to another, in rounds."""
    return lambda home, number, _: home.country == "PK" and since <= number + in_turn(home) < until


def test_a_nations_glitch_of_six_minutes_that_two_rounds_share_confirms_nothing() -> None:
    """Two homes of three fail in either round; but in the second those fail that measured first."""
    story = Story([*PAKISTAN, *world()], moment=in_turn)
    glitch = story.told(20, between(3.4, 4.6))
    shares = [glitch.states[number].nations["PK", "x"].share for number in (3, 4)]
    assert shares == pytest.approx([4 / 6, 4 / 6])
    assert glitch.first(confirmed()) is None
    assert {incident.phase for incident in glitch.last} <= {Phase.DISMISSED}


def test_what_began_at_the_same_moment_and_goes_on_is_confirmed_at_the_end_of_the_second_round() -> None:
    told = Story([*PAKISTAN, *world()], moment=in_turn).told(20, between(3.4, 15))
    assert told.first(confirmed()) == 5


def test_an_event_that_spares_those_who_measure_last_is_known_a_round_later() -> None:
    """In three rounds it is no glitch, whoever sees it."""
    some = first_of(PAKISTAN, 4)
    told = Story([*PAKISTAN, *world()], moment=in_turn).told(20, hit(some, 3, 20))
    assert told.first(confirmed()) == 6


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


def test_a_home_that_fails_by_itself_keeps_no_event_open() -> None:
    """One of ten homes, another one each round, on every network."""
    here = homes("PK", 7, 10)

    def fails(home: Home, number: int, _platform: str) -> bool:
        by_itself = int(home.probe.rsplit("-", 1)[1]) == number % 10
        return home.country == "PK" and number >= 0 and (number < 10 or by_itself)

    told = Story([*here, *world()]).told(14, fails)
    assert told.books[10][0].is_open
    assert not told.books[11][0].is_open


def test_what_keeps_an_event_open_would_have_opened_none() -> None:
    """A quarter still fails: between the share that ends an event and the one that begins it."""
    here = homes("PK", 4, 8)
    quarter = hit(first_of(here, 2), 0, 40)
    assert Story([*here, *world()]).told(40, quarter).last == ()
    dark = hit(here, 0, 10)
    told = Story([*here, *world()]).told(40, lambda *said: dark(*said) or quarter(*said))
    assert told.last[0].is_open
    assert told.last[0].phase is Phase.CONFIRMED


def test_no_single_round_makes_a_suspicion() -> None:
    assert DEFAULT.step < DEFAULT.h / 2 < 2 * DEFAULT.step < DEFAULT.h
    assert DEFAULT.end_share < DEFAULT.suspect_share


def test_an_event_that_pauses_for_a_moment_is_told_once() -> None:
    told = Story([*PAKISTAN, *world()]).told(
        60, lambda home, n, _: home.country == "PK" and (2 <= n < 20 or 25 <= n < 40)
    )
    (incident,) = told.last
    assert (incident.since, incident.ended) == (FIRST + 2, FIRST + 40)


def test_what_comes_back_weaker_just_after_its_end_is_the_same_event_and_as_sure() -> None:
    here = homes("PK", 4, 9)
    weaker = [home for n, home in enumerate(here) if n % 9 < 4]
    strong, weak = hit(here, 2, 20), hit(weaker, 23, 28)
    told = Story([*here, *world()]).told(
        40, lambda home, n, platform: strong(home, n, platform) or weak(home, n, platform)
    )
    assert {book[0].phase for book in told.books[21:23]} == {Phase.ENDED}
    again = [one.parts[0] for book in told.books[23:28] for one in book if one.is_open]
    assert again
    assert {part.phase for part in again} == {Phase.CONFIRMED}
    (incident,) = told.last
    assert incident.phase is Phase.ENDED
    for book in told.books:
        for one in book:
            assert sentence(Revision(number=1, at=0.0, reason="", incident=one), ENGLISH)


def test_two_platforms_hours_apart_are_two_incidents() -> None:
    def fails(home: Home, number: int, platform: str) -> bool:
        return home.country == "PK" and number >= {"x": 2, "youtube": 30}[platform]

    told = Story([*PAKISTAN, *world()], ("x", "youtube")).told(40, fails)
    assert [[part.platform for part in one.parts] for one in told.last] == [["x"], ["youtube"]]


def test_the_threshold_of_a_collector_with_rounds_of_a_minute_is_higher() -> None:
    assert replace(DEFAULT, round_s=60.0).h > DEFAULT.h


def test_a_block_whose_witnesses_left_is_not_said_for_ever_and_ends_when_they_were_last_heard() -> None:
    """Everybody leaves during it; who comes after it is lifted has no past, and all is well for them."""
    newcomers = [replace(home, probe=f"new {home.probe}") for home in PAKISTAN]

    def fails(home: Home, number: int, _platform: str) -> bool | None:
        if home in newcomers:
            return False if number >= WARM + 40 else None
        if home.country == "PK":
            return number >= WARM + 2 if number < WARM + 30 else None
        return False

    long = DEFAULT.lost_rounds
    told = Story([*PAKISTAN, *newcomers, *world()], warm=0).told(WARM + 30 + long + 20, fails)
    assert told.books[WARM + 28 + long][0].is_open
    (incident,) = told.last
    assert (incident.phase, incident.ended, incident.parts[0].unheard) == (
        Phase.ENDED,
        FIRST + WARM + 30,
        True,
    )
    assert told.states[-1].nations["PK", "x"].condition is Condition.OK, "and who came since has a say"


def test_who_reached_it_in_the_last_minute_cannot_hold_up_a_networks_event_for_long() -> None:
    here = homes("PK", 4, 10)
    one_network = [home for home in here if home.asn == 1]
    early, late = one_network[:7], one_network[7:]

    def moment(home: Home) -> float:
        return 0.9 if home in late else 0.3

    told = Story([*here, *world()], moment=moment).told(12, hit(early, 0, 12))
    assert told.last[0].phase is Phase.CONFIRMED


def test_a_network_that_came_once_is_forgotten_after_a_week() -> None:
    passing = homes("PK", 30, 1, first_asn=500)

    def fails(home: Home, number: int, _platform: str) -> bool | None:
        return None if home in passing and number != 3 else False

    told = Story([*PAKISTAN, *passing, *world()], warm=0).told(DEFAULT.forget_rounds + 60, fails)
    assert len([place for place in told.states[10].networks if place.asn >= 500]) == 30
    assert not [place for place in told.states[-1].networks if place.asn >= 500]
