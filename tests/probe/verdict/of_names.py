"""Stories about lies in DNS: whose they are, and what is no lie."""

from __future__ import annotations

from collections.abc import Sequence

from probe.wire.failure import Failure
from probe.wire.observation import Observation, Purpose
from probe.wire.stage import DnsDetail, Resolver, Stage
from tests.rounds import (
    HOME,
    OTHER_X_ADDRESS,
    X_ADDRESS,
    X_SIX,
    dns,
    failed,
    fine,
    late,
    observed,
    reached,
    shown,
    times,
    twice,
)

from .story import BOTH_FAMILIES, MEDIA, Story

WEB, PLAIN = "x/web", "x/plain"
BOGON, NXDOMAIN, TIMEOUT = Failure.DNS_BOGON, Failure.DNS_NXDOMAIN, Failure.DNS_TIMEOUT
FOREIGN = Failure.TLS_UNKNOWN_AUTHORITY
LIE, BLOCK_PAGE, INJECTED = "10.10.34.35", "203.101.184.9", "8.7.198.45"
GENUINE = [dns(WEB, "doh", X_ADDRESS), *reached(WEB, X_ADDRESS)]
GONE = [dns(WEB, "doh", failure=NXDOMAIN)]
UNTRUSTED = [dns(WEB, "doh", failure=TIMEOUT)]


def lied(*lookups: Observation, beside: Sequence[Observation] = GENUINE) -> list[Observation]:
    """The line's resolver says this in both attempts, and the trusted one's address is genuine."""
    return [*twice([*lookups, *beside]), *MEDIA]


def by(failure: Failure, *answers: str, **how: object) -> Observation:
    """The line's resolver denies the name."""
    return dns(WEB, "system", *answers, failure=failure, **how)  # type: ignore[arg-type]


def witness(resolver: str, *answers: str, failure: Failure | None = None, ttl: int = 55) -> Observation:
    """Somebody else asked where a lie is suspected."""
    return dns(WEB, resolver, *answers, failure=failure, attempt=2, ttl=ttl)


def asked_for_control(resolver: Resolver, rcode: str | None) -> Observation:
    """An unrelated name, asked of a resolver on the way."""
    detail = DnsDetail(resolver=resolver, query_type="A", server="192.0.2.53", rcode=rcode, ip_ttl=55)
    failure = None if rcode else TIMEOUT
    return observed(Stage.DNS, "foreign/one.example", failure, dns=detail, purpose=Purpose.CONTROL)


AT_HOME = by(NXDOMAIN, server=HOME, ttl=None)
IMPOSTOR = [dns(WEB, "system", BLOCK_PAGE), *failed(WEB, BLOCK_PAGE, FOREIGN)]
DEAD = failed(WEB, INJECTED, Failure.CONNECTION_TIMEOUT)

CASES = {
    "dns.bogon": Story(says="blocked: dns proven", seen=lied(by(BOGON, LIE))),
    "dns.nxdomain": Story(says="blocked: dns proven", seen=lied(by(NXDOMAIN))),
    "dns.refused": Story(says="blocked: dns proven", seen=lied(by(Failure.DNS_REFUSED))),
    "dns.no_answer": Story(says="blocked: dns proven", seen=lied(by(Failure.DNS_NO_ANSWER))),
    "dns.servfail": Story(says="blocked: dns likely", seen=lied(by(Failure.DNS_SERVFAIL))),
    "dns.timeout": Story(
        says="blocked: dns likely", seen=[*lied(by(TIMEOUT)), asked_for_control(Resolver.NOBODY, None)]
    ),
    "dns.bogon_alone": Story(says="blocked: dns likely", seen=lied(by(BOGON, LIE), beside=UNTRUSTED)),
    "dns.denied_unproven": Story(
        says="blocked: dns likely",
        seen=lied(
            by(NXDOMAIN),
            dns(WEB, "doh", X_ADDRESS),
            *failed(WEB, X_ADDRESS, Failure.CONNECTION_REFUSED),
            beside=(),
        ),
    ),
    "dns.impostor": Story(says="blocked: dns likely", seen=lied(*IMPOSTOR)),
    "dns.second_answer": Story(
        says="blocked: dns proven",
        seen=lied(dns(WEB, "system", INJECTED, late=[late(X_ADDRESS)]), *DEAD),
    ),
    "dns.from_nowhere": Story(
        says="blocked: dns proven", seen=[*lied(AT_HOME), witness("nobody", failure=NXDOMAIN)]
    ),
    "dns.hijacked_abroad": Story(
        says="blocked: dns proven", seen=[*lied(AT_HOME), witness("public", failure=NXDOMAIN)]
    ),
    "local.own_filter": Story(says="insufficient", seen=[*lied(AT_HOME), witness("provider", X_ADDRESS)]),
    "dns.home_or_provider": Story(says="unreachable: dns weak", seen=lied(AT_HOME)),
}

