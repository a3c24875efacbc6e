"""Rounds written down in a few words, for tests that need a round and no network.

    a_round(dns("x/web", "system", "104.244.42.1"), *reached("x/web", "104.244.42.1"))

Controls pass before and after unless told otherwise; `times=2` repeats an observation as a second
attempt does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

from probe.verdict.gate import judge_gate
from probe.wire.failure import Failure
from probe.wire.observation import Gate, Network, Observation, Phase, Round
from probe.wire.platform import Endpoint, Needs, Platform, Role
from probe.wire.stage import Certificate, DnsDetail, HttpDetail, Resolver, Stage, TcpDetail, TlsDetail

NOW = datetime(2023, 12, 17, 15, 4, tzinfo=UTC)
X_ADDRESS, OTHER_X_ADDRESS = "104.244.42.1", "104.244.42.65"

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
        port=443 if address else None,
        failure=failure,
        owner=failure.owner if failure else None,
    )
    return replace(seen, **details)  # type: ignore[arg-type]


def dns(
    target: str,
    resolver: str,
    *answers: str,
    failure: Failure | None = None,
    kind: str = "A",
    attempt: int = 1,
) -> Observation:
    """A lookup's answer, or its failure."""
    detail = DnsDetail(resolver=Resolver(resolver), query_type=kind, server="203.0.113.53", answers=answers)
    return observed(Stage.DNS, target, failure, dns=detail, attempt=attempt)


def reached(
    target: str, address: str, *, status: int = 200, location: str | None = None
) -> list[Observation]:
    """Every stage after DNS, successful, over TLS unless the target is cleartext."""
    stages = [observed(Stage.TCP, target, address=address, tcp=TcpDetail(rtt_s=0.05))]
    if not target.endswith("/plain"):
        stages.append(observed(Stage.TLS, target, address=address, tls=TlsDetail(chain=(CERTIFICATE,))))
    detail = HttpDetail(url=f"https://{HOSTS[target]}/", status=status, location=location)
    return [*stages, observed(Stage.HTTP, target, address=address, http=detail)]


def failed(target: str, address: str, failure: Failure, *, attempt: int = 1) -> list[Observation]:
    """The stages up to the one whose failure this is."""
    stage = {"tcp": Stage.TCP, "tls": Stage.TLS, "ssl": Stage.TLS, "http": Stage.HTTP}.get(
        failure.partition("_")[0], Stage.TCP
    )
    seen = []
    if stage is not Stage.TCP:
        seen.append(observed(Stage.TCP, target, address=address, attempt=attempt))
    return [*seen, observed(stage, target, failure, address=address, attempt=attempt)]


def twice(observations: Iterable[Observation]) -> list[Observation]:
    """The same in a first and a second attempt."""
    first = list(observations)
    return first + [replace(o, attempt=2) for o in first]


def fine(target: str, address: str = X_ADDRESS) -> list[Observation]:
    """Both resolvers give the address, and it answers."""
    return [dns(target, "system", address), dns(target, "doh", address), *reached(target, address)]


def control(
    phase: Phase, host: str, failure: Failure | None = None, kind: str = "foreign", stage: Stage = Stage.HTTP
) -> Observation:
    """A control site's last observation."""
    detail = HttpDetail(url=f"https://{host}/", status=200) if stage is Stage.HTTP and not failure else None
    return observed(stage, f"{kind}/{host}", failure, address="198.51.100.7", phase=phase, http=detail)


def controls(phase: Phase) -> list[Observation]:
    """Three foreign controls that pass."""
    return [control(phase, host) for host in ("one.example", "two.example", "three.example")]


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
) -> Round:
    """A round of these observations, online unless a gate says otherwise."""
    page = portal_page(matches=cleartext_is_clean)
    seen = (*controls(Phase.BEFORE), page, *observations, *controls(Phase.AFTER))
    return Round(
        round_id="0" * 32,
        started_at=started_at,
        duration_s=3.0,
        network=Network(country="PK", asn=17557),
        gate=gate or judge_gate(seen, 3),
        targets=platforms,
        observations=seen,
    )
