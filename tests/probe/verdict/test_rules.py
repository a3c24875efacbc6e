"""What each rule claims and, as much, what it must not claim. The stories lie beside, by what they are
about (`of_names` and so on); here is held that every rule of the table has one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from probe.verdict import Level, Mechanism, Scope, Status, judge
from probe.verdict.rules import RULES, Rule
from probe.wire.failure import Failure
from probe.wire.observation import Phase
from probe.wire.stage import Stage
from tests.rounds import (
    CONTROL_ADDRESS,
    OTHER_X_ADDRESS,
    X_ADDRESS,
    X_SIX,
    a_round,
    control,
    dns,
    failed,
    fine,
    innocuous,
    path,
    reached,
    transfer,
    twice,
)

from . import of_connections, of_names, of_speed, of_the_whole
from .stories import ABOUT, ALSO, CASES, INNOCENT
from .story import BOTH_FAMILIES, MEDIA, Story, in_short

WEB = "x/web"


@pytest.mark.parametrize("rule", CASES)
def test_a_rule_says_its_status_and_mechanism_and_gives_its_reason(rule: str) -> None:
    verdict = CASES[rule].verdict()
    assert in_short(verdict) == CASES[rule].says
    assert rule in [reason.rule for reason in verdict.reasons]
    assert all(reason.text for reason in verdict.reasons)


@pytest.mark.parametrize("title", ALSO)
def test_a_rule_speaks_too_of(title: str) -> None:
    rule, story = ALSO[title]
    verdict = story.verdict()
    assert in_short(verdict) == story.says
    assert rule in [reason.rule for reason in verdict.reasons]


@pytest.mark.parametrize("story", INNOCENT)
def test_nobody_is_accused_of(story: str) -> None:
    verdict = INNOCENT[story].verdict()
    assert in_short(verdict) == INNOCENT[story].says
    assert verdict.status not in (Status.BLOCKED, Status.THROTTLED)


def test_every_rule_of_the_table_runs_in_a_case() -> None:
    assert {rule.id for rule in RULES} == set(CASES)
    assert len(CASES) == sum(len(about.CASES) for about in ABOUT)
    assert len(INNOCENT) == sum(len(about.INNOCENT) for about in ABOUT)


def test_rule_ids_are_unique_and_every_rule_cites_why() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(len(rule.why) > 20 for rule in RULES)
    assert all((rule.mechanism is None) == (rule.level is None) for rule in RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_no_rule_can_be_taken_away_unnoticed(rule: Rule) -> None:
    """Switching a rule off changes the verdict or its reasons in that rule's case."""
    story = CASES[rule.id]
    assert story.verdict([r for r in RULES if r is not rule]) != story.verdict()


@pytest.mark.parametrize("rule", [r.id for r in RULES if r.status in (Status.BLOCKED, Status.THROTTLED)])
def test_no_accusation_survives_a_gate_that_failed(rule: str) -> None:
    assert replace(CASES[rule], gate=of_the_whole.shut("offline").gate).verdict().status == "insufficient"


@pytest.mark.parametrize("rule", [r.id for r in RULES if r.status is Status.BLOCKED])
def test_one_attempt_alone_never_says_blocked(rule: str) -> None:
    """What a single attempt shows is no event; a redirect or a lie may be a transient of anybody's."""
    story = CASES[rule]
    first = [o for o in story.seen if o.attempt == 1]
    assert replace(story, seen=first).verdict().status != "blocked"


@pytest.mark.parametrize("status", [200, 204, 301, 403, 404, 429, 451])
def test_any_answer_of_the_platforms_own_valid_host_is_reachable(status: int) -> None:
    story = Story(says="ok", seen=[*fine(WEB)[:2], *reached(WEB, X_ADDRESS, status=status), *MEDIA])
    assert in_short(story.verdict()) == story.says


