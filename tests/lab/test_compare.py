"""What the report calls true, false or missed is held here, in small."""

from __future__ import annotations

import json

import pytest

from probe.outcome import document, outcome_of
from probe.verdict import Finding, Level, Mechanism, Scope, Status, Verdict
from probe.wire.codec import encode, validate
from tests.rounds import a_round, fine

from .compare import Ruling, in_full, ruling, word
from .measured import Measured, is_recomputed, round_of, views
from .scenarios import BY_DNS, BY_SILENCE, CANNOT_JUDGE, DOWN, OK, SCENARIOS, THROTTLED, Truth

DNS, IP, TLS = Mechanism.DNS, Mechanism.IP, Mechanism.TLS
BLOCKED, UNREACHABLE = Status.BLOCKED, Status.UNREACHABLE


def said(
    status: Status, *mechanisms: Mechanism, scope: Scope | None = Scope.FULL, level: Level = Level.PROVEN
) -> Verdict:
    found = tuple(Finding(mechanism=m, level=level, families=(4,), roles=("x/web",)) for m in mechanisms)
    return Verdict(platform="x", status=status, scope=scope, mechanisms=found, reasons=())


CASES = [
    (OK, said(Status.OK), Ruling.TRUE),
    (OK, said(BLOCKED, TLS), Ruling.ACCUSED),
    (OK, said(Status.THROTTLED, Mechanism.THROTTLE), Ruling.ACCUSED),
    (OK, said(UNREACHABLE), Ruling.OTHER),
    (OK, said(Status.INSUFFICIENT, scope=None), Ruling.OTHER),
    (OK, None, Ruling.NOTHING),
    (DOWN, said(UNREACHABLE), Ruling.TRUE),
    (DOWN, said(BLOCKED, IP), Ruling.ACCUSED),
    (CANNOT_JUDGE, said(BLOCKED, DNS), Ruling.ACCUSED),
    (CANNOT_JUDGE, said(Status.OK), Ruling.OTHER),
    (BY_DNS, said(BLOCKED, DNS), Ruling.TRUE),
    (BY_DNS, said(BLOCKED, DNS, level=Level.LIKELY), Ruling.TRUE),
    (BY_DNS, said(Status.OK), Ruling.MISSED),
    (BY_DNS, said(UNREACHABLE), Ruling.OTHER),
    (BY_DNS, said(BLOCKED, TLS), Ruling.MECHANISM),
    (BY_DNS, said(BLOCKED, DNS, TLS), Ruling.MECHANISM),
    (BY_DNS, said(BLOCKED), Ruling.MECHANISM),
    (BY_DNS, said(BLOCKED, DNS, scope=Scope.PARTIAL), Ruling.SCOPE),
    (BY_SILENCE, said(UNREACHABLE, IP, level=Level.WEAK), Ruling.TRUE),
    (BY_SILENCE, said(BLOCKED, IP), Ruling.OTHER),
    (BY_SILENCE.told_by_peers, said(BLOCKED, IP), Ruling.TRUE),
    (BY_SILENCE.told_by_peers, said(UNREACHABLE, IP), Ruling.OTHER),
    (DOWN.told_by_peers, said(BLOCKED, IP), Ruling.ACCUSED),
    (THROTTLED, said(BLOCKED, TLS), Ruling.OTHER),
    (SCENARIOS["dns_tls"].truth, said(BLOCKED, TLS), Ruling.TRUE),
    (SCENARIOS["dns_tls"].truth, said(BLOCKED, TLS, DNS), Ruling.TRUE),
    (SCENARIOS["dns_tls"].truth, said(BLOCKED, DNS), Ruling.MECHANISM),
    (SCENARIOS["flapping"].truth, said(Status.OK), Ruling.TRUE),
]


@pytest.mark.parametrize(("truth", "verdict", "expected"), CASES)
def test_a_verdict_is_held_against_the_truth(truth: Truth, verdict: Verdict | None, expected: Ruling) -> None:
    assert ruling(truth, verdict) is expected


def test_every_ruling_is_given_in_some_case() -> None:
    assert {expected for _, _, expected in CASES} == set(Ruling)


def test_a_cell_names_mechanisms_only_where_somebody_is_accused() -> None:
    assert word(said(BLOCKED, TLS, DNS)) == "blocked dns+tls"
    assert word(said(UNREACHABLE, IP, level=Level.WEAK)) == "unreachable"
    assert word(said(Status.THROTTLED, Mechanism.THROTTLE)) == "throttled"
    assert in_full(said(BLOCKED, TLS)) == "blocked tls (proven)"
    assert in_full(said(UNREACHABLE, IP, level=Level.WEAK)) == "unreachable"


CLEAN = a_round(*fine("x/web"), *fine("x/media"))


def test_the_round_behind_a_document_is_whole_and_gives_the_same_verdicts() -> None:
    said = json.loads(json.dumps(document(outcome_of(CLEAN))))
    again = round_of(said, CLEAN.targets)
    assert again == CLEAN
    assert is_recomputed(said, again)
    said["platforms"][0]["status"] = "blocked"
    assert not is_recomputed(said, again)


def run(scenario: str, *touched: str, dialled: str = "a") -> Measured:
    return Measured(
        scenario=scenario, number=1, dialled=dialled, touched=touched, bytes=1, round=CLEAN, abroad=CLEAN
    )


def test_a_run_is_read_as_it_was_written() -> None:
    one = run("sni_reset", "x")
    assert validate(Measured, encode(one)) == one


def test_the_truth_is_that_of_who_was_touched_on_the_line_dialled() -> None:
    assert run("one_isp", "x").truth("x").interfered
    assert not run("one_isp", "x").truth("youtube").interfered
    assert not run("one_isp", "x", dialled="b").truth("x").interfered
    assert run("line_down", "x").truth("youtube") == CANNOT_JUDGE


def test_peers_are_supposed_to_see_what_the_vantage_abroad_saw() -> None:
    (seen,) = views(CLEAN)
    assert (seen.platform, seen.countries, seen.failing) == ("x", 5, 0)
    (seen,) = views(a_round())
    assert seen.failing == seen.votes == 5
