"""The volunteer's own addresses, and evidence that holds them, never leave. PURE.

Two dangers. Addresses the agent knows to be its own are searched for in every text, in every way
of writing them that a block page or a captive portal might choose. The public address behind a
NAT is *not* known to the agent, and block pages write it into links: so a redirect keeps only
scheme, host and path, and an address in that path is taken out whosever it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from .observation import Observation, Round
from .stage import Certificate, DnsDetail, HttpDetail, TlsDetail

REPLACEMENT = "[address]"

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

_IPV4_LIKE = re.compile(r"(?<![0-9])(?:[0-9]{1,3}[.\-_]){3}[0-9]{1,3}(?![0-9])")
_IPV6_LIKE = re.compile(r"(?i)(?:[0-9a-f]{0,4}(?::|%3a)){2,7}[0-9a-f]{0,4}")


def scrub(rnd: Round, own: Iterable[str]) -> Round:
    """The round as it may leave: `own` are the machine's addresses as far as it knows them."""
    mine = tuple(ip_address(text.partition("%")[0]) for text in own)
    forms = _pattern(mine)
    kept = (o for o in rnd.observations if o.address is None or ip_address(o.address) not in mine)
    return replace(rnd, observations=tuple(_observation(o, mine, forms) for o in kept))


def _observation(
    seen: Observation, own: tuple[IPv4Address | IPv6Address, ...], forms: re.Pattern[str] | None
) -> Observation:
    return replace(
        seen,
        dns=_dns(seen.dns, own, forms) if seen.dns else None,
        tls=_tls(seen.tls, forms) if seen.tls else None,
        http=_http(seen.http, forms) if seen.http else None,
    )


def _dns(
    detail: DnsDetail, own: tuple[IPv4Address | IPv6Address, ...], forms: re.Pattern[str] | None
) -> DnsDetail:
    """Bogon answers are evidence and stay; an answer that is the volunteer's own address does not."""
    server = detail.server
    if server is not None and (ip_address(server) in own or is_private(server)):
        server = None
    answers = tuple(a for a in detail.answers if ip_address(a) not in own)
    return replace(
        detail, server=server, answers=answers, cnames=tuple(_clean(n, forms) for n in detail.cnames)
    )


def _tls(detail: TlsDetail, forms: re.Pattern[str] | None) -> TlsDetail:
    chain = tuple(_certificate(certificate, forms) for certificate in detail.chain)
    error = detail.verify_error and _clean(detail.verify_error, forms)
    return replace(detail, chain=chain, verify_error=error)


def _certificate(certificate: Certificate, forms: re.Pattern[str] | None) -> Certificate:
    return replace(
        certificate,
        subject=_clean(certificate.subject, forms),
        issuer=_clean(certificate.issuer, forms),
        names=tuple(_clean(name, forms) for name in certificate.names),
    )


def _http(detail: HttpDetail, forms: re.Pattern[str] | None) -> HttpDetail:
    location = detail.location and _location(detail.location, forms)
    return replace(detail, location=location, url=_clean(detail.url, forms))


def _location(text: str, forms: re.Pattern[str] | None) -> str:
    """Scheme, host and path; no address in the path; the host only if it is not the volunteer's."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return REPLACEMENT
    netloc = f"[{host}]" if ":" in host else host
    path = _IPV6_LIKE.sub(REPLACEMENT, _IPV4_LIKE.sub(REPLACEMENT, parts.path))
    return _clean(f"{parts.scheme}://{netloc}{f':{port}' if port else ''}{path}", forms)[:255]


def is_private(text: str) -> bool:
    """Whether the address belongs to a home's own network."""
    address = ip_address(text)
    return any(address in network for network in _PRIVATE)


def _clean(text: str, forms: re.Pattern[str] | None) -> str:
    return text if forms is None else forms.sub(REPLACEMENT, text)[:255]


def _pattern(own: Iterable[IPv4Address | IPv6Address]) -> re.Pattern[str] | None:
    """Matches every form of every own address; the longest first, so that none is half removed."""
    forms = {form for address in own for form in written(address)}
    if not forms:
        return None
    ordered = sorted(forms, key=len, reverse=True)
    return re.compile("|".join(re.escape(form) for form in ordered), re.IGNORECASE)


def written(address: IPv4Address | IPv6Address) -> set[str]:
    """The ways an address is written in the wild: in links, in reverse names, in host names."""
    if address.version == 4:
        parts = str(address).split(".")
        orders = (parts, parts[::-1], [part.zfill(3) for part in parts])
        joined = {joint.join(order) for order in orders for joint in (".", "-", "_", "%2e")}
        return joined | {str(int(address)), f"{int(address):08x}"}
    groups = address.exploded.split(":")
    short = [group.lstrip("0") or "0" for group in groups]
    nibbles = "".join(groups)
    joined = {joint.join(order) for order in (groups, short) for joint in (":", "-", "%3a", "_")}
    compressed = {address.compressed.replace(":", joint) for joint in (":", "-", "%3a")}
    return joined | compressed | {nibbles, ".".join(reversed(nibbles)), str(int(address))}