@pytest.mark.parametrize("status", [500, 502, 503])
def test_the_servers_own_error_is_not_an_answer_and_not_a_block(status: int) -> None:
    seen = [*fine(WEB)[:2], *reached(WEB, X_ADDRESS, status=status), *MEDIA]
    verdict = Story(says="unreachable", seen=seen).verdict()
    assert verdict.status is Status.UNREACHABLE
    assert f"error ({status})" in verdict.reasons[0].text


def test_a_service_reached_only_by_the_trusted_resolvers_address_is_not_reachable_for_a_person() -> None:
    unasked = dns(WEB, "system", failure=Failure.DNS_SERVER_MISBEHAVING)
    verdict = Story(says="unreachable", seen=[*twice([unasked, *of_names.GENUINE]), *MEDIA]).verdict()
    assert (verdict.status, verdict.scope) == (Status.UNREACHABLE, Scope.PARTIAL)


def test_scope_is_full_when_no_required_role_answers() -> None:
    seen = [
        observation
        for target in (WEB, "x/media")
        for observation in (
            dns(target, "system", "10.1.1.1", failure=Failure.DNS_BOGON),
            dns(target, "doh", X_ADDRESS),
            *reached(target, X_ADDRESS),
        )
    ]
    verdict = Story(says="blocked: dns proven", seen=twice(seen)).verdict()
    assert (verdict.status, verdict.scope) == (Status.BLOCKED, Scope.FULL)
    assert verdict.mechanisms[0].roles == ("x/media", "x/web")
    assert verdict.mechanisms[0].families == (4,)


@pytest.mark.parametrize(
    ("media_kbps", "scope"), [(None, Scope.FULL), (130.0, Scope.FULL), (15_000.0, Scope.PARTIAL)]
)
def test_throttled_is_full_where_every_role_that_was_compared_is_held_back(
    media_kbps: float | None, scope: Scope
) -> None:
    media = [transfer("x/media", media_kbps) for _ in range(3)] if media_kbps else []
    story = of_speed.CASES["throttle.extreme"]
    verdict = replace(story, seen=[*story.seen, *media]).verdict()
    assert (verdict.status, verdict.scope) == (Status.THROTTLED, scope)


def test_several_mechanisms_are_all_named() -> None:
    opened = path("x/media", "client_hello", "expired/expired", "answered/expired")
    foreign = failed("x/media", X_ADDRESS, Failure.TLS_UNKNOWN_AUTHORITY)
    media = [*twice([*fine("x/media")[:2], *foreign]), opened]
    lies = twice([dns(WEB, "system", failure=Failure.DNS_NXDOMAIN), *of_names.GENUINE])
    slow = of_speed.compared((128.0, 130.0, 140.0))[len(of_speed.WELL) :]
    verdict = Story(says="", seen=[*lies, *media, *slow]).verdict()
    assert {(f.mechanism, f.level) for f in verdict.mechanisms} == {
        (Mechanism.DNS, Level.PROVEN),
        (Mechanism.MITM, Level.PROVEN),
        (Mechanism.THROTTLE, Level.LIKELY),
    }
    assert verdict.status is Status.BLOCKED


def test_every_family_that_is_touched_is_named() -> None:
    seen = [
        *(dns(WEB, who, X_ADDRESS) for who in ("system", "doh")),
        *(dns(WEB, who, X_SIX, kind="AAAA") for who in ("system", "doh")),
        *(o for address in (X_ADDRESS, X_SIX) for o in failed(WEB, address, Failure.TLS_RESET)),
        *(o for address in (X_ADDRESS, X_SIX) for o in innocuous(reached(WEB, address))),
    ]
    (finding,) = Story(says="", seen=[*twice(seen), *MEDIA], controls=BOTH_FAMILIES).verdict().mechanisms
    assert (finding.mechanism, finding.families) == (Mechanism.TLS, (4, 6))


