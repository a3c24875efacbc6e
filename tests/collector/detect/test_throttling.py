"""Stories of throttling, in rounds of five minutes: agents compare speeds in one of twelve."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

import pytest

from collector.detect.ballots import Place
from collector.detect.fold import State
from collector.detect.incidents import Cause, Phase, Scope, Slowness
from collector.detect.network import Condition
from collector.detect.thresholds import DEFAULT
from probe.verdict import Compared
from probe.verdict.speed import THROTTLED_BELOW_BPS

from .homes import FIRST, WARM_SPEEDS, Home, Story, Told, hit, homes, world

PAKISTAN = homes("PK", 5, 12)
EVERYBODY = [*PAKISTAN, *world()]
AT_140 = Compared(57.1, 140_000)
Speeds = Callable[[Home, int, str], Compared | None]


def is_due(home: Home, number: int, every: int = 12) -> bool:
    """Each home compares speeds in a round of its own."""
    return (number + sum(home.probe.encode())) % every == 0


def measured(
    some: Iterable[Home],
    since: int,
    until: int,
    slow: Compared = AT_140,
    *,
    every: int = 12,
    spared: float = 0.0,
) -> Speeds:
    """Speeds as they are, and of some homes what they are held down to, from one round until before
    another. `spared` is the chance of each word to be an ordinary one."""
    names, chance = {home.probe for home in some}, Random(7)

    def speeds(home: Home, number: int, _platform: str) -> Compared | None:
        usual = Compared(round(chance.lognormvariate(0.0, 0.4), 2), 8_000_000)
        held = home.probe in names and since <= number < until and chance.random() >= spared
        return (slow if held else usual) if is_due(home, number, every) else None

    return speeds


def well(_home: Home, _number: int, _platform: str) -> bool:
    return False


def told(rounds: int, speeds: Speeds, everybody: list[Home] = EVERYBODY, warm: int = WARM_SPEEDS) -> Told:
    """A story in which everybody reaches the platform all the time, at these speeds."""
    return Story(everybody, warm=warm).told(rounds, well, speeds)


def throttled(state: State) -> bool:
    return state.slow["PK", "x"].condition is Condition.CONFIRMED


def test_a_nation_held_at_140_kbit_is_throttled_though_a_twelfth_of_it_measures_in_a_round() -> None:
    found = told(60, measured(PAKISTAN, 2, 30, spared=0.1))
    (incident,) = found.last
    (part,) = incident.parts
    assert (incident.country, incident.scope, incident.phase) == ("PK", Scope.NATION, Phase.ENDED)
    assert (part.platform, part.cause, part.broke) == ("x", Cause.THROTTLING, "throttled")
    assert part.slow is not None
    assert (part.slow.ratio, part.slow.bps, part.slow.is_extreme) == (57.1, 140_000, True)
    assert part.slow.homes > len(PAKISTAN) * 0.7
    assert incident.ended is not None
    assert FIRST + 2 <= incident.since <= FIRST + 2 + 3
    assert FIRST + 30 <= incident.ended <= FIRST + 30 + 12
    confirmed = found.first(throttled)
    assert confirmed is not None
    assert confirmed <= 2 + 8, "within eight rounds, of which twelve make an hour"
    assert len({one.id for book in found.books for one in book}) == 1


def test_where_speeds_are_compared_each_round_it_is_known_within_three() -> None:
    """As agents do that suspect slowness."""
    found = told(40, measured(PAKISTAN, 2, 30, every=1, spared=0.1), warm=30)
    confirmed = found.first(throttled)
    assert confirmed is not None
    assert confirmed <= 2 + 3
    assert found.last[0].since == FIRST + 2
    assert found.last[0].ended == FIRST + 30


def test_three_times_as_slow_is_throttling_and_not_extreme() -> None:
    found = told(20, measured(PAKISTAN, 2, 20, Compared(5.0, 900_000)))
    assert found.last[0].parts[0].cause is Cause.THROTTLING
    assert found.last[0].parts[0].slow == Slowness(
        homes=found.last[0].parts[0].slow.homes, ratio=5.0, bps=900_000, is_extreme=False  # type: ignore[union-attr]
    )  # fmt: skip


@pytest.mark.parametrize(
    "slow",
    [Compared(1.1, 140_000), Compared(2.9, 140_000), Compared(40.0, 20_000_000)],
    ids=["the whole line is slow", "not three times as slow", "slower than the others and fast all the same"],
)
def test_nothing_is_said_of(slow: Compared) -> None:
    found = told(60, measured(PAKISTAN, 2, 60, slow))
    assert found.last == ()
    assert {state.slow["PK", "x"].condition for state in found.states} == {Condition.OK}


def test_one_providers_throttling_is_that_networks() -> None:
    one = [home for home in PAKISTAN if home.asn == 1]
    found = told(60, measured(one, 2, 30))
    assert found.first(throttled) is None
    (incident,) = found.last
    assert (incident.scope, incident.phase) == (Scope.NETWORK, Phase.ENDED)
    assert incident.parts[0].cause is Cause.THROTTLING
    assert set(incident.parts[0].networks) == {1}


@pytest.mark.parametrize("every", [1, 3, 12])
def test_a_platform_that_is_slow_everywhere_is_no_countrys_throttling(every: int) -> None:
    found = told(60, measured(EVERYBODY, 2, 40, every=every))
    assert found.last == ()
    assert found.states[20].slow["PK", "x"].condition is Condition.INSUFFICIENT, "and it is not called well"
    known = found.states[-1].speeds[Place("PK", 1, "x")].paces.values()
    assert all(max(its.usual, default=0) <= 1 for its in known), "nor usual"


def test_a_throttling_where_a_fifth_of_the_world_is_slow_is_still_seen() -> None:
    abroad = world(10)
    fifth = [home for n, home in enumerate(abroad) if n % 5 == 0]
    found = told(40, measured([*PAKISTAN, *fifth], 2, 40, every=3), [*PAKISTAN, *abroad])
    assert [(one.country, one.phase) for one in found.last] == [("PK", Phase.CONFIRMED)]


def test_homes_that_always_get_a_platform_slowly_are_no_witnesses() -> None:
    """Ten times as slow as unrelated objects, more or less, day in, day out: a third of the homes."""
    flaky = [home for n, home in enumerate(PAKISTAN) if n % 3 == 0]
    names, chance = {home.probe for home in flaky}, Random(3)

    def speeds(home: Home, number: int, _platform: str) -> Compared | None:
        ratio = chance.lognormvariate(2.3, 0.3) if home.probe in names else 1.0
        return Compared(round(ratio, 2), 400_000) if is_due(home, number, 3) else None

    found = told(600, speeds)
    assert found.last == ()
    theirs = found.states[-1].speeds[Place("PK", 1, "x")]
    assert theirs.votes.prefixes == 12, "they are heard, and what they say is usual"


def test_homes_that_became_slow_for_good_alarm_nobody_for_ever() -> None:
    """Four of a network's, since a mast near them is full: too few to confirm, and soon they are usual."""
    few = [home for home in PAKISTAN if home.asn == 1][:4]
    found = told(300, measured(few, 2, 300))
    assert found.first(throttled) is None
    assert not any(one.watch.is_alarmed for one in found.states[-1].speeds.values())


