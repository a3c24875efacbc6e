"""What the rules see in DNS: lies of the line's resolver, and whose they are.

Most homes ask a router, which asks the provider's resolver in its turn, and some routers filter
on their own. So a lie is laid at the provider's door only where it is heard past the home: from
the provider's own resolver, on the way to a resolver abroad, or from an address that runs none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import Enum, auto

from probe.wire.address import is_bogon
from probe.wire.failure import Failure
from probe.wire.observation import Observation
from probe.wire.scrub import is_private
from probe.wire.stage import DnsDetail, LateAnswer, Resolver

from .evidence import EndpointEvidence, Evidence
from .record import Fact

FAMILIES = (4, 6)

# Resolvers that filter because somebody at home chose them (their operators' own pages, 2026-11):
# OpenDNS FamilyShield, Cloudflare for Families, CleanBrowsing, AdGuard Family.
_CHOSEN_FILTERS = frozenset(
    {
        "208.67.222.123", "208.67.220.123", "1.1.1.2", "1.0.0.2", "1.1.1.3", "1.0.0.3",
        "185.228.168.10", "185.228.169.11", "185.228.168.168", "185.228.169.168",
        "94.140.14.15", "94.140.15.16",
    }
)  # fmt: skip

# An answer whose TTL nobody has lowered was sent by the next host (initial values: RFC 1700, Linux).
_NEXT_DOOR = frozenset({32, 64, 128, 255})

# Answers that deny a name. A resolver abroad may refuse or fail for reasons of its own.
_DENIALS = frozenset({Failure.DNS_BOGON, Failure.DNS_NXDOMAIN, Failure.DNS_NO_ANSWER})
_OWN_TROUBLE = frozenset({Failure.DNS_REFUSED, Failure.DNS_SERVFAIL})
_ANY_DENIAL = (*_DENIALS, *_OWN_TROUBLE, Failure.DNS_TIMEOUT)

Finds = Callable[[Evidence], Iterable[Fact]]


class Liar(Enum):
    """Whose lie it is, as far as one line can tell."""

    PROVIDER = auto()
    HOME = auto()
    UNKNOWN = auto()


def denied(failure: Failure, said: str, families: tuple[int, ...] = FAMILIES) -> Finds:
    """The line's resolver denies a name of which a genuine address is known."""

    def finds(evidence: Evidence) -> Iterator[Fact]:
        for endpoint, family in _each(evidence, families):
            lookups = endpoint.denied(failure, family)
            if lookups and endpoint.genuine(family) and liar(evidence, endpoint, family) is Liar.PROVIDER:
                answers = lookups[0].dns.answers if lookups[0].dns else ()
                text = (
                    f"Your provider's resolver {said.format(answers=', '.join(answers))} for "
                    f"{endpoint.host}; an address from elsewhere proves by its certificate to be "
                    f"{evidence.platform.title}'s."
                )
                yield Fact(text, endpoint.target, family)

    return finds


def denied_unproven(evidence: Evidence) -> Iterator[Fact]:
    """The line's resolver denies a name for which a trusted one gives addresses, on none of which a
    handshake completes: they may be blocked as well."""
    for endpoint, family in _each(evidence, FAMILIES):
        given = [a for a in endpoint.addresses(Resolver.DOH) if (":" in a) == (family == 6)]
        denials = _DENIALS if family == 4 else _DENIALS - {Failure.DNS_NO_ANSWER}
        lied = any(endpoint.denied(failure, family) for failure in denials)
        unproven = lied and given and not endpoint.genuine(family)
        if unproven and liar(evidence, endpoint, family) is Liar.PROVIDER:
            text = f"Your provider's resolver denies {endpoint.host}, for which a trusted one has addresses."
            yield Fact(text, endpoint.target, family)


def bogon_alone(evidence: Evidence) -> Iterator[Fact]:
    """A bogon, where nobody else could be asked: no platform lives at such an address."""
    for endpoint, family in _each(evidence, FAMILIES):
        lookups = endpoint.denied(Failure.DNS_BOGON, family)
        others = endpoint.addresses(Resolver.DOH, Resolver.PUBLIC)
        if lookups and not others and liar(evidence, endpoint, family) is Liar.PROVIDER:
            yield Fact(
                f"Your provider's resolver gives {endpoint.host} an address that no public service "
                "can have; no other resolver could be asked.",
                endpoint.target,
                family,
            )


