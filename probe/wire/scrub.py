"""The volunteer's own addresses, and evidence that holds them, never leave. PURE.

Two dangers. Addresses the agent knows to be its own are searched for in every text, in every way
of writing them that a block page or a captive portal might choose. The public address behind a
NAT is *not* known to the agent, and block pages write it into links: so a redirect keeps only
scheme, host and path, and an address in that path is taken out whosever it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, TypeVar, cast
from urllib.parse import SplitResult, urlsplit

from .address import prefix_of, read_address
from .observation import Observation, Round
from .stage import (
    Certificate,
    DnsDetail,
    Hop,
    HttpDetail,
    PathDetail,
    Resolver,
    TlsDetail,
    TransferDetail,
    check_readable,
)

REPLACEMENT = "[address]"
# In a host's name, where brackets would make a URL that nobody can read.
IN_HOST = "address"

Address = IPv4Address | IPv6Address
T = TypeVar("T")

# Addresses of a home's own network: a resolver there is the volunteer's router.
_PRIVATE = tuple(
    ip_network(text)
    for text in (
        "10.0.0.0/8",  # RFC 1918
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",  # RFC 6598: behind a carrier's NAT
        "127.0.0.0/8",
        "169.254.0.0/16",
        "fc00::/7",  # RFC 4193
        "fe80::/10",
        "::1/128",
    )
)

_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052

# A home's router may name itself by its public address, which is the volunteer's, and so may the
# second of two; what lies behind them is the provider's.
_HOME_HOPS = 2

# What joins an address's parts in links and in host names, and the same percent-encoded.
_DOT, _COLON = "(?:[._-]|%2e|%2d|%5f)", "(?:[:_-]|%3a|%2d|%5f)"
_IPV4_LIKE = re.compile(rf"(?i)(?<![0-9])(?:[0-9]{{1,3}}{_DOT}){{3}}[0-9]{{1,3}}(?![0-9])")
_IPV6_LIKE = re.compile(rf"(?i)(?<![0-9a-z])(?:[0-9a-f]{{0,4}}{_COLON}){{2,7}}[0-9a-f]{{0,4}}(?![0-9a-z])")


def scrub(rnd: Round, own: Iterable[str]) -> Round:
    """The round as it may leave: `own` are the machine's addresses as far as it knows them."""
    mine = tuple(ip_address(text.partition("%")[0]) for text in own)
    forms = _pattern(mine)
    kept = (o for o in rnd.observations if o.address is None or not _is_home(o.address, mine))
    return replace(rnd, observations=tuple(_observation(o, mine, forms) for o in kept))


def _observation(seen: Observation, own: tuple[Address, ...], forms: _Forms | None) -> Observation:
    return _with(
        seen,
        # A redirect's host is of its server's choosing, and may spell the visitor's address.
        host=_host(seen.host, forms) if seen.hop else seen.host,
        dns=_dns(seen.dns, own, forms) if seen.dns else None,
        tls=_tls(seen.tls, forms) if seen.tls else None,
        http=_http(seen.http, forms, seen.hop) if seen.http else None,
        transfer=_transfer(seen.transfer, forms) if seen.transfer else None,
        path=_path(seen.path, own) if seen.path else None,
    )


def _with(record: T, **parts: object) -> T:
    """The record with these parts; the same one where it has them already, as almost all do."""
    same = all(getattr(record, name) == part for name, part in parts.items())
    return record if same else replace(cast(Any, record), **parts)


def _dns(detail: DnsDetail, own: tuple[Address, ...], forms: _Forms | None) -> DnsDetail:
    """Bogon answers are evidence and stay; an answer that is the volunteer's own address does not.
    The provider's resolver as it was found may be one that the volunteer runs: never named."""
    server = detail.server
    if server is not None and (
        detail.resolver is Resolver.PROVIDER or is_private(server) or _is_near(server, own)
    ):
        server = None
    return _with(
        detail,
        server=server,
        answers=_foreign(detail.answers, own),
        cnames=tuple(_host(name, forms) for name in detail.cnames),
        late=tuple(_with(late, answers=_foreign(late.answers, own)) for late in detail.late),
    )


def _foreign(answers: Iterable[str], own: tuple[Address, ...]) -> tuple[str, ...]:
    return tuple(a for a in answers if not _is_home(a, own))


def _is_home(text: str, own: Iterable[Address]) -> bool:
    """Whether it is the volunteer's own, or in the same /64: an IPv6 router names itself so, and
    whoever knows one address of a home's link knows the home."""
    address = read_address(text)
    links = (mine for mine in own if mine.version == address.version == 6)
    return address in own or any(int(address) >> 64 == int(mine) >> 64 for mine in links)


def _is_near(text: str, own: Iterable[Address]) -> bool:
    """Whether it lies in the network one vote stands for: a home is given a /48 or a part of one, and
    where it has a public IPv4 address, naming its neighbour would name its network."""
    return prefix_of(text) in {prefix_of(str(mine)) for mine in own}


def _path(detail: PathDetail, own: tuple[Address, ...]) -> PathDetail:
    """The home's own hops stay unnamed, the provider's routers are named by their network."""
    return replace(
        detail,
        hops=tuple(replace(hop, router=_network(hop, own)) for hop in detail.hops),
    )


def _network(hop: Hop, own: tuple[Address, ...]) -> str | None:
    router = hop.router
    if router is None or hop.ttl <= _HOME_HOPS or is_private(router) or _is_near(router, own):
        return None
    return prefix_of(router).partition("/")[0]


