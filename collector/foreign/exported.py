"""Rounds of ours in OONI's words: ``web_connectivity``, data format 0.2.0, one measurement a URL. PURE.

The counterpart of `ooni`, and by the same rule: what is missing stays missing. We ask no test helper, so
`control` and all that OONI compares with it are null; we keep neither bodies nor certificates' bytes, so
bodies are empty and ``peer_certificates`` is left out. What we hold and the format has no key for stands
under ``x_reachwatch``, beside each event and beside the conclusion.

Only what was done as a person's program does it is exported: the lookups, connections, handshakes and
requests of the endpoint itself. Our questions about a failure (another name on the address, the name at
another address, an address where no resolver runs) would be read as failures of the site.

OONI has one word of blocking for a URL, and none for half of one, for a slow one, or for a line that
could not judge:

| our verdict | `blocking` | `accessible` |
|---|---|---|
| a finding names this role: `dns` | ``dns`` | false |
| … `ip` | ``tcp_ip`` | false |
| … `tls`, `mitm` | ``http-failure`` | false |
| … `http` | ``http-diff`` where a page came, else ``http-failure`` | false |
| `ok`, or `blocked` elsewhere, and this URL answered over TLS | false | true |
| anything else, `throttled`, `unreachable`, `insufficient` among it | null | null |

Of several findings the first in this order stands. A measurement carries no word that leads to the
volunteer: no probe, no prefix, and the address is the one OONI writes for everybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC
from ipaddress import ip_address
from types import MappingProxyType

from probe.verdict import Mechanism, Status, Verdict, judge
from probe.wire.codec import plain
from probe.wire.observation import Observation, Phase, Purpose, Round
from probe.wire.platform import Endpoint, Platform, Role
from probe.wire.stage import DnsDetail, HttpDetail, Resolver, Stage
from probe.wire.version import __version__

from .failures import word_of
from .form import DATA_FORMAT, TEST_NAME

Json = dict[str, object]

# The version whose keys these are. It promises none of 0.5's, and readers of 0.5 read them too.
TEST_VERSION = "0.4.3"
PROBE_IP = "127.0.0.1"  # what OONI writes in place of every probe's address

# The versions of the data formats used: df-001, df-002, df-005, df-006, df-008.
_EXTENSIONS = dict.fromkeys(("httpt", "dnst", "tcpconnect", "tlshandshake", "netevents"), 0)

_ENGINES = MappingProxyType(
    {
        Resolver.SYSTEM: "system",
        Resolver.DOH: "doh",
        Resolver.PUBLIC: "udp",
        Resolver.PROVIDER: "udp",  # unnamed, as the volunteer may run it
    }
)

_BLOCKING = MappingProxyType(  # in the order in which one word is chosen
    {
        Mechanism.DNS: "dns",
        Mechanism.IP: "tcp_ip",
        Mechanism.TLS: "http-failure",
        Mechanism.MITM: "http-failure",
        Mechanism.HTTP: "http-diff",
    }
)


def measurements_of(
    rnd: Round, *, country: str, asn: int, verdicts: Iterable[Verdict] | None = None
) -> Iterator[tuple[str, Json]]:
    """One measurement for each URL of the round's targets of which something was seen, beside its
    platform's name. `country` and `asn` (``ZZ`` and 0 for unknown) are those it was admitted to,
    whatever it declares itself. `verdicts` are those of the round before something was left out of it."""
    judged = {verdict.platform: verdict for verdict in (judge(rnd) if verdicts is None else verdicts)}
    head = _head(rnd, country, asn)
    for platform in rnd.targets:
        for role in platform.roles:
            for endpoint in role.endpoints:
                seen = tuple(_of(rnd, platform, role, endpoint))
                if seen:
                    keys = _test_keys(rnd, judged[platform.name], platform.target(role), endpoint, seen)
                    yield platform.name, {**head, "input": endpoint.url, "test_keys": keys}


def _of(rnd: Round, platform: Platform, role: Role, endpoint: Endpoint) -> Iterator[Observation]:
    """What was seen of an endpoint. Observations name the role, so of several endpoints each has what
    names its host and page, and nobody can tell whose a redirect was."""
    alone = len(role.endpoints) == 1
    for o in rnd.observations:
        as_a_person = (o.phase, o.purpose) == (Phase.MAIN, Purpose.ENDPOINT)
        if as_a_person and o.target == platform.target(role) and (alone or _names(o, endpoint)):
            yield o


def _names(o: Observation, endpoint: Endpoint) -> bool:
    same_place = o.hop == 0 and o.host == endpoint.host and o.port in (None, endpoint.port)
    return same_place and (o.http is None or o.http.url == endpoint.url)


# The head (df-000).


def _head(rnd: Round, country: str, asn: int) -> Json:
    began = rnd.started_at.astimezone(UTC)
    # OONI's collector gives these out, one for what a probe measured in one turn; so one a round, made
    # of the round's own number, which is chance.
    report = f"{began:%Y%m%dT%H%M%SZ}_webconnectivity_{country}_{asn}_n0_{rnd.round_id[:16]}"
    return {
        "annotations": {"made_from": "reachwatch", "reachwatch_round": rnd.round_id},
        "data_format_version": DATA_FORMAT,
        "extensions": _EXTENSIONS,
        "measurement_start_time": f"{began:%Y-%m-%d %H:%M:%S}",
        "options": [],
        "probe_asn": f"AS{asn}",
        "probe_cc": country,
        "probe_ip": PROBE_IP,
        "report_id": report,
        "resolver_asn": "AS0",  # not looked up
        "resolver_ip": _resolver_ip(rnd),
        "software_name": "reachwatch",
        "software_version": __version__,
        "test_helpers": {},
        "test_name": TEST_NAME,
        "test_runtime": rnd.duration_s,
        "test_start_time": f"{began:%Y-%m-%d %H:%M:%S}",
        "test_version": TEST_VERSION,
    }


def _resolver_ip(rnd: Round) -> str | None:
    """The line's resolver, where the round may name it."""
    asked = (o.dns for o in rnd.observations if o.dns is not None and o.dns.resolver is Resolver.SYSTEM)
    return next((detail.server for detail in asked if detail.server is not None), None)


