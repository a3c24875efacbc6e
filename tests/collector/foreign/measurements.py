"""OONI measurements in a few words, in the form ooniprobe writes them (data format 0.2.0).

`v05` tags every event with its redirect depth and says which address answered; `v04` does neither,
writes what the fetch met as one word, and shakes hands twice.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

REAL, OTHER, CACHE, LIE = "104.244.42.1", "104.244.42.65", "203.99.160.7", "203.99.160.9"
REAL6 = "2606:4700::6810:1"
BOGON = "10.10.34.35"
RESET, SILENCE, CLOSED = "connection_reset", "generic_timeout_error", "eof_error"
FORGED = "ssl_unknown_authority"

_ENGINES = {
    "system": ("getaddrinfo", "ANY", ""),
    "udp": ("udp", "A", "8.8.8.8:53"),
    "doh": ("doh", "A", "https://dns.google/dns-query"),
}


def query(host: str, *answers: str, by: str = "system", failure: str | None = None, depth: int = 0) -> Json:
    engine, query_type, server = _ENGINES[by]
    records = [
        {
            "answer_type": "AAAA" if ":" in a else "A",
            ("ipv6" if ":" in a else "ipv4"): a,
            "asn": 1,
            "ttl": None,
        }
        for a in answers
    ]
    return {
        "answers": records or None,
        "engine": engine,
        "failure": failure,
        "hostname": host,
        "query_type": query_type,
        "resolver_hostname": None,
        "resolver_port": None,
        "resolver_address": server,
        "t0": 0.01,
        "t": 0.02,
        "tags": [f"depth={depth}"],
        "transaction_id": 1,
    }


def endpoint(address: str, port: int = 443) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def connect(address: str, failure: str | None = None, port: int = 443, depth: int = 0) -> Json:
    return {
        "ip": address,
        "port": port,
        "status": {"blocked": None, "failure": failure, "success": failure is None},
        "t0": 0.02,
        "t": 0.05,
        "tags": ["classic", f"depth={depth}", "fetch_body=true"],
        "transaction_id": 2,
    }


def shake(host: str, address: str, failure: str | None = None, depth: int = 0, **more: Any) -> Json:
    return {
        "network": "tcp",
        "address": endpoint(address),
        "cipher_suite": "" if failure else "TLS_AES_128_GCM_SHA256",
        "failure": failure,
        "negotiated_protocol": "",
        "no_tls_verify": False,
        "peer_certificates": [{"data": "MIIB", "format": "base64"}],
        "server_name": host,
        "t0": 0.05,
        "t": 0.09,
        "tags": ["classic", f"depth={depth}", "fetch_body=true"],
        "tls_version": "" if failure else "TLSv1.3",
        "transaction_id": 2,
        **more,
    }


def get(
    url: str,
    code: int = 0,
    location: str | None = None,
    *,
    address: str | None = REAL,
    failure: str | None = None,
    depth: int = 0,
) -> Json:
    headers = {"Content-Type": "text/html"} | ({"Location": location} if location else {})
    body = {"body": "<title>é</title>", "body_is_truncated": False, "code": code, "headers": headers}
    where = {"address": endpoint(address, 443 if url.startswith("https") else 80)} if address else {}
    return {
        **where,
        "network": "tcp",
        "failure": failure,
        "request": {"body": "", "headers": {"Host": "h"}, "method": "GET", "url": url, "x_transport": "tcp"},
        "response": {**body, "headers_list": [[k, v] for k, v in headers.items()]},
        "t0": 0.1,
        "t": 0.2,
        "tags": [f"depth={depth}", "fetch_body=true"],
        "transaction_id": 2,
    }


def control(*addresses: str, proven: tuple[str, ...] | None = None, failure: str | None = None) -> Json:
    """The test helper's results: what it resolved, and where it shook hands (all of it by default)."""
    shown = addresses if proven is None else proven
    return {
        "tcp_connect": {endpoint(a): {"status": True, "failure": None} for a in shown},
        "tls_handshake": {endpoint(a): {"server_name": "h", "status": True, "failure": None} for a in shown},
        "quic_handshake": {},
        "http_request": {"body_length": 9, "failure": None, "title": "é", "headers": {}, "status_code": 200},
        "http3_request": None,
        "dns": {"failure": failure, "addrs": list(addresses)},
        "ip_info": {a: {"asn": 1, "flags": 11} for a in addresses},
    }


def v05(
    url: str,
    *,
    queries: list[Json] | None = None,
    tcp_connect: list[Json] | None = None,
    tls_handshakes: list[Json] | None = None,
    requests: list[Json] | None = None,
    helper: Json | None = None,
    blocking: str | bool | None = None,
    accessible: bool | None = None,
    **head: Any,
) -> Json:
    keys = {
        "agent": "redirect",
        "client_resolver": "130.192.3.21",
        "network_events": [{"failure": None, "operation": "connect", "t": 0.1}],
        "x_dns_duplicate_responses": [],
        "queries": queries,
        "tcp_connect": tcp_connect,
        "tls_handshakes": tls_handshakes,
        "requests": list(reversed(requests or [])),
        "control": helper,
        "control_failure": None if helper else "connection_reset",
        "dns_consistency": None,
        "blocking": blocking,
        "accessible": accessible,
    }
    return {
        "annotations": {"platform": "linux"},
        "data_format_version": "0.2.0",
        "extensions": {"dnst": 0},
        "input": url,
        "measurement_start_time": "2023-12-17 15:04:05",
        "probe_asn": "AS17557",
        "probe_cc": "PK",
        "probe_ip": "127.0.0.1",
        "report_id": "20231217T150405Z_webconnectivity_PK_17557_n1_x",
        "test_keys": keys,
        "test_name": "web_connectivity",
        "test_runtime": 1.5,
        "test_start_time": "2023-12-17 15:04:00",
        "test_version": "0.5.28",
        **head,
    }


def v04(url: str, **parts: Any) -> Json:
    """The same as 0.4 writes it: no depth, no beginning, no address of the answer."""
    whole = v05(url, **{"test_version": "0.4.3", **parts})
    keys = whole["test_keys"]
    for kind in ("queries", "tcp_connect", "tls_handshakes", "requests"):
        for event in keys[kind] or ():
            for key in ("tags", "t0", "transaction_id", *(["address"] if kind == "requests" else [])):
                event.pop(key, None)
    if keys["control_failure"]:
        empty = {"body_length": 0, "failure": None, "title": "", "headers": None, "status_code": 0}
        keys["control"] = {
            "tcp_connect": None,
            "http_request": empty,
            "dns": {"failure": None, "addrs": None},
        }
    return whole


def fine(host: str, address: str = REAL, depth: int = 0) -> Json:
    """A host that answers over TLS."""
    return {
        "queries": [query(host, address, depth=depth)],
        "tcp_connect": [connect(address, depth=depth)],
        "tls_handshakes": [shake(host, address, depth=depth)],
        "requests": [get(f"https://{host}/", 200, address=address, depth=depth)],
    }
