"""What is said of a country now: never well on too few votes, nor on votes that are old."""

from __future__ import annotations

from typing import Any

import pytest

from collector.detect.ballots import Count, Place
from collector.detect.fold import Network, State
from collector.detect.incidents import WORLD, Cause, Incident, Part, Phase, Scope
from collector.detect.nation import NationWatch
from collector.detect.network import Condition
from collector.detect.slow import Speeds
from collector.detect.thresholds import DEFAULT
from collector.detector import Findings
from collector.snapshot import Snapshot, Tally
from collector.web.pages.now import STALE_ROUNDS, Kind, Now, Standing, now

AT = 1_702_814_400.0


def incident(country: str = "PK", **changes: Any) -> Incident:
    values = {"platform": "x", "phase": Phase.CONFIRMED, "since": 1, "confirmed": 2, "scope": Scope.NATION}
    return Incident(id=f"{country}-1", country=country, parts=(Part(**{**values, **changes}),))


def stands(
    condition: Condition = Condition.OK,
    *book: Incident,
    tally: Tally | None = None,
    votes: Count | None = None,
    age_s: float = 60.0,
    slow: Count | None = None,
    share: float = 0.2,
) -> Now:
    votes = votes or Count(votes=9, failing=2, prefixes=9, failing_prefixes=2)
    state = State(
        number=1,
        networks={Place("PK", 1, "x"): Network(votes=votes)},
        nations={("PK", "x"): NationWatch(condition=condition, share=share)},
        speeds={Place("PK", 1, "x"): Speeds(votes=slow)} if slow else {},
    )
    countries = {("PK", "x"): tally} if tally else {}
    snapshot = Snapshot(
        at=AT, window_s=600, platforms=("x",), countries=countries, networks={}, probes={"PK": 4}
    )
    findings = Findings(state=state, book=book, until=AT - age_s)
    return now(findings, snapshot, AT, DEFAULT)


def the_one(standing: Now) -> Standing:
    (land,) = standing.lands
    return land.standings[0]


def test_well_is_said_of_enough_votes_of_the_newest_round_with_their_number() -> None:
    one = the_one(stands())
    assert (one.kind, one.failing, one.of, one.networks) == (Kind.OK, 2, 9, 1)


def test_too_few_is_never_well_and_shows_who_reported_lately() -> None:
    one = the_one(stands(Condition.INSUFFICIENT, tally=Tally(votes=2, failing=1)))
    assert (one.kind, one.failing, one.of) == (Kind.FEW, 1, 2)
    assert the_one(stands(Condition.INSUFFICIENT)).kind is Kind.NONE


@pytest.mark.parametrize(("rounds", "kind"), [(STALE_ROUNDS, Kind.OK), (STALE_ROUNDS + 0.1, Kind.FEW)])
def test_what_was_well_long_ago_is_not_said_to_be_well(rounds: float, kind: Kind) -> None:
    standing = stands(tally=Tally(votes=9), age_s=rounds * DEFAULT.round_s)
    assert the_one(standing).kind is kind
    assert standing.is_stale == (kind is Kind.FEW)


FIRST_ROUNDS = [
    (27, 27, 0.99, Kind.UNSETTLED),
    (12, 27, 0.44, Kind.UNSETTLED),
    (8, 27, 0.296, Kind.OK),
    (4, 34, 0.4, Kind.UNSETTLED),  # few homes, on a network that many people use
    (12, 27, 0.1, Kind.UNSETTLED),
]


@pytest.mark.parametrize(("failing", "of", "share", "kind"), FIRST_ROUNDS)
def test_before_a_claim_nothing_is_well_that_fails_in_many_homes(
    failing: int, of: int, share: float, kind: Kind
) -> None:
    votes = Count(votes=of, failing=failing, prefixes=of, failing_prefixes=failing)
    one = the_one(stands(votes=votes, share=share))
    assert (one.kind, one.failing, one.of) == (kind, failing, of)


def test_what_fails_in_many_countries_is_the_platforms_own_where_it_fails_here_too() -> None:
    out = incident(WORLD, scope=Scope.WORLD, cause=Cause.PLATFORM_OUTAGE)
    failing = Count(votes=9, failing=8, prefixes=9, failing_prefixes=8)
    assert the_one(stands(Condition.SUSPECTED, out, votes=failing, share=0.9)).kind is Kind.OUTAGE
    assert the_one(stands(Condition.OK, out)).kind is Kind.OK
    other = incident(WORLD, scope=Scope.WORLD, platform="youtube")
    assert the_one(stands(Condition.SUSPECTED, other, votes=failing, share=0.9)).kind is Kind.UNSETTLED


@pytest.mark.parametrize(("looked_s", "until"), [(0.0, AT - 60), (-7200.0, AT - 7200)])
def test_counts_that_nobody_has_taken_for_hours_make_nothing_well(looked_s: float, until: float) -> None:
    """The detector may go on while snapshots stand still, and the other way round."""
    state = State(number=1, nations={("PK", "x"): NationWatch(condition=Condition.OK)})
    looked = Snapshot(
        at=AT + looked_s, window_s=600, platforms=("x",), countries={}, networks={}, probes={"PK": 4}
    )
    standing = now(Findings(state=state, book=(), until=AT - 60), looked, AT, DEFAULT)
    assert (standing.until, standing.is_stale) == (until, looked_s < 0)
    assert (the_one(standing).kind is Kind.OK) == (looked_s == 0)


CLAIMS = [
    (incident(), Kind.CONFIRMED),
    (incident(phase=Phase.SUSPECTED, confirmed=None), Kind.SUSPECTED),
    (incident(scope=Scope.NETWORK), Kind.PART),
    (incident(phase=Phase.ENDED, ended=3), Kind.OK),
    (incident(platform="youtube"), Kind.OK),
    (incident("IN"), Kind.OK),
]


@pytest.mark.parametrize(("claim", "kind"), CLAIMS)
def test_an_open_incident_is_what_is_said(claim: Incident, kind: Kind) -> None:
    standing = stands(Condition.OK, claim)
    land = standing.land("PK")
    assert land is not None
    assert land.standings[0].kind is kind


def test_where_homes_are_held_back_the_slow_are_counted() -> None:
    """All of them reach it: that none fails says nothing."""
    slow = Count(votes=8, failing=7, prefixes=8, failing_prefixes=7)
    one = the_one(stands(Condition.OK, incident(cause=Cause.THROTTLING), slow=slow))
    assert (one.kind, one.is_slow, one.failing, one.of) == (Kind.CONFIRMED, True, 7, 8)


def test_an_incident_stays_said_when_nobody_votes_any_more() -> None:
    one = the_one(stands(Condition.INSUFFICIENT, incident(), votes=Count()))
    assert (one.kind, one.of) == (Kind.CONFIRMED, 0)


def test_countries_with_an_incident_come_first_and_the_worlds_is_no_country() -> None:
    state = State(number=1, nations={(c, "x"): NationWatch(condition=Condition.OK) for c in ("AT", "ZA")})
    probes = {"AT": 9, "PK": 1, "ZA": 20, "EE": 50}
    snapshot = Snapshot(at=AT, window_s=600, platforms=("x",), countries={}, networks={}, probes=probes)
    findings = Findings(state=state, book=(incident(), incident(WORLD, scope=Scope.WORLD)), until=AT)
    standing = now(findings, snapshot, AT, DEFAULT)
    assert [one.country for one in standing.lands] == ["PK", "ZA", "AT", "EE"]
    assert standing.land("XX") is None