# The results (ts-017).


def _test_keys(
    rnd: Round, verdict: Verdict, target: str, endpoint: Endpoint, seen: tuple[Observation, ...]
) -> Json:
    blocking = _blocking(verdict, target, endpoint, seen)
    numbers = _numbers(seen)
    connects = [o for o in seen if o.stage is Stage.TCP and _where(o) is not None]
    return {
        "agent": "redirect",
        "client_resolver": None,
        "queries": [_query(o, o.dns, numbers) for o in seen if o.dns and o.dns.resolver in _ENGINES],
        "tcp_connect": [_connect(o, numbers) for o in connects],
        "tls_handshakes": [_handshake(o, numbers) for o in seen if o.stage is Stage.TLS],
        "requests": [_transaction(o, o.http, numbers) for o in _newest_first(seen) if o.http is not None],
        "network_events": [_event(o, numbers) for o in connects],
        "dns_experiment_failure": _lookup_failure(seen),
        "http_experiment_failure": _fetch_failure(seen),
        # Null twice: no helper was asked, so none failed.
        "control": None,
        "control_failure": None,
        "dns_consistency": None,
        "body_length_match": None,
        "headers_match": None,
        "status_code_match": None,
        "title_match": None,
        "blocking": blocking,
        "accessible": None if blocking is None else blocking is False,
        "x_reachwatch": {
            "target": target,
            "verdict": plain(verdict, whole=True),
            "gate": plain(rnd.gate),
        },
    }


def _blocking(
    verdict: Verdict, target: str, endpoint: Endpoint, seen: Iterable[Observation]
) -> str | bool | None:
    """OONI's word, by the table at the top."""
    if verdict.status not in (Status.OK, Status.BLOCKED):
        return None
    pages = [o.http for o in seen if o.http is not None and o.http.status is not None]
    found = {finding.mechanism for finding in verdict.mechanisms if target in finding.roles}
    if found == {Mechanism.HTTP} and not pages:
        return _BLOCKING[Mechanism.TLS]
    if found:
        return next((word for mechanism, word in _BLOCKING.items() if mechanism in found), None)
    return False if endpoint.is_tls and pages else None


def _newest_first(seen: Iterable[Observation]) -> list[Observation]:
    """The order in which ts-017 wants requests: the end of a chain of redirects comes first."""
    return sorted(seen, key=lambda o: (o.hop, o.start_s), reverse=True)


def _lookup_failure(seen: Iterable[Observation]) -> str | None:
    """Why the line's resolver gave no address, of either family; None where it gave one or was not asked."""
    failures = [o.failure for o in seen if o.dns is not None and o.dns.resolver is Resolver.SYSTEM]
    return word_of(failures[0]) if failures and all(failures) else None


