"""What the rules see in connections: addresses that fail, names that fail, and where on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import takewhile

from probe.wire.failure import Failure
from probe.wire.observation import Observation
from probe.wire.stage import Met, PathDetail, Resolver, Sent, Stage

from .evidence import EndpointEvidence, Evidence
from .names import NEXT_DOOR
from .record import Fact
from .walk import CONFIRMING, Walk, by_address, repeatedly

Finds = Callable[[Evidence], Iterable[Fact]]

_UNCONNECTED = frozenset(
    {
        Failure.CONNECTION_TIMEOUT,
        Failure.CONNECTION_REFUSED,
        Failure.CONNECTION_RESET,
        Failure.HOST_UNREACHABLE,
    }
)
# An alert is a server's own word: those that do not serve a name say so (RFC 6066, unrecognized_name).
_CUT = frozenset({Failure.TLS_TIMEOUT, Failure.TLS_RESET, Failure.TLS_EOF})
_BROKEN = _CUT | {Failure.TLS_HANDSHAKE}
_BROKEN_OFF = frozenset({Failure.HTTP_TIMEOUT, Failure.HTTP_RESET, Failure.HTTP_EOF})
# A server that shows a certificate, or says by an alert that it has none, has answered.
_ANSWERED = frozenset(
    {
        Failure.TLS_HANDSHAKE,
        Failure.TLS_UNKNOWN_AUTHORITY,
        Failure.TLS_INVALID_HOSTNAME,
        Failure.TLS_CERTIFICATE_TIME,
        Failure.TLS_INVALID_CERTIFICATE,
    }
)

# Genuine TTLs of one host vary by load balancing by less than this (FACTS: spreads of up to 5 are
# between hosts, so the set of those seen on this very connection is what is compared with).
TTL_APART = 3

# ICMP codes by which a router says that it is told not to pass a packet on, or answers for a closed
# port that is not its own: RFC 792 and RFC 1812, 5.2.7.1; RFC 4443, 3.1. "No route" is not among them.
_FORBIDDEN = {4: frozenset({3, 9, 10, 13}), 6: frozenset({1, 4, 5, 6})}

# What breaks a connection one hop past the home's last router may be that router: a filter meets only
# packets that could have gone on. A home has one at least, whether it names itself or not.
_LEAST_HOME_HOPS = 1

_DOES = {
    Failure.TLS_RESET: "resets the connection as soon as the name {host} is seen",
    Failure.TLS_EOF: "ends the connection as soon as the name {host} is seen",
    Failure.TLS_TIMEOUT: "lets nothing more through as soon as the name {host} is seen",
    Failure.HTTP_RESET: "resets the connection a moment after the name {host} is seen",
    Failure.HTTP_EOF: "ends the connection a moment after the name {host} is seen",
    Failure.HTTP_TIMEOUT: "lets nothing more through a moment after the name {host} is seen",
}


def name_fails(evidence: Evidence) -> Iterator[Fact]:
    """The platform's name fails in the handshake where an innocuous one completes."""
    yield from _by_name(evidence, Stage.TLS, _CUT, tls=True)


def name_breaks_off(evidence: Evidence) -> Iterator[Fact]:
    """Under the platform's name the connection breaks after the handshake, under another it does not."""
    yield from _by_name(evidence, Stage.HTTP, _BROKEN_OFF, tls=True)


def host_fails(evidence: Evidence) -> Iterator[Fact]:
    """In cleartext, a request for the platform's host breaks where one for another is answered."""
    if evidence.cleartext_is_clean:
        yield from _by_name(evidence, Stage.HTTP, _BROKEN_OFF, tls=False)


def _by_name(evidence: Evidence, stage: Stage, failures: frozenset[Failure], *, tls: bool) -> Iterator[Fact]:
    if _is_next_door(evidence):
        return
    for endpoint in evidence.endpoints():
        if endpoint.endpoint.is_tls is not tls:
            continue
        trusted = endpoint.addresses(Resolver.DOH)
        # Where a lie leads, another platform's server may have its own way with a name.
        theirs = [walk for walk in endpoint.walks if walk.address in trusted or not trusted]
        found = [
            walks for walks in by_address(theirs).values() if _is_the_name(endpoint, walks, stage, failures)
        ]
        for walks in found or _one_after_the_other(endpoint, theirs, stage, failures):
            yield Fact(
                f"{_whose(evidence)} {_does(endpoint, walks, stage, failures)}; the same server answers "
                "under another name.",
                endpoint.target,
                walks[0].family,
            )


