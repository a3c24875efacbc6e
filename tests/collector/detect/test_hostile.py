"""What no liar can do to a nation, whatever he says and however long: of the pure fold, for any lies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.detect.ballots import Ballot, Place, Standing
from collector.detect.fold import Setting, State, advance
from collector.detect.network import ALARMED, Condition
from collector.detect.thresholds import DEFAULT

from .homes import FIRST, WARM, Home, homes, world

PAKISTAN = homes("PK", 4, 8)
ABROAD = world(3)
LIARS = tuple(f"liar {n}" for n in range(6))
# Networks that are there, and such as the liars make up.
CLAIMED = (1, 2, 3, 4, 901, 902)
OLD = Standing(since=0.0)
SETTING = Setting(
    limits=DEFAULT,
    standings={**{home.probe: OLD for home in [*PAKISTAN, *ABROAD]}, **dict.fromkeys(LIARS, OLD)},
)
PK_X = ("PK", "x")
Said = dict[Place, list[Ballot]]
Lie = tuple[str, int, bool]  # who, of which network, failing


def said(number: int, failing: Mapping[str, bool], lies: Sequence[Lie] = (), prefix: str = "") -> Said:
    """A round of everybody; of the liars what they please, from one prefix."""
    at = (FIRST + number) * DEFAULT.round_s + 60
    found: Said = {}
    for home in [*PAKISTAN, *ABROAD]:
        failed = failing.get(home.probe, False)
        ballot = Ballot(probe=home.probe, at=at, prefix=f"prefix of {home.probe}", failed=failed)
        found.setdefault(Place(home.country, home.asn, "x"), []).append(ballot)
    for order, (liar, asn, failed) in enumerate(lies):
        ballot = Ballot(probe=liar, at=at + order, prefix=prefix, failed=failed)
        found.setdefault(Place("PK", asn, "x"), []).append(ballot)
    return found


def ready() -> State:
    """Everybody armed; the liars too, in every network that they are going to claim."""
    state = State(number=FIRST - WARM - 1)
    well = [(liar, asn, False) for liar in LIARS for asn in CLAIMED]
    for number in range(-WARM, 0):
        state = advance(state, FIRST + number, said(number, {}, well, "theirs"), SETTING)
    return state


READY = ready()


def conditions(rounds: Sequence[Said]) -> list[Condition]:
    state, found = READY, []
    for number, ballots in enumerate(rounds):
        state = advance(state, FIRST + number, ballots, SETTING)
        found.append(state.nations[PK_X].condition)
    return found


LIES = st.lists(
    st.lists(
        st.tuples(st.sampled_from(LIARS), st.sampled_from(CLAIMED), st.booleans()),
        unique_by=lambda lie: lie[:2],
        max_size=20,
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=100)
@given(lies=LIES)
def test_one_prefix_makes_no_nation_suspected_however_many_keys_and_networks_it_claims(
    lies: list[list[Lie]],
) -> None:
    rounds = [said(number, {}, some, "theirs") for number, some in enumerate(lies)]
    assert not ALARMED & set(conditions(rounds))


def failing_rounds(of: Sequence[Home], most: int) -> st.SearchStrategy[list[set[str]]]:
    """Who of them fails, round by round, never more than `most` at once."""
    names = st.sampled_from([home.probe for home in of])
    return st.lists(st.sets(names, max_size=most), min_size=1, max_size=15)


def told(rounds: Sequence[set[str]]) -> list[Condition]:
    return conditions([said(n, dict.fromkeys(some, True)) for n, some in enumerate(rounds)])


ONE, OTHER = ([home for home in PAKISTAN if home.asn == asn] for asn in (1, 2))


@settings(max_examples=100)
@given(rounds=failing_rounds(ONE, len(ONE)))
def test_one_network_makes_no_nation_suspected(rounds: list[set[str]]) -> None:
    assert not ALARMED & set(told(rounds))


def test_one_network_that_fails_whole_for_a_day_makes_no_nation_suspected() -> None:
    assert not ALARMED & set(told([{home.probe for home in ONE}] * 288))


@settings(max_examples=100)
@given(one=failing_rounds(ONE, 3), other=failing_rounds(OTHER, 3))
def test_under_half_of_two_networks_prefixes_confirm_nothing(
    one: list[set[str]], other: list[set[str]]
) -> None:
    rounds = [a | b for a, b in zip(one, other, strict=False)]
    assert Condition.CONFIRMED not in told(rounds)


def test_under_half_of_two_networks_prefixes_confirm_nothing_in_a_day() -> None:
    some = {home.probe for network in (ONE, OTHER) for home in network[:3]}
    assert Condition.CONFIRMED not in told([some] * 288)


@settings(max_examples=50)
@given(hidden=st.sets(st.sampled_from([home.probe for home in PAKISTAN]), max_size=len(PAKISTAN) * 3 // 10))
def test_three_in_ten_who_say_that_all_is_well_hide_nothing_for_longer_than_three_rounds(
    hidden: set[str],
) -> None:
    block = {home.probe for home in PAKISTAN} - hidden
    assert told([block] * 3)[-1] is Condition.CONFIRMED