def impostor(evidence: Evidence) -> Iterator[Fact]:
    """An address that only the line's resolver gives shows somebody else's certificate."""
    for endpoint, family in _each(evidence, FAMILIES):
        shown = _misled(endpoint, family)
        if shown and liar(evidence, endpoint, family) is Liar.PROVIDER:
            yield Fact(
                f"Your provider's resolver leads {endpoint.host} to {shown.address}, which shows "
                f"somebody else's certificate{issued_by(shown)}; an address from elsewhere shows "
                f"{evidence.platform.title}'s.",
                endpoint.target,
                family,
            )


def second_answer(evidence: Evidence) -> Iterator[Fact]:
    """One question answered twice, once with a lie: somebody on the way answered first."""
    for endpoint, family in _each(evidence, FAMILIES):
        for seen in _plain(endpoint, family):
            if seen.dns is not None and _contradicts(endpoint, seen.dns):
                yield Fact(
                    f"A question for {endpoint.host} was answered twice, and differently: the first "
                    "answer was put in on the way.",
                    endpoint.target,
                    family,
                )
                break


def from_nowhere(evidence: Evidence) -> Iterator[Fact]:
    """An address that runs no resolver answers with a lie."""
    for endpoint, family in _each(evidence, FAMILIES):
        if any(_lies(endpoint, seen) for seen in endpoint.lookups(Resolver.NOBODY, family)):
            if _answers_controls(evidence, Resolver.NOBODY) and not endpoint.genuine(family):
                continue  # a proxy for every name may be telling the truth: the name may be gone
            yield Fact(
                f"An address where no resolver runs answers for {endpoint.host}: your provider's "
                "network answers in everybody's place.",
                endpoint.target,
                family,
            )


def hijacked_abroad(evidence: Evidence) -> Iterator[Fact]:
    """A resolver abroad seems to lie while a genuine address is known."""
    for endpoint, family in _each(evidence, FAMILIES):
        if endpoint.genuine(family) and any(
            _lies(endpoint, seen) for seen in endpoint.lookups(Resolver.PUBLIC, family)
        ):
            yield Fact(
                f"Even what a resolver abroad is asked for {endpoint.host} comes back as a lie: it is "
                "answered on the way.",
                endpoint.target,
                family,
            )


def own_filter(evidence: Evidence) -> Iterator[Fact]:
    """The lie is told at home: past the router the provider's own resolver is honest."""
    yield from _told_by(
        evidence,
        Liar.HOME,
        "{host} is blocked by this home's own router or resolver: your provider's answers truly.",
    )


def home_or_provider(evidence: Evidence) -> Iterator[Fact]:
    """The lie comes through the home's own resolver, and nobody behind it could be asked."""
    yield from _told_by(
        evidence,
        Liar.UNKNOWN,
        "The resolver of this home gives a false answer for {host}; whether it is the home's own filter or "
        "the provider's cannot be told from here.",
    )


def _told_by(evidence: Evidence, who: Liar, text: str) -> Iterator[Fact]:
    for endpoint, family in _each(evidence, FAMILIES):
        if _is_misled(endpoint, family) and liar(evidence, endpoint, family) is who:
            yield Fact(text.format(host=endpoint.host), endpoint.target, family)


def _is_misled(endpoint: EndpointEvidence, family: int) -> bool:
    denials = (
        (*_DENIALS, *_OWN_TROUBLE, Failure.DNS_TIMEOUT)
        if family == 4
        else (Failure.DNS_BOGON, Failure.DNS_NXDOMAIN)
    )
    denied_it = any(endpoint.denied(failure, family) for failure in denials)
    return (denied_it and bool(endpoint.genuine(family))) or _misled(endpoint, family) is not None


