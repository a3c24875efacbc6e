"""The rule table: everything the engine can say, in the order in which it is asked.

A rule finds *facts* in the evidence; where it finds any, it speaks. Ids are persistent: they are
stored, published and quoted, so a rule that changes its meaning gets a new id. To add one, add a
row and a case to ``tests/probe/verdict/test_rules.py``, which holds that every row runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from probe.wire.failure import Failure
from probe.wire.observation import GateState
from probe.wire.stage import Resolver

from .evidence import EndpointEvidence, Evidence
from .record import Level, Mechanism, Status

FAMILIES = (4, 6)


@dataclass(frozen=True, slots=True)
class Fact:
    """Something seen, in words for a volunteer; which role and address family it touches."""

    text: str
    target: str | None = None
    family: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A row. `mechanism` and `level` go together; `why` names the source of the judgment."""

    id: str
    status: Status
    finds: Callable[[Evidence], Iterable[Fact]]
    why: str
    mechanism: Mechanism | None = None
    level: Level | None = None


def _gate(state: GateState, text: str) -> Callable[[Evidence], Iterable[Fact]]:
    return lambda evidence: [Fact(text)] if evidence.gate == state else []


def _gate_unknown(evidence: Evidence) -> Iterable[Fact]:
    if not evidence.gate.is_known:
        yield Fact(f"This line could not judge ({evidence.gate}).")


def _denied(
    failure: Failure, said: str, families: tuple[int, ...] = FAMILIES
) -> Callable[[Evidence], Iterable[Fact]]:
    """The line's resolver denies a name for which the trusted one gives a genuine address."""

    def finds(evidence: Evidence) -> Iterator[Fact]:
        for endpoint in evidence.endpoints():
            for family in families:
                lookups = endpoint.denied(failure, family)
                if lookups and endpoint.vouched(family):
                    answers = lookups[0].dns.answers if lookups[0].dns else ()
                    what = said.format(answers=", ".join(answers))
                    text = (
                        f"{endpoint.endpoint.host}: this line's resolver {what}, while a trusted resolver "
                        "gives an address that proves by its certificate to be the platform's."
                    )
                    yield Fact(text, endpoint.target, family)

    return finds


def _impostor(
    text: str, applies: Callable[[EndpointEvidence, str, int], bool]
) -> Callable[[Evidence], Iterable[Fact]]:
    """Somebody else's certificate on an address for which `applies` holds."""

    def finds(evidence: Evidence) -> Iterator[Fact]:
        for endpoint in evidence.endpoints():
            for address, seen in endpoint.impostors().items():
                family = seen.family or 4
                if applies(endpoint, address, family):
                    chain = seen.tls.chain if seen.tls else ()
                    issuer = f" (issued by {chain[0].issuer})" if chain else ""
                    yield Fact(
                        text.format(host=endpoint.endpoint.host, issuer=issuer), endpoint.target, family
                    )

    return finds


def _from_doh(endpoint: EndpointEvidence, address: str, _family: int) -> bool:
    return address in endpoint.addresses(Resolver.DOH)


def _from_line_alone(endpoint: EndpointEvidence, address: str, family: int) -> bool:
    return address not in endpoint.addresses(Resolver.DOH) and bool(endpoint.vouched(family))


def _unplaced(endpoint: EndpointEvidence, _address: str, _family: int) -> bool:
    return not endpoint.addresses(Resolver.DOH)


def _foreign_redirect(evidence: Evidence) -> Iterator[Fact]:
    if not evidence.cleartext_is_clean:
        return  # a provider that redirects every page (an unpaid bill, say) blocks no platform
    for endpoint in evidence.endpoints():
        for seen in endpoint.foreign_redirects()[:1]:
            location = seen.http.location if seen.http else ""
            text = (
                f"{endpoint.endpoint.host}: an answer in cleartext leads to {location}, not to the platform."
            )
            yield Fact(text, endpoint.target, seen.family)


def _unfinished(evidence: Evidence) -> Iterator[Fact]:
    if evidence.gate is not GateState.ONLINE:
        return  # nothing was tried, and the gate has said why
    for role in evidence.required():
        if not role.is_finished:
            yield Fact(f"{role.target}: the round ended before it was measured.", role.target)


def _answered(evidence: Evidence) -> Iterator[Fact]:
    required = evidence.required()
    if all(role.is_answered for role in required):
        roles = ", ".join(role.role.name for role in required)
        yield Fact(f"{evidence.platform.title} answered, with a valid certificate, for {roles}.")


def _failed(evidence: Evidence) -> Iterator[Fact]:
    for role in evidence.required():
        if not role.is_answered:
            yield Fact(f"{role.target}: {_how_it_failed(role.endpoints[0])}.", role.target)


def _how_it_failed(endpoint: EndpointEvidence) -> str:
    """The furthest failure, which is the one that stood in the way; a server's error otherwise."""
    failures = [o for o in endpoint.observations if o.failure is not None]
    errors = [o.http.status for o in endpoint.observations if o.http and (o.http.status or 0) >= 500]
    if errors:
        return f"the server answered with an error ({errors[-1]})"
    if not failures:
        return "only addresses of the trusted resolver answered"
    order = ["dns", "tcp", "tls", "http"]
    last = max(failures, key=lambda o: order.index(o.stage) if o.stage in order else -1)
    return f"failed at {last.stage.upper()} ({last.failure})"


_DENIAL = "README rule 3; OONI ts-017 calls the same dns_consistency inconsistent"

