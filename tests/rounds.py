"""Rounds written down in a few words, for tests that need a round and no network.

    a_round(dns("x/web", "system", "104.244.42.1"), *reached("x/web", "104.244.42.1"))

Controls pass before and after unless told otherwise. `twice` and `times` repeat what was seen as
further attempts do; `innocuous` and `elsewhere` turn a walk into an answer to a question about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from probe.verdict.gate import judge_gate
from probe.wire.exchange import PeerView
from probe.wire.failure import Failure
from probe.wire.observation import Gate, Network, Observation, Phase, Purpose, Round
from probe.wire.platform import Endpoint, Needs, Platform, Role
from probe.wire.stage import (
    Certificate,
    DnsDetail,
    Hop,
    HttpDetail,
    LateAnswer,
    Met,
    PacketsDetail,
    PathDetail,
    Reset,
    Resolver,
    Sent,
    Stage,
    TcpDetail,
    TlsDetail,
    TransferDetail,
)

NOW = datetime(2023, 12, 17, 15, 4, tzinfo=UTC)
X_ADDRESS, OTHER_X_ADDRESS, X_SIX = "104.244.42.1", "104.244.42.65", "2606:1f80:f000::1"
CONTROL_ADDRESS, CONTROL_SIX = "198.51.100.7", "2001:500:88::1"
# Where unrelated objects lie.
OBJECT_ADDRESS = "198.51.100.8"
# A resolver of the provider's and one of the home's own; what is left of the TTL of answers from
# past the home.
RESOLVER, HOME = "203.0.113.53", "192.168.1.1"
FAR_TTL = 55

HOSTS = {"x/web": "x.com", "x/media": "pbs.twimg.com", "x/plain": "x.com", "youtube/web": "www.youtube.com"}

X = Platform(
    name="x",
    title="X",
    hosts=("x.com", "twimg.com"),
    roles=(
        Role(name="web", endpoints=(Endpoint(url="https://x.com/robots.txt"),)),
        Role(name="media", endpoints=(Endpoint(url="https://pbs.twimg.com/robots.txt"),), needs=Needs.ALL),
        Role(name="plain", endpoints=(Endpoint(url="http://x.com/"),), required=False),
    ),
)

CERTIFICATE = Certificate(
    subject="CN=x.com",
    issuer="CN=Some CA",
    not_before=NOW,
    not_after=NOW,
    spki_sha256="0" * 32,
    names=("x.com",),
)


def observed(
    stage: Stage,
    target: str,
    failure: Failure | None = None,
    *,
    address: str | None = None,
    **details: object,
) -> Observation:
    """One observation of a platform's role."""
    seen = Observation(
        stage=stage,
        target=target,
        host=HOSTS.get(target, target.partition("/")[2]),
        start_s=1.0,
        duration_s=0.05,
        address=address,
        port=(80 if target.endswith("/plain") else 443) if address else None,
        failure=failure,
        owner=failure.owner if failure else None,
    )
    return replace(seen, **details)  # type: ignore[arg-type]


RCODES = {
    None: "NOERROR",
    Failure.DNS_BOGON: "NOERROR",
    Failure.DNS_NO_ANSWER: "NOERROR",
    Failure.DNS_NXDOMAIN: "NXDOMAIN",
    Failure.DNS_REFUSED: "REFUSED",
    Failure.DNS_SERVFAIL: "SERVFAIL",
}


def dns(
    target: str,
    resolver: str,
    *answers: str,
    failure: Failure | None = None,
    kind: str = "A",
    attempt: int = 1,
    server: str = RESOLVER,
    ttl: int | None = FAR_TTL,
    late: Sequence[LateAnswer] = (),
) -> Observation:
    """A lookup's answer, or its failure; by its TTL from past the home."""
    detail = DnsDetail(
        resolver=Resolver(resolver),
        query_type=kind,
        server=server,
        rcode=RCODES.get(failure),
        answers=answers,
        ip_ttl=ttl,
        late=tuple(late),
    )
    return observed(Stage.DNS, target, failure, dns=detail, attempt=attempt)


