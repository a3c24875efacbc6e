"""What our rules would say of a foreign round, had its controls passed. PURE.

The reasons for supposing anything at all, and its limits, are in this package's docstring. A supposed
round lives here alone: it is judged and forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from probe.verdict import Verdict, judge
from probe.wire.failure import FOREIGN_CERTIFICATE
from probe.wire.observation import Gate, GateState, Observation, Phase, Purpose, Round
from probe.wire.openenum import OpenEnum
from probe.wire.platform import Platform
from probe.wire.stage import DnsDetail, HttpDetail, Resolver, Stage

from .form import Control, Measurement, address_of, endpoint_of
from .ooni import Conclusion, conclusion_of, round_of

PASSED = Gate(state=GateState.ONLINE, controls=2, passed_before=2, passed_after=2)


class LineUp(OpenEnum):
    """What in the measurement itself shows that the line was up."""

    TEST_HELPER = "test_helper"
    HANDSHAKE = "handshake"
    DOH = "doh"


@dataclass(frozen=True, slots=True)
class Reading:
    """A foreign measurement with both conclusions. The verdict is the one of `round` as it stands where
    `gate_assumed` is False, and of a supposed round otherwise."""

    round: Round
    host: str
    verdict: Verdict
    gate_assumed: bool
    line_up_by: LineUp | None
    repetition_assumed: bool
    ooni: Conclusion


def reading_of(
    measurement: Measurement, platform: Platform, host: str, data: bytes, *, known: bool
) -> Reading:
    """Read and judge a measurement of `host`. `known` says that the platform's own hosts are known, so
    that a redirect to another can be told from the site's own doing. Raises `DecodeError`."""
    rnd = round_of(measurement, platform, data)
    control = _heard(measurement)
    line_up = _line_up(rnd, control)
    verdict, repeated = _verdict(rnd), False
    if line_up is not None:
        once = _supposed(rnd, control, known=known)
        verdict = _verdict(_repeated(once))
        repeated = _said(verdict) != _said(_verdict(once))
    return Reading(
        round=rnd,
        host=host,
        verdict=verdict,
        gate_assumed=line_up is not None,
        line_up_by=line_up,
        repetition_assumed=repeated,
        ooni=conclusion_of(measurement),
    )


def _verdict(rnd: Round) -> Verdict:
    (verdict,) = judge(rnd)
    return verdict


def _said(verdict: Verdict) -> object:
    return verdict.status, verdict.mechanisms


def _heard(measurement: Measurement) -> Control | None:
    """The test helper's results, where it answered. Where it did not, 0.5 writes none, 0.4 empty ones."""
    control = measurement.test_keys.control
    if control is None or control.dns is None:
        return None
    return control if control.dns.addrs or control.dns.failure else None


def _line_up(rnd: Round, control: Control | None) -> LineUp | None:
    """The strongest witness there is. A block page's or portal's own valid certificate is none: only
    handshakes for the platform's names are in the round."""
    if control is not None:
        return LineUp.TEST_HELPER
    if any(o.stage is Stage.TLS and o.failure is None for o in rnd.observations):
        return LineUp.HANDSHAKE
    if any(o.dns and o.dns.resolver is Resolver.DOH and o.failure is None for o in rnd.observations):
        return LineUp.DOH
    return None


def _supposed(rnd: Round, control: Control | None, *, known: bool) -> Round:
    """The round with its controls passed, the test helper as a trusted resolver, and answers placed."""
    seen = [*_placed(rnd.observations)]
    if control is not None:
        seen += _witness(control, rnd)
    if known:
        seen.append(_clean_page())
    return replace(rnd, gate=PASSED, observations=tuple(seen))


def _repeated(rnd: Round) -> Round:
    """The round as if everything had gone the same way once more."""
    again = (replace(o, attempt=o.attempt + 16) for o in rnd.observations if o.phase is Phase.MAIN)
    return replace(rnd, observations=(*rnd.observations, *again))


def _clean_page() -> Observation:
    """The gate's cleartext page, as it should be."""
    page = HttpDetail(url="http://portal.invalid/", status=200, body_matches=True)
    return replace(_told("portal/supposed", "portal.invalid", Stage.HTTP), phase=Phase.BEFORE, http=page)


def _told(target: str, host: str, stage: Stage, address: str | None = None) -> Observation:
    """Something that went well and that this line did not see, so that it has no time."""
    return Observation(stage=stage, target=target, host=host, start_s=0.0, duration_s=0.0, address=address)


def _placed(observations: Iterable[Observation]) -> Iterator[Observation]:
    """Version 0.4 fetches from the addresses that the line's resolver gave (its ``httpget.go`` pins
    them) and does not say which of them answered: any stands for them all. The name a redirect leads
    to is looked up by the same resolver, and only the handshake tells what it said."""
    seen = tuple(observations)
    for o in seen:
        if o.http is None or o.address is not None:
            yield o
            continue
        given = _given(seen, o.target)
        address = next(iter(given), None) or _met(seen, o.target)
        if address is not None:
            yield replace(o, address=address, port=80 if o.http.url.startswith("http:") else 443)
        if address is not None and not given:
            yield _lookup(o.target, o.host, Resolver.SYSTEM, address)


def _given(observations: Iterable[Observation], target: str) -> dict[str, None]:
    """What the line's own resolver gave, in its order."""
    return {
        address: None
        for o in observations
        if o.target == target and o.dns is not None and o.dns.resolver is Resolver.SYSTEM
        for address in o.dns.answers
    }


def _met(observations: Iterable[Observation], target: str) -> str | None:
    """An address at which a handshake completed."""
    shaken = (o for o in observations if o.target == target and o.stage is Stage.TLS and not o.failure)
    return next((o.address for o in shaken), None)


def _lookup(target: str, host: str, resolver: Resolver, address: str) -> Observation:
    query_type = "AAAA" if ":" in address else "A"
    detail = DnsDetail(resolver=resolver, query_type=query_type, answers=(address,))
    return replace(_told(target, host, Stage.DNS), dns=detail)


def _witness(control: Control, rnd: Round) -> Iterator[Observation]:
    """What the test helper saw of the tested host. Its handshakes are somebody's abroad at addresses
    that the line's resolver gave, or that showed the line a foreign certificate: there the line's own
    experience is the finding, and a success abroad must not hide it."""
    platform = rnd.targets[0]
    target, host = platform.target(platform.roles[0]), platform.roles[0].endpoints[0].host
    about = {platform.target(role) for role in platform.roles if role.endpoints[0].host == host}
    for address in filter(None, map(_readable, control.dns.addrs or () if control.dns else ())):
        yield from (_lookup(name, host, Resolver.DOH, address) for name in sorted(about))
    spoken_for = {*_given(rnd.observations, target)}
    spoken_for |= {o.address for o in rnd.observations if o.address and o.failure in FOREIGN_CERTIFICATE}
    for endpoint, handshake in (control.tls_handshake or {}).items():
        found = _readable(endpoint)
        if found is not None and handshake.status:
            whose = Purpose.ABROAD if found in spoken_for else Purpose.ENDPOINT
            yield replace(_told(target, host, Stage.TLS, found), purpose=whose)


def _readable(text: str) -> str | None:
    """An address or endpoint the test helper names; it names hosts too, and words for failures."""
    for read in (address_of, endpoint_of):
        try:
            return read(text)
        except ValueError:
            continue
    return None