RULES: tuple[Rule, ...] = (
    Rule(
        id="gate.offline",
        status=Status.INSUFFICIENT,
        finds=_gate(
            GateState.OFFLINE, "This line is offline: the unrelated control sites did not answer either."
        ),
        why="No verdict without two controls before and after; OONI/probe#1629 shows the cost of none.",
    ),
    Rule(
        id="gate.portal",
        status=Status.INSUFFICIENT,
        finds=_gate(GateState.PORTAL, "A captive portal answers in place of the sites asked for."),
        why="RFC 8952: until the portal is satisfied every answer may be the portal's.",
    ),
    Rule(
        id="gate.domestic_only",
        status=Status.INSUFFICIENT,
        finds=_gate(GateState.DOMESTIC_ONLY, "Only domestic sites answer: the way abroad is cut or down."),
        why="A cut of all foreign traffic is a shutdown, which says nothing about one platform.",
    ),
    Rule(
        id="gate.local_interception",
        status=Status.INSUFFICIENT,
        finds=_gate(
            GateState.LOCAL_INTERCEPTION,
            "Unrelated sites show foreign certificates too: a filter, antivirus or proxy of this line's own.",
        ),
        why="README rule 6: what intercepts the controls as well is no platform's block.",
    ),
    Rule(
        id="gate.clock",
        status=Status.INSUFFICIENT,
        finds=_gate(
            GateState.CLOCK,
            "This machine's clock is wrong: certificates of unrelated sites seem out of date.",
        ),
        why="RFC 5280, section 4.1.2.5: validity is judged by the clock of who verifies.",
    ),
    Rule(
        id="gate.unknown",
        status=Status.INSUFFICIENT,
        finds=_gate_unknown,
        why="A newer agent's word for why it could not judge is not ours to overrule.",
    ),
    Rule(
        id="dns.bogon",
        status=Status.BLOCKED,
        mechanism=Mechanism.DNS,
        level=Level.PROVEN,
        finds=_denied(Failure.DNS_BOGON, "answers {answers}, which no public service can have"),
        why=f"RFC 6890 addresses are not globally reachable; {_DENIAL}.",
    ),
    Rule(
        id="dns.nxdomain",
        status=Status.BLOCKED,
        mechanism=Mechanism.DNS,
        level=Level.PROVEN,
        finds=_denied(Failure.DNS_NXDOMAIN, "says that the name does not exist"),
        why=f"RFC 8020: NXDOMAIN denies the name itself, and it exists; {_DENIAL}.",
    ),
    Rule(
        id="dns.refused",
        status=Status.BLOCKED,
        mechanism=Mechanism.DNS,
        level=Level.PROVEN,
        finds=_denied(Failure.DNS_REFUSED, "refuses to answer for this name"),
        why=f"The same resolver answered for the controls; {_DENIAL}.",
    ),
    Rule(
        id="dns.no_answer",
        status=Status.BLOCKED,
        mechanism=Mechanism.DNS,
        level=Level.PROVEN,
        # A resolver that leaves out AAAA on purpose (a home without IPv6) is no censor.
        finds=_denied(Failure.DNS_NO_ANSWER, "gives no address for it", families=(4,)),
        why=f"RFC 2308 NODATA for a name that has an A record; {_DENIAL}.",
    ),
    Rule(
        id="dns.impostor",
        status=Status.BLOCKED,
        mechanism=Mechanism.DNS,
        level=Level.LIKELY,
        finds=_impostor(
            "{host}: the address this line's resolver gives shows somebody else's certificate{issuer}, "
            "and a trusted resolver's address shows the platform's.",
            _from_line_alone,
        ),
        why="README rule 2: an address is genuine when a valid handshake for the name completes on it.",
    ),
    Rule(
        id="tls.foreign_certificate",
        status=Status.BLOCKED,
        mechanism=Mechanism.MITM,
        level=Level.PROVEN,
        finds=_impostor(
            "{host}: somebody else's certificate{issuer} is shown on an address a trusted resolver gives.",
            _from_doh,
        ),
        why="README rule 6; the controls of the same round showed valid certificates.",
    ),
    Rule(
        id="tls.foreign_certificate_unplaced",
        status=Status.BLOCKED,
        mechanism=Mechanism.MITM,
        # The name may have been lied about instead: without a trusted answer nobody can tell.
        level=Level.WEAK,
        finds=_impostor(
            "{host}: somebody else's certificate{issuer} is shown; no trusted resolver could be asked.",
            _unplaced,
        ),
        why="README rule 6; interference is certain, its place is not.",
    ),
    Rule(
        id="http.foreign_redirect",
        status=Status.BLOCKED,
        mechanism=Mechanism.HTTP,
        level=Level.PROVEN,
        finds=_foreign_redirect,
        why="README rule 7: any redirect counts, 303 too, where OONI looks at four codes alone (ts-017).",
    ),
    Rule(
        id="round.unfinished",
        status=Status.INSUFFICIENT,
        finds=_unfinished,
        why="What was not measured is unknown; it is neither reachable nor blocked.",
    ),
    Rule(
        id="roles.answered",
        status=Status.OK,
        finds=_answered,
        why="README, `ok`: 403, 429, 451 and a CAPTCHA by the platform's own valid host are reachable.",
    ),
    Rule(
        id="roles.failed",
        status=Status.UNREACHABLE,
        finds=_failed,
        why="README rule 11: from one vantage alone this cannot be told from the platform's own outage.",
    ),
)
