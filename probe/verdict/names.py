"""What the rules see in DNS: lies of the line's resolver, and whose they are.

Most homes ask a router, which asks the provider's resolver in its turn, and some routers filter
on their own. So a lie is laid at the provider's door only where it is heard past the home: from
the provider's own resolver, on the way to a resolver abroad, or from an address that runs none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import Enum, auto
from functools import lru_cache
from ipaddress import ip_address, ip_network

from probe.wire.address import is_bogon
from probe.wire.failure import Failure
from probe.wire.observation import Observation
from probe.wire.scrub import is_private
from probe.wire.stage import DnsDetail, LateAnswer, Resolver

from .evidence import EndpointEvidence, Evidence
from .record import Fact
from .walk import CONFIRMING, by_address
from .wording import issued_by

FAMILIES = (4, 6)

# Networks of resolvers that filter because somebody at home chose them, or as its account there says:
# OpenDNS, Cloudflare for Families, CleanBrowsing, AdGuard, NextDNS, Control D. Those with accounts
# filter at the same addresses, so whole networks: one too many accuses nobody.
_CHOSEN_FILTERS = tuple(
    ip_network(text)
    for text in (
        "208.67.220.0/24", "208.67.222.0/24", "2620:119:35::/48", "2620:119:53::/48",
        "1.1.1.2/31", "1.0.0.2/31", "2606:4700:4700::1112/127", "2606:4700:4700::1002/127",
        "185.228.168.0/24", "185.228.169.0/24", "2a0d:2a00::/32",
        "94.140.14.0/24", "94.140.15.0/24", "2a10:50c0::/32",
        "45.90.28.0/24", "45.90.30.0/24", "2a07:a8c0::/31",
        "76.76.2.0/24", "76.76.10.0/24", "2606:1a40::/47",
    )
)  # fmt: skip

# A packet whose TTL nobody has lowered was sent by the next host (initial values: RFC 1700, Linux).
NEXT_DOOR = frozenset({32, 64, 128, 255})

# Answers that deny a name. A resolver abroad may refuse or fail for reasons of its own.
_DENIALS = frozenset({Failure.DNS_BOGON, Failure.DNS_NXDOMAIN, Failure.DNS_NO_ANSWER})
_OWN_TROUBLE = frozenset({Failure.DNS_REFUSED, Failure.DNS_SERVFAIL})

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
                lie = said.format(host=endpoint.host, answers=", ".join(answers))
                text = f"Your provider's name server {lie}; {_truth(evidence)}."
                yield Fact(text, endpoint.target, family)

    return finds


def _truth(evidence: Evidence) -> str:
    return f"the address given elsewhere is provably {evidence.platform.title}'s"


def denied_unproven(evidence: Evidence) -> Iterator[Fact]:
    """The line's resolver denies a name for which a trusted one gives addresses, on none of which a
    handshake completes: they may be blocked as well."""
    for endpoint, family in _each(evidence, FAMILIES):
        told = (a for a in endpoint.addresses(Resolver.DOH) if not is_bogon(a))
        given = [a for a in told if (":" in a) == (family == 6)]
        denials = _DENIALS if family == 4 else _DENIALS - {Failure.DNS_NO_ANSWER}
        lied = any(endpoint.denied(failure, family) for failure in denials)
        # In cleartext nothing proves an address, so nothing is missing there.
        unproven = lied and given and endpoint.endpoint.is_tls and not endpoint.genuine(family)
        if unproven and liar(evidence, endpoint, family) is Liar.PROVIDER:
            yield Fact(
                f"Your provider's name server denies {endpoint.host}; a trusted one gives addresses for it.",
                endpoint.target,
                family,
            )


def silence(evidence: Evidence) -> Iterator[Fact]:
    """The line's resolver never answers for a name, and always for unrelated ones: where packets are
    lost, those for unrelated names are lost as well."""
    asked = [o for o in evidence.controls if o.dns and o.dns.resolver is Resolver.SYSTEM]
    if not any(o.failure is Failure.DNS_TIMEOUT for o in asked):
        yield from denied(Failure.DNS_TIMEOUT, "never answers for {host}")(evidence)


def bogon_alone(evidence: Evidence) -> Iterator[Fact]:
    """A bogon, where no trusted resolver could be asked: no platform lives at such an address."""
    for endpoint, family in _each(evidence, FAMILIES):
        lookups = endpoint.denied(Failure.DNS_BOGON, family)
        trusted = any(o.dns and o.dns.rcode for o in endpoint.lookups(Resolver.DOH, family))
        abroad = endpoint.lookups(Resolver.PUBLIC, family)
        honest = any(o.failure is None for o in abroad)
        if lookups and not trusted and not honest and liar(evidence, endpoint, family) is Liar.PROVIDER:
            yield Fact(
                f"Your provider's name server gives {endpoint.host} an address where no public service "
                "can be; no trusted one could be asked.",
                endpoint.target,
                family,
            )


def impostor(evidence: Evidence) -> Iterator[Fact]:
    """An address that only the line's resolver gives shows somebody else's certificate."""
    for endpoint, family in _each(evidence, FAMILIES):
        shown = _misled(endpoint, family)
        if shown and liar(evidence, endpoint, family) is Liar.PROVIDER:
            yield Fact(
                f"Your provider's name server leads {endpoint.host} to {shown.address}, where somebody "
                f"else answers{issued_by(shown)}; {_truth(evidence)}.",
                endpoint.target,
                family,
            )


def second_answer(evidence: Evidence) -> Iterator[Fact]:
    """One question answered twice, once with a lie: somebody on the way answered first."""
    for endpoint, family in _each(evidence, FAMILIES):
        for seen in _plain(endpoint, family):
            if seen.dns is not None and _contradicts(endpoint, seen.dns):
                yield Fact(
                    f"The question for the address of {endpoint.host} was answered twice, and differently: "
                    "somebody on the way put in the first answer.",
                    endpoint.target,
                    family,
                )
                break


def from_nowhere(evidence: Evidence) -> Iterator[Fact]:
    """An address that runs no resolver answers with a lie; or for this name alone, where no genuine
    address is known: a proxy for every name may be telling the truth, that the name is gone."""
    for endpoint, family in _each(evidence, FAMILIES):
        is_false = bool(endpoint.genuine(family)) or _is_silent_for_controls(evidence)
        if is_false and _is_lied_to(endpoint, family, Resolver.NOBODY):
            yield Fact(
                f"Asked for {endpoint.host}, even an address where no name server is answers: your "
                "provider's network answers in everybody's place.",
                endpoint.target,
                family,
            )


def hijacked_abroad(evidence: Evidence) -> Iterator[Fact]:
    """A resolver abroad seems to lie while a genuine address is known."""
    for endpoint, family in _each(evidence, FAMILIES):
        if endpoint.genuine(family) and _is_lied_to(endpoint, family, Resolver.PUBLIC):
            yield Fact(
                f"Asked for {endpoint.host}, even a name server abroad seems to lie: somebody on the way "
                "answers in its place.",
                endpoint.target,
                family,
            )


def own_filter(evidence: Evidence) -> Iterator[Fact]:
    """The lie is told at home: past the router the provider's own resolver is honest."""
    yield from _told_by(
        evidence,
        Liar.HOME,
        "{host} is blocked by this home's own router or name server; your provider's answers truly.",
    )