def late(*answers: str, rcode: str = "NOERROR", ttl: int = FAR_TTL) -> LateAnswer:
    """A second answer to the same question."""
    return LateAnswer(rcode=rcode, after_s=0.03, answers=answers, ip_ttl=ttl)


def reached(
    target: str,
    address: str,
    *,
    status: int = 200,
    location: str | None = None,
    body_bytes: int = 0,
    handshake_s: float = 0.05,
) -> list[Observation]:
    """Every stage after DNS, successful, over TLS unless the target is cleartext."""
    stages = [observed(Stage.TCP, target, address=address, tcp=TcpDetail(rtt_s=0.05))]
    if not target.endswith("/plain"):
        shown = TlsDetail(chain=(CERTIFICATE,))
        stages.append(observed(Stage.TLS, target, address=address, tls=shown, duration_s=handshake_s))
    url = f"https://{HOSTS[target]}/"
    detail = HttpDetail(url=url, status=status, location=location, body_bytes=body_bytes)
    return [*stages, observed(Stage.HTTP, target, address=address, http=detail)]


def failed(
    target: str, address: str, failure: Failure, *, attempt: int = 1, **details: object
) -> list[Observation]:
    """The stages up to the one whose failure this is, which has the details."""
    stage = {"tcp": Stage.TCP, "tls": Stage.TLS, "ssl": Stage.TLS, "http": Stage.HTTP}.get(
        failure.partition("_")[0], Stage.TCP
    )
    below = {Stage.TCP: (), Stage.TLS: (Stage.TCP,), Stage.HTTP: (Stage.TCP, Stage.TLS)}[stage]
    if target.endswith("/plain"):
        below = below[:1]
    seen = [observed(step, target, address=address, attempt=attempt) for step in below]
    return [*seen, observed(stage, target, failure, address=address, attempt=attempt, **details)]


def shown(*names: str, system_trusted: bool = False) -> TlsDetail:
    """A certificate that was refused, and for whom it is."""
    return TlsDetail(chain=(replace(CERTIFICATE, names=names),), system_trusted=system_trusted)


def times(count: int, observations: Iterable[Observation], *, first: int = 1) -> list[Observation]:
    """The same in so many attempts."""
    once = list(observations)
    return [replace(o, attempt=attempt) for attempt in range(first, first + count) for o in once]


def twice(observations: Iterable[Observation]) -> list[Observation]:
    """The same in a first and a second attempt."""
    return times(2, observations)


def innocuous(walk: Iterable[Observation]) -> list[Observation]:
    """The walk as it goes under a name that has nothing to do with the platform."""
    return [replace(o, purpose=Purpose.INNOCUOUS, host="www.example.com") for o in walk]


def elsewhere(walk: Iterable[Observation]) -> list[Observation]:
    """The walk as it goes under the platform's name at an unrelated site's address."""
    return [replace(o, purpose=Purpose.ELSEWHERE, address=CONTROL_ADDRESS) for o in walk]


def transfer(target: str, kbps: float, *, rtt_s: float | None = 0.05, status: int = 200) -> Observation:
    """An object of 64 KiB that comes at this rate once it has started, or as much of it as comes in
    two seconds; of a platform's role or, where the target is a host's, an unrelated one."""
    start_s = 3 * (rtt_s or 0)
    timed_s = min(65_536 * 8 / kbps / 1000 + start_s, 2.0)
    timed_bytes = round(kbps * 1000 / 8 * (timed_s - start_s))
    detail = TransferDetail(
        url=f"https://{target}/object",
        wanted_bytes=65_536,
        body_bytes=timed_bytes,
        timed_bytes=timed_bytes,
        timed_s=timed_s,
        status=status,
    )
    is_control = target.startswith("foreign/")
    return observed(
        Stage.TRANSFER,
        target,
        address=OBJECT_ADDRESS if is_control else OTHER_X_ADDRESS,
        transfer=detail,
        tcp=TcpDetail(rtt_s=rtt_s),
        purpose=Purpose.CONTROL if is_control else Purpose.TRANSFER,
    )


