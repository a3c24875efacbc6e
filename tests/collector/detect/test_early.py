"""What is sure before a round is over is so afterwards too, whatever the rest of it says."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.detect.ballots import Ballot, Place, Standing
from collector.detect.early import sure, within_reach
from collector.detect.fold import Setting, State, advance
from collector.detect.incidents import Incident, record
from collector.detect.network import Condition
from collector.detect.saved import Settled
from collector.detect.thresholds import DEFAULT

from .homes import FIRST, WARM, Home, homes, world

PAKISTAN = homes("PK", 4, 6)
ABROAD = world()
SETTING = Setting(
    limits=DEFAULT, standings={home.probe: Standing(since=0.0) for home in [*PAKISTAN, *ABROAD]}
)
PK_X = ("PK", "x")
Said = dict[Place, list[Ballot]]


def said(number: int, some: Collection[Home], failing: Collection[Home] = ()) -> Said:
    """What these homes say in a round of the story."""
    found: Said = {}
    for home in some:
        ballot = Ballot(
            probe=home.probe,
            at=(FIRST + number) * DEFAULT.round_s + 60,
            prefix=f"prefix of {home.probe}",
            failed=home in failing,
        )
        found.setdefault(Place(home.country, home.asn, "x"), []).append(ballot)
    return found


def step(before: Settled, number: int, ballots: Said) -> Settled:
    state = advance(before.state, FIRST + number, ballots, SETTING)
    return Settled(state=state, book=record(before.book, state, DEFAULT))


def quiet() -> Settled:
    """Everybody armed, nothing wrong, up to round -1."""
    now = Settled(state=State(number=FIRST - WARM - 1), book=())
    for number in range(-WARM, 0):
        now = step(now, number, said(number, [*PAKISTAN, *ABROAD]))
    return now


QUIET = quiet()
BEFORE = said(-1, [*PAKISTAN, *ABROAD])


def after_one_bad_round(failing: Collection[Home]) -> Settled:
    return step(QUIET, 0, said(0, [*PAKISTAN, *ABROAD], failing))


def early(before: Settled, now: Said, left: float = 0.0) -> list[Incident]:
    countries = within_reach(before.state, DEFAULT)
    return sure(before, now, [BEFORE], countries, SETTING, left)


def is_sure(settled: Settled) -> bool:
    return settled.state.nations[PK_X].condition is Condition.CONFIRMED


def test_a_network_that_came_late_into_the_round_before_is_no_reason_to_stop() -> None:
    before = after_one_bad_round(PAKISTAN)
    late = said(0, [Home("PK", 99, "PK-99-0")])
    now = said(1, [*PAKISTAN, *ABROAD], PAKISTAN)
    assert sure(before, now, [BEFORE | late], within_reach(before.state, DEFAULT), SETTING)


def test_in_quiet_times_no_country_is_within_reach() -> None:
    assert within_reach(QUIET.state, DEFAULT) == frozenset()
    assert within_reach(after_one_bad_round(PAKISTAN).state, DEFAULT) == {"PK"}


def test_a_nation_is_sure_as_soon_as_enough_have_said_so_again_and_before_all_have() -> None:
    before = after_one_bad_round(PAKISTAN)
    heard: list[Home] = list(ABROAD)
    for home in sorted(PAKISTAN, key=lambda one: one.probe[::-1]):
        heard.append(home)
        found = early(before, said(1, heard, PAKISTAN))
        if found:
            break
    count = len(heard) - len(ABROAD)
    assert found[0].is_sure
    assert found[0].country == "PK"
    (part,) = found[0].parts
    assert sum(seen.of for seen in part.networks.values()) == count, "nobody is counted who has not spoken"
    assert 12 <= count < len(PAKISTAN), "neither on a few homes' word nor on everybody's"


def test_as_long_as_most_may_still_measure_again_nothing_is_sure() -> None:
    before = after_one_bad_round(PAKISTAN)
    everybody = said(1, [*PAKISTAN, *ABROAD], PAKISTAN)
    assert early(before, everybody, 0.9) == []
    assert early(before, everybody, 0.3)


def test_while_too_few_other_countries_have_spoken_nothing_is_sure() -> None:
    before = after_one_bad_round(PAKISTAN)
    few = [home for home in ABROAD if home.country in ("DE", "TR", "IN", "BR")]
    assert early(before, said(1, [*PAKISTAN, *few], PAKISTAN)) == []


def test_where_the_rest_of_the_world_fails_too_it_is_nobodys_block() -> None:
    before = after_one_bad_round(PAKISTAN)
    assert early(before, said(1, [*PAKISTAN, *ABROAD], [*PAKISTAN, *ABROAD])) == []


def test_those_who_have_not_spoken_count_as_well_and_not_as_silent() -> None:
    before = after_one_bad_round(PAKISTAN)
    few = [home for home in PAKISTAN if home.probe.endswith("-0")]
    now = said(1, [*few, *ABROAD], few)
    assert is_sure(step(before, 1, said(1, [*PAKISTAN[:12], *ABROAD], PAKISTAN)))
    assert early(before, now) == []


def turned(spoken: Collection[Home], failing: Collection[Home], left: float) -> set[Home]:
    """In each network as many of those who failed as may have measured again: all is well with them now."""
    found: set[Home] = set()
    for asn in {home.asn for home in spoken}:
        some = sorted((one for one in spoken if one.asn == asn and one in failing), key=lambda one: one.probe)
        found |= set(some[: int(len(some) * left)])
    return found


@settings(max_examples=300)
@given(
    first=st.sets(st.sampled_from(PAKISTAN)),
    second=st.sets(st.sampled_from(PAKISTAN)),
    order=st.permutations(PAKISTAN),
    by_now=st.integers(0, len(PAKISTAN)),
    left=st.sampled_from([0.0, 0.25, 0.5, 0.75]),
)
def test_what_is_sure_early_is_sure_when_the_round_is_over_under_the_same_name(
    first: set[Home], second: set[Home], order: Sequence[Home], by_now: int, left: float
) -> None:
    before = after_one_bad_round(first)
    found = early(before, said(1, [*order[:by_now], *ABROAD], second), left)
    if found:
        after = step(before, 1, said(1, [*PAKISTAN, *ABROAD], second - turned(order[:by_now], second, left)))
        assert is_sure(after)
        (incident,) = found
        assert incident.id in {one.id for one in after.book if one.is_sure}