def home_or_provider(evidence: Evidence) -> Iterator[Fact]:
    """The lie comes through the home's own resolver, and nobody behind it could be asked."""
    yield from _told_by(
        evidence,
        Liar.UNKNOWN,
        "This home's name server answers falsely for {host}; whether it is the home's own filter or the "
        "provider's cannot be told from here.",
    )


def _is_lied_to(endpoint: EndpointEvidence, family: int, resolver: Resolver) -> bool:
    """Whether a lie comes in the place of this resolver's answer, and is not the only one heard."""
    if not any(_lies(endpoint, seen) for seen in endpoint.lookups(resolver, family)):
        return False
    lookups = [seen for kind in (Resolver.SYSTEM, *_PAST_HOME) for seen in endpoint.lookups(kind, family)]
    return sum(_is_lie(endpoint, seen) for seen in lookups) >= CONFIRMING


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
    if not all(is_home(seen.dns) for seen in lookups if seen.dns):
        return Liar.PROVIDER
    past_home = [seen for kind in _PAST_HOME for seen in endpoint.lookups(kind, family)]
    if any(_lies(endpoint, seen) for seen in past_home) or _is_silent(evidence, endpoint, family):
        return Liar.PROVIDER
    if any(seen.dns and _contradicts(endpoint, seen.dns) for seen in _plain(endpoint, family)):
        return Liar.PROVIDER
    answered = [s for s in endpoint.lookups(Resolver.PROVIDER, family) if s.failure is None]
    honest = any(not _is_lie(endpoint, seen) for seen in answered)
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


def is_home(asked: DnsDetail) -> bool:
    """Whether the server is of this home, or was chosen by it: scrubbing leaves no private address.
    A home's router may go by a public one, as it does in IPv6, or answer in another server's place."""
    return asked.server is None or asked.ip_ttl in NEXT_DOOR or _is_chosen(asked.server)


