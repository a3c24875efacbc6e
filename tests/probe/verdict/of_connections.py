"""Stories about connections that fail, certificates that are somebody else's, and cleartext."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from probe.wire.failure import Failure
from probe.wire.observation import Observation
from probe.wire.stage import TcpDetail
from tests.rounds import (
    CONTROL_ADDRESS,
    OTHER_X_ADDRESS,
    X_ADDRESS,
    X_SIX,
    dns,
    elsewhere,
    failed,
    fine,
    innocuous,
    packets,
    path,
    peers,
    reached,
    shown,
    times,
    twice,
)

from .story import MEDIA, Story

WEB, PLAIN = "x/web", "x/plain"
RESET, SILENT, HANDSHAKE = Failure.TLS_RESET, Failure.TLS_TIMEOUT, Failure.TLS_HANDSHAKE
DROPPED, UNROUTED = Failure.CONNECTION_TIMEOUT, Failure.HOST_UNREACHABLE
FOREIGN, WRONG_NAME = Failure.TLS_UNKNOWN_AUTHORITY, Failure.TLS_INVALID_HOSTNAME
LOOKUPS = [dns(WEB, "system", X_ADDRESS, OTHER_X_ADDRESS), dns(WEB, "doh", X_ADDRESS, OTHER_X_ADDRESS)]
OTHER_NAME = innocuous(reached(WEB, X_ADDRESS))
NOBODYS = "198.51.100.99"
LOST = TcpDetail(bytes_acked=1, retransmits=3)


def breaks(failure: Failure, *more: Observation, address: str = X_ADDRESS) -> list[Observation]:
    """The platform's name fails so in both attempts at one address."""
    return [*twice([*LOOKUPS, *failed(WEB, address, failure)]), *more, *MEDIA]


def not_elsewhere(*more: Observation) -> list[Observation]:
    """Both names are silent at the platform's address; the platform's is at a control's too."""
    other = innocuous(failed(WEB, X_ADDRESS, SILENT))
    return breaks(SILENT, *other, *twice(elsewhere(failed(WEB, X_ADDRESS, SILENT))), *more)


def in_cleartext(*answers: Observation, resolvers: Sequence[str] = ("system", "doh")) -> list[Observation]:
    """The platform over TLS is well, and its cleartext answers so in both attempts."""
    lookups = [dns(PLAIN, resolver, X_ADDRESS) for resolver in resolvers]
    return [*fine(WEB), *twice([*lookups, *answers]), *MEDIA]


AWAY = reached(PLAIN, X_ADDRESS, status=303, location="https://block.isp.example/")
PAGE = reached(PLAIN, X_ADDRESS, body_bytes=900)
OTHER_NAME_AT_CONTROL = innocuous(reached(WEB, CONTROL_ADDRESS))
SYNS_RESET = ("expired/expired", "expired/expired", "reset/expired", "reset/expired")
UNPLACED = [dns(WEB, "system", X_ADDRESS), dns(WEB, "doh", failure=Failure.DNS_TIMEOUT)]
SILENCE = [*LOOKUPS, *(o for a in (X_ADDRESS, OTHER_X_ADDRESS) for o in failed(WEB, a, DROPPED))]
MANY = peers(9)