def path(target: str, sent: str, *hops: str, address: str = X_ADDRESS) -> Observation:
    """How far a packet gets, hop by hop from the first, each as "met/the router's" with a code behind
    a refusal: "expired/expired", "reset/expired", "rejected/silence 13"."""
    parts = [hop.partition(" ") for hop in hops]
    detail = PathDetail(
        sent=Sent(sent),
        hops=tuple(
            Hop(
                ttl=ttl,
                met=Met(met.partition("/")[0]),
                router_met=Met(met.partition("/")[2]),
                icmp_code=int(code) if code else None,
            )
            for ttl, (met, _, code) in enumerate(parts, 1)
        ),
    )
    return observed(Stage.PATH, target, address=address, path=detail)


def packets(target: str, *resets: int, genuine: Sequence[int] = (52,)) -> Observation:
    """The TTLs of a broken connection's resets, and of what the host itself sent."""
    detail = PacketsDetail(
        genuine_ttls=tuple(genuine), resets=tuple(Reset(ip_ttl=ttl, after_s=0.01) for ttl in resets)
    )
    return observed(Stage.PACKETS, target, address=X_ADDRESS, packets=detail)


def peers(countries: int, *, votes: int | None = None, failing: int = 0, platform: str = "x") -> PeerView:
    """What probes in so many other countries see."""
    votes = 2 * countries if votes is None else votes
    return PeerView(platform=platform, countries=countries, votes=votes, failing=failing)


def fine(target: str, address: str = X_ADDRESS) -> list[Observation]:
    """Both resolvers give the address, and it answers."""
    return [dns(target, "system", address), dns(target, "doh", address), *reached(target, address)]


def control(
    phase: Phase,
    host: str,
    failure: Failure | None = None,
    kind: str = "foreign",
    stage: Stage = Stage.HTTP,
    address: str = CONTROL_ADDRESS,
) -> Observation:
    """A control site's last observation."""
    detail = HttpDetail(url=f"https://{host}/", status=200) if stage is Stage.HTTP and not failure else None
    return observed(stage, f"{kind}/{host}", failure, address=address, phase=phase, http=detail)


def controls(phase: Phase, addresses: Sequence[str] = (CONTROL_ADDRESS,)) -> list[Observation]:
    """Three foreign controls that pass, one after the other of these addresses."""
    hosts = ("one.example", "two.example", "three.example")
    return [control(phase, host, address=address) for host in hosts for address in addresses]


def portal_page(*, matches: bool) -> Observation:
    """The gate's cleartext page, as it should be or as somebody rewrote it."""
    detail = HttpDetail(url="http://portal.example/", status=200 if matches else 302, body_matches=matches)
    return replace(control(Phase.BEFORE, "portal.example", kind="portal"), http=detail)


def a_round(
    *observations: Observation,
    gate: Gate | None = None,
    cleartext_is_clean: bool = True,
    started_at: datetime = NOW,
    platforms: tuple[Platform, ...] = (X,),
    before: Sequence[Observation] = tuple(controls(Phase.BEFORE)),
    after: Sequence[Observation] = tuple(controls(Phase.AFTER)),
) -> Round:
    """A round of these observations, online unless a gate or its controls say otherwise."""
    page = portal_page(matches=cleartext_is_clean)
    seen = (*before, page, *observations, *after)
    return Round(
        round_id="0" * 32,
        started_at=started_at,
        duration_s=3.0,
        network=Network(country="PK", asn=17557),
        gate=gate or judge_gate(seen, 3),
        targets=platforms,
        observations=seen,
    )
