"""What the rules see in a round as a whole: whether it could judge, and whether a service answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from probe.wire.failure import Failure
from probe.wire.observation import GateState
from probe.wire.stage import Stage

from .evidence import EndpointEvidence, Evidence
from .record import Fact
from .walk import CONFIRMING
from .wording import how, part

Finds = Callable[[Evidence], Iterable[Fact]]

_ORDER = (Stage.DNS, Stage.TCP, Stage.TLS, Stage.HTTP)


def gate(state: GateState, text: str) -> Finds:
    """The gate's conclusion, in words."""
    return lambda evidence: [Fact(text)] if evidence.gate == state else []


def offline(evidence: Evidence) -> Iterator[Fact]:
    """Nothing answered; where it is the resolver that is silent, that is said."""
    if evidence.gate is GateState.OFFLINE:
        lookups = [o for o in evidence.controls if o.dns is not None]
        if lookups and all(o.failure in (Failure.DNS_TIMEOUT, Failure.DNS_UNREACHABLE) for o in lookups):
            yield Fact("This line's name server does not answer, for unrelated sites either.")
        else:
            yield Fact("This line is offline: unrelated sites did not answer either.")


def gate_unknown(evidence: Evidence) -> Iterator[Fact]:
    """A newer agent's word."""
    if not evidence.gate.is_known:
        yield Fact(f"This line could not judge ({evidence.gate}).")


def unfinished(evidence: Evidence) -> Iterator[Fact]:
    """A required role was not measured to its end."""
    if evidence.gate is not GateState.ONLINE:
        return  # nothing was tried, and the gate has said why
    for role in evidence.required():
        if not role.is_finished:
            what = f"{part(role.target)} of {evidence.platform.title}"
            yield Fact(f"The round ended before it came to {what}.", role.target)


def answered(evidence: Evidence) -> Iterator[Fact]:
    """Every required role answered."""
    required = evidence.required()
    if all(role.is_answered for role in required):
        roles = ", ".join(part(role.target) for role in required)
        yield Fact(f"{evidence.platform.title} answers, with a valid certificate: {roles}.")


def failed(evidence: Evidence) -> Iterator[Fact]:
    """A required role did not answer."""
    for role in evidence.required():
        if not role.is_answered:
            unanswered = next(endpoint for endpoint in role.endpoints if not endpoint.is_answered)
            text = f"{unanswered.host} ({part(role.target)}): {_how_it_failed(unanswered)}."
            yield Fact(text, role.target)


def family_failed(evidence: Evidence) -> Iterator[Fact]:
    """An endpoint answers over one address family alone, while unrelated sites answer over both."""
    for role in evidence.required():
        for endpoint in role.endpoints:
            answered = {walk.family for walk in endpoint.walks if (walk.status or 599) < 500}
            for family in sorted(evidence.families - answered):
                walks = [walk for walk in endpoint.walks if walk.family == family]
                broken = [walk for walk in walks if walk.broken and not walk.trickled]
                if answered and len(broken) == len(walks) >= CONFIRMING:
                    yield Fact(
                        f"{endpoint.host} ({part(role.target)}) answers over IPv{10 - family} and not over "
                        f"IPv{family}, over which unrelated sites do.",
                        role.target,
                        family,
                    )


def _how_it_failed(endpoint: EndpointEvidence) -> str:
    """The furthest failure, which is the one that stood in the way; a server's error otherwise."""
    failures = [o for o in endpoint.observations if o.failure is not None and o.stage in _ORDER]
    errors = [o.http.status for o in endpoint.observations if o.http and (o.http.status or 0) >= 500]
    if errors:
        return f"the server answers with an error ({errors[-1]})"
    if not failures:
        return "only addresses answer that this line's name server does not give"
    last = max(failures, key=lambda o: _ORDER.index(o.stage))
    return how(last.failure) if last.failure else ""
