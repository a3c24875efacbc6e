"""A round for each thing that can happen, made once. PURE.

The observations are those that the agent makes, cut down to one role of each platform: two resolvers
asked, one address walked, twice where it fails and then under another name as well. What they are called
is for the real rules to say (`tests/nation/test_verdicts.py` holds what they say). Everything that two
probes may have in common is in a template; a name, a time and a place make a round of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

from probe.wire.codec import encode
from probe.wire.failure import Failure
from probe.wire.observation import Observation, Phase, Purpose, Round
from probe.wire.platform import Endpoint, Platform, Role
from probe.wire.stage import DnsDetail, HttpDetail, Resolver, Stage, TcpDetail, TlsDetail, TransferDetail
from tests.rounds import (
    FAR_TTL,
    OBJECT_ADDRESS,
    RCODES,
    RESOLVER,
    a_round,
    control,
    innocuous,
    observed,
    twice,
)

from .story import What

RTT_S = 0.05
# A home line of 8 Mbit/s (Ookla has Pakistan's median fixed line of 2023 at about 12).
LINE_KBPS = 8000.0
OBJECT_BYTES = 65_536
ATTEMPTS = 3  # the rules compare no fewer transfers
TIMEOUT_S = 10.0
REFUSED_S = 0.05


@dataclass(frozen=True, slots=True)
class Site:
    """A platform as far as the nation measures it."""

    platform: Platform
    host: str
    addresses: tuple[str, str]

    @property
    def target(self) -> str:
        """The one role's name."""
        return f"{self.platform.name}/web"


def _site(name: str, title: str, host: str, *addresses: str) -> Site:
    endpoint = Endpoint(url=f"https://{host}/robots.txt")
    role = Role(name="web", endpoints=(endpoint,), transfer=Endpoint(url=f"https://{host}/"))
    domain = host.removeprefix("www.")
    platform = Platform(name=name, title=title, hosts=(domain,), roles=(role,))
    return Site(platform, host, (addresses[0], addresses[1]))


