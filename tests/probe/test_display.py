"""What a volunteer reads: plain, without colour where none is wanted, never wider than the terminal."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.config import Config, load_platforms
from probe.display import HINTS, STATUS_INDENT, history, obstacle, sentence, sentences, show, status
from probe.outcome import Outcome, outcome_of, summary
from probe.routes import Route, Seen, Way
from probe.screen import Screen, cells
from probe.spool import SpoolFigures
from probe.verdict import Finding, Level, Mechanism, Reason, Scope, Status, Verdict, judge
from probe.verdict.rules import RULES
from probe.verdict.wording import HOW, PARTS
from probe.wire.failure import Failure
from probe.wire.observation import Gate, GateState
from tests.glass import Window
from tests.probe.verdict.stories import CASES
from tests.rounds import (
    X_ADDRESS,
    X,
    a_round,
    dns,
    failed,
    fine,
    innocuous,
    path,
    reached,
    shown,
    transfer,
    twice,
)

LIE = dns("x/web", "system", "10.10.34.35", failure=Failure.DNS_BOGON)
CLEAN = a_round(*fine("x/web"), *fine("x/media"))
BLOCKED = a_round(
    *twice([LIE, dns("x/web", "doh", X_ADDRESS), *reached("x/web", X_ADDRESS)]), *fine("x/media")
)
CUT = failed("x/web", X_ADDRESS, Failure.TLS_RESET)
BY_NAME = [*twice([*fine("x/web")[:2], *CUT]), *innocuous(reached("x/web", X_ADDRESS))]
PAST_HOME = path("x/web", "client_hello", "expired/expired", "expired/expired", "reset/expired")
NO_MEDIA = twice([*fine("x/media")[:2], *failed("x/media", X_ADDRESS, Failure.TLS_RESET)])
BLOCKED_TWICE = a_round(
    *twice([LIE, dns("x/web", "doh", X_ADDRESS), *reached("x/web", X_ADDRESS)]),
    *NO_MEDIA,
    *innocuous(reached("x/media", X_ADDRESS)),
)
SLOW = a_round(
    *fine("x/web"),
    *fine("x/media"),
    *(transfer("x/web", kbps) for kbps in (128, 130, 140)),
    *(transfer("foreign/one.example", kbps) for kbps in (16_000, 20_000, 24_000)),
)
OFFLINE = a_round(gate=Gate(state=GateState.OFFLINE, controls=3, passed_before=0, passed_after=0))
PORTAL = a_round(
    gate=Gate(state=GateState.PORTAL, controls=3, passed_before=0, passed_after=0),
    platforms=(X, replace(X, name="facebook", title="Facebook")),
)
SOMEBODY_ELSE = twice(
    [*fine("x/web")[:2], *failed("x/web", X_ADDRESS, Failure.TLS_UNKNOWN_AUTHORITY, tls=shown("gw.example"))]
)

SAID = [
    (CLEAN, "X: reachable."),
    (
        BLOCKED,
        "X: blocked in part (the web page). "
        "Your provider's name server answers 10.10.34.35 for x.com, where no public service can be; the "
        "address given elsewhere is provably X's.",
    ),
    (
        a_round(*BY_NAME, PAST_HOME, *NO_MEDIA),
        "X: blocked. Your provider's network resets the connection as soon as the name x.com is seen; the "
        "same server answers under another name.",
    ),
    (
        # Nothing shows that it is past the home, so nobody is named.
        a_round(*BY_NAME, *NO_MEDIA),
        "X: blocked. The network resets the connection as soon as the name x.com is seen; the same server "
        "answers under another name.",
    ),
    (
        a_round(*SOMEBODY_ELSE, *fine("x/media")),
        "X: not reachable in part (the web page); only others elsewhere can tell whether it is blocked or "
        "down. Somebody else seems to answer in the place of x.com (certificate from Some CA); whether "
        "everywhere, this line alone cannot tell.",
    ),
    (
        a_round(*twice([*fine("x/web")[:2], *CUT]), *fine("x/media")),
        "X: not reachable in part; only others elsewhere can tell whether it is blocked or down. "
        "x.com (the web page): the connection is cut before it is encrypted.",
    ),
    (
        OFFLINE,
        "X: could not be judged. This line is offline: unrelated sites did not answer either. Check the "
        "router and the cable or Wi-Fi, then run again.",
    ),
    (
        SLOW,
        "X: slowed down. This line gets the web page of X at 136 kbit/s, unrelated sites at 20.0 Mbit/s.",
    ),
    (
        BLOCKED_TWICE,
        "X: blocked. Your provider's name server answers 10.10.34.35 for x.com, where no public service can "
        "be; the address given elsewhere is provably X's. The network resets the connection as soon as the "
        "name pbs.twimg.com is seen; the same server answers under another name.",
    ),
]


@pytest.mark.parametrize(("rnd", "said"), SAID)
def test_each_verdict_is_one_plain_sentence(rnd: object, said: str) -> None:
    assert sentence(X, judge(rnd)[0]) == said  # type: ignore[arg-type]


def verdict(
    status: Status, *reasons: str, scope: Scope | None = Scope.FULL, findings: tuple[Finding, ...] = ()
) -> Verdict:
    """One that rests on these rules."""
    why = tuple(Reason(rule=rule, text=f"Because of {rule}.") for rule in reasons)
    return Verdict(platform="x", status=status, scope=scope, mechanisms=findings, reasons=why)


def finding(*roles: str, families: tuple[int, ...] = (4,)) -> Finding:
    return Finding(mechanism=Mechanism.TLS, level=Level.PROVEN, families=families, roles=roles)


@pytest.mark.parametrize(
    ("findings", "said"),
    [
        ((finding("x/media"),), "X: blocked in part (images)."),
        ((finding("x/web", "x/media"),), "X: blocked in part (over IPv4)."),
        ((finding("x/web", "x/media", families=(4, 6)),), "X: blocked in part."),
        ((), "X: blocked in part."),
    ],
)
def test_what_is_blocked_in_part_is_said_by_the_part(findings: tuple[Finding, ...], said: str) -> None:
    assert sentence(X, verdict(Status.BLOCKED, scope=Scope.PARTIAL, findings=findings)) == said


def test_two_reasons_are_enough_and_how_a_part_failed_is_said_where_nothing_else_is() -> None:
    three = verdict(Status.BLOCKED, "dns.bogon", "dns.impostor", "ip.silent", "tls.name")
    assert sentence(X, three) == "X: blocked. Because of dns.bogon. Because of ip.silent."
    two = verdict(Status.UNREACHABLE, "ip.silent", "roles.failed")
    assert sentence(X, two).endswith("down. Because of ip.silent.")
    assert sentence(X, verdict(Status.UNREACHABLE, "roles.failed")).endswith("Because of roles.failed.")


def test_a_verdict_of_a_newer_engine_is_said_by_its_own_word() -> None:
    assert sentence(X, verdict(Status("eclipsed"))) == "X: eclipsed."


def test_what_is_wrong_with_the_whole_line_is_explained_once() -> None:
    assert sentences(outcome_of(PORTAL)) == [
        "X: could not be judged. A login page of this network (a captive portal) answers in the place of "
        "every site. Log in to it in a browser, then run again.",
        "Facebook: could not be judged, for the same reason as X.",
    ]


def test_whoever_could_not_be_judged_is_told_what_to_do() -> None:
    cannot = {rule.id for rule in RULES if rule.status is Status.INSUFFICIENT}
    assert set(HINTS) == cannot - {"gate.unknown"}  # which no agent says of itself


def test_every_role_and_every_failure_has_words() -> None:
    roles = {role.name for platform in load_platforms(Config()) for role in platform.roles}
    assert roles == set(PARTS)
    assert set(Failure) == set(HOW)


JARGON = ("TLS", "TCP", "TTL", "SNI", "DNS", "DoH", "handshake", "resolver", " hop", "x/web", "_error")


@pytest.mark.parametrize("rule", CASES)
def test_no_reason_needs_knowledge_of_networks(rule: str) -> None:
    (text,) = [reason.text for reason in CASES[rule].verdict().reasons if reason.rule == rule]
    assert [word for word in JARGON if word in text] == []
    assert len(text) <= 160
    assert text.endswith(".")


@given(st.sampled_from(list(CASES)), st.integers(40, 200), st.sampled_from(["xterm", "dumb"]))
def test_no_line_is_longer_than_the_terminal(rule: str, columns: int, term: str) -> None:
    screen = Window(columns, environ={"TERM": term, "NO_COLOR": "1"}, encoding="ascii")
    outcome = Outcome(CASES[rule].round(), (CASES[rule].verdict(),))
    show(outcome, screen)
    lines = screen.text().splitlines()
    assert all(len(line) <= columns and line.isascii() and line.isprintable() for line in lines)
    assert " ".join(lines) == sentences(outcome)[0]


def test_the_verdict_has_its_colour_where_colour_is_wanted() -> None:
    screen = Window(environ={"TERM": "xterm"})
    show(outcome_of(BLOCKED), screen)
    assert screen.text().startswith("\x1b[1mX: \x1b[0m\x1b[31mblocked\x1b[0m in part (")


def test_off_a_terminal_a_sentence_is_one_line() -> None:
    plain = io.StringIO()
    show(outcome_of(BLOCKED), Screen(plain, {"TERM": "xterm"}))
    assert plain.getvalue().splitlines() == sentences(outcome_of(BLOCKED))


ROUNDS = [summary(outcome_of(rnd)) for rnd in (CLEAN, BLOCKED, PORTAL, OFFLINE)]
FOUR = {
    **ROUNDS[1],
    "platforms": {
        name: {"status": status, "mechanisms": ["dns"] if status == "blocked" else []}
        for name, status in {"x": "blocked", "facebook": "ok", "instagram": "ok", "youtube": "ok"}.items()
    },
}


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (
            None,
            "2023-12-17T15:04:00.000Z  online   x blocked(dns)  facebook ok  instagram ok  youtube ok",
        ),
        (80, "2023-12-17 15:04Z  x blocked(dns)  facebook ok  instagram ok  youtube ok"),
        (40, "12-17 15:04Z  x blocked(dns)  others ok"),
        (30, "12-17 15:04Z  x blocked(dns..."),
    ],
)
def test_a_round_is_a_line_that_loses_first_what_is_least_missed(width: int | None, said: str) -> None:
    assert history([FOUR], width) == [said]


@given(st.sampled_from([*ROUNDS, FOUR]), st.integers(1, 120))
def test_a_round_is_one_line_in_any_terminal(entry: dict[str, object], width: int) -> None:
    (line,) = history([entry], width)
    assert cells(line) <= width


ALIKE = {name: {"status": "insufficient", "mechanisms": []} for name in FOUR["platforms"]}


def test_a_round_in_which_all_platforms_are_alike_says_so() -> None:
    assert [line[14:] for line in history([{**FOUR, "gate": "portal", "platforms": ALIKE}], 40)] == [
        "portal  all insufficient"
    ]


NOTES = {
    "last_upload_at": "900",
    "last_route": "https://one.example",
    "last_obstacle": "https://two.example: connection refused",
    "elsewhere": "x fails from 0 of 9 in 3 countries",
    "clock_skew_s": "-7200",
}
FIGURES = SpoolFigures(pending=2, size_bytes=4096, oldest_at=1000.0, dropped=3, refused={"too_old": 1})


ROUTE = Route(url="https://one.example")
WAYS = [
    (Way(ROUTE), Seen(900.0, 900.0, "")),
    (Way(ROUTE, at="192.0.2.7"), None),
    (Way(ROUTE, asked=True), Seen(1048.0, 700.0, "connection refused")),
]


def test_status_says_what_waits_what_stands_in_the_way_and_what_others_see() -> None:
    rounds = [summary(outcome_of(BLOCKED))]
    assert status(True, FIGURES, NOTES, WAYS, rounds, now=1060.0) == [
        "agent        running",
        "last round   2023-12-17T15:04:00.000Z  online   x blocked(dns)",
        "waiting      2 rounds, 4 KiB, the oldest from 60 s ago",
        "last upload  3 min ago, to https://one.example",
        "elsewhere    x fails from 0 of 9 in 3 countries",
        "clock        7200 s behind the collector's: set it, or turn on NTP",
        "obstacle     https://two.example: connection refused",
        "route        https://one.example: worked 3 min ago",
        "route        https://one.example at 192.0.2.7: not tried on this network",
        "route        https://one.example by the trusted resolver: failed 12 s ago (connection refused);"
        " worked 6 min ago",
        "dropped      3 rounds, because the spool was full or they were too old",
        "refused      1 rounds, by the collector: too_old",
    ]


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ("online", "the collector is unreachable, though this line is online"),
        ("offline", "the collector is unreachable, and this line is not well (offline)"),
        ("", "the collector is unreachable"),
    ],
)
def test_a_collector_that_no_way_leads_to_is_unreachable_and_the_line_is_what_the_controls_say(
    gate: str, said: str
) -> None:
    seen = [(Way(ROUTE), Seen(900.0, None, "connection reset by peer")), (Way(ROUTE, asked=True), None)]
    assert obstacle(seen, "https://one.example: connection reset by peer", gate) == said


def test_what_a_collector_itself_has_said_is_no_trouble_of_the_ways() -> None:
    seen = [(Way(ROUTE), Seen(900.0, 900.0, ""))]
    assert obstacle(seen, "https://one.example: answered 429 crowded", "online").endswith("429 crowded")


def test_status_says_what_waits_for_another_network() -> None:
    assert status(True, FIGURES, {}, [], [], now=1060.0, away=1)[3] == (
        "away         1 of them wait for the network they were measured on"
    )


def test_status_keeps_the_round_in_one_line_and_folds_the_others_under_themselves() -> None:
    screen = Window(40)
    for line in status(True, FIGURES, NOTES, [], [FOUR], now=1060.0, width=40):
        screen.print(line, indent=STATUS_INDENT)
    lines = screen.text().splitlines()
    assert "last round   12-17 15:04Z  x blocked(..." in lines
    assert lines[-2:] == ["refused      1 rounds, by the collector:", "             too_old"]
    assert all(len(line) <= 40 for line in lines)
