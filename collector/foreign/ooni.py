"""One OONI measurement as a round of our own. PURE.

OONI tests a URL and follows its redirects; we test the roles of a platform. So every host of the
platform that the measurement visited becomes a required role over TLS, with everything seen of that
name, and a second, optional one for what was fetched in cleartext: a page in cleartext proves
nothing, whoever sent it. Hosts of others (a block page's, say) become no role.

Times are OONI's own, in seconds since the start. Before 0.5 only the end of an operation is known:
it is given as the start, with a duration of 0.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from probe.wire.address import is_bogon
from probe.wire.codec import DecodeError
from probe.wire.failure import Failure
from probe.wire.observation import Gate, GateState, Network, Observation, Round
from probe.wire.platform import Endpoint, Platform, Role
from probe.wire.scrub import scrub
from probe.wire.stage import DnsDetail, HttpDetail, Resolver, Stage, TlsDetail, check_readable

from .failures import AFTER_THE_ANSWER, failure_of
from .form import Connect, Entry, Handshake, Measurement, Query, Transaction, address_of, endpoint_of

# No control was asked, so no known state of our gate is true.
NOT_MEASURED = Gate(state=GateState("not_measured"), controls=0, passed_before=0, passed_after=0)

WEB, PLAIN = "web", "plain"
MAX_HOSTS, MAX_ANSWERS, MAX_NAMES, MAX_ATTEMPTS, MAX_OBSERVATIONS = 8, 32, 16, 16, 1024

_SYSTEM_ENGINES = frozenset({"getaddrinfo", "system", "golang_net_resolver", "go"})
# Resolvers of somebody else's, asked by name: neither the line's nor one we trust.
_PUBLIC_ENGINES = frozenset({"udp", "tcp"})


@dataclass(frozen=True, slots=True)
class Conclusion:
    """OONI's own words on the measurement, unchanged."""

    blocking: str | bool | None
    accessible: bool | None
    dns_consistency: str | None
    test_version: str
    report_id: str | None
    measurement_uid: str | None
    input: str


@dataclass(frozen=True, slots=True)
class Site:
    """A host the measurement visited: its two roles' targets, and the port that is its TLS one."""

    host: str
    web: str
    plain: str
    tls_port: int


def host_of(measurement: Measurement) -> str:
    """The host that was tested, in lower case; raises `DecodeError`."""
    return _host_and_port(measurement.input, "$.input")[0]


def conclusion_of(measurement: Measurement) -> Conclusion:
    """What OONI made of it."""
    keys = measurement.test_keys
    return Conclusion(
        blocking=keys.blocking,
        accessible=keys.accessible,
        dns_consistency=keys.dns_consistency,
        test_version=measurement.test_version,
        report_id=measurement.report_id or None,
        measurement_uid=measurement.measurement_uid or None,
        input=measurement.input,
    )


def named_after(host: str) -> Platform:
    """A platform for a host that is none of the platforms': its site and what lies below it."""
    role = Role(name=WEB, endpoints=(Endpoint(url=f"https://{_bracketed(host)}/"),))
    return Platform(name=host[-32:], title=host, hosts=(host.removeprefix("www."),), roles=(role,))


def round_of(measurement: Measurement, platform: Platform, data: bytes) -> Round:
    """The measurement as a round that tested `platform`; `data` names it. Raises `DecodeError`."""
    sites = _sites(measurement, platform)
    seen = tuple(_numbered(_observations(measurement, sites)))
    if len(seen) > MAX_OBSERVATIONS:
        raise DecodeError("$.test_keys", f"over {MAX_OBSERVATIONS} observations")
    rnd = Round(
        round_id=hashlib.sha256(data).hexdigest()[:32],
        started_at=_started_at(measurement.measurement_start_time),
        duration_s=measurement.test_runtime or 0.0,
        network=Network(country=_country(measurement.probe_cc), asn=_asn(measurement.probe_asn)),
        gate=NOT_MEASURED,
        targets=(replace(platform, roles=tuple(_roles(sites, seen, platform))),),
        observations=seen,
    )
    return scrub(rnd, ())


