"""What the rules may ask of a round: its observations, arranged by platform, role and endpoint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from probe.wire.failure import FOREIGN_CERTIFICATE, Failure, Owner
from probe.wire.observation import GateState, Observation, Phase, Round
from probe.wire.platform import Endpoint, Needs, Platform, Role
from probe.wire.stage import Resolver, Stage

# One failure is never an event: so many attempts must agree before a round says `blocked`.
CONFIRMING = 2


@dataclass(frozen=True, slots=True)
class EndpointEvidence:
    """The observations of one endpoint, redirects followed left out."""

    platform: Platform
    target: str
    endpoint: Endpoint
    observations: tuple[Observation, ...]

    def lookups(self, resolver: Resolver, family: int) -> list[Observation]:
        """The queries to one resolver for one address family, an observation per attempt."""
        return [
            o
            for o in self.observations
            if o.stage is Stage.DNS
            and o.dns is not None
            and o.dns.resolver == resolver
            and o.family == family
        ]

    def addresses(self, resolver: Resolver) -> set[str]:
        """Every address this resolver gave, in any attempt."""
        return {
            address
            for o in self.observations
            if o.dns is not None and o.dns.resolver == resolver
            for address in o.dns.answers
        }

    def genuine(self, family: int) -> set[str]:
        """Addresses on which a certificate-valid handshake for the name completed."""
        return {
            o.address
            for o in self.observations
            if o.stage is Stage.TLS and o.failure is None and o.address is not None and o.family == family
        }

    def vouched(self, family: int) -> set[str]:
        """Genuine addresses that the trusted resolver gave."""
        return self.genuine(family) & self.addresses(Resolver.DOH)

    def impostors(self) -> dict[str, Observation]:
        """Addresses that showed somebody else's certificate in every attempt, and in enough."""
        found: dict[str, list[Observation]] = {}
        for o in self.observations:
            if o.stage is Stage.TLS and o.address is not None:
                found.setdefault(o.address, []).append(o)
        return {
            address: tries[0]
            for address, tries in found.items()
            if len(tries) >= CONFIRMING and all(o.failure in FOREIGN_CERTIFICATE for o in tries)
        }

    def denied(self, failure: Failure, family: int) -> list[Observation]:
        """The line's resolver's lookups, if all of them failed so, and often enough."""
        lookups = self.lookups(Resolver.SYSTEM, family)
        agreed = len(lookups) >= CONFIRMING and all(o.failure == failure for o in lookups)
        return lookups if agreed else []

    def foreign_redirects(self) -> list[Observation]:
        """Cleartext answers that lead away from the platform, if every answer did.

        Over certificate-valid TLS a redirect is the platform's own doing, wherever it leads; only
        in cleartext can somebody on the way have written it.
        """
        if self.endpoint.is_tls:
            return []
        answers = [o for o in self.observations if o.http is not None and o.http.status is not None]
        led_away = [o for o in answers if leads_away(o, self.platform)]
        return led_away if len(led_away) == len(answers) >= CONFIRMING else []

    @property
    def is_answered(self) -> bool:
        """Whether a person on this line reaches it: the address comes from the line's own resolver
        and the last stage got an answer that is not a server's error (RFC 9110, section 15.6)."""
        theirs = self.addresses(Resolver.SYSTEM)
        return any(
            o.address in theirs and o.failure is None and o.http is not None and (o.http.status or 599) < 500
            for o in self.observations
            if not leads_away(o, self.platform) or self.endpoint.is_tls
        )

    @property
    def is_clean(self) -> bool:
        """Whether nothing at all went wrong, so that measuring it again would teach nothing."""
        return self.is_answered and not any(_speaks(o) for o in self.observations)

    @property
    def is_finished(self) -> bool:
        """Whether the round came to an end here before its deadline: an answer, or a failure."""
        return any(_speaks(o) or (o.http is not None and o.http.status) for o in self.observations)


def leads_away(observation: Observation, platform: Platform) -> bool:
    """Whether an HTTP answer redirects to a host that is not the platform's. A redirect in which
    no host can be read leads nowhere, which is nobody's block page."""
    host = observation.http.leads_to if observation.http else None
    return bool(host) and not platform.owns(host or "")


def _speaks(observation: Observation) -> bool:
    """Whether a failure may speak about the platform. A silent DoH resolver speaks about itself,
    and a name without an AAAA record is the ordinary case."""
    if observation.failure is None or observation.owner is Owner.LOCAL:
        return False
    if observation.dns is not None and observation.dns.resolver is Resolver.DOH:
        return False
    return not (observation.failure is Failure.DNS_NO_ANSWER and observation.family == 6)


@dataclass(frozen=True, slots=True)
class RoleEvidence:
    """One role's endpoints."""

    role: Role
    target: str
    endpoints: tuple[EndpointEvidence, ...]

    @property
    def is_answered(self) -> bool:
        """Whether enough of its endpoints answered."""
        combine = all if self.role.needs is Needs.ALL else any
        return combine(endpoint.is_answered for endpoint in self.endpoints)

    @property
    def is_finished(self) -> bool:
        """Whether every endpoint was tried."""
        return all(endpoint.is_finished for endpoint in self.endpoints)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one round holds on one platform."""

    platform: Platform
    gate: GateState
    # Whether the gate's cleartext page came as it should: what rewrites that one speaks of no platform.
    cleartext_is_clean: bool
    roles: tuple[RoleEvidence, ...]

    def endpoints(self) -> Iterator[EndpointEvidence]:
        """Every endpoint of every role."""
        for role in self.roles:
            yield from role.endpoints

    def required(self) -> tuple[RoleEvidence, ...]:
        """The roles a person would miss."""
        return tuple(role for role in self.roles if role.role.required)


def evidence_of(rnd: Round, platform: Platform) -> Evidence:
    """Arrange a round's observations for one of its platforms."""
    roles = []
    for role in platform.roles:
        target = platform.target(role)
        endpoints = (gather(platform, target, e, rnd.observations) for e in role.endpoints)
        roles.append(RoleEvidence(role, target, tuple(endpoints)))
    clean = any(o.http is not None and o.http.body_matches for o in rnd.observations)
    return Evidence(platform, rnd.gate.state, clean, tuple(roles))


def gather(
    platform: Platform, target: str, endpoint: Endpoint, observations: Iterable[Observation]
) -> EndpointEvidence:
    """One endpoint's evidence out of a round's observations."""
    own = (
        o
        for o in observations
        if o.phase is Phase.MAIN and o.target == target and o.host == endpoint.host and o.hop == 0
    )
    return EndpointEvidence(platform, target, endpoint, tuple(own))