CASES = {
    "ip.rejected_on_the_way": Story(
        says="blocked: ip proven",
        seen=breaks(UNROUTED, path(WEB, "syn", *["expired/expired"] * 3, "rejected/expired 13")),
    ),
    "ip.reset_on_the_way": Story(
        says="blocked: ip proven",
        seen=breaks(Failure.CONNECTION_RESET, path(WEB, "syn", *SYNS_RESET)),
    ),
    "tls.name": Story(says="blocked: tls proven", seen=breaks(RESET, *OTHER_NAME)),
    "tls.name_elsewhere": Story(says="blocked: tls proven", seen=not_elsewhere(*OTHER_NAME_AT_CONTROL)),
    "tls.name_breaks_off": Story(says="blocked: tls likely", seen=breaks(Failure.HTTP_RESET, *OTHER_NAME)),
    "tls.reset_on_the_way": Story(
        says="blocked: tls proven", seen=breaks(RESET, path(WEB, "client_hello", *SYNS_RESET))
    ),
    "tls.forged_reset": Story(says="blocked: tls likely", seen=breaks(RESET, packets(WEB, 101, 101, 101))),
    "tls.answered_on_the_way": Story(
        says="blocked: mitm proven",
        seen=breaks(FOREIGN, path(WEB, "client_hello", "expired/expired", "answered/expired")),
    ),
    "tls.foreign_certificate": Story(
        says="blocked: mitm likely",
        seen=[
            *twice([*LOOKUPS, *failed(WEB, X_ADDRESS, FOREIGN)]),
            dns(WEB, "doh", X_ADDRESS, OTHER_X_ADDRESS),
            *reached(WEB, OTHER_X_ADDRESS),
            *MEDIA,
        ],
    ),
    "tls.foreign_everywhere": Story(says="unreachable: mitm weak", seen=breaks(WRONG_NAME)),
    "peers.mitm": Story(says="blocked: mitm likely", seen=breaks(FOREIGN), peers=MANY),
    "http.foreign_redirect": Story(says="blocked: http proven", seen=in_cleartext(*AWAY)),
    "http.page": Story(says="blocked: http likely", seen=in_cleartext(*PAGE)),
    "http.host": Story(
        says="blocked: http proven",
        seen=in_cleartext(
            *failed(PLAIN, X_ADDRESS, Failure.HTTP_RESET), *innocuous(reached(PLAIN, X_ADDRESS))
        ),
    ),
    "local.next_door": Story(
        says="insufficient", seen=breaks(FOREIGN, path(WEB, "client_hello", "answered/answered"))
    ),
    "local.trusted_root": Story(
        says="insufficient",
        seen=[
            *twice([*LOOKUPS, *failed(WEB, X_ADDRESS, FOREIGN, tls=shown("x.com", system_trusted=True))]),
            *MEDIA,
        ],
    ),
    "peers.ip": Story(says="blocked: ip likely", seen=breaks(DROPPED), peers=MANY),
    "peers.tls": Story(says="blocked: tls likely", seen=breaks(SILENT), peers=MANY),
    "ip.silent": Story(says="unreachable: ip weak", seen=[*twice(SILENCE), *MEDIA]),
    "tls.home_or_provider": Story(
        says="unreachable: tls weak", seen=breaks(RESET, *OTHER_NAME, packets(WEB, 64))
    ),
    "tls.lost_hello": Story(
        says="unreachable: tls weak",
        seen=[*twice([*LOOKUPS, *failed(WEB, X_ADDRESS, SILENT, tcp=LOST)]), *MEDIA],
    ),
}

# Other ways in which a rule must speak, with the rule.
ALSO = {
    "a reset whose TTL is three apart from the server's": (
        "tls.forged_reset",
        Story(says="blocked: tls likely", seen=breaks(RESET, packets(WEB, 49, genuine=(52,)))),
    ),
    "addresses that stay shut for a while after the name: each shows once that it is the name": (
        "tls.name",
        Story(
            says="blocked: tls proven",
            seen=[
                *LOOKUPS,
                *(
                    o
                    for address in (X_ADDRESS, OTHER_X_ADDRESS)
                    for o in (*innocuous(reached(WEB, address)), *failed(WEB, address, SILENT))
                ),
                *MEDIA,
            ],
        ),
    ),
    "a server that answers the other name by an alert": (
        "tls.name",
        Story(says="blocked: tls proven", seen=breaks(RESET, *innocuous(failed(WEB, X_ADDRESS, HANDSHAKE)))),
    ),
}