def liar(evidence: Evidence, endpoint: EndpointEvidence, family: int) -> Liar:
    """Who answered falsely, given that the line's resolver did."""
    lookups = endpoint.lookups(Resolver.SYSTEM, family)
    if not all(_is_home(seen.dns) for seen in lookups if seen.dns):
        return Liar.PROVIDER
    past_home = [seen for kind in _PAST_HOME for seen in endpoint.lookups(kind, family)]
    if any(_lies(endpoint, seen) for seen in past_home) or _is_silent(evidence, endpoint, family):
        return Liar.PROVIDER
    if any(seen.dns and _contradicts(endpoint, seen.dns) for seen in _plain(endpoint, family)):
        return Liar.PROVIDER
    honest = any(seen.failure is None for seen in endpoint.lookups(Resolver.PROVIDER, family))
    return Liar.HOME if honest else Liar.UNKNOWN


def _is_silent(evidence: Evidence, endpoint: EndpointEvidence, family: int) -> bool:
    """Whether the provider's resolver, which answers this home for an unrelated name, never does for
    this one."""
    asked = endpoint.lookups(Resolver.PROVIDER, family)
    silent = bool(asked) and all(seen.failure is Failure.DNS_TIMEOUT for seen in asked)
    return silent and _answers_controls(evidence, Resolver.PROVIDER)


_PAST_HOME = (Resolver.PROVIDER, Resolver.PUBLIC, Resolver.NOBODY)


def _each(evidence: Evidence, families: Iterable[int]) -> Iterator[tuple[EndpointEvidence, int]]:
    for endpoint in evidence.endpoints():
        for family in families:
            yield endpoint, family


def _is_home(asked: DnsDetail) -> bool:
    """Whether the server is of this home, or was chosen by it: scrubbing leaves no private address."""
    return asked.server is None or is_private(asked.server) or asked.server in _CHOSEN_FILTERS


def _misled(endpoint: EndpointEvidence, family: int) -> Observation | None:
    """Somebody else's certificate on an address that nobody but the line's resolver gives, while
    another address is genuine."""
    if not endpoint.genuine(family):
        return None
    elsewhere = endpoint.addresses(Resolver.DOH)
    return next(
        (
            seen
            for address, seen in endpoint.impostors().items()
            if seen.family == family and address not in elsewhere
        ),
        None,
    )


def _lies(endpoint: EndpointEvidence, seen: Observation) -> bool:
    """Whether somebody past the home gave a false answer."""
    if seen.dns is None or seen.dns.ip_ttl is None or seen.dns.ip_ttl in _NEXT_DOOR:
        return False  # not known to come from past the home
    if seen.failure in _OWN_TROUBLE:
        return seen.dns.resolver is Resolver.PROVIDER
    if seen.failure is Failure.DNS_NO_ANSWER and seen.family == 6:
        return False
    return seen.failure in _DENIALS or _is_false(endpoint, seen.dns.answers)


def _is_false(endpoint: EndpointEvidence, answers: Iterable[str]) -> bool:
    """Whether every address is impossible or shows somebody else's certificate."""
    impostors = endpoint.impostors()
    told = list(answers)
    return bool(told) and all(is_bogon(address) or address in impostors for address in told)


def _contradicts(endpoint: EndpointEvidence, heard: DnsDetail) -> bool:
    """Whether two answers to one question have nothing in common, and one of them is false: by
    itself, or because only the other leads to the platform."""
    answers: list[DnsDetail | LateAnswer] = [heard, *heard.late]
    genuine = endpoint.genuine(4) | endpoint.genuine(6)
    true = [a for a in answers if a.answers and not _is_false(endpoint, a.answers)]
    proven = [a for a in true if genuine & set(a.answers)]
    false = [a for a in answers if a.rcode is not None and a not in true]
    return bool(heard.late and true and (false or 0 < len(proven) < len(answers)))


def _plain(endpoint: EndpointEvidence, family: int) -> list[Observation]:
    kinds = (Resolver.SYSTEM, *_PAST_HOME)
    return [seen for kind in kinds for seen in endpoint.lookups(kind, family)]


def _answers_controls(evidence: Evidence, resolver: Resolver) -> bool:
    """Whether an unrelated name is answered for, by a resolver or by whoever stands before it."""
    return any(
        o.dns is not None and o.dns.resolver is resolver and o.dns.rcode is not None
        for o in evidence.controls
    )


def issued_by(shown: Observation) -> str:
    """The issuer that a foreign certificate names, in brackets."""
    chain = shown.tls.chain if shown.tls else ()
    return f" (issued by {chain[0].issuer})" if chain else ""
