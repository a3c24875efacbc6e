"""What each rule claims and, as much, what it must not claim. Every rule runs in a case here."""

from __future__ import annotations

import pytest

from probe.verdict import Level, Mechanism, Scope, Status, Verdict, judge
from probe.verdict.rules import RULES
from probe.wire.failure import Failure
from probe.wire.observation import Gate, GateState, Observation
from tests.rounds import (
    OTHER_X_ADDRESS,
    X_ADDRESS,
    a_round,
    dns,
    failed,
    fine,
    reached,
    twice,
)

CLEAN_MEDIA = fine("x/media")
GENUINE = [dns("x/web", "doh", X_ADDRESS), *reached("x/web", X_ADDRESS)]


def lied(*answers: str, failure: Failure) -> list[Observation]:
    """The line's resolver lies in both attempts; the trusted one's address is genuine."""
    return twice([dns("x/web", "system", *answers, failure=failure), *GENUINE]) + CLEAN_MEDIA


def shut(state: str) -> Gate:
    return Gate(state=GateState(state), controls=3, passed_before=0, passed_after=0)


BOGON, UNTRUSTED = Failure.DNS_BOGON, Failure.TLS_UNKNOWN_AUTHORITY

CASES: list[tuple[str, list[Observation], Gate | None, str, str]] = [
    # rule, observations, gate, status, mechanisms as "mechanism level"
    ("roles.answered", fine("x/web") + CLEAN_MEDIA, None, "ok", ""),
    ("gate.offline", [], shut("offline"), "insufficient", ""),
    ("gate.portal", fine("x/web") + CLEAN_MEDIA, shut("portal"), "insufficient", ""),
    ("gate.domestic_only", [], shut("domestic_only"), "insufficient", ""),
    ("gate.local_interception", [], shut("local_interception"), "insufficient", ""),
    ("gate.clock", [], shut("clock"), "insufficient", ""),
    ("gate.unknown", fine("x/web") + CLEAN_MEDIA, shut("eclipse"), "insufficient", ""),
    ("round.unfinished", fine("x/web"), None, "insufficient", ""),
    ("dns.bogon", lied("10.10.34.35", failure=BOGON), None, "blocked", "dns proven"),
    ("dns.nxdomain", lied(failure=Failure.DNS_NXDOMAIN), None, "blocked", "dns proven"),
    ("dns.refused", lied(failure=Failure.DNS_REFUSED), None, "blocked", "dns proven"),
    ("dns.no_answer", lied(failure=Failure.DNS_NO_ANSWER), None, "blocked", "dns proven"),
    (
        "dns.impostor",
        twice([dns("x/web", "system", "203.0.113.9"), *failed("x/web", "203.0.113.9", UNTRUSTED), *GENUINE])
        + CLEAN_MEDIA,
        None,
        "blocked",
        "dns likely",
    ),
    (
        "tls.foreign_certificate",
        twice([*fine("x/web")[:2], *failed("x/web", X_ADDRESS, UNTRUSTED)]) + CLEAN_MEDIA,
        None,
        "blocked",
        "mitm proven",
    ),
    (
        "tls.foreign_certificate_unplaced",
        twice(
            [
                dns("x/web", "system", X_ADDRESS),
                dns("x/web", "doh", failure=Failure.DNS_TIMEOUT),
                *failed("x/web", X_ADDRESS, Failure.TLS_INVALID_HOSTNAME),
            ]
        )
        + CLEAN_MEDIA,
        None,
        "blocked",
        "mitm weak",
    ),
    (
        "http.foreign_redirect",
        fine("x/web")
        + CLEAN_MEDIA
        + twice(
            [
                dns("x/plain", "system", X_ADDRESS),
                *reached("x/plain", X_ADDRESS, status=303, location="https://block.isp.example/"),
            ]
        ),
        None,
        "blocked",
        "http proven",
    ),
    (
        "roles.failed",
        twice([*fine("x/web")[:2], *failed("x/web", X_ADDRESS, Failure.TLS_RESET)]) + CLEAN_MEDIA,
        None,
        "unreachable",
        "",
    ),
]