INNOCENT = {
    "addresses of which one shows the name to be why, and another lets it through": Story(
        says="ok",
        seen=[
            *LOOKUPS,
            *innocuous(reached(WEB, X_ADDRESS)),
            *failed(WEB, X_ADDRESS, SILENT),
            *innocuous(reached(WEB, OTHER_X_ADDRESS)),
            *reached(WEB, OTHER_X_ADDRESS),
            *MEDIA,
        ],
    ),
    # One failure is never an event.
    "a foreign certificate seen once": Story(
        says="unreachable", seen=[*LOOKUPS, *failed(WEB, X_ADDRESS, FOREIGN), *MEDIA]
    ),
    "a name that fails once, and another that does not": Story(
        says="ok",
        seen=[
            *LOOKUPS,
            *failed(WEB, X_ADDRESS, SILENT),
            *times(2, [*reached(WEB, X_ADDRESS), *OTHER_NAME], first=2),
            *MEDIA,
        ],
    ),
    "a line that loses every third packet, for both names": Story(
        says="ok",
        seen=[
            *twice([*LOOKUPS, *failed(WEB, X_ADDRESS, SILENT)]),
            *times(1, reached(WEB, X_ADDRESS), first=3),
            *times(1, innocuous(failed(WEB, X_ADDRESS, SILENT)), first=2),
            *times(1, OTHER_NAME, first=3),
            *MEDIA,
        ],
    ),
    # Both names fail, or it is the server's own word.
    "both names fail": Story(
        says="unreachable", seen=breaks(RESET, *twice(innocuous(failed(WEB, X_ADDRESS, RESET))))
    ),
    "a half-dead server that fails the other name more often than not": Story(
        says="unreachable",
        seen=breaks(
            SILENT, *twice(innocuous(failed(WEB, X_ADDRESS, SILENT))), *times(1, OTHER_NAME, first=3)
        ),
    ),
    "a server that says by an alert that it does not serve the name": Story(
        says="unreachable", seen=breaks(HANDSHAKE, *OTHER_NAME)
    ),
    "an unrelated server that says so, as servers do": Story(
        says="unreachable",
        seen=breaks(
            SILENT,
            *innocuous(failed(WEB, X_ADDRESS, SILENT)),
            *OTHER_NAME_AT_CONTROL,
            *twice(elsewhere(failed(WEB, X_ADDRESS, HANDSHAKE))),
        ),
    ),
    "an unrelated server that ends every connection for a name not its own": Story(
        says="unreachable", seen=not_elsewhere(*innocuous(failed(WEB, CONTROL_ADDRESS, Failure.TLS_EOF)))
    ),
    "an unrelated server of which nobody asked how it treats names not its own": Story(
        says="unreachable", seen=not_elsewhere()
    ),
    "an address where no unrelated site answered": Story(
        says="unreachable",
        seen=[
            replace(o, address=NOBODYS) if o.address == CONTROL_ADDRESS else o
            for o in CASES["tls.name_elsewhere"].seen
        ],
    ),
    "the name breaks off and the other does too": Story(
        says="unreachable",
        seen=breaks(Failure.HTTP_RESET, *innocuous(failed(WEB, X_ADDRESS, Failure.HTTP_RESET))),
    ),
    "another platform's server, where a lie leads, that resets what it does not serve": Story(
        says="ok",
        seen=[
            *fine(WEB),
            *twice([dns(WEB, "system", "31.13.72.36"), *failed(WEB, "31.13.72.36", RESET)]),
            *innocuous(reached(WEB, "31.13.72.36")),
            *MEDIA,
        ],
    ),
    # Where on the way.
    "a reset from next door": Story(
        says="unreachable: tls weak",
        seen=breaks(RESET, *OTHER_NAME, path(WEB, "client_hello", "reset/expired", "reset/expired")),
    ),
    "a reset by the second of a home's two routers": Story(
        says="unreachable: tls weak",
        seen=breaks(RESET, path(WEB, "client_hello", "expired/expired", "reset/expired", "reset/expired")),
    ),
    "SYNs that are reset next door": Story(
        says="unreachable",
        seen=breaks(Failure.CONNECTION_RESET, path(WEB, "syn", "reset/expired", "reset/expired")),
    ),
    "a reset by the server itself, at the end of the way": Story(
        says="unreachable",
        seen=breaks(
            Failure.CONNECTION_REFUSED,
            path(WEB, "syn", *["expired/expired"] * 5, "reset/answered"),
        ),
    ),
    "a router that has no route": Story(
        says="unreachable",
        seen=breaks(UNROUTED, path(WEB, "syn", *["expired/expired"] * 3, "rejected/rejected 1")),
    ),
    "a firewall that refuses the UDP packet beside a SYN that nobody answers": Story(
        says="unreachable",
        seen=breaks(DROPPED, path(WEB, "syn", *["expired/expired"] * 3, "silence/rejected 13")),
    ),
    "a home's router that refuses": Story(
        says="unreachable", seen=breaks(UNROUTED, path(WEB, "syn", "expired/expired", "rejected/rejected 13"))
    ),
    "a reset whose TTL is two apart from the server's": Story(
        says="unreachable", seen=breaks(RESET, packets(WEB, 50, genuine=(52,)))
    ),
    "a reset before any packet of the server's own": Story(
        says="unreachable", seen=breaks(RESET, packets(WEB, 101, genuine=()))
    ),
    "a reset that goes with one of a balanced server's own TTLs": Story(
        says="unreachable", seen=breaks(RESET, packets(WEB, 57, genuine=(52, 56)))
    ),
    "a way that was looked at for a failure seen once": Story(
        says="ok",
        seen=[
            *LOOKUPS,
            *failed(WEB, X_ADDRESS, RESET),
            *times(2, reached(WEB, X_ADDRESS), first=2),
            path(WEB, "client_hello", *SYNS_RESET),
            packets(WEB, 101),
            *MEDIA,
        ],
    ),
    # Certificates.
    "a certificate out of date": Story(says="unreachable", seen=breaks(Failure.TLS_CERTIFICATE_TIME)),
    "the platform's own certificate for another of its names": Story(
        says="unreachable",
        seen=[
            *twice([*LOOKUPS, *failed(WEB, X_ADDRESS, WRONG_NAME, tls=shown("*.twimg.com", "twimg.com"))]),
            *MEDIA,
        ],
    ),
    # Addresses, families and peers.
    "one address that cannot be connected to": Story(says="unreachable", seen=breaks(DROPPED)),
    "two addresses of which one opens": Story(
        says="ok",
        seen=[
            *twice([*LOOKUPS, *failed(WEB, OTHER_X_ADDRESS, DROPPED), *reached(WEB, X_ADDRESS)]),
            *MEDIA,
        ],
    ),
    "a home whose IPv6 is broken": Story(
        says="ok",
        seen=[
            *twice(
                [
                    *fine(WEB),
                    *(dns(WEB, who, X_SIX, "2606:1f80:f000::2", kind="AAAA") for who in ("system", "doh")),
                    *failed(WEB, X_SIX, DROPPED),
                    *failed(WEB, "2606:1f80:f000::2", DROPPED),
                ]
            ),
            *MEDIA,
        ],
    ),
    "a home whose IPv6 is broken, says a platform that peers reach and that is down over IPv4": Story(
        says="unreachable",
        seen=[
            *twice(
                [
                    *(dns(WEB, who, X_ADDRESS) for who in ("system", "doh")),
                    *reached(WEB, X_ADDRESS, status=503),
                    *(dns(WEB, who, X_SIX, kind="AAAA") for who in ("system", "doh")),
                    *failed(WEB, X_SIX, DROPPED),
                ]
            ),
            *MEDIA,
        ],
        peers=MANY,
    ),
    "an address that no trusted resolver gives, on which peers do not depend": Story(
        says="unreachable",
        seen=[
            *twice([dns(WEB, "system", NOBODYS), *failed(WEB, NOBODYS, DROPPED), *LOOKUPS[1:]]),
            *MEDIA,
        ],
        peers=MANY,
    ),
    "a server that acknowledges what is sent, and says nothing": Story(
        says="unreachable",
        seen=[
            *twice([*LOOKUPS, *failed(WEB, X_ADDRESS, SILENT, tcp=replace(LOST, bytes_acked=518))]),
            *MEDIA,
        ],
    ),
    "peers in too few countries": Story(says="unreachable", seen=breaks(DROPPED), peers=peers(4)),
    "peers of whom more than a few fail": Story(
        says="unreachable", seen=breaks(SILENT), peers=peers(9, votes=10, failing=3)
    ),
    "peers of another platform": Story(
        says="unreachable", seen=breaks(DROPPED), peers=peers(9, platform="facebook")
    ),
    "peers without a vote": Story(says="unreachable", seen=breaks(DROPPED), peers=peers(9, votes=0)),
    "peers who reach what is reached here": Story(says="ok", seen=[*fine(WEB), *MEDIA], peers=MANY),
    # Cleartext.
    "a provider that leads every cleartext page away": Story(
        says="ok", seen=in_cleartext(*AWAY), cleartext_is_clean=False
    ),
    "a portal that rewrites every cleartext page": Story(
        says="ok", seen=in_cleartext(*PAGE), cleartext_is_clean=False
    ),
    "a redirect elsewhere seen once": Story(
        says="ok", seen=[*fine(WEB), dns(PLAIN, "system", X_ADDRESS), *AWAY, *MEDIA]
    ),
    "a redirect elsewhere, and then one to the platform itself": Story(
        says="ok",
        seen=[
            *in_cleartext(*AWAY),
            *times(1, reached(PLAIN, X_ADDRESS, status=301, location="https://x.com/"), first=3),
        ],
    ),
    "a page, and then a redirect to the platform itself": Story(
        says="ok",
        seen=[
            *in_cleartext(*PAGE),
            *times(1, reached(PLAIN, X_ADDRESS, status=301, location="https://x.com/"), first=3),
        ],
    ),
    "a page that says that there is none": Story(
        says="ok", seen=in_cleartext(*reached(PLAIN, X_ADDRESS, status=404, body_bytes=900))
    ),
    "a redirect in cleartext to the platform itself": Story(
        says="ok", seen=in_cleartext(*reached(PLAIN, X_ADDRESS, status=301, location="https://x.com/"))
    ),
    "a redirect elsewhere over valid TLS": Story(
        says="ok",
        seen=[
            *LOOKUPS,
            *twice(reached(WEB, X_ADDRESS, status=302, location="https://login.example/")),
            *MEDIA,
        ],
    ),
    "an answer without a body": Story(says="ok", seen=in_cleartext(*reached(PLAIN, X_ADDRESS, status=204))),
    "a host that fails in cleartext, and another that does too": Story(
        says="ok",
        seen=in_cleartext(
            *failed(PLAIN, X_ADDRESS, Failure.HTTP_TIMEOUT),
            *innocuous(failed(PLAIN, X_ADDRESS, Failure.HTTP_TIMEOUT)),
        ),
    ),
}
