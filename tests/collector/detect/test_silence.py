"""Stories of silence in relative time: what is said, how soon, and what is not."""

from __future__ import annotations

from random import Random

import pytest

from collector.detect.ballots import Count, Place, Standing
from collector.detect.cells import CONNECTIVITY
from collector.detect.figures import SilenceFigure, figures_of
from collector.detect.fold import Network, State
from collector.detect.incidents import Cause, Incident, Phase, Scope, record
from collector.detect.likelihood import surprise
from collector.detect.nation import NationWatch
from collector.detect.network import Condition
from collector.detect.network import Watch as NetworkWatch
from collector.detect.quarantine import Quarantine, by_subject
from collector.detect.silence import Dark, Event, Watch
from collector.detect.thresholds import DEFAULT
from collector.detect.world import WorldWatch
from tests.collector.detect.homes import FIRST, Home, Story, hit, homes, world
from tests.collector.detect.lines import BEGAN, Cut, Heard, Telling, cut

PAKISTAN = homes("PK", 4, 6)
EVERYBODY = [*PAKISTAN, *world()]
MOBILE = frozenset({1, 2})
PHONES = [home for home in PAKISTAN if home.asn in MOBILE]
# Minute 20 of a story is in its round 4.
SINCE = 20.0


def one(heard: Heard) -> Incident:
    (incident,) = heard.last
    (part,) = incident.parts
    assert part.platform == CONNECTIVITY
    return incident


def test_how_unlikely_it_is_that_so_many_go_at_once() -> None:
    """Against figures worked out by hand: products of (a + i) / (a + b + i), a + b = 49, a = 0.0735."""
    chance = 1 - (1 - 5e-4) ** 3
    assert surprise(0, 10, chance, 0.02) == pytest.approx(0, abs=1e-9)
    assert surprise(2, 2, chance, 0.02) == pytest.approx(10.3, abs=0.1)
    assert surprise(10, 10, chance, 0.02) == pytest.approx(29.4, abs=0.1)
    assert surprise(6, 10, chance, 0.02) == pytest.approx(16.3, abs=0.1)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("since", [20.0, 20.4, 22.7, 24.99])
