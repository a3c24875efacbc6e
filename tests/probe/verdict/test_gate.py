"""The gate: two unrelated controls, before and after, or the round says nothing."""

from __future__ import annotations

import pytest

from probe.verdict.gate import judge_gate
from probe.wire.failure import Failure
from probe.wire.observation import GateState, Observation, Phase
from probe.wire.stage import Stage
from tests.rounds import control, controls, portal_page

BEFORE, AFTER = controls(Phase.BEFORE), controls(Phase.AFTER)
HOSTS = ("one.example", "two.example", "three.example")


def failing(failure: Failure, stage: Stage = Stage.TCP, phase: Phase = Phase.BEFORE) -> list[Observation]:
    return [control(phase, host, failure, stage=stage) for host in HOSTS]


DEAD = failing(Failure.CONNECTION_TIMEOUT)
DOMESTIC = [control(Phase.BEFORE, "site.pk", kind="domestic")]
PORTAL = [portal_page(matches=False)]

CASES: dict[str, tuple[list[Observation], str]] = {
    "all pass, before and after": (BEFORE + AFTER, "online"),
    "two of three are enough": (BEFORE[:2] + AFTER[1:], "online"),
    "one is not, whatever it says": (BEFORE[:1] + AFTER, "offline"),
    "the line dies in the middle of the round": (
        BEFORE + failing(Failure.CONNECTION_TIMEOUT, phase=Phase.AFTER),
        "offline",
    ),
    "the round ends before the gate after": (BEFORE, "offline"),
    "nothing was observed at all": ([], "offline"),
    "everything is dead": (DEAD, "offline"),
    "domestic sites alone answer": (DEAD + DOMESTIC, "domestic_only"),
    "a portal answers the cleartext check": (DEAD + PORTAL, "portal"),
    "a portal that intercepts TLS is a portal": (
        failing(Failure.TLS_UNKNOWN_AUTHORITY, Stage.TLS) + PORTAL,
        "portal",
    ),
    "a portal check that fails while controls pass is no portal": (BEFORE + PORTAL + AFTER, "online"),
    "every control shows a foreign certificate": (
        failing(Failure.TLS_UNKNOWN_AUTHORITY, Stage.TLS),
        "local_interception",
    ),
    "every certificate seems out of date": (failing(Failure.TLS_CERTIFICATE_TIME, Stage.TLS), "clock"),
}


@pytest.mark.parametrize("story", CASES)
def test_the_gate_says(story: str) -> None:
    observations, state = CASES[story]
    assert judge_gate(observations, 3).state == GateState(state)


def test_the_gate_counts_hosts_not_observations() -> None:
    gate = judge_gate([*BEFORE[:1] * 5, *AFTER], 3)
    assert (gate.passed_before, gate.passed_after, gate.state) == (1, 3, GateState.OFFLINE)