@lru_cache(maxsize=1024)
def _is_chosen(server: str) -> bool:
    """Whether a server is this home's by its address, or known to filter for whoever chose it."""
    return is_private(server) or any(ip_address(server) in network for network in _CHOSEN_FILTERS)


def is_placed(endpoint: EndpointEvidence, address: str) -> bool:
    """Whether it is the platform that lives at an address, or somebody past the home who says so: a
    home's own filter leads to a page of its own."""
    trusted = endpoint.addresses(Resolver.DOH)
    if trusted:
        return address in trusted
    asked = [o.dns for o in endpoint.observations if o.dns is not None and address in o.dns.answers]
    return any(_is_past_home(dns) for dns in asked)


def _is_past_home(dns: DnsDetail) -> bool:
    """Whether an answer is known to come from past the home."""
    if dns.resolver is Resolver.SYSTEM:
        return not is_home(dns)
    return dns.ip_ttl is not None and dns.ip_ttl not in NEXT_DOOR


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
    return seen.dns is not None and _is_past_home(seen.dns) and _is_lie(endpoint, seen)


def _is_lie(endpoint: EndpointEvidence, seen: Observation) -> bool:
    """Whether an answer is false, whoever gave it."""
    if seen.dns is None or _is_confirmed(endpoint, seen):
        return False
    if seen.failure in _OWN_TROUBLE:
        return seen.dns.resolver in (Resolver.SYSTEM, Resolver.PROVIDER)
    if seen.failure is Failure.DNS_NO_ANSWER and seen.family == 6:
        return False
    return seen.failure in _DENIALS or _is_false(endpoint, seen.dns.answers)


def _is_confirmed(endpoint: EndpointEvidence, seen: Observation) -> bool:
    """Whether the trusted resolver fails in the same way: then so it is, and nobody lies."""
    trusted = endpoint.lookups(Resolver.DOH, seen.family or 4)
    return seen.failure is not None and any(o.failure == seen.failure for o in trusted)


def _is_false(endpoint: EndpointEvidence, answers: Iterable[str]) -> bool:
    """Whether every address is impossible, or shows somebody else's certificate and is not one that
    a trusted resolver gives too."""
    told = list(answers)
    return bool(told) and all(is_bogon(address) or address in endpoint.foreign for address in told)


def _contradicts(endpoint: EndpointEvidence, heard: DnsDetail) -> bool:
    """Whether of two answers to one question one may be true, and the other is false: by itself, or
    because it leads nowhere and only the first leads to the platform."""
    if not heard.late:
        return False
    # A router that asks two servers may pass both answers on, and one of them may be in trouble.
    answers: list[DnsDetail | LateAnswer] = [heard, *heard.late]
    answers = [answer for answer in answers if answer.ip_ttl not in NEXT_DOOR]
    true = [a for a in answers if a.answers and not _is_false(endpoint, a.answers)]
    false = [a for a in answers if a not in true and a.rcode in ("NOERROR", "NXDOMAIN")]
    genuine = endpoint.genuine(4) | endpoint.genuine(6)
    proven = [a for a in true if genuine & set(a.answers)]
    astray = [a for a in true if a not in proven and _leads_nowhere(endpoint, a.answers)]
    return bool(true and false) or bool(proven and astray)


def _leads_nowhere(endpoint: EndpointEvidence, answers: Iterable[str]) -> bool:
    """Whether an address was tried and fails again and again."""
    tried = by_address(endpoint.walks)
    return any(sum(bool(walk.broken) for walk in tried.get(a, ())) >= CONFIRMING for a in answers)


def _plain(endpoint: EndpointEvidence, family: int) -> list[Observation]:
    """The questions that somebody on the way could have answered, the home's own resolver's left out:
    what it says twice it was told, or made up."""
    own = [s for s in endpoint.lookups(Resolver.SYSTEM, family) if s.dns and not is_home(s.dns)]
    return own + [seen for kind in _PAST_HOME for seen in endpoint.lookups(kind, family)]


def _answers_controls(evidence: Evidence, resolver: Resolver) -> bool:
    """Whether an unrelated name is answered for, by a resolver or by whoever stands before it."""
    return any(
        o.dns is not None and o.dns.resolver is resolver and o.dns.rcode is not None
        for o in evidence.controls
    )


def _is_silent_for_controls(evidence: Evidence) -> bool:
    """Whether the address that runs no resolver was asked for unrelated names too, in vain."""
    asked = [o for o in evidence.controls if o.dns and o.dns.resolver is Resolver.NOBODY]
    return bool(asked) and all(o.dns is None or o.dns.rcode is None for o in asked)