def _is_the_name(
    endpoint: EndpointEvidence, walks: Sequence[Walk], stage: Stage, failures: frozenset[Failure]
) -> bool:
    """Whether it is the name that fails on an address: another gets further there, at least as often
    as anything speaks against it, which is the name passing or the other one failing too."""
    others = [walk for walk in endpoint.innocuous if walk.address == walks[0].address]
    further = sum(_got_past(walk, stage) for walk in others)
    against = sum(walk.passed(stage) for walk in walks) + len(others) - further
    return repeatedly(walks, stage, failures) and 0 < further >= against


def _one_after_the_other(
    endpoint: EndpointEvidence, walks: Sequence[Walk], stage: Stage, failures: frozenset[Failure]
) -> list[list[Walk]]:
    """By family, the walks that broke right after another name had got further on the same address, if
    there are enough and none got through. A censor that keeps an address shut for a while after the
    name lets each address show that once."""
    before = {(other.address, other.attempt) for other in endpoint.innocuous if _got_past(other, stage)}
    found = []
    for family in (4, 6):
        own = [walk for walk in walks if walk.family == family]
        broke = [w for w in own if w.cut(stage, failures) and (w.address, w.attempt) in before]
        if len(broke) >= CONFIRMING and not any(walk.passed(stage) for walk in own):
            found.append(broke)
    return found


def _does(
    endpoint: EndpointEvidence, walks: Iterable[Walk], stage: Stage, failures: frozenset[Failure]
) -> str:
    failed = next(failure for walk in walks if (failure := walk.failure(stage)) and walk.cut(stage, failures))
    return _DOES[failed].format(host=endpoint.host)


def _got_past(walk: Walk, stage: Stage) -> bool:
    """Whether a walk got past the stage that fails under the platform's name."""
    return walk.passed(stage) or (stage is Stage.TLS and walk.failure(stage) in _ANSWERED)


def name_fails_elsewhere(evidence: Evidence) -> Iterator[Fact]:
    """The platform's name fails at an unrelated site's address, where that site's own completes, and
    so does one that the site never heard of: many a server ends a connection for a name not its own."""
    if _is_next_door(evidence):
        return
    open_addresses = {o.address for o in evidence.controls if o.stage is Stage.HTTP and o.failure is None}
    for endpoint in evidence.endpoints():
        for address, walks in by_address(endpoint.elsewhere).items():
            for stage, failures in ((Stage.TLS, _CUT), (Stage.HTTP, _BROKEN_OFF)):
                if address in open_addresses and _is_the_name(endpoint, walks, stage, failures):
                    yield Fact(
                        f"{_whose(evidence)} {_does(endpoint, walks, stage, failures)}, even on the way to "
                        "a site that has nothing to do with it.",
                        endpoint.target,
                        walks[0].family,
                    )


def broken_next_door(evidence: Evidence) -> Iterator[Fact]:
    """The connection is reset by the next device, which may be the home's own router."""
    for endpoint in evidence.endpoints() if _is_next_door(evidence) else ():
        for walks in by_address(endpoint.walks).values():
            if repeatedly(walks, Stage.TLS, _CUT):
                yield Fact(
                    f"Connections to {endpoint.host} are cut off so near that it may be this home's own "
                    "router or the provider's: which, cannot be told from here.",
                    endpoint.target,
                    walks[0].family,
                )


def _is_next_door(evidence: Evidence) -> bool:
    """Whether a reset was seen to come from so near that it may be the home's own. One endpoint is
    looked at for all of a platform."""
    for endpoint in evidence.endpoints():
        for seen in endpoint.observations:
            resets = seen.packets.resets if seen.packets else ()
            if resets and all(reset.ip_ttl in NEXT_DOOR for reset in resets):
                return True
            if seen.path and 0 < _nearest(seen.path, Met.RESET) <= _may_be_home(seen.path):
                return True
    return False