def _fetch_failure(seen: tuple[Observation, ...]) -> str | None:
    """0.4 has one word for the whole fetch: why the furthest step failed; None where a page came."""
    if any(o.stage is Stage.HTTP and o.failure is None for o in seen):
        return None
    steps = (Stage.HTTP, Stage.TLS, Stage.TCP)
    failures = (o.failure for step in steps for o in seen if o.stage is step and o.failure)
    return word_of(next(failures, None)) or _lookup_failure(seen)


# The events.


def _numbers(seen: Iterable[Observation]) -> Mapping[object, int]:
    """Transaction numbers, from 1 (ts-017): one for each lookup, one for what was done on one
    connection."""
    connections = dict.fromkeys(_connection(o) for o in seen)
    return {connection: number for number, connection in enumerate(connections, 1)}


def _connection(o: Observation) -> object:
    return o if o.dns is not None else (o.address, o.port, o.hop, o.attempt)


def _entry(o: Observation, numbers: Mapping[object, int], detail: object | None) -> Json:
    """What every event carries; times in seconds since the start of the round."""
    more: Json = {} if detail is None else {"x_reachwatch": plain(detail)}
    return {
        "t0": o.start_s,
        "t": round(o.start_s + o.duration_s, 6),
        "tags": [f"depth={o.hop}"],
        "transaction_id": numbers[_connection(o)],
        **more,
    }


def _query(o: Observation, detail: DnsDetail, numbers: Mapping[object, int]) -> Json:
    """df-002. Over plain DNS a server is asked at port 53; of one over HTTPS we hold the address alone."""
    server = detail.server
    if server is not None and detail.resolver is not Resolver.DOH:
        server = _endpoint(server, 53)
    return {
        "answers": [*map(_alias, detail.cnames), *map(_answer, detail.answers)] or None,
        "engine": _ENGINES[detail.resolver],
        "failure": word_of(o.failure),
        "hostname": o.host,
        "query_type": detail.query_type,
        "resolver_address": server,
        "resolver_hostname": None,
        "resolver_port": None,
        **_entry(o, numbers, detail),
    }


def _answer(address: str) -> Json:
    if ip_address(address).version == 6:
        return {"answer_type": "AAAA", "ipv6": address, "ttl": None}
    return {"answer_type": "A", "ipv4": address, "ttl": None}


def _alias(name: str) -> Json:
    return {"answer_type": "CNAME", "hostname": name, "ttl": None}


def _connect(o: Observation, numbers: Mapping[object, int]) -> Json:
    """df-005."""
    status = {"failure": word_of(o.failure), "success": o.failure is None}
    return {"ip": o.address, "port": o.port, "status": status, **_entry(o, numbers, o.tcp)}


def _event(o: Observation, numbers: Mapping[object, int]) -> Json:
    """df-008: that a connection was made is all we know of the socket; reads and writes are not kept."""
    return {
        "address": _where(o),
        "conn_id": numbers[_connection(o)],
        "failure": word_of(o.failure),
        "operation": "connect",
        "proto": "tcp",
        **_entry(o, numbers, None),
    }


def _handshake(o: Observation, numbers: Mapping[object, int]) -> Json:
    """df-006. The agent verifies every chain (``probe/stages/tls.py``)."""
    version: Json = {"tls_version": o.tls.version} if o.tls and o.tls.version else {}
    return {
        "network": "tcp",
        "address": _where(o),
        "failure": word_of(o.failure),
        "no_tls_verify": False,
        "server_name": o.host,
        **version,
        **_entry(o, numbers, o.tls),
    }


def _transaction(o: Observation, detail: HttpDetail, numbers: Mapping[object, int]) -> Json:
    """df-001. Of the headers we keep where a redirect leads, without its query."""
    return {
        "network": "tcp",
        "address": _where(o),
        "failure": word_of(o.failure),
        "request": {"method": "GET", "url": detail.url, "body": "", "headers": {}, "headers_list": []},
        "response": None if detail.status is None else _response(detail.status, detail),
        **_entry(o, numbers, detail),
    }


def _response(status: int, detail: HttpDetail) -> Json:
    headers = {} if detail.location is None else {"Location": detail.location}
    return {
        "code": status,
        "headers": headers,
        "headers_list": [[name, value] for name, value in headers.items()],
        "body": "",
        "body_is_truncated": detail.body_bytes > 0,
    }


def _where(o: Observation) -> str | None:
    return None if o.address is None or o.port is None else _endpoint(o.address, o.port)


def _endpoint(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