def _tls(detail: TlsDetail, forms: _Forms | None) -> TlsDetail:
    chain = tuple(_certificate(certificate, forms) for certificate in detail.chain)
    error = detail.verify_error and _clean(detail.verify_error, forms)
    return _with(detail, chain=chain, verify_error=error)


@lru_cache(maxsize=128)  # a round shows each of its certificates on every address of its name
def _certificate(certificate: Certificate, forms: _Forms | None) -> Certificate:
    return _with(
        certificate,
        subject=_clean(certificate.subject, forms),
        issuer=_clean(certificate.issuer, forms),
        names=tuple(_clean(name, forms) for name in certificate.names),
    )


def _http(detail: HttpDetail, forms: _Forms | None, hop: int) -> HttpDetail:
    location = detail.location and _location(detail.location, forms)
    refresh = detail.refresh and _location(detail.refresh, forms)
    # What is asked first is configured; what a redirect led to, its server has written.
    url = _location(detail.url, forms) if hop else _clean(detail.url, forms)
    return _with(detail, location=location, refresh=refresh, url=url)


def _transfer(detail: TransferDetail, forms: _Forms | None) -> TransferDetail:
    return replace(detail, url=_clean(detail.url, forms))


def _location(text: str, forms: _Forms | None) -> str:
    """Scheme, host and path; no address in the path; the host only if it is not the volunteer's.
    What comes out can be read as a URL again, whatever went in."""
    try:
        check_readable(text)
        scrubbed = _rebuilt(urlsplit(text), forms)[:255]
        check_readable(scrubbed)
    except ValueError:
        return REPLACEMENT
    return scrubbed


def _rebuilt(parts: SplitResult, forms: _Forms | None) -> str:
    scheme = f"{parts.scheme}:" if parts.scheme else ""
    path = _clean(_without(parts.path, REPLACEMENT, lambda _: True), forms)
    if not parts.hostname:  # "/login", "mailto:…": all of it is path
        return scheme + path
    port = f":{parts.port}" if parts.port else ""
    return f"{scheme}//{_host(parts.hostname, forms)}{port}{path}"


def _host(host: str, forms: _Forms | None) -> str:
    """A block page's own address is evidence; one written into a name is the visitor's."""
    try:
        ip_address(host)
    except ValueError:
        return _clean(_without(host, IN_HOST, lambda _: True), forms, IN_HOST)
    if _clean(host, forms) != host:
        return IN_HOST
    return f"[{host}]" if ":" in host else host


def is_private(text: str) -> bool:
    """Whether the address belongs to a home's own network."""
    address = read_address(text)
    return any(address in network for network in _PRIVATE)


@dataclass(frozen=True, slots=True)
class _Forms:
    """Own addresses, and a pattern of every form in which each is written."""

    own: frozenset[Address]
    pattern: re.Pattern[str]


def _clean(text: str, forms: _Forms | None, mark: str = REPLACEMENT) -> str:
    """The text without any own address: first the forms known beforehand, then whatever else
    reads as one (IPv6 has more spellings than can be listed)."""
    if forms is None:
        return text
    rest = forms.pattern.sub(mark, text)
    return _without(rest, mark, lambda address: not forms.own.isdisjoint(_named_by(address)))[:255]


def _without(text: str, mark: str, unwanted: Callable[[Address], bool]) -> str:
    def replaced(found: re.Match[str]) -> str:
        address = _read(found[0])
        return mark if address is not None and unwanted(address) else found[0]

    return _IPV6_LIKE.sub(replaced, _IPV4_LIKE.sub(replaced, text))


def _read(text: str) -> Address | None:
    """The address a piece of text spells, whatever joins its parts. "--" alone is no ``::``."""
    parts = re.split(f"{_DOT}|{_COLON}", text, flags=re.IGNORECASE)
    try:
        if len(parts) == 4 and all(part.isdecimal() for part in parts):
            return IPv4Address(".".join(str(int(part)) for part in parts))
        return IPv6Address(":".join(parts)) if any(parts) else None
    except ValueError:
        return None


def _named_by(address: Address) -> set[Address | None]:
    """The address and those it carries inside: mapped (RFC 4291), 6to4 (RFC 3056), NAT64."""
    if isinstance(address, IPv4Address):
        return {address}
    inside = IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
    return {address, address.ipv4_mapped, address.sixtofour, inside}


def _pattern(own: Iterable[Address]) -> _Forms | None:
    """Every form of every own address; the longest first, so that none is half removed."""
    mine = frozenset(own)
    ordered = sorted({form for address in mine for form in written(address)}, key=len, reverse=True)
    if not ordered:
        return None
    return _Forms(mine, re.compile("|".join(re.escape(form) for form in ordered), re.IGNORECASE))


def written(address: Address) -> set[str]:
    """The ways an address is written in the wild: in links, in reverse names, in host names."""
    if address.version == 4:
        parts = str(address).split(".")
        orders = (parts, parts[::-1], [part.zfill(3) for part in parts])
        joined = {joint.join(order) for order in orders for joint in (".", "-", "_", "%2e", "%2d", "%5f")}
        return joined | {str(int(address)), f"{int(address):08x}"}
    groups = address.exploded.split(":")
    short = [group.lstrip("0") or "0" for group in groups]
    nibbles = "".join(groups)
    joints = (":", "-", "_", "%3a", "%2d", "%5f")
    joined = {joint.join(order) for order in (groups, short) for joint in joints}
    compressed = {address.compressed.replace(":", joint) for joint in joints}
    return joined | compressed | {nibbles, ".".join(reversed(nibbles)), str(int(address))}