# Other ways in which a rule must speak, with the rule.
ALSO = {
    "a bogon from everybody but the trusted resolver, which cannot be asked": (
        "dns.bogon_alone",
        Story(
            says="blocked: dns likely",
            seen=lied(by(BOGON, LIE), dns(WEB, "public", LIE, failure=BOGON), beside=UNTRUSTED),
        ),
    ),
    "an address without a resolver that answers for this name alone": (
        "dns.from_nowhere",
        Story(
            says="blocked: dns proven",
            seen=[
                *lied(AT_HOME, beside=UNTRUSTED),
                witness("nobody", failure=NXDOMAIN),
                asked_for_control(Resolver.NOBODY, None),
            ],
        ),
    ),
    "the line's resolvers are silent, and those past the home lie": (
        "dns.hijacked_abroad",
        Story(
            says="blocked: dns proven",
            seen=[
                *lied(by(TIMEOUT, server=HOME)),
                witness("public", failure=NXDOMAIN),
                witness("nobody", failure=NXDOMAIN),
            ],
        ),
    ),
    "a second answer that only may be true, because the address is blocked as well": (
        "dns.second_answer",
        Story(
            says="blocked: dns proven",
            seen=lied(
                by(BOGON, LIE, late=[late(X_ADDRESS)]),
                *failed(WEB, X_ADDRESS, Failure.TLS_RESET),
                beside=UNTRUSTED,
            ),
        ),
    ),
    "a resolver abroad that is answered for on the way, and answers": (
        "dns.second_answer",
        Story(
            says="blocked: dns proven",
            seen=[
                *lied(by(NXDOMAIN, server=HOME)),
                dns(WEB, "public", failure=NXDOMAIN, late=[late(X_ADDRESS)], attempt=2),
            ],
        ),
    ),
    "one resolver of the home's and one of the provider's": (
        "dns.nxdomain",
        Story(
            says="blocked: dns proven",
            seen=[AT_HOME, by(NXDOMAIN, attempt=2), *twice(GENUINE), *MEDIA],
        ),
    ),
    "a lie for a name of which another address is genuine, heard from the provider's own resolver": (
        "dns.impostor",
        Story(
            says="blocked: dns likely",
            seen=[
                *lied(dns(WEB, "system", BLOCK_PAGE, server=HOME), *IMPOSTOR[1:]),
                witness("provider", BLOCK_PAGE),
            ],
        ),
    ),
    "a false address in IPv6": (
        "dns.bogon",
        Story(
            says="blocked: dns proven",
            seen=lied(
                by(BOGON, "::", kind="AAAA"), dns(WEB, "doh", X_SIX, kind="AAAA"), *reached(WEB, X_SIX)
            ),
        ),
    ),
    "a lie in IPv6 through the home's router": (
        "dns.home_or_provider",
        Story(
            says="unreachable: dns weak",
            seen=[
                *fine(WEB),
                *lied(
                    by(NXDOMAIN, kind="AAAA", server=HOME),
                    dns(WEB, "doh", X_SIX, kind="AAAA"),
                    *reached(WEB, X_SIX),
                ),
            ],
        ),
    ),
    "somebody else's certificate where the provider's own resolver leads": (
        "tls.foreign_everywhere",
        Story(
            says="unreachable: mitm weak",
            seen=[
                *lied(
                    dns(WEB, "system", BLOCK_PAGE, server=HOME),
                    *failed(WEB, BLOCK_PAGE, FOREIGN),
                    beside=UNTRUSTED,
                ),
                witness("provider", BLOCK_PAGE),
            ],
        ),
    ),
}

