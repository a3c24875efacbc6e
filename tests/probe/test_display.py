"""What a volunteer reads: plain, without colour where none is wanted, never wider than the terminal."""

from __future__ import annotations

import io
import re

import pytest

from probe.display import live, sentence, sentences, show, status
from probe.outcome import outcome_of, summary
from probe.spool import SpoolFigures
from probe.verdict import judge
from probe.wire.failure import Failure
from probe.wire.observation import Gate, GateState
from tests.rounds import X_ADDRESS, X, a_round, dns, failed, fine, innocuous, reached, transfer, twice

LIE = dns("x/web", "system", "10.10.34.35", failure=Failure.DNS_BOGON)
CLEAN = a_round(*fine("x/web"), *fine("x/media"))
BLOCKED = a_round(
    *twice([LIE, dns("x/web", "doh", X_ADDRESS), *reached("x/web", X_ADDRESS)]), *fine("x/media")
)
CUT = failed("x/media", X_ADDRESS, Failure.TLS_RESET)
BLOCKED_TWICE = a_round(
    *twice([LIE, dns("x/web", "doh", X_ADDRESS), *reached("x/web", X_ADDRESS), *fine("x/media")[:2], *CUT]),
    *innocuous(reached("x/media", X_ADDRESS)),
)
SLOW = a_round(
    *fine("x/web"),
    *fine("x/media"),
    *(transfer("x/web", kbps) for kbps in (128, 130, 140)),
    *(transfer("foreign/one.example", kbps) for kbps in (16_000, 20_000, 24_000)),
)
RESET = a_round(
    *twice([*fine("x/web")[:2], *failed("x/web", X_ADDRESS, Failure.TLS_RESET)]), *fine("x/media")
)
OFFLINE = a_round(gate=Gate(state=GateState.OFFLINE, controls=3, passed_before=0, passed_after=0))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("rnd", "said"),
    [
        (CLEAN, "X: reachable."),
        (
            BLOCKED,
            "X: blocked in part. Your provider's resolver answers 10.10.34.35, where no public service can "
            "be, for x.com; an address from elsewhere proves by its certificate to be X's.",
        ),
        (
            RESET,
            "X: not reachable from here; this line alone cannot tell a block from an outage. "
            "x/web: failed at TLS (tls_reset_error).",
        ),
        (
            OFFLINE,
            "X: could not be judged. This line is offline: unrelated sites did not answer either.",
        ),
        (
            SLOW,
            "X: slowed down. X (web) comes at 140 kbit/s on this line, unrelated sites at 20.0 Mbit/s.",
        ),
        (
            BLOCKED_TWICE,
            "X: blocked. Your provider's resolver answers 10.10.34.35, where no public service can be, for "
            "x.com; an address from elsewhere proves by its certificate to be X's. Your provider's network "
            "resets the connection as soon as the name pbs.twimg.com is seen; the same server answers under "
            "another name.",
        ),
    ],
)
def test_each_verdict_is_one_plain_sentence(rnd: object, said: str) -> None:
    assert sentence("X", judge(rnd)[0]) == said  # type: ignore[arg-type]


def test_the_table_fills_in_as_observations_come_and_fits_the_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "72")
    terminal = Terminal()
    with live((X,), terminal, {"NO_COLOR": "1"}) as see:
        for observation in BLOCKED.observations:
            see(observation)
    text = terminal.getvalue()
    assert re.search(r"X +\| 4 ok, 2 failed \| 3 ok \| 3 ok \| 3 ok", text)
    assert "checking this line once more" in text


def test_without_colour_there_is_no_escape_in_the_sentences() -> None:
    terminal = Terminal()
    show(outcome_of(BLOCKED), terminal, {"NO_COLOR": "1"})
    assert "blocked" in terminal.getvalue()
    assert "\x1b[3" not in terminal.getvalue()


def test_off_a_terminal_there_is_no_table_and_a_sentence_is_one_line() -> None:
    plain = io.StringIO()
    with live((X,), plain, {}) as see:
        see(BLOCKED.observations[0])
    assert plain.getvalue() == ""
    show(outcome_of(BLOCKED), plain, {})
    assert plain.getvalue().splitlines() == sentences(outcome_of(BLOCKED))
    assert plain.getvalue().isascii()


def test_status_says_what_waits_what_stands_in_the_way_and_what_others_see() -> None:
    figures = SpoolFigures(pending=2, size_bytes=4096, oldest_at=1000.0, dropped=3, refused={"too_old": 1})
    notes = {
        "last_upload_at": "900",
        "last_route": "https://one.example",
        "last_obstacle": "https://two.example: connection refused",
        "elsewhere": "x fails from 0 of 9 in 3 countries",
        "clock_skew_s": "-7200",
    }
    rounds = [summary(outcome_of(BLOCKED))]
    assert status(True, figures, notes, rounds, now=1060.0) == [
        "agent        running",
        "last round   2023-12-17T15:04:00.000Z  online   x blocked(dns)",
        "waiting      2 rounds, 4 KiB, the oldest from 60 s ago",
        "last upload  3 min ago, to https://one.example",
        "elsewhere    x fails from 0 of 9 in 3 countries",
        "clock        7200 s behind the collector's: set it, or turn on NTP",
        "obstacle     https://two.example: connection refused",
        "dropped      3 rounds, because the spool was full or they were too old",
        "refused      1 rounds, by the collector: too_old",
    ]