# The head.


def _started_at(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        raise DecodeError("$.measurement_start_time", "not a time such as 2023-12-17 15:04:05") from None


def _country(text: str | None) -> str | None:
    if text in (None, "", "ZZ"):  # OONI's word for not known
        return None
    if text is None or len(text) != 2 or not text.isascii() or not text.isalpha():
        raise DecodeError("$.probe_cc", "not a country of two letters")
    return text.upper()


def _asn(text: str | None) -> int | None:
    if text in (None, "", "AS0"):
        return None
    number = (text or "").removeprefix("AS")
    if not number.isascii() or not number.isdecimal() or len(number) > 10 or not 0 < int(number) < 2**32:
        raise DecodeError("$.probe_asn", "not AS and a number")
    return int(number)


# The hosts.


def _sites(measurement: Measurement, platform: Platform) -> tuple[Site, ...]:
    """The platform's hosts in the order they were visited, the tested one first."""
    hosts: dict[str, int] = {}
    for host, port in _visited(measurement):
        if platform.owns(host):
            hosts[host] = port or hosts.get(host, 443)
    return tuple(
        Site(host, f"{platform.name}/{WEB}{mark}", f"{platform.name}/{PLAIN}{mark}", port)
        for index, (host, port) in enumerate(list(hosts.items())[:MAX_HOSTS])
        for mark in ["" if index == 0 else f"-{index + 1}"]
    )


def _visited(measurement: Measurement) -> Iterator[tuple[str, int | None]]:
    """The tested host, those it redirected to, and names looked up on the way: a redirect that ends
    at the lookup leaves no request behind. With each the port, where a URL names one for TLS.
    `requests` is written newest first (ts-017)."""
    yield _host_and_port(measurement.input, "$.input")
    requests = measurement.test_keys.requests or ()
    for index in reversed(range(len(requests))):
        yield _host_and_port(requests[index].request.url, f"$.test_keys.requests[{index}].request.url")
    for query in measurement.test_keys.queries or ():
        if query.depth:
            yield _name(query.hostname), None


def _host_and_port(url: str, path: str) -> tuple[str, int | None]:
    try:
        check_readable(url)
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and url.isprintable() and parts.port != 0:
            return _name(parts.hostname), parts.port if parts.scheme == "https" else None
    except ValueError:
        pass
    raise DecodeError(path, "not an http or https URL")


def _host(url: str) -> str:
    return _host_and_port(url, "$")[0]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _name(text: str) -> str:
    """A host as the resolver is asked for it: OONI writes the URL's letters in one place and what was
    asked for (RFC 5890) in the other."""
    name = _text(text).lower().rstrip(".")
    try:
        return name.encode("idna").decode() if not name.isascii() else name
    except UnicodeError:
        return name


def _text(text: str) -> str:
    """Cut to length and printable: what a stranger's server wrote."""
    return "".join(c if c.isprintable() else "?" for c in text)[:255]


def _roles(sites: tuple[Site, ...], seen: tuple[Observation, ...], platform: Platform) -> Iterator[Role]:
    """A role over TLS for each host, one in cleartext where something was seen in cleartext. A host
    that a redirect led to, and of which nothing but a page without address is known, is left out."""
    measured = {o.target for o in seen if o.stage is not Stage.HTTP or o.address or o.failure}
    cleartext = {o.target for o in seen}
    for index, site in enumerate(sites):
        name, host = site.web.partition("/")[2], _bracketed(site.host)
        port = "" if site.tls_port == 443 else f":{site.tls_port}"
        if index == 0 or site.web in measured:
            yield Role(name=name, endpoints=(Endpoint(url=f"https://{host}{port}/"),))
        if site.plain in cleartext:
            plain = site.plain.removeprefix(f"{platform.name}/")
            yield Role(name=plain, endpoints=(Endpoint(url=f"http://{host}/"),), required=False)


# The observations.


def _observations(measurement: Measurement, sites: tuple[Site, ...]) -> Iterator[Observation]:
    """Everything seen of these hosts."""
    keys = measurement.test_keys
    by_host = {site.host: site for site in sites}
    by_depth = _by_depth(measurement, by_host)
    # Where the connection failed 0.5 leaves no request, and the input alone says that it was cleartext.
    asked = [measurement.input, *(t.request.url for t in keys.requests or ())]
    with_plain = {_host(url) for url in asked if not url.lower().startswith("https:")}
    for query in keys.queries or ():
        if (site := by_host.get(_name(query.hostname))) is not None:
            targets = (site.web, site.plain) if site.host in with_plain else (site.web,)
            for target in targets:
                yield from _looked_up(query, site, target)
    for connect in keys.tcp_connect or ():
        if (site := by_depth.get(connect.depth or 0)) is not None:
            yield _connected(connect, site)
    for handshake in keys.tls_handshakes or ():
        yield from _shook_hands(handshake, by_host, by_depth)
    unverified = {_name(h.server_name or "") for h in keys.tls_handshakes or () if h.no_tls_verify}
    for request in reversed(keys.requests or ()):
        site = by_host.get(_host(request.request.url))
        if site is not None and not (_is_tls(request) and unverified & {site.host, ""}):
            yield from _fetched(request, site)


def _by_depth(measurement: Measurement, by_host: dict[str, Site]) -> dict[int, Site]:
    """The host at each redirect depth. Version 0.4 tags no depth, and connects at depth 0 alone."""
    hosts = {0: host_of(measurement)}
    for request in measurement.test_keys.requests or ():
        if request.depth is not None:
            hosts[request.depth] = _host(request.request.url)
    for query in measurement.test_keys.queries or ():
        if query.depth is not None:
            hosts.setdefault(query.depth, _name(query.hostname))
    return {depth: by_host[host] for depth, host in hosts.items() if host in by_host}


def _is_tls(transaction: Transaction) -> bool:
    return transaction.request.url.lower().startswith("https:")


def _looked_up(query: Query, site: Site, target: str) -> Iterator[Observation]:
    """A lookup; what ``getaddrinfo`` asked in one goes apart by family, and a family that is in no
    answer was asked for, but what was said of it is not known."""
    answers = [a.address for a in query.answers or () if a.address is not None]
    four = tuple(a for a in answers if ":" not in a)
    six = tuple(a for a in answers if ":" in a)
    failure = failure_of(query.failure, Stage.DNS)
    if query.query_type != "ANY":
        yield _lookup(query, site, target, query.query_type, (*four, *six), failure)
        return
    for query_type, found in (("A", four), ("AAAA", six)):
        if found or not answers:
            yield _lookup(query, site, target, query_type, found, failure)


def _lookup(
    query: Query, site: Site, target: str, query_type: str, answers: tuple[str, ...], failure: Failure | None
) -> Observation:
    if failure is None and not answers:
        failure = Failure.DNS_NO_ANSWER
    if failure is None and all(map(is_bogon, answers)):
        failure = Failure.DNS_BOGON  # OONI flags it apart and calls the lookup a success
    detail = DnsDetail(
        resolver=_resolver(query.engine),
        query_type=_text(query_type),
        server=_server(query.resolver_address),
        answers=answers[:MAX_ANSWERS],
        cnames=tuple(_name(a.hostname) for a in query.answers or () if a.hostname)[:MAX_NAMES],
    )
    return replace(_observation(query, Stage.DNS, site, target, failure), dns=detail)


def _resolver(engine: str) -> Resolver:
    if engine in _SYSTEM_ENGINES:
        return Resolver.SYSTEM
    try:
        return Resolver("public" if engine in _PUBLIC_ENGINES else engine)
    except ValueError:
        return Resolver("unknown")


def _server(text: str | None) -> str | None:
    """The address out of ``8.8.8.8:53``; a DoH resolver is given as a URL, getaddrinfo's as nothing."""
    try:
        return endpoint_of(text or "")
    except ValueError:
        return None


def _connected(connect: Connect, site: Site) -> Observation:
    failure = failure_of(connect.status.failure, Stage.TCP)
    if failure is None and not connect.status.success:
        failure = Failure.LOCAL_ERROR  # it says that it failed and not why
    target = site.web if connect.port == site.tls_port else site.plain
    seen = _observation(connect, Stage.TCP, site, target, failure, address_of(connect.ip))
    return replace(seen, port=connect.port)


def _shook_hands(
    handshake: Handshake, by_host: dict[str, Site], by_depth: dict[int, Site]
) -> Iterator[Observation]:
    """A handshake over TCP. One whose certificate nobody verified proves nothing by succeeding."""
    if handshake.network in ("udp", "quic") or (handshake.no_tls_verify and handshake.failure is None):
        return
    named = handshake.server_name
    site = by_host.get(_name(named)) if named else by_depth.get(handshake.depth or 0)
    if site is None:
        return
    failure = failure_of(handshake.failure, Stage.TLS)
    seen = _observation(handshake, Stage.TLS, site, site.web, failure, endpoint_of(handshake.address or ""))
    yield replace(seen, tls=TlsDetail(version=_text(handshake.tls_version or "")[:16] or None))


def _fetched(transaction: Transaction, site: Site) -> Iterator[Observation]:
    """A request. In 0.4 one word stands for the whole fetch, lookup and handshake included, so there a
    failure is kept only where the word itself names its stage."""
    response = transaction.response
    status = response.code if response and response.code and 100 <= response.code <= 599 else None
    stage, failure = Stage.HTTP, failure_of(transaction.failure, Stage.HTTP)
    if transaction.failure in AFTER_THE_ANSWER and status is not None:
        failure = None
    if failure is None and status is None:
        return
    address = endpoint_of(transaction.address or "")
    if failure is not None and address is None:
        if not transaction.failure or not transaction.failure.startswith(("ssl_", "connection_refused")):
            return
        stage = Stage.TLS if transaction.failure.startswith("ssl_") else Stage.TCP
    target = site.web if _is_tls(transaction) else site.plain
    seen = _observation(transaction, stage, site, target, failure, address)
    location = response.location if response and status and 300 <= status < 400 else None
    detail = HttpDetail(
        url=_text(transaction.request.url), status=status, location=_text(location) if location else None
    )
    yield replace(seen, http=detail if stage is Stage.HTTP else None)


def _observation(
    entry: Entry,
    stage: Stage,
    site: Site,
    target: str,
    failure: Failure | None,
    address: str | None = None,
) -> Observation:
    end = entry.t or 0.0
    start = end if entry.t0 is None else entry.t0
    port = None if address is None else (site.tls_port if target == site.web else 80)
    return Observation(
        stage=stage,
        target=target,
        host=site.host,
        start_s=start,
        duration_s=max(0.0, round(end - start, 6)),
        address=address,
        port=port,
        failure=failure,
        owner=failure.owner if failure else None,
    )


def _numbered(observations: Iterable[Observation]) -> Iterator[Observation]:
    """What was done again is another attempt: 0.4 shakes hands twice, once to test and once to fetch."""
    done: Counter[tuple[object, ...]] = Counter()
    for seen in observations:
        asked = (seen.dns.resolver, seen.dns.query_type, seen.dns.server) if seen.dns else None
        page = seen.http.url if seen.http else None
        same = (seen.stage, seen.target, seen.address, asked, page)
        done[same] += 1
        if done[same] <= MAX_ATTEMPTS:
            yield replace(seen, attempt=done[same])