INNOCENT = {
    # One failure is never an event.
    "a bogon seen once": Story(says="unreachable", seen=[by(BOGON, LIE), *GENUINE, *MEDIA]),
    "a lie in the first attempt and the truth in the second": Story(
        says="ok",
        seen=[by(NXDOMAIN), dns(WEB, "system", X_ADDRESS, attempt=2), *GENUINE, *MEDIA],
    ),
    "one false answer to an address that runs no resolver, and nothing else wrong": Story(
        says="ok", seen=[*fine(WEB), witness("nobody", failure=NXDOMAIN), *MEDIA]
    ),
    "two lookups lost on a line where an unrelated one was lost too": Story(
        says="unreachable",
        seen=[*lied(by(TIMEOUT)), asked_for_control(Resolver.SYSTEM, None)],
    ),
    # The name is gone, or lies there for everybody.
    "a platform's name that is gone": Story(
        says="unreachable", seen=lied(by(NXDOMAIN), witness("public", failure=NXDOMAIN), beside=GONE)
    ),
    "a name that is gone, behind a transparent proxy": Story(
        says="unreachable",
        seen=[
            *lied(by(NXDOMAIN), beside=UNTRUSTED),
            *twice([witness("nobody", failure=NXDOMAIN)]),
            asked_for_control(Resolver.NOBODY, "NOERROR"),
        ],
    ),
    "a name that is gone, where nobody asked how the proxy treats others": Story(
        says="unreachable",
        seen=[*lied(by(NXDOMAIN), beside=UNTRUSTED), *twice([witness("nobody", failure=NXDOMAIN)])],
    ),
    "a bogon that the trusted resolver gives as well": Story(
        says="unreachable",
        seen=lied(by(BOGON, LIE), beside=[dns(WEB, "doh", LIE, failure=BOGON)]),
    ),
    "a bogon of which the trusted resolver says that there is no such name": Story(
        says="unreachable", seen=lied(by(BOGON, LIE), beside=GONE)
    ),
    "a name without AAAA": Story(
        says="ok",
        seen=[
            *fine(WEB),
            *twice([dns(WEB, "system", kind="AAAA", failure=Failure.DNS_NO_ANSWER)]),
            *MEDIA,
        ],
    ),
    "a bogon that only a router gives, and no trusted resolver to ask": Story(
        says="unreachable", seen=lied(by(BOGON, LIE, server=HOME), beside=UNTRUSTED)
    ),
    "a bogon where a resolver abroad gives an address, and no trusted one can be asked": Story(
        says="unreachable", seen=lied(by(BOGON, LIE), dns(WEB, "public", X_ADDRESS), beside=UNTRUSTED)
    ),
    "a bogon where the trusted resolver denies the name and then is silent": Story(
        says="unreachable", seen=[*lied(by(BOGON, LIE), beside=()), *GONE, *times(1, UNTRUSTED, first=2)]
    ),
    "a name that resolvers abroad deny too, with no trusted one to ask": Story(
        says="unreachable",
        seen=lied(AT_HOME, dns(WEB, "public", failure=NXDOMAIN), beside=UNTRUSTED),
    ),
    "a name that the trusted resolver denies, at an address where no resolver runs": Story(
        says="unreachable",
        seen=[
            *lied(by(NXDOMAIN), beside=GONE),
            *twice([witness("nobody", failure=NXDOMAIN)]),
            asked_for_control(Resolver.NOBODY, None),
        ],
    ),
    "AAAA that nobody past the home has": Story(
        says="ok",
        seen=[
            *fine(WEB),
            dns(WEB, "doh", X_SIX, kind="AAAA"),
            *reached(WEB, X_SIX),
            *twice([dns(WEB, "public", kind="AAAA", failure=Failure.DNS_NO_ANSWER)]),
            *MEDIA,
        ],
        controls=BOTH_FAMILIES,
    ),
    # It is the home's own.
    "a router that leads to a page of its own, another address being genuine": Story(
        says="unreachable: dns weak",
        seen=lied(dns(WEB, "system", BLOCK_PAGE, server=HOME), *IMPOSTOR[1:]),
    ),
    "a router that answers in the place of the provider's resolver, and leads to a page of its own": Story(
        says="unreachable: dns weak",
        seen=[
            *lied(dns(WEB, "system", BLOCK_PAGE, server=HOME), *IMPOSTOR[1:]),
            witness("provider", BLOCK_PAGE, ttl=64),
        ],
    ),
    "a router that lies while the provider's resolver is honest": Story(
        says="insufficient",
        seen=[*lied(by(BOGON, "0.0.0.0", server=HOME, ttl=64)), witness("provider", X_ADDRESS)],
    ),
    "a router that answers for everybody, the provider's resolver too": Story(
        says="unreachable: dns weak",
        seen=[
            *lied(AT_HOME),
            *(witness(who, failure=NXDOMAIN, ttl=64) for who in ("provider", "public", "nobody")),
        ],
    ),
    "a router that goes by a public address, as routers do in IPv6": Story(
        says="unreachable: dns weak",
        seen=lied(by(NXDOMAIN, server="2400:adc0:1::1", ttl=64)),
    ),
    "a resolver that somebody at home chose because it filters": Story(
        says="unreachable: dns weak", seen=lied(by(NXDOMAIN, server="45.90.28.17"))
    ),
    "a filter's own page, where a router leads and no trusted resolver can be asked": Story(
        says="unreachable",
        seen=lied(
            dns(WEB, "system", BLOCK_PAGE, server=HOME, ttl=64),
            *failed(WEB, BLOCK_PAGE, FOREIGN),
            beside=UNTRUSTED,
        ),
    ),
    "a filter's own page in cleartext, where a router leads": Story(
        says="ok",
        seen=[
            *fine(WEB),
            *twice(
                [
                    dns(PLAIN, "system", BLOCK_PAGE, server=HOME, ttl=64),
                    dns(PLAIN, "doh", X_ADDRESS),
                    *reached(PLAIN, BLOCK_PAGE, status=302, location="https://filter.example/"),
                ]
            ),
            *MEDIA,
        ],
    ),
    # What differs is no lie.
    "different genuine addresses from both resolvers": Story(
        says="ok",
        seen=[
            dns(WEB, "system", X_ADDRESS),
            dns(WEB, "doh", OTHER_X_ADDRESS),
            *reached(WEB, X_ADDRESS),
            *reached(WEB, OTHER_X_ADDRESS),
            *MEDIA,
        ],
    ),
    "two answers to one question, of which one address was not tried": Story(
        says="ok",
        seen=[*twice([dns(WEB, "system", X_ADDRESS, late=[late(OTHER_X_ADDRESS)]), *GENUINE]), *MEDIA],
    ),
    "the same answer twice": Story(
        says="ok",
        seen=[*twice([dns(WEB, "system", X_ADDRESS, late=[late(X_ADDRESS)]), *GENUINE]), *MEDIA],
    ),
    "a router that passes on two servers' answers, one of them a refusal": Story(
        says="ok",
        seen=[
            *twice([dns(WEB, "system", X_ADDRESS, late=[late(rcode="REFUSED")]), *GENUINE]),
            *twice([dns(WEB, "public", X_ADDRESS, late=[late(rcode="NXDOMAIN", ttl=64)])]),
            *MEDIA,
        ],
    ),
    "a home's resolver that answers twice, of which one answer is its own": Story(
        says="unreachable: dns weak",
        seen=lied(by(BOGON, LIE, server=HOME, ttl=None, late=[late(X_ADDRESS)])),
    ),
    "a second answer that refuses": Story(
        says="ok",
        seen=[*twice([dns(WEB, "system", X_ADDRESS, late=[late(rcode="SERVFAIL")]), *GENUINE]), *MEDIA],
    ),
    "two answers of which neither is known to be true": Story(
        says="unreachable",
        seen=lied(dns(WEB, "system", INJECTED, late=[late("8.7.198.46")]), *DEAD, beside=UNTRUSTED),
    ),
    "a transparent and honest proxy": Story(
        says="ok",
        seen=[
            *fine(WEB),
            *twice([witness("nobody", X_ADDRESS), witness("public", X_ADDRESS)]),
            asked_for_control(Resolver.NOBODY, "NOERROR"),
            *MEDIA,
        ],
    ),
    "an honest proxy where this machine's own antivirus opens what it leads to": Story(
        says="insufficient",
        seen=[
            *twice(
                [
                    dns(WEB, "system", X_ADDRESS),
                    witness("nobody", X_ADDRESS),
                    *failed(WEB, X_ADDRESS, FOREIGN, tls=shown("x.com", system_trusted=True)),
                ]
            ),
            *MEDIA,
        ],
    ),
    "a resolver abroad that refuses strangers": Story(
        says="unreachable: dns weak",
        seen=[*lied(AT_HOME), *twice([witness("public", failure=Failure.DNS_REFUSED)])],
    ),
    "a home whose resolver leaves out IPv6": Story(
        says="ok",
        seen=[
            *times(
                2,
                [
                    *fine(WEB),
                    dns(WEB, "system", kind="AAAA", failure=Failure.DNS_NO_ANSWER),
                    dns(WEB, "doh", X_SIX, kind="AAAA"),
                    *reached(WEB, X_SIX),
                ],
            ),
            *MEDIA,
        ],
        controls=BOTH_FAMILIES,
    ),
}