def test_a_block_that_outlasts_its_cause_is_still_the_names() -> None:
    """A censor that goes on blocking the pair of addresses for a while fails the other name too, until
    it has been waited out (`sni_residual`)."""
    seen = [
        *fine(WEB)[:2],
        *twice(failed(WEB, X_ADDRESS, Failure.TLS_TIMEOUT)),
        *failed(WEB, X_ADDRESS, Failure.TLS_TIMEOUT, attempt=3),
        *(replace(o, attempt=2) for o in innocuous(failed(WEB, X_ADDRESS, Failure.TLS_TIMEOUT))),
        *(replace(o, attempt=3) for o in innocuous(reached(WEB, X_ADDRESS))),
        *MEDIA,
    ]
    assert in_short(Story(says="", seen=seen).verdict()) == "blocked: tls proven"


@pytest.mark.parametrize(("failure", "said"), [(Failure.DNS_TIMEOUT, "name server"), (None, "offline")])
def test_where_the_resolver_is_what_is_silent_that_is_said(failure: Failure | None, said: str) -> None:
    lookup = dns("foreign/one.example", "system", failure=failure)
    dead = control(Phase.BEFORE, "two.example", Failure.CONNECTION_TIMEOUT, stage=Stage.TCP)
    (verdict,) = judge(a_round(before=[replace(lookup, phase=Phase.BEFORE), dead], after=()))
    assert (verdict.status, said in verdict.reasons[0].text) == (Status.INSUFFICIENT, True)


def test_a_role_that_needs_all_is_spoken_of_by_what_failed() -> None:
    story = Story(says="", seen=[*fine(WEB), dns("x/media", "system", failure=Failure.DNS_SERVFAIL)])
    assert "pbs.twimg.com (images): the name server fails." in [r.text for r in story.verdict().reasons]


def test_an_address_tried_once_more_does_not_spoil_that_the_others_fail() -> None:
    addresses = (X_ADDRESS, OTHER_X_ADDRESS)
    seen = [
        *(dns(WEB, who, *addresses, CONTROL_ADDRESS) for who in ("system", "doh")),
        *twice([o for a in addresses for o in failed(WEB, a, Failure.CONNECTION_TIMEOUT)]),
        *failed(WEB, CONTROL_ADDRESS, Failure.CONNECTION_TIMEOUT),
        *MEDIA,
    ]
    assert in_short(Story(says="", seen=seen).verdict()) == "unreachable: ip weak"


@pytest.mark.parametrize("location", ["http://[", "https://[x]/", "foo:////[x"])
def test_a_redirect_nobody_can_read_is_judged_all_the_same(location: str) -> None:
    """A collector judges what any agent sent; an exception there would hold up that agent's spool."""
    plain = [dns("x/plain", "system", X_ADDRESS), *reached("x/plain", X_ADDRESS, location=location)]
    assert Story(says="ok", seen=[*twice(plain), *fine(WEB), *MEDIA]).verdict().status is Status.OK


BEYOND_HOME = {
    "reset further away than a home reaches": ("silence/silence", "silence/silence", "reset/expired"),
    "lost once past the home's routers": (
        "expired/expired",
        "expired/expired",
        "silence/silence",
    ),
}
NOT_BEYOND = {
    "lost, and nobody knows where": ("expired/expired", "silence/silence", "silence/silence"),
    "not looked at": (),
}


@pytest.mark.parametrize("what", [*BEYOND_HOME, *NOT_BEYOND])
def test_the_provider_is_named_only_where_it_is_seen_to_break_past_the_home(what: str) -> None:
    hops = {**BEYOND_HOME, **NOT_BEYOND}[what]
    seen = of_connections.breaks(
        Failure.TLS_TIMEOUT, *of_connections.OTHER_NAME, path(WEB, "client_hello", *hops)
    )
    verdict = Story(says="", seen=seen).verdict()
    whose = "Your provider's network" if what in BEYOND_HOME else "The network"
    assert verdict.reasons[0].text.startswith(f"{whose} lets nothing more through")
