"""Who counts in a round: a home is one witness, who weighs nothing takes nobody's place; who was last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.detect.ballots import Ballot, Count, Place, Standing, at_home, counted
from collector.detect.thresholds import DEFAULT

AT = 1_702_807_200.0
OLD, YOUNG = Standing(since=0.0), Standing(since=AT - 3600)
HERE = Place("PK", 17557, "x")


def ballot(
    probe: str, prefix: str | None = None, *, failed: bool = False, at: float = AT, shown: bool = False
) -> Ballot:
    broke = "tls tls_reset_error" if failed else ""
    return Ballot(
        probe=probe, at=at, prefix=prefix or f"prefix of {probe}", failed=failed, broke=broke,
        artefacts=("tls",) if shown else (),
    )  # fmt: skip


def count(*ballots: Ballot, **standings: Standing) -> Count:
    known = {one.probe: standings.get(one.probe, OLD) for one in ballots}
    return counted({HERE: ballots}, known, DEFAULT)[HERE]


def test_of_a_homes_probes_the_newest_speaks() -> None:
    one = count(ballot("a", "home", failed=True), ballot("b", "home", at=AT + 1))
    assert (one.prefixes, one.failing) == (1, 0)


def test_a_key_made_this_morning_does_not_silence_an_old_one_behind_the_same_prefix() -> None:
    alone = count(ballot("old", "home", failed=True))
    both = count(ballot("old", "home", failed=True), ballot("new", "home", at=AT + 1), new=YOUNG)
    assert both == alone
    assert alone.failing == 1


def test_a_home_is_in_one_country_however_many_it_claims() -> None:
    old, new = ballot("old", "home"), ballot("new", "home", at=AT + 1)
    other = ballot("other")
    said = {HERE: [old, other]} | {replace(HERE, country=f"Q{one}"): [new] for one in "ABCDE"}
    stay = at_home(said, {"old": OLD, "new": YOUNG, "other": OLD}, DEFAULT)
    assert {place.country: ballots for place, ballots in stay.items() if ballots} == {"PK": [old, other]}
    alike = at_home(said, dict.fromkeys(("old", "new", "other"), OLD), DEFAULT)
    homes = [place.country for place, ballots in alike.items() for one in ballots if one.prefix == "home"]
    assert homes == ["QE"], "of as much weight the newest; of those one"


def test_of_two_keys_behind_one_prefix_the_one_that_weighs_more_speaks() -> None:
    half = Standing(since=AT - DEFAULT.grown_s / 2)
    both = count(ballot("old", "home", failed=True), ballot("new", "home", at=AT + 1), new=half)
    assert (both.votes, both.failing) == (1, 1)


@given(
    young=st.lists(
        st.builds(
            ballot,
            st.sampled_from("pqrs"),
            st.sampled_from(["prefix of a", "prefix of b", "elsewhere", "far away"]),
            failed=st.booleans(),
            at=st.floats(AT, AT + 299),
            shown=st.booleans(),
        ),
        unique_by=lambda one: one.probe,
    )
)
def test_in_its_first_day_a_key_changes_nothing_that_is_counted(young: list[Ballot]) -> None:
    old = [ballot("a", failed=True), ballot("b"), ballot("c", failed=True)]
    keys = {one.probe: YOUNG for one in young}
    assert count(*old, *young, **keys) == count(*old)


def test_a_home_that_says_it_is_in_five_networks_is_in_one() -> None:
    places = [Place("PK", asn, "x") for asn in range(1, 6)]
    said = {place: [ballot(f"p{place.asn}", "home", at=AT + place.asn)] for place in places}
    counts = counted(said, {f"p{asn}": OLD for asn in range(1, 6)}, DEFAULT)
    assert [counts[place].prefixes for place in places] == [0, 0, 0, 0, 1]


def test_a_key_that_calls_from_five_networks_is_one_witness() -> None:
    places = [Place("PK", asn, "x") for asn in range(1, 6)]
    said = {place: [ballot("p", f"home {place.asn}", at=AT - place.asn)] for place in places}
    counts = counted(said, {"p": OLD}, DEFAULT)
    assert [counts[place].prefixes for place in places] == [1, 0, 0, 0, 0]


def test_a_home_speaks_of_each_platform_and_in_each_country_that_it_is_in() -> None:
    places = [HERE, replace(HERE, platform="youtube"), replace(HERE, country="IN")]
    counts = counted({place: [ballot("p")] for place in places}, {"p": OLD}, DEFAULT)
    assert [counts[place].prefixes for place in places] == [1, 1, 1]


@given(st.permutations([ballot(p, h, failed=p in "ab") for p, h in zip("abcdef", "xxyyzz", strict=True)]))
def test_the_order_in_which_they_come_changes_nothing(ballots: list[Ballot]) -> None:
    assert count(*ballots) == count(*sorted(ballots, key=lambda one: one.probe))


def measured(said: Sequence[tuple[int, bool]], weights: Sequence[float] = ()) -> Count:
    """Homes that measured at so many seconds, and failed or did not; keys as old as gives their weight."""
    ballots = [
        Ballot(probe=f"p{n}", at=1e9 + at, prefix=f"home {n}", failed=failed)
        for n, (at, failed) in enumerate(said)
    ]
    grown = weights or [1.0] * len(said)
    standings = {f"p{n}": Standing(1e9 - weight * DEFAULT.grown_s - 600) for n, weight in enumerate(grown)}
    return counted({HERE: ballots}, standings, DEFAULT)[HERE]


@pytest.mark.parametrize(
    ("said", "late"),
    [
        ([(20, True), (80, True), (260, False)], 0.0),
        ([(20, False), (80, False), (260, True)], 1.0),
        ([(20, True), (80, True), (140, True), (200, False), (260, True)], 0.5),  # two of five
        ([(20, True), (260, False), (262, True)], 0.5),  # the same minute
        ([(20, True), (22, False)], 0.5),
        ([(20, True)], 1.0),
        ([], 0.0),
    ],
)
def test_the_third_that_measured_last_and_whoever_did_in_the_same_minute(
    said: Sequence[tuple[int, bool]], late: float
) -> None:
    assert measured(said).late_share == late
    assert measured(said[::-1]).late_share == late, "in any order"


def test_who_has_no_weight_is_not_among_those_who_measured_last() -> None:
    young = measured([(20, True), (80, False), (260, False)], weights=(1.0, 1.0, 0.0))
    assert (young.share, young.late_share) == (0.5, 0.0)