# Addresses out of the owners' prefixes as of December 2023.
SITES: Mapping[str, Site] = {
    "x": _site("x", "X", "x.com", "104.244.42.1", "104.244.42.65"),
    "facebook": _site("facebook", "Facebook", "www.facebook.com", "157.240.1.35", "157.240.3.35"),
    "instagram": _site("instagram", "Instagram", "www.instagram.com", "157.240.1.174", "157.240.3.174"),
    "youtube": _site("youtube", "YouTube", "www.youtube.com", "142.250.1.91", "142.250.2.91"),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What one round is like: of each platform, in the order of the story's; of the line; and whether
    speeds were compared. `rate_kbps` is what a throttled platform comes at."""

    platforms: tuple[tuple[str, What], ...]
    line: What = What.OK
    with_speed: bool = False
    rate_kbps: float = 0.0


@dataclass(frozen=True, slots=True)
class Template:
    """A round of nobody's and of no time, and the end of its JSON, which is the same for everybody."""

    rnd: Round
    tail: bytes


_FROM = b'"gate":'


@cache
def template(seen: Seen) -> Template:
    """The one for what was seen."""
    rnd = _round(seen)
    body = encode(rnd)
    return Template(rnd, body[body.index(_FROM) :])


def _round(seen: Seen) -> Round:
    platforms = tuple(SITES[name].platform for name, _ in seen.platforms)
    if seen.line is not What.OK:
        before = _line(seen.line)
        return a_round(platforms=platforms, before=before, after=(), cleartext_is_clean=_page_is_own(seen))
    observations: list[Observation] = []
    for name, what in seen.platforms:
        observations += _SEES[what](SITES[name])
    with_speed = seen.with_speed or any(what is What.THROTTLE for _, what in seen.platforms)
    if with_speed:
        for name, what in seen.platforms:
            if what in (What.OK, What.THROTTLE):
                observations += _speed(SITES[name], seen.rate_kbps if what is What.THROTTLE else LINE_KBPS)
        observations += times_of(ATTEMPTS, _transfer("foreign/one.example", "one.example", LINE_KBPS))
    return a_round(*observations, platforms=platforms)


def _page_is_own(seen: Seen) -> bool:
    return seen.line is not What.PORTAL


def _line(what: What) -> tuple[Observation, ...]:
    """Both gates' controls of a line that is no way abroad."""
    hosts = ("one.example", "two.example", "three.example")
    dead = [control(Phase.BEFORE, host, Failure.CONNECTION_TIMEOUT, stage=Stage.TCP) for host in hosts]
    if what is What.ABROAD_CUT:
        dead.append(control(Phase.BEFORE, "home.example", kind="domestic"))
    return tuple(dead)


def _dns(
    site: Site, resolver: Resolver, failure: Failure | None = None, *, both: bool = False
) -> Observation:
    answers = () if failure else site.addresses if both else site.addresses[:1]
    detail = DnsDetail(
        resolver=resolver,
        query_type="A",
        server=RESOLVER if resolver is Resolver.SYSTEM else None,
        rcode=RCODES[failure],
        answers=answers,
        ip_ttl=FAR_TTL if resolver is Resolver.SYSTEM else None,
    )
    return observed(Stage.DNS, site.target, failure, host=site.host, dns=detail, duration_s=RTT_S)


def _found(site: Site, *, both: bool = False) -> list[Observation]:
    return [_dns(site, Resolver.SYSTEM, both=both), _dns(site, Resolver.DOH, both=both)]


def _tcp(site: Site, failure: Failure | None = None, *, at: int = 0) -> Observation:
    return observed(
        Stage.TCP,
        site.target,
        failure,
        host=site.host,
        address=site.addresses[at],
        tcp=None if failure else TcpDetail(rtt_s=RTT_S),
        duration_s=TIMEOUT_S if failure else RTT_S,
    )


def _tls(site: Site, failure: Failure | None = None) -> Observation:
    return observed(
        Stage.TLS,
        site.target,
        failure,
        host=site.host,
        address=site.addresses[0],
        tls=None if failure else TlsDetail(version="TLSv1.3"),
        # What the kernel knows of a connection that broke: the ClientHello had been acknowledged.
        tcp=TcpDetail(rtt_s=RTT_S, bytes_acked=518, bytes_received=0, retransmits=0) if failure else None,
        duration_s=TIMEOUT_S if failure is Failure.TLS_TIMEOUT else REFUSED_S,
    )


def _answered(site: Site) -> list[Observation]:
    detail = HttpDetail(url=f"https://{site.host}/robots.txt", status=200, body_bytes=26)
    http = observed(Stage.HTTP, site.target, host=site.host, address=site.addresses[0], http=detail)
    return [_tcp(site), _tls(site), http]


def _fine(site: Site) -> list[Observation]:
    return [*_found(site), *_answered(site)]


def _cut(failure: Failure) -> Callable[[Site], list[Observation]]:
    """The handshake breaks for this name, and completes for another on the same address."""

    def sees(site: Site) -> list[Observation]:
        broken = twice([_tcp(site), _tls(site, failure)])
        return [*_found(site), *broken, *twice(innocuous([_tcp(site), _tls(site)]))]

    return sees


def _lied_to(site: Site) -> list[Observation]:
    """The provider's resolver denies the name; the address a trusted one gives is genuine."""
    denied = twice([_dns(site, Resolver.SYSTEM, Failure.DNS_NXDOMAIN)])
    return [*denied, _dns(site, Resolver.DOH), *_answered(site)]


def _dropped(site: Site) -> list[Observation]:
    tries = [_tcp(site, Failure.CONNECTION_TIMEOUT, at=at) for at in (0, 1)]
    return [*_found(site, both=True), *twice(tries)]


def _down(site: Site) -> list[Observation]:
    """As Facebook was on 4 October 2021: its name servers were gone, so no resolver had an answer."""
    servfail = [_dns(site, kind, Failure.DNS_SERVFAIL) for kind in (Resolver.SYSTEM, Resolver.DOH)]
    return twice(servfail)


def _glitch(site: Site) -> list[Observation]:
    """One address is out of reach, twice: a fault somewhere, which says nothing of whose."""
    return [*_found(site), *twice([_tcp(site, Failure.CONNECTION_TIMEOUT)])]


_SEES: Mapping[What, Callable[[Site], list[Observation]]] = {
    What.OK: _fine,
    What.TLS_RESET: _cut(Failure.TLS_RESET),
    What.TLS_TIMEOUT: _cut(Failure.TLS_TIMEOUT),
    What.DNS_LIE: _lied_to,
    What.IP_DROP: _dropped,
    What.THROTTLE: _fine,
    What.PLATFORM_DOWN: _down,
    What.GLITCH: _glitch,
}


def _speed(site: Site, kbps: float) -> list[Observation]:
    return times_of(ATTEMPTS, _transfer(site.target, site.host, kbps, site.addresses[0]))


def _transfer(target: str, host: str, kbps: float, address: str = OBJECT_ADDRESS) -> Observation:
    """An object of 64 KiB at this rate, or as much of it as comes in two seconds; the round trips that a
    start takes come first."""
    start_s = 3 * RTT_S
    timed_s = min(OBJECT_BYTES * 8 / kbps / 1000 + start_s, 2.0)
    timed_bytes = round(kbps * 1000 / 8 * (timed_s - start_s))
    is_control = target.startswith("foreign/")
    return observed(
        Stage.TRANSFER,
        target,
        host=host,
        address=address,
        duration_s=round(timed_s + RTT_S, 3),
        tcp=TcpDetail(rtt_s=RTT_S),
        purpose=Purpose.CONTROL if is_control else Purpose.TRANSFER,
        transfer=TransferDetail(
            url=f"https://{host}/",
            wanted_bytes=OBJECT_BYTES,
            body_bytes=timed_bytes,
            timed_bytes=timed_bytes,
            timed_s=round(timed_s, 6),
            status=200,
        ),
    )


def times_of(count: int, one: Observation) -> list[Observation]:
    """The same in so many attempts."""
    return [replace(one, attempt=attempt) for attempt in range(1, count + 1)]
