"""Stories about whole rounds: whether they could judge, and whether a service answers."""

from __future__ import annotations

from probe.wire.failure import Failure
from probe.wire.observation import Gate, GateState
from tests.rounds import X_ADDRESS, X_SIX, dns, failed, fine, reached, twice

from .story import BOTH_FAMILIES, MEDIA, Story

WEB = "x/web"
WELL = [*fine(WEB), *MEDIA]
LOOKUPS = fine(WEB)[:2]


def shut(state: str, *, says: str = "insufficient") -> Story:
    """A gate that says no, whatever was measured."""
    gate = Gate(state=GateState(state), controls=3, passed_before=0, passed_after=0)
    return Story(says=says, seen=WELL, gate=gate)


SIX = [*(dns(WEB, who, X_SIX, kind="AAAA") for who in ("system", "doh"))]

CASES = {
    **{
        f"gate.{state}": shut(state)
        for state in ("offline", "portal", "domestic_only", "local_interception", "clock")
    },
    "gate.unknown": shut("eclipse"),
    "round.unfinished": Story(says="insufficient", seen=fine(WEB)),
    "roles.family_failed": Story(
        says="unreachable",
        seen=[*twice([*fine(WEB), *SIX, *failed(WEB, X_SIX, Failure.TLS_TIMEOUT)]), *MEDIA],
        controls=BOTH_FAMILIES,
    ),
    "roles.failed": Story(
        says="unreachable", seen=[*twice([*LOOKUPS, *failed(WEB, X_ADDRESS, Failure.TLS_RESET)]), *MEDIA]
    ),
    "roles.answered": Story(says="ok", seen=WELL),
}

INNOCENT = {
    "a platform without IPv6, on a line that has it": Story(says="ok", seen=WELL, controls=BOTH_FAMILIES),
    "a family over which the platform failed once": Story(
        says="ok",
        seen=[*WELL, *SIX, *failed(WEB, X_SIX, Failure.TLS_TIMEOUT)],
        controls=BOTH_FAMILIES,
    ),
    "the server's own error": Story(
        says="unreachable", seen=[*LOOKUPS, *twice(reached(WEB, X_ADDRESS, status=503)), *MEDIA]
    ),
    "every connection fails": Story(
        says="unreachable",
        seen=[*twice([*LOOKUPS, *failed(WEB, X_ADDRESS, Failure.CONNECTION_TIMEOUT)]), *MEDIA],
    ),
    "this machine's own failure": Story(
        says="insufficient", seen=[*LOOKUPS, *twice(failed(WEB, X_ADDRESS, Failure.NO_ROUTE)), *MEDIA]
    ),
}
