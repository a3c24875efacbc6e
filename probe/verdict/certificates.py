"""What the rules see in certificates: somebody else's in the platform's place, and whose doing that is."""

from __future__ import annotations

from collections.abc import Iterator

from probe.wire.observation import Observation
from probe.wire.stage import Met, Resolver, Sent

from .connections import home_hops, paths, while_peers
from .evidence import EndpointEvidence, Evidence
from .names import is_placed
from .record import Fact
from .wording import issued_by


def answered_on_the_way(evidence: Evidence) -> Iterator[Fact]:
    """Somebody else's certificate, shown by somebody nearer than the address: what goes no further
    than a router is answered all the same."""
    shown = {endpoint.target: seen for endpoint, _, seen in _shown(evidence)}
    for endpoint, seen, path in paths(evidence, Sent.CLIENT_HELLO):
        near = [h.ttl for h in path.hops if h.met is Met.ANSWERED and h.router_met is Met.EXPIRED]
        if near and near[0] > home_hops(path) and endpoint.target in shown:
            issuer = issued_by(shown[endpoint.target])
            yield Fact(
                f"Somebody within {near[0]} steps of here answers in the place of {endpoint.host}{issuer}; "
                "the server is further away.",
                endpoint.target,
                seen.family,
            )


def foreign_certificate(evidence: Evidence) -> Iterator[Fact]:
    """Somebody else's certificate on an address that a trusted resolver gives, while another address
    shows the platform's, or this one does to somebody abroad."""
    for endpoint, address, seen in _shown(evidence):
        genuine = endpoint.genuine(4) | endpoint.genuine(6) | endpoint.genuine_abroad()
        if genuine and address in endpoint.addresses(Resolver.DOH):
            text = "Somebody else answers in the place of {host}{issuer}; elsewhere {title} itself does."
            yield _certificate(text, endpoint, seen)


def foreign_everywhere(evidence: Evidence) -> Iterator[Fact]:
    """Somebody else's certificate wherever the platform lives, as far as this line can see."""
    for endpoint, address, seen in _shown(evidence):
        if not endpoint.genuine(seen.family or 4) and is_placed(endpoint, address):
            yield _certificate(
                "Somebody else seems to answer in the place of {host}{issuer}; whether everywhere, this line "
                "alone cannot tell.",
                endpoint,
                seen,
            )


def foreign_here(evidence: Evidence) -> Iterator[Fact]:
    """Somebody else's certificate, and peers abroad reach the platform."""
    required = {role.target for role in evidence.required()}
    for endpoint, address, seen in _shown(evidence) if evidence.peers_reach_it else ():
        if endpoint.target in required and is_placed(endpoint, address):
            what = f"somebody else answers{issued_by(seen)}"
            yield while_peers(evidence, endpoint, seen.family or 4, what)


def trusted_here(evidence: Evidence) -> Iterator[Fact]:
    """Somebody else's certificate, which this machine's own store was told to trust."""
    text = "{host} is opened by a filter, antivirus or proxy that this machine trusts{issuer}."
    for endpoint in evidence.endpoints():
        for seen in endpoint.impostors(let_in=True).values():
            yield _certificate(text, endpoint, seen)


def intercepted_next_door(evidence: Evidence) -> Iterator[Fact]:
    """Somebody else's certificate, shown by the next host: it answers what goes no further."""
    if _is_opened_next_door(evidence):
        for endpoint in evidence.endpoints():
            for seen in endpoint.impostors().values():
                yield _certificate(
                    "{host} is opened by this home's own router or proxy{issuer}: it answers what goes no "
                    "further than the home.",
                    endpoint,
                    seen,
                )


def _is_opened_next_door(evidence: Evidence) -> bool:
    """Whether a ClientHello that ends at the first hop is answered there."""
    return any(
        hop.ttl == 1 and hop.met is Met.ANSWERED
        for _, _, path in paths(evidence, Sent.CLIENT_HELLO)
        for hop in path.hops
    )


def _shown(evidence: Evidence) -> Iterator[tuple[EndpointEvidence, str, Observation]]:
    """Foreign certificates that nobody at home has let in."""
    if _is_opened_next_door(evidence):
        return
    for endpoint in evidence.endpoints():
        for address, seen in endpoint.impostors().items():
            yield endpoint, address, seen


def _certificate(text: str, endpoint: EndpointEvidence, seen: Observation) -> Fact:
    said = text.format(host=endpoint.host, issuer=issued_by(seen), title=endpoint.platform.title)
    return Fact(said, endpoint.target, seen.family)
