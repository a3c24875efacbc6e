"""What the rules may ask of a round: its observations, arranged by platform, role and endpoint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property

from probe.wire.exchange import PeerView
from probe.wire.failure import FOREIGN_CERTIFICATE, Failure, Owner
from probe.wire.observation import GateState, Observation, Phase, Purpose, Round
from probe.wire.platform import Endpoint, Needs, Platform, Role
from probe.wire.stage import Resolver, Stage

from .gate import families_passed
from .walk import CONFIRMING, Walk, by_address, repeatedly, round_trips, walks_of

# What a crowded or a slow way may be why of.
LATE = frozenset({Failure.CONNECTION_TIMEOUT, Failure.TLS_TIMEOUT, Failure.HTTP_TIMEOUT})
# So many countries must reach a platform before a failure here is laid at somebody's door.
PEER_COUNTRIES = 5
# And so large a share of their votes may fail: home lines are never all well (DETECTION's p0 is 2 %).
PEERS_FAILING = 0.2


@dataclass(frozen=True)
class EndpointEvidence:
    """What was seen of one endpoint, redirects followed left out; and what the questions about it
    brought: another name on its addresses, its name at another's, where on the way, which packets."""

    platform: Platform
    target: str
    endpoint: Endpoint
    observations: tuple[Observation, ...]
    questions: tuple[Observation, ...]

    @property
    def host(self) -> str:
        """The name that is resolved and shown."""
        return self.endpoint.host

    @cached_property
    def walks(self) -> tuple[Walk, ...]:
        """Every walk as a person's program makes it."""
        return walks_of(self.observations)

    @cached_property
    def innocuous(self) -> tuple[Walk, ...]:
        """The walks under an innocuous name to the endpoint's own addresses and port."""
        return walks_of(
            o for o in self.questions if o.purpose is Purpose.INNOCUOUS and o.port == self.endpoint.port
        )

    @cached_property
    def elsewhere(self) -> tuple[Walk, ...]:
        """The walks under the platform's name to addresses that have nothing to do with it."""
        return walks_of(o for o in self.questions if o.purpose is Purpose.ELSEWHERE)

    @cached_property
    def _lookups(self) -> Mapping[tuple[Resolver, int | None], Sequence[Observation]]:
        found: dict[tuple[Resolver, int | None], list[Observation]] = {}
        for o in self.observations:
            if o.dns is not None:
                found.setdefault((o.dns.resolver, o.family), []).append(o)
        return found

    def lookups(self, resolver: Resolver, family: int) -> Sequence[Observation]:
        """The queries to one kind of resolver for one address family, an observation per attempt."""
        return self._lookups.get((resolver, family), ())

    def addresses(self, *resolvers: Resolver) -> set[str]:
        """Every address these resolvers gave, in any attempt."""
        return {
            address
            for o in self.observations
            if o.dns is not None and o.dns.resolver in resolvers
            for address in o.dns.answers
        }

    def genuine(self, family: int) -> set[str]:
        """Addresses on which a certificate-valid handshake for the name completed."""
        return {walk.address for walk in self.walks if walk.family == family and walk.passed(Stage.TLS)}

    def genuine_abroad(self) -> set[str]:
        """Addresses on which such a handshake completed for somebody abroad."""
        asked = (o for o in self.questions if o.purpose is Purpose.ABROAD and o.stage is Stage.TLS)
        return {o.address for o in asked if o.failure is None and o.address is not None}

    def impostors(self, *, let_in: bool = False) -> dict[str, Observation]:
        """Addresses that showed somebody else's certificate, again and again; `let_in` asks for those
        whose certificate this machine's own store was told to trust, and leaves out all others."""
        found = {}
        for address, shown in self._shown.items():
            trusted = [seen for seen in shown if seen.tls is not None and seen.tls.system_trusted]
            if bool(trusted) is let_in:
                found[address] = (trusted or shown)[0]
        return found

    @cached_property
    def foreign(self) -> Set[str]:
        """Addresses that show somebody else's certificate, and that no trusted resolver gives."""
        shown = self.impostors()
        return shown.keys() - self.addresses(Resolver.DOH) if shown else frozenset()

    @cached_property
    def _shown(self) -> Mapping[str, Sequence[Observation]]:
        """Somebody else's certificates, by the address that showed them again and again."""
        found = {}
        for address, walks in by_address(self.walks).items():
            shown = [seen for walk in walks if (seen := self._foreign(walk)) is not None]
            if shown and repeatedly(walks, Stage.TLS, FOREIGN_CERTIFICATE):
                found[address] = shown
        return found

    def _foreign(self, walk: Walk) -> Observation | None:
        """A certificate that is somebody else's. One of the platform's own, shown for another of its
        names, is a mistake of the platform's: nobody else can get it from a public authority."""
        seen = walk.at(Stage.TLS)
        if seen is None or seen.failure not in FOREIGN_CERTIFICATE:
            return None
        names = seen.tls.chain[0].names if seen.tls and seen.tls.chain else ()
        is_own = any(self.platform.owns(name.removeprefix("*.")) for name in names)
        return None if is_own and seen.failure is Failure.TLS_INVALID_HOSTNAME else seen

    def denied(self, failure: Failure, family: int) -> list[Observation]:
        """The line's resolver's lookups that failed so, if enough did, and more than did not."""
        lookups = self.lookups(Resolver.SYSTEM, family)
        denied = [o for o in lookups if o.failure == failure]
        return denied if CONFIRMING <= len(denied) > len(lookups) - len(denied) else []

    def cleartext_answers(self) -> list[Observation]:
        """Answers that anybody on the way could have written. Over certificate-valid TLS whatever is
        said is the platform's own doing, a redirect too, wherever it leads."""
        if self.endpoint.is_tls:
            return []
        return [o for o in self.observations if o.http is not None and o.http.status is not None]

    @cached_property
    def is_answered(self) -> bool:
        """Whether a person on this line reaches it: the address comes from the line's own resolver
        and the last stage got an answer that is not a server's error (RFC 9110, section 15.6)."""
        theirs = self.addresses(Resolver.SYSTEM)
        return any(
            walk.address in theirs and (walk.status or 599) < 500
            for walk in self.walks
            if self.endpoint.is_tls or not any(leads_away(o, self.platform) for o in walk.seen)
        )

    @property
    def is_clean(self) -> bool:
        """Whether nothing at all went wrong, so that measuring it again would teach nothing."""
        odd = any(o.http.status // 100 == 2 for o in self.cleartext_answers() if o.http and o.http.status)
        return self.is_answered and not odd and not self.trouble

    @property
    def trouble(self) -> tuple[Observation, ...]:
        """Every failure that may speak about the platform."""
        return tuple(o for o in self.observations if speaks(o))

    @property
    def is_late(self) -> bool:
        """Whether whatever went wrong did so for want of time: where something else did too, that
        stays to be asked about."""
        return bool(self.trouble) and all(o.failure in LATE for o in self.trouble)

    @property
    def is_slow(self) -> bool:
        """Whether whatever went wrong did so for want of time, with something coming."""
        trickled = {id(walk.broken) for walk in self.walks if walk.trickled}
        return bool(trickled) and all(id(o) in trickled for o in self.trouble)

    @property
    def is_finished(self) -> bool:
        """Whether the round came to an end here before its deadline: an answer, or a failure."""
        return bool(self.trouble) or any(o.http is not None and o.http.status for o in self.observations)


def leads_away(observation: Observation, platform: Platform) -> bool:
    """Whether an HTTP answer redirects to a host that is not the platform's. A redirect in which
    no host can be read leads nowhere, which is nobody's block page."""
    host = observation.http.leads_to if observation.http else None
    return bool(host) and not platform.owns(host or "")


def speaks(observation: Observation) -> bool:
    """Whether a failure may speak about the platform. A silent DoH resolver speaks about itself,
    and a name without an AAAA record is the ordinary case."""
    if observation.failure is None or observation.owner is Owner.LOCAL:
        return False
    if observation.dns is not None and observation.dns.resolver is not Resolver.SYSTEM:
        return False
    return not (observation.failure is Failure.DNS_NO_ANSWER and observation.family == 6)


@dataclass(frozen=True, slots=True)
class RoleEvidence:
    """One role's endpoints, and its transfers."""

    role: Role
    target: str
    endpoints: tuple[EndpointEvidence, ...]
    transfers: tuple[Observation, ...]

    @property
    def is_answered(self) -> bool:
        """Whether enough of its endpoints answered."""
        combine = all if self.role.needs is Needs.ALL else any
        return combine(endpoint.is_answered for endpoint in self.endpoints)

    @property
    def is_finished(self) -> bool:
        """Whether every endpoint was tried."""
        return all(endpoint.is_finished for endpoint in self.endpoints)


@dataclass(frozen=True)
class Evidence:
    """What one round holds on one platform, beside what it holds on unrelated sites."""

    platform: Platform
    gate: GateState
    # Whether the gate's cleartext page came as it should: what rewrites that one speaks of no platform.
    cleartext_is_clean: bool
    roles: tuple[RoleEvidence, ...]
    # Every control's observations, of the gate and of the way between.
    controls: tuple[Observation, ...]
    # The shortest round trip to each address, in seconds.
    round_trips: Mapping[str, float]
    peers: PeerView | None = None

    def endpoints(self) -> Iterator[EndpointEvidence]:
        """Every endpoint of every role."""
        for role in self.roles:
            yield from role.endpoints

    @cached_property
    def failed(self) -> bool:
        """Whether any stage of the platform's failed, those of questions about it too."""
        return any(
            seen.failure is not None
            for endpoint in self.endpoints()
            for seen in (*endpoint.observations, *endpoint.questions)
        )

    def required(self) -> tuple[RoleEvidence, ...]:
        """The roles a person would miss."""
        return tuple(role for role in self.roles if role.role.required)

    @cached_property
    def families(self) -> set[int]:
        """The address families over which unrelated sites answered, before and after (README rules 1
        and 10): a home whose IPv6 is broken, or dies meanwhile, is not censored."""
        before, after = (families_passed(self.controls, phase) for phase in (Phase.BEFORE, Phase.AFTER))
        return before & after

    @property
    def peers_reach_it(self) -> bool:
        """Whether probes in enough other countries reach the platform now."""
        peers = self.peers
        return (
            peers is not None
            and min(peers.countries, peers.votes) >= PEER_COUNTRIES
            and peers.failing <= PEERS_FAILING * peers.votes
        )


def evidence_of(rnd: Round, peers: Iterable[PeerView] = ()) -> Iterator[Evidence]:
    """Arrange a round's observations for each of its platforms, in the order in which they began:
    they are recorded as they end, and stages that run side by side end by chance."""
    observations = sorted(rnd.observations, key=lambda o: (o.start_s, o.attempt))
    controls = tuple(o for o in observations if o.phase is not Phase.MAIN or o.purpose is Purpose.CONTROL)
    cleartext_is_clean = any(o.http is not None and o.http.body_matches for o in observations)
    trips, views = round_trips(observations), {view.platform: view for view in peers}
    about: dict[str, list[Observation]] = {}
    for o in observations:
        if o.phase is Phase.MAIN:
            about.setdefault(o.target, []).append(o)
    for platform in rnd.targets:
        yield Evidence(
            platform,
            rnd.gate.state,
            cleartext_is_clean,
            tuple(_role(platform, role, about.get(platform.target(role), ())) for role in platform.roles),
            controls,
            trips,
            views.get(platform.name),
        )


def _role(platform: Platform, role: Role, observations: Sequence[Observation]) -> RoleEvidence:
    """One role's evidence, out of what was seen of it."""
    target = platform.target(role)
    return RoleEvidence(
        role,
        target,
        tuple(gather(platform, target, endpoint, observations) for endpoint in role.endpoints),
        tuple(o for o in observations if o.stage is Stage.TRANSFER),
    )


def gather(
    platform: Platform, target: str, endpoint: Endpoint, observations: Iterable[Observation]
) -> EndpointEvidence:
    """One endpoint's evidence out of a round's observations."""
    about = [o for o in observations if o.phase is Phase.MAIN and o.target == target and o.hop == 0]
    host = endpoint.host
    own = [o for o in about if o.purpose is Purpose.ENDPOINT and o.host == host]
    asked = [o for o in about if o.purpose is Purpose.INNOCUOUS or o.host == host]
    return EndpointEvidence(
        platform, target, endpoint, tuple(own), tuple(o for o in asked if o.purpose is not Purpose.ENDPOINT)
    )