def _whose(evidence: Evidence) -> str:
    """Whose network it is that breaks a connection, as far as was seen."""
    ways = [path for _, _, path in paths(evidence, Sent.CLIENT_HELLO)]
    return "Your provider's network" if any(map(_breaks_past_home, ways)) else "The network"


def _breaks_past_home(path: PathDetail) -> bool:
    """Whether it is seen to break where no router of this home is: reset from further away, or not
    before the packet had left the last of them behind."""
    got_to = max((hop.ttl for hop in path.hops if hop.met is Met.EXPIRED), default=0)
    return max(got_to, _nearest(path, Met.RESET) - 1) >= _may_be_home(path)


def _nearest(path: PathDetail, met: Met) -> int:
    """The fewest hops at which that was met; 0 where it was not."""
    return min((hop.ttl for hop in path.hops if hop.met is met), default=0)


def _may_be_home(path: PathDetail) -> int:
    """The most hops at which what breaks a connection may be a router of this home."""
    return home_hops(path) + 1


def home_hops(path: PathDetail) -> int:
    """How many routers on the way may be this home's: those that name themselves so, and one at least."""
    named = takewhile(lambda hop: hop.private, sorted(path.hops, key=lambda hop: hop.ttl))
    return max([hop.ttl for hop in named], default=_LEAST_HOME_HOPS)


def reset_on_the_way(sent: Sent, stage: Stage) -> Finds:
    """A reset comes from nearer than the address it claims to come from."""

    def finds(evidence: Evidence) -> Iterator[Fact]:
        for endpoint, seen, path in paths(evidence, sent):
            near = [h.ttl for h in path.hops if h.met is Met.RESET and h.router_met is Met.EXPIRED]
            if near and _nearest(path, Met.RESET) > _may_be_home(path) and _fails(endpoint, seen, stage):
                yield Fact(
                    f"What cuts the connection to {seen.address} stands within {near[0]} steps of here; the "
                    "server is further away.",
                    endpoint.target,
                    seen.family,
                )

    return finds


def rejected_on_the_way(evidence: Evidence) -> Iterator[Fact]:
    """A router says that it is told to let nothing through to the address."""
    for endpoint, seen, path in paths(evidence, Sent.SYN):
        # The SYN itself: firewalls that refuse the UDP packet beside it alone are everywhere.
        forbidden = _FORBIDDEN[seen.family or 4]
        said = [h.ttl for h in path.hops if h.met is Met.REJECTED and h.icmp_code in forbidden]
        if said and _nearest(path, Met.REJECTED) > _may_be_home(path) and _fails(endpoint, seen, Stage.TCP):
            yield Fact(
                f"A router on the way, within {said[0]} steps of here, refuses to pass anything on to "
                f"{seen.address}.",
                endpoint.target,
                seen.family,
            )


def _fails(endpoint: EndpointEvidence, seen: Observation, stage: Stage) -> bool:
    """Whether the address looked at fails at that stage repeatedly."""
    walks = [walk for walk in endpoint.walks if walk.address == seen.address]
    return repeatedly(walks, stage, _UNCONNECTED if stage is Stage.TCP else _CUT)


def paths(evidence: Evidence, sent: Sent) -> Iterator[tuple[EndpointEvidence, Observation, PathDetail]]:
    """Every look at how far such a packet gets."""
    for endpoint in evidence.endpoints():
        for seen in endpoint.observations:
            if seen.path is not None and seen.path.sent == sent:
                yield endpoint, seen, seen.path


def forged_reset(evidence: Evidence) -> Iterator[Fact]:
    """A reset that the server did not send: its TTL is none of the server's, nor that of the next
    device."""
    for endpoint in evidence.endpoints():
        for seen in endpoint.observations:
            packets = seen.packets
            if packets is None or not packets.genuine_ttls or not _fails(endpoint, seen, Stage.TLS):
                continue
            apart = [
                reset
                for reset in packets.resets
                if reset.ip_ttl not in NEXT_DOOR
                and all(abs(reset.ip_ttl - ttl) >= TTL_APART for ttl in packets.genuine_ttls)
            ]
            if apart:
                yield Fact(
                    f"What cuts the connection to {endpoint.host} was not sent by its server: it has a "
                    f"counter of {apart[0].ip_ttl} steps left, the server's own packets "
                    f"{packets.genuine_ttls[0]}.",
                    endpoint.target,
                    seen.family,
                )