def test_a_home_of_which_too_little_is_known_says_nothing() -> None:
    found = told(8, measured(PAKISTAN, -10, 8), warm=10)
    assert found.last == ()
    assert found.states[-1].slow["PK", "x"].condition is Condition.INSUFFICIENT


def test_a_throttling_of_two_days_disarms_none_of_its_witnesses() -> None:
    found = told(640, measured(PAKISTAN, 2, 578, spared=0.05))
    (incident,) = found.last
    assert incident.parts[0].ended is not None
    assert FIRST + 578 <= incident.parts[0].ended <= FIRST + 578 + 12
    again = found.states[-1].speeds[Place("PK", 1, "x")]
    assert all(set(its.usual) == {0} for its in again.paces.values()), "nothing of it is usual"


def test_homes_held_back_reach_the_platform_and_disarm_nobody() -> None:
    found = told(100, measured(PAKISTAN, 2, 100))
    assert found.states[-1].networks[Place("PK", 1, "x")].votes.prefixes == 12
    assert found.states[-1].nations["PK", "x"].condition is Condition.OK


def test_throttling_under_which_some_homes_fail_is_one_incident_by_what_most_see() -> None:
    """A third of the handshakes run into their timeout as well."""
    third = [home for n, home in enumerate(PAKISTAN) if n % 3 == 0]
    story = Story(EVERYBODY, warm=WARM_SPEEDS, broke="tls generic_timeout_error")
    found = story.told(80, hit(third, 2, 40), measured(PAKISTAN, 2, 40))
    (incident,) = found.last
    assert [part.cause for part in incident.parts] == [Cause.THROTTLING]
    assert incident.parts[0].broke == "throttled"
    assert {book[0].id for book in found.books if book} == {incident.id}


def test_throttling_that_becomes_a_block_is_one_incident_that_says_so() -> None:
    story = Story(EVERYBODY, warm=WARM_SPEEDS)
    found = story.told(80, hit(PAKISTAN, 30, 60), measured(PAKISTAN, 2, 30))
    (incident,) = found.last
    assert found.books[29][0].parts[0].cause is Cause.THROTTLING
    assert incident.parts[0].cause is Cause.LIKELY_BLOCKING
    assert incident.parts[0].broke == "tls tls_reset_error"
    assert incident.parts[0].slow is not None
    assert (incident.since, incident.ended) == (found.books[29][0].since, FIRST + 60)


def test_what_counts_as_slow_is_below_what_the_verdicts_rules_trust() -> None:
    assert DEFAULT.slow_bps == THROTTLED_BELOW_BPS
