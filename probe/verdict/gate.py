"""The gate's conclusion: could this machine judge anything at all? Pure.

Controls are unrelated sites that no platform runs. Two of them must answer over certificate-valid
TLS before the platforms are measured *and* after, or the round says nothing about any platform.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from probe.wire.failure import FOREIGN_CERTIFICATE, Failure
from probe.wire.observation import Gate, GateState, Observation, Phase
from probe.wire.stage import Stage

# Two, so that one control's own trouble, or a block on one of them, does not silence a probe.
PASSING = 2

FOREIGN, DOMESTIC, PORTAL = "foreign", "domestic", "portal"


def judge_gate(observations: Iterable[Observation], controls: int) -> Gate:
    """Judge the gate from the observations of both gate phases; `controls` is how many foreign
    controls are configured. A phase without observations has passed nothing."""
    seen = tuple(observations)
    before, after = passed(seen, Phase.BEFORE), passed(seen, Phase.AFTER)
    failing = Phase.AFTER if len(before) >= PASSING else Phase.BEFORE
    online = len(before) >= PASSING and len(after) >= PASSING
    state = GateState.ONLINE if online else _why_not([o for o in seen if o.phase is failing])
    return Gate(state=state, controls=controls, passed_before=len(before), passed_after=len(after))


def passed(observations: Iterable[Observation], phase: Phase, kind: str = FOREIGN) -> set[str]:
    """The hosts of those controls of a kind that answered over certificate-valid TLS."""
    return {
        o.host
        for o in observations
        if o.phase is phase and _kind(o) == kind and o.stage is Stage.HTTP and o.failure is None
    }


def families_passed(observations: Iterable[Observation], phase: Phase) -> set[int]:
    """The address families over which a foreign control answered."""
    return {
        o.family
        for o in observations
        if o.phase is phase
        and _kind(o) == FOREIGN
        and o.stage is Stage.HTTP
        and o.failure is None
        and o.family is not None
    }


def _why_not(observations: Sequence[Observation]) -> GateState:
    """The most particular explanation the failing phase supports; a dead line where none does."""
    foreign = [o for o in observations if _kind(o) == FOREIGN]
    if _hosts_failing(foreign, {Failure.TLS_CERTIFICATE_TIME}) >= PASSING:
        return GateState.CLOCK
    if any(_is_portal(o) for o in observations):
        return GateState.PORTAL
    if _hosts_failing(foreign, FOREIGN_CERTIFICATE) >= PASSING:
        return GateState.LOCAL_INTERCEPTION
    if any(passed(observations, o.phase, DOMESTIC) for o in observations[:1]):
        return GateState.DOMESTIC_ONLY
    return GateState.OFFLINE


def _hosts_failing(observations: Iterable[Observation], failures: Iterable[Failure]) -> int:
    wanted = set(failures)
    return len({o.host for o in observations if o.failure in wanted})


def _is_portal(observation: Observation) -> bool:
    """Whether somebody else answered the cleartext check in the site's place (RFC 8952)."""
    return (
        _kind(observation) == PORTAL
        and observation.http is not None
        and observation.http.body_matches is False
    )


def _kind(observation: Observation) -> str:
    return observation.target.partition("/")[0]