def silent_addresses(evidence: Evidence) -> Iterator[Fact]:
    """Every address fails at TCP, two or more of them repeatedly."""
    for endpoint in evidence.endpoints():
        for family in sorted(evidence.families):
            failing = _unconnected(endpoint, family)
            if len(failing) >= CONFIRMING:
                yield Fact(
                    f"No connection opens to any of {len(failing)} addresses of {endpoint.host}, while those "
                    "to unrelated sites do.",
                    endpoint.target,
                    family,
                )


def _unconnected(endpoint: EndpointEvidence, family: int) -> set[str]:
    """The addresses of a family that fail at TCP repeatedly, if none can be connected to and a
    trusted resolver gave one of them."""
    tries = by_address(walk for walk in endpoint.walks if walk.family == family)
    if any(walk.passed(Stage.TCP) for walks in tries.values() for walk in walks):
        return set()
    failing = {address for address in tries if repeatedly(tries[address], Stage.TCP, _UNCONNECTED)}
    return failing if failing & endpoint.addresses(Resolver.DOH, Resolver.PUBLIC) else set()


def lost_hello(evidence: Evidence) -> Iterator[Fact]:
    """The connection opens, and nothing that is sent on it arrives."""
    for endpoint in evidence.endpoints():
        for walks in by_address(endpoint.walks).values():
            silent = [walk for walk in walks if walk.failure(Stage.TLS) is Failure.TLS_TIMEOUT]
            if repeatedly(walks, Stage.TLS, {Failure.TLS_TIMEOUT}) and all(map(_is_lost, silent)):
                yield Fact(
                    f"A connection to {endpoint.host} opens, and then nothing that is sent on it arrives.",
                    endpoint.target,
                    walks[0].family,
                )


def _is_lost(walk: Walk) -> bool:
    """Whether nothing after the SYN was acknowledged (RFC 9293: a SYN counts as one byte)."""
    seen = walk.at(Stage.TLS)
    tcp = seen.tcp if seen else None
    return tcp is not None and tcp.bytes_acked is not None and tcp.bytes_acked <= 1 and bool(tcp.retransmits)


def unconnected_here(evidence: Evidence) -> Iterator[Fact]:
    """No address can be connected to, and peers abroad reach the platform."""
    for endpoint, family in _unanswered_here(evidence):
        if _unconnected(endpoint, family):
            yield while_peers(evidence, endpoint, family, "no connection opens")


def broken_here(evidence: Evidence) -> Iterator[Fact]:
    """Every handshake breaks, and peers abroad reach the platform."""
    for endpoint, family in _unanswered_here(evidence):
        trusted = endpoint.addresses(Resolver.DOH, Resolver.PUBLIC)
        walks = [w for w in endpoint.walks if w.family == family and w.address in trusted]
        if repeatedly(walks, Stage.TLS, _BROKEN):
            yield while_peers(evidence, endpoint, family, "every connection breaks off at its start")


def _unanswered_here(evidence: Evidence) -> Iterator[tuple[EndpointEvidence, int]]:
    """What a person would miss here and peers abroad do not, by family."""
    mine_alone = evidence.peers_reach_it and not _is_next_door(evidence)
    for role in evidence.required() if mine_alone else ():
        for endpoint in role.endpoints:
            if not endpoint.is_answered:
                yield from ((endpoint, family) for family in sorted(evidence.families))


def while_peers(evidence: Evidence, endpoint: EndpointEvidence, family: int, what: str) -> Fact:
    """What happens here while peers abroad reach the platform."""
    countries = evidence.peers.countries if evidence.peers else 0
    text = (
        f"{endpoint.host}: {what} here, while people in {countries} other countries reach "
        f"{evidence.platform.title}."
    )
    return Fact(text, endpoint.target, family)