def test_a_shutdown_is_sure_within_four_minutes(seed: int, since: float) -> None:
    heard = Telling(EVERYBODY, 40, cut(PAKISTAN, since), seed=seed).told()
    sure = heard.confirmed()
    assert sure is not None
    assert sure - since <= 4
    incident = one(heard)
    assert (incident.country, incident.phase, incident.scope) == ("PK", Phase.CONFIRMED, Scope.NATION)
    assert incident.cause is Cause.SHUTDOWN
    assert incident.since - FIRST in {int(at * 60 // DEFAULT.round_s) for at in (since, since + 0.5)}
    assert {asn: (w.failing, w.of) for asn, w in incident.parts[0].networks.items()} == dict.fromkeys(
        (1, 2, 3, 4), (6, 6)
    )
    assert heard.watch().condition is Condition.CONFIRMED
    assert heard.watch().lost == 24


def test_it_is_over_within_minutes_of_their_coming_back() -> None:
    heard = Telling(EVERYBODY, 90, cut(PAKISTAN, SINCE, 60)).told()
    incident = one(heard)
    assert incident.phase is Phase.ENDED
    assert incident.ended == FIRST + 60 // 5
    over = next(n for n, book in enumerate(heard.books) if any(not i.is_open for i in book))
    assert over - 60 <= 5
    assert heard.watch().networks == {}


def test_where_phones_fall_silent_and_lines_live_it_is_a_mobile_shutdown() -> None:
    heard = Telling(EVERYBODY, 40, cut(PHONES, SINCE), mobile=MOBILE).told()
    assert (one(heard).scope, one(heard).cause) == (Scope.NATION, Cause.MOBILE_SHUTDOWN)
    assert set(one(heard).parts[0].networks) == MOBILE
    sure = heard.confirmed()
    assert sure is not None
    assert sure - SINCE <= 4


def test_where_it_is_not_known_which_networks_are_mobile_it_is_possible_at_most() -> None:
    """A third of a country's networks, and none that is anything but a network."""
    eleven = homes("PK", 11, 6)
    heard = Telling([*eleven, *world()], 40, cut(eleven[: 4 * 6], SINCE)).told()
    assert (one(heard).phase, one(heard).cause) == (Phase.SUSPECTED, Cause.DISRUPTION)
    known = Telling([*eleven, *world()], 40, cut(eleven[: 4 * 6], SINCE), mobile=frozenset(range(1, 5)))
    assert one(known.told()).cause is Cause.MOBILE_SHUTDOWN


def test_phones_first_and_lines_ten_minutes_later_are_one_shutdown() -> None:
    lines = [home for home in PAKISTAN if home not in PHONES]
    cuts = {**cut(PHONES, SINCE), **cut(lines, SINCE + 10)}
    heard = Telling(EVERYBODY, 50, cuts, mobile=MOBILE).told()
    assert one(heard).cause is Cause.SHUTDOWN
    assert one(heard).since == FIRST + 4
    assert one(Heard(heard.states, heard.books[:26])).cause is Cause.MOBILE_SHUTDOWN


def test_one_networks_silence_is_that_networks() -> None:
    isp = homes("PK", 1, 12, first_asn=9)
    heard = Telling([*EVERYBODY, *isp], 40, cut(isp, SINCE)).told()
    assert (one(heard).scope, one(heard).cause) == (Scope.NETWORK, Cause.DISRUPTION)
    assert heard.watch().condition is Condition.OK
    two = [*homes("PK", 1, 12), *isp]
    heard = Telling([*two, *world()], 40, cut(isp, SINCE)).told()
    assert {state.silences["PK"].condition for state in heard.states[10:]} == {Condition.OK}, "of two"


def test_when_the_whole_world_is_silent_it_is_we_who_were_away() -> None:
    for until in (22.5, 23.5, 24.5, 26, 33, 60):
        heard = Telling(EVERYBODY, 90, away=(SINCE, until)).told()
        assert heard.last == (), until
        assert all(book == () for book in heard.books), until


def test_whoever_comes_back_to_us_later_than_the_world_was_not_lost() -> None:
    heard = Telling(EVERYBODY, 60, cut(PAKISTAN, SINCE, 28), away=(SINCE, 26)).told()
    assert all(book == () for book in heard.books)


def test_a_shutdown_goes_on_while_we_were_away() -> None:
    heard = Telling(EVERYBODY, 90, cut(PAKISTAN, SINCE, 75), away=(40, 50)).told()
    assert one(heard).ended == FIRST + 75 // 5


def test_a_collector_that_hears_one_country_alone_cannot_tell_its_silence_from_its_own() -> None:
    heard = Telling(PAKISTAN, 40, cut(PAKISTAN, SINCE)).told()
    assert heard.last == ()
    assert heard.watch(minute=26).condition is Condition.INSUFFICIENT
    phones = Telling(PAKISTAN, 40, cut(PHONES, SINCE), mobile=MOBILE).told()
    assert one(phones).cause is Cause.MOBILE_SHUTDOWN, "its lines are heard"


def test_who_says_goodbye_is_not_lost() -> None:
    cuts = {home.probe: [Cut(SINCE, says_bye=True)] for home in PAKISTAN}
    assert all(book == () for book in Telling(EVERYBODY, 50, cuts).told().books)


@pytest.mark.parametrize("seed", range(4))
def test_a_nation_that_goes_to_bed_is_none_that_is_cut(seed: int) -> None:
    """Two hundred homes, three in four off within four hours, a third of them without a word."""
    chance, many = Random(seed), homes("PK", 4, 50)
    off = {
        home.probe: [Cut(chance.uniform(20, 260), says_bye=chance.random() < 0.7)]
        for home in many
        if chance.random() < 0.75
    }
    assert Telling([*many, *world()], 300, off, seed=seed).told().last == ()


def test_nine_who_were_there_are_too_few() -> None:
    nine = [*homes("PK", 2, 3), *homes("PK", 1, 3, first_asn=5)]
    heard = Telling([*nine, *world()], 40, cut(nine, SINCE)).told()
    assert heard.last == ()
    assert heard.watch(minute=10).condition is Condition.INSUFFICIENT
    young = [Home("PK", 1, f"young {n}") for n in range(20)]
    new = {home.probe: Standing(BEGAN - 3600) for home in young}
    padded = Telling([*nine, *young, *world()], 40, cut([*nine, *young], SINCE), standings=new)
    assert padded.told().last == (), "keys of today are none that were there"
    ten = [*nine, *homes("PK", 1, 1, first_asn=6)]
    assert one(Telling([*ten, *world()], 40, cut(ten, SINCE)).told()).cause is Cause.SHUTDOWN


def test_one_home_however_many_probes_it_runs_is_one() -> None:
    prefixes = {home.probe: f"network {home.asn}" for home in PAKISTAN}
    heard = Telling(EVERYBODY, 40, cut(PAKISTAN, SINCE), prefixes=prefixes).told()
    assert heard.last == ()


@pytest.mark.parametrize("sybils", [20, 200])
def test_one_networks_sybils_that_stop_make_no_nation(sybils: int) -> None:
    liars = homes("PK", 1, sybils, first_asn=9)
    heard = Telling([*EVERYBODY, *liars], 40, cut(liars, SINCE)).told()
    assert all(incident.scope is Scope.NETWORK for book in heard.books for incident in book)
    assert heard.watch().condition is Condition.OK


def test_a_third_of_every_network_that_stops_makes_nothing() -> None:
    liars = [Home("PK", 1 + n % 4, f"liar {n}") for n in range(12)]
    heard = Telling([*EVERYBODY, *liars], 40, cut(liars, SINCE)).told()
    assert all(book == () for book in heard.books)


def test_keys_of_today_make_nothing_by_stopping() -> None:
    liars = homes("PK", 4, 20, first_asn=20)
    new = {home.probe: Standing(BEGAN - 3600) for home in liars}
    heard = Telling([*EVERYBODY, *liars], 40, cut(liars, SINCE), standings=new).told()
    assert all(book == () for book in heard.books)


def test_who_comes_and_goes_tells_nothing_by_going() -> None:
    """Homes that are never there for ten minutes."""
    flapping = homes("PK", 4, 10, first_asn=20)
    cuts = {home.probe: [Cut(n * 9.0 + 4, n * 9.0 + 9) for n in range(-4, 6)] for home in flapping}
    assert all(book == () for book in Telling([*world(), *flapping], 50, cuts).told().books)


def rounds(some: list[Home], numbers: range, *, failed: bool) -> dict[int, dict[str, bool]]:
    return {number: {home.probe: failed for home in some} for number in numbers}


def test_what_was_measured_in_the_dark_says_that_the_lines_were_dead() -> None:
    lines = rounds(PAKISTAN, range(5, 12), failed=True)
    heard = Telling(EVERYBODY, 120, cut(PAKISTAN, SINCE, 60), lines=lines).told()
    assert one(heard).cause is Cause.SHUTDOWN


def test_what_was_measured_in_the_dark_may_say_that_only_we_were_cut_off() -> None:
    lines = rounds(PAKISTAN, range(5, 12), failed=False)
    heard = Telling(EVERYBODY, 120, cut(PAKISTAN, SINCE, 60), lines=lines).told()
    assert one(heard).cause is Cause.COLLECTOR_BLOCKED


def test_machines_that_measured_nothing_were_off() -> None:
    heard = Telling(EVERYBODY, 120, cut(PAKISTAN, SINCE, 60)).told()
    causes = [one(Heard([], [book])).cause for book in heard.books if book]
    assert causes[0] is causes[50] is Cause.SHUTDOWN, "while nobody can have told"
    assert causes[-1] is Cause.DISRUPTION


def test_a_few_liars_clear_no_shutdown() -> None:
    lines = rounds(PAKISTAN[:5], range(5, 12), failed=False)
    heard = Telling(EVERYBODY, 50, cut(PAKISTAN, SINCE), lines=lines).told()
    assert one(heard).cause is Cause.SHUTDOWN


def test_after_a_week_nobody_waits_for_them_any_more() -> None:
    minutes = DEFAULT.forget_minutes + 40
    isp = homes("PK", 1, 12, first_asn=9)
    heard = Telling([*isp, *homes("DE", 1, 3)], minutes, cut(isp, SINCE)).told()
    assert one(heard).phase is Phase.ENDED


def test_lines_that_are_up_and_reach_nothing_abroad_are_a_degradation() -> None:
    """Rounds with failing controls that come in time: whoever sends them has a line."""
    told = Story(EVERYBODY, platforms=(CONNECTIVITY,), broke="gate domestic_only").told(
        8, hit(PAKISTAN, 0, 8)
    )
    (incident,) = told.last
    assert (incident.country, incident.scope, incident.phase) == ("PK", Scope.NATION, Phase.CONFIRMED)
    assert incident.cause is Cause.DEGRADATION
    isp = homes("PK", 1, 12, first_asn=9)
    told = Story([*EVERYBODY, *isp], platforms=(CONNECTIVITY,)).told(8, hit(isp, 0, 8))
    (incident,) = told.last
    assert (incident.scope, incident.cause) == (Scope.NETWORK, Cause.DISRUPTION)


def test_where_the_controls_fail_everywhere_it_is_the_controls() -> None:
    told = Story(EVERYBODY, platforms=(CONNECTIVITY,)).told(8, hit(EVERYBODY, 0, 8))
    assert all(incident.country != "*" for book in told.books for incident in book)


def test_what_metrics_are_handed_says_how_many_are_silent() -> None:
    heard = Telling(EVERYBODY, 40, cut(PAKISTAN, SINCE)).told()
    figures = figures_of(heard.states[-1], heard.last, {}, until=0.0, took_s=0.0)
    assert figures.silence["PK"] == SilenceFigure(condition=Condition.CONFIRMED, lost=24)
    assert figures.silence["DE"] == SilenceFigure(condition=Condition.INSUFFICIENT, lost=0)
    assert figures.alarmed() == {"PK"}
    assert figures.incidents_open == {("PK", Cause.SHUTDOWN): 1}


def test_who_is_in_quarantine_is_not_listened_to() -> None:
    orders = by_subject(
        Quarantine(subject=home.probe, ordered_at=BEGAN, since=0.0, by="somebody") for home in PAKISTAN
    )
    heard = Telling(EVERYBODY, 40, cut(PAKISTAN, SINCE), orders=orders).told()
    assert all(book == () for book in heard.books)


LIARS = ("liar 0", "liar 1", "liar 2")


def claiming(country: str, networks: int) -> list[Home]:
    """Three keys that say they are in each of so many networks."""
    return [Home(country, 100 + asn, name) for asn in range(networks) for name in LIARS]


def test_three_homes_that_say_they_are_in_many_networks_make_no_shutdown() -> None:
    liars = claiming("PK", 10)
    prefixes = {name: f"prefix of {name}" for name in LIARS}
    told = Telling([*PAKISTAN, *world(), *liars], 40, cut(liars, 20), prefixes=prefixes).told()
    assert told.last == ()


@pytest.mark.parametrize("age_s", [1500.0, 30 * 86_400.0])
def test_keys_of_one_home_that_say_they_are_in_many_countries_hide_no_shutdown(age_s: float) -> None:
    liars = [Home(f"Q{letter}", 7, name) for letter in "ABCDEFGHIJKL" for name in LIARS]
    told = Telling(
        [*PAKISTAN, *world(), *liars],
        60,
        {**cut(PAKISTAN, 20), **cut(liars, 20)},
        prefixes=dict.fromkeys(LIARS, "theirs"),
        standings={name: Standing(BEGAN - age_s) for name in LIARS},
    ).told()
    assert [one.cause for one in told.last] == [Cause.SHUTDOWN]


@pytest.mark.parametrize("lines", [False, True])
def test_one_home_with_many_keys_neither_ends_a_shutdown_nor_says_what_it_was(lines: bool) -> None:
    theirs = [Home("PK", home.asn, f"liar {home.asn} {n}") for home in PAKISTAN[::6] for n in range(8)]
    told = Telling(
        [*PAKISTAN, *world(), *theirs],
        60,
        {**cut(PAKISTAN, 20), **cut(theirs, 20, 1e9 if lines else 27)},
        prefixes={one.probe: "theirs" for one in theirs},
        lines={n: {one.probe: False for one in theirs} for n in range(5, 12)} if lines else {},
    ).told()
    assert [(one.cause, one.is_open) for one in told.last] == [(Cause.SHUTDOWN, True)]


def test_lines_that_are_cut_in_a_nation_stay_so_beside_one_network_that_fell_silent() -> None:
    minute = FIRST * 5
    dark = Dark(since=minute, seen_at=minute + 3, of=12, homes=12, surprise=30.0, silent=("a",))
    silent = Watch(networks={9: dark}, event=Event(since=minute, confirmed=minute + 3, lost=12, networks=5))
    cut_off = Network(
        watch=NetworkWatch(condition=Condition.CONFIRMED, score=20.0, since=FIRST),
        votes=Count(votes=8, failing=8, prefixes=8, failing_prefixes=8),
    )
    nation = NationWatch(condition=Condition.CONFIRMED, score=20.0, share=0.9, networks=4, since=FIRST)
    state = State(
        number=FIRST + 2,
        minute=minute + 14,
        networks={Place("PK", asn, CONNECTIVITY): cut_off for asn in (1, 2, 3)},
        nations={("PK", CONNECTIVITY): nation},
        elsewhere={("PK", CONNECTIVITY): WorldWatch(rate=0.0)},
        silences={"PK": silent},
    )
    (incident,) = record((), state, DEFAULT)
    assert (incident.cause, incident.scope) == (Cause.DEGRADATION, Scope.NATION)
    assert sorted(incident.parts[0].networks) == [1, 2, 3, 9]