def verdict_on(observations: list[Observation], gate: Gate | None = None) -> Verdict:
    return judge(a_round(*observations, gate=gate))[0]


@pytest.mark.parametrize(
    ("rule", "observations", "gate", "status", "mechanisms"), CASES, ids=[c[0] for c in CASES]
)
def test_a_rule_says_its_status_and_mechanism_and_gives_its_reason(
    rule: str, observations: list[Observation], gate: Gate | None, status: str, mechanisms: str
) -> None:
    verdict = verdict_on(observations, gate)
    assert verdict.status == status
    assert ", ".join(f"{f.mechanism} {f.level}" for f in verdict.mechanisms) == mechanisms
    assert rule in [reason.rule for reason in verdict.reasons]
    assert all(reason.text for reason in verdict.reasons)


def test_every_rule_of_the_table_runs_in_a_case() -> None:
    assert {rule.id for rule in RULES} == {case[0] for case in CASES}


def test_rule_ids_are_unique_and_every_rule_cites_why() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(len(rule.why) > 20 for rule in RULES)
    assert all((rule.mechanism is None) == (rule.level is None) for rule in RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_no_rule_can_be_taken_away_unnoticed(rule: object) -> None:
    """Switching a rule off changes the verdict or its reasons in that rule's case."""
    _, observations, gate, _, _ = next(case for case in CASES if case[0] == rule.id)  # type: ignore[attr-defined]
    rnd = a_round(*observations, gate=gate)
    assert judge(rnd, [r for r in RULES if r is not rule]) != judge(rnd)


NEVER_BLOCKED: dict[str, list[Observation]] = {
    "a bogon seen once is no event": [
        dns("x/web", "system", "10.10.34.35", failure=BOGON),
        *GENUINE,
        *CLEAN_MEDIA,
    ],
    "a bogon without a genuine answer elsewhere proves nothing": twice(
        [
            dns("x/web", "system", "10.10.34.35", failure=BOGON),
            dns("x/web", "doh", failure=Failure.DNS_TIMEOUT),
        ]
    )
    + CLEAN_MEDIA,
    "a bogon that the trusted resolver gives as well": twice(
        [dns("x/web", r, "10.10.34.35", failure=BOGON) for r in ("system", "doh")]
    )
    + CLEAN_MEDIA,
    "a lie in the first attempt and the truth in the second": [
        dns("x/web", "system", failure=Failure.DNS_NXDOMAIN),
        dns("x/web", "system", X_ADDRESS, attempt=2),
        *GENUINE,
        *CLEAN_MEDIA,
    ],
    "a name without AAAA": [
        dns("x/web", "system", kind="AAAA", failure=Failure.DNS_NO_ANSWER),
        *fine("x/web"),
        *CLEAN_MEDIA,
    ],
    "a timeout at the resolver": twice([dns("x/web", "system", failure=Failure.DNS_TIMEOUT), *GENUINE])
    + CLEAN_MEDIA,
    "a certificate out of date": twice(
        [*fine("x/web")[:2], *failed("x/web", X_ADDRESS, Failure.TLS_CERTIFICATE_TIME)]
    )
    + CLEAN_MEDIA,
    "a foreign certificate seen once": [
        *fine("x/web")[:2],
        *failed("x/web", X_ADDRESS, UNTRUSTED),
        *CLEAN_MEDIA,
    ],
    "a redirect elsewhere over valid TLS is the platform's own": [
        *fine("x/web")[:2],
        *reached("x/web", X_ADDRESS, status=302, location="https://login.example/"),
        *CLEAN_MEDIA,
    ],
    "a redirect in cleartext to the platform itself": fine("x/web")
    + CLEAN_MEDIA
    + twice(
        [
            dns("x/plain", "system", X_ADDRESS),
            *reached("x/plain", X_ADDRESS, status=301, location="https://x.com/"),
        ]
    ),
    "everything fails at TCP": twice(
        [*fine("x/web")[:2], *failed("x/web", X_ADDRESS, Failure.CONNECTION_TIMEOUT)]
    )
    + CLEAN_MEDIA,
    "the server's own error": [*fine("x/web")[:2], *reached("x/web", X_ADDRESS, status=503), *CLEAN_MEDIA],
    "different genuine addresses from both resolvers": [
        dns("x/web", "system", X_ADDRESS),
        dns("x/web", "doh", OTHER_X_ADDRESS),
        *reached("x/web", X_ADDRESS),
        *reached("x/web", OTHER_X_ADDRESS),
        *CLEAN_MEDIA,
    ],
}


@pytest.mark.parametrize("story", NEVER_BLOCKED)
def test_nobody_is_accused_of(story: str) -> None:
    assert verdict_on(NEVER_BLOCKED[story]).status is not Status.BLOCKED


def test_a_provider_that_redirects_every_cleartext_page_blocks_no_platform() -> None:
    (case,) = (case for case in CASES if case[0] == "http.foreign_redirect")
    (verdict,) = judge(a_round(*case[1], cleartext_is_clean=False))
    assert verdict.status is Status.OK


@pytest.mark.parametrize("status", [200, 204, 301, 403, 404, 429, 451])
def test_any_answer_of_the_platforms_own_valid_host_is_reachable(status: int) -> None:
    seen = [*fine("x/web")[:2], *reached("x/web", X_ADDRESS, status=status), *CLEAN_MEDIA]
    assert verdict_on(seen).status is Status.OK


@pytest.mark.parametrize("status", [500, 502, 503])
def test_the_servers_own_error_is_not_an_answer_and_not_a_block(status: int) -> None:
    seen = [*fine("x/web")[:2], *reached("x/web", X_ADDRESS, status=status), *CLEAN_MEDIA]
    verdict = verdict_on(seen)
    assert verdict.status is Status.UNREACHABLE
    assert f"error ({status})" in verdict.reasons[0].text


def test_a_service_reached_only_by_the_trusted_resolvers_address_is_not_reachable_for_a_person() -> None:
    seen = twice([dns("x/web", "system", failure=Failure.DNS_TIMEOUT), *GENUINE]) + CLEAN_MEDIA
    verdict = verdict_on(seen)
    assert (verdict.status, verdict.scope) == (Status.UNREACHABLE, Scope.PARTIAL)


def test_scope_is_full_when_no_required_role_answers() -> None:
    both = twice(
        [
            observation
            for target in ("x/web", "x/media")
            for observation in (
                dns(target, "system", "10.1.1.1", failure=BOGON),
                dns(target, "doh", X_ADDRESS),
            )
        ]
        + reached("x/web", X_ADDRESS)
        + reached("x/media", X_ADDRESS)
    )
    verdict = verdict_on(both)
    assert (verdict.status, verdict.scope) == (Status.BLOCKED, Scope.FULL)
    assert verdict.mechanisms[0].roles == ("x/media", "x/web")
    assert verdict.mechanisms[0].families == (4,)


def test_several_mechanisms_are_all_named() -> None:
    seen = lied("10.1.1.1", failure=BOGON)[:-5] + twice(
        [*fine("x/media")[:2], *failed("x/media", X_ADDRESS, UNTRUSTED)]
    )
    found = {(f.mechanism, f.level) for f in verdict_on(seen).mechanisms}
    assert found == {(Mechanism.DNS, Level.PROVEN), (Mechanism.MITM, Level.PROVEN)}


@pytest.mark.parametrize("location", ["http://[", "https://[x]/", "foo:////[x"])
def test_a_redirect_nobody_can_read_is_judged_all_the_same(location: str) -> None:
    """A collector judges what any agent sent; an exception there would hold up that agent's spool."""
    seen = twice([dns("x/plain", "system", X_ADDRESS), *reached("x/plain", X_ADDRESS, location=location)])
    assert verdict_on(seen + fine("x/web") + CLEAN_MEDIA).status is Status.OK
