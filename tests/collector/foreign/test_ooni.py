"""What a measurement becomes: what is there is kept, what is not there is not made up."""

from __future__ import annotations

import json
from typing import Any

import pytest

from collector.foreign import form
from collector.foreign.importing import load_platforms
from collector.foreign.ooni import host_of, named_after, round_of
from probe.verdict import judge
from probe.wire.codec import DecodeError, decode, encode
from probe.wire.failure import Failure, Owner
from probe.wire.observation import Network, Observation, Round
from probe.wire.stage import Stage

from .measurements import BOGON, OTHER, REAL, REAL6, SILENCE, Json, connect, fine, get, query, shake, v04, v05

X = next(platform for platform in load_platforms(None) if platform.name == "x")


def round_from(measurement: Json) -> Round:
    data = json.dumps(measurement).encode()
    found = form.read(data)
    assert found is not None
    host = host_of(found)
    rnd = round_of(found, X if X.owns(host) else named_after(host), data)
    assert decode(Round, encode(rnd)) == rnd, "what is written can be read again"
    return rnd


def of(rnd: Round, stage: Stage, target: str = "x/web") -> list[Observation]:
    return [o for o in rnd.observations if o.stage is stage and o.target == target]


@pytest.mark.parametrize("version", [v04, v05])
def test_head_and_every_stage_are_there(version: Any) -> None:
    rnd = round_from(version("https://x.com/", **fine("x.com")))
    assert rnd.network == Network(country="PK", asn=17557)
    assert (rnd.started_at.isoformat(), rnd.duration_s) == ("2023-12-17T15:04:05+00:00", 1.5)
    assert [o.stage for o in rnd.observations] == [Stage.DNS, Stage.TCP, Stage.TLS, Stage.HTTP]
    assert {o.target for o in rnd.observations} == {"x/web"}
    lookup, tcp, tls, http = rnd.observations
    assert lookup.dns is not None
    assert (lookup.dns.resolver, lookup.dns.query_type, lookup.dns.answers) == ("system", "A", (REAL,))
    assert (tcp.address, tcp.port, tls.address) == (REAL, 443, REAL)
    assert http.http is not None
    assert http.http.status == 200
    assert http.address == (REAL if version is v05 else None), "0.4 does not say who answered"
    assert (tls.start_s, tls.duration_s) == ((0.05, 0.04) if version is v05 else (0.09, 0.0))


def test_no_gate_is_pretended_and_the_round_as_it_stands_judges_nothing() -> None:
    rnd = round_from(v05("https://x.com/", **fine("x.com")))
    assert (rnd.gate.state, rnd.gate.controls, rnd.gate.passed_before) == ("not_measured", 0, 0)
    assert [(v.status, v.reasons[0].rule) for v in judge(rnd)] == [("insufficient", "gate.unknown")]


def test_an_empty_measurement_has_no_observation() -> None:
    assert round_from(v05("https://x.com/")).observations == ()


@pytest.mark.parametrize(
    ("cc", "asn", "network"),
    [("ZZ", "AS0", Network()), (None, None, Network()), ("TR", "AS9121", Network(country="TR", asn=9121))],
)
def test_what_ooni_does_not_know_of_the_network_is_none(cc: Any, asn: Any, network: Network) -> None:
    assert round_from(v05("https://x.com/", probe_cc=cc, probe_asn=asn)).network == network


def test_getaddrinfos_one_answer_goes_apart_by_family_and_makes_up_no_denial() -> None:
    both = round_from(v05("https://x.com/", queries=[query("x.com", REAL, REAL6)]))
    assert [(o.family, o.failure) for o in both.observations] == [(4, None), (6, None)]
    four = round_from(v05("https://x.com/", queries=[query("x.com", REAL)]))
    assert [o.family for o in four.observations] == [4]
    denied = round_from(v05("https://x.com/", queries=[query("x.com", failure="dns_nxdomain_error")]))
    assert [(o.family, o.failure) for o in denied.observations] == [
        (4, Failure.DNS_NXDOMAIN),
        (6, Failure.DNS_NXDOMAIN),
    ]


def test_an_answer_of_bogons_alone_is_a_failure_with_the_bogons_kept() -> None:
    (seen,) = round_from(v05("https://x.com/", queries=[query("x.com", BOGON)])).observations
    assert seen.dns is not None
    assert (seen.failure, seen.owner, seen.dns.answers) == (Failure.DNS_BOGON, Owner.RESOLVER, (BOGON,))


def test_a_lookup_for_cleartext_is_the_cleartext_roles_though_no_request_was_left() -> None:
    parts: Json = {"queries": [query("x.com", REAL)], "tcp_connect": [connect(REAL, SILENCE, port=80)]}
    rnd = round_from(v05("http://x.com/", **parts))
    assert [o.stage for o in rnd.observations if o.target == "x/plain"] == [Stage.DNS, Stage.TCP]


def test_resolvers_are_told_apart() -> None:
    asked = [query("x.com", REAL), query("x.com", REAL, by="udp"), query("x.com", REAL, by="doh")]
    asked.append({**query("x.com", REAL), "engine": "Tor, Inc."})
    found = [o.dns for o in round_from(v05("https://x.com/", queries=asked)).observations]
    assert [(d.resolver, d.server) for d in found if d] == [
        ("system", None),
        ("public", "8.8.8.8"),
        ("doh", None),
        ("unknown", None),
    ]


@pytest.mark.parametrize(
    ("word", "stage", "code", "owner"),
    [
        ("generic_timeout_error", Stage.TCP, Failure.CONNECTION_TIMEOUT, Owner.TARGET),
        ("connection_refused", Stage.TCP, Failure.CONNECTION_REFUSED, Owner.TARGET),
        ("network_unreachable", Stage.TCP, Failure.NO_ROUTE, Owner.LOCAL),
        ("generic_timeout_error", Stage.TLS, Failure.TLS_TIMEOUT, Owner.TARGET),
        ("connection_reset", Stage.TLS, Failure.TLS_RESET, Owner.TARGET),
        ("eof_error", Stage.TLS, Failure.TLS_EOF, Owner.TARGET),
        ("ssl_invalid_hostname", Stage.TLS, Failure.TLS_INVALID_HOSTNAME, Owner.TARGET),
        ("interrupted", Stage.TLS, "interrupted", Owner.LOCAL),
        ("unknown_failure: dial tcp [scrubbed]: boo", Stage.TLS, Failure.LOCAL_ERROR, Owner.LOCAL),
    ],
)
def test_failures_are_ours_by_stage_and_unknown_ones_nobodys(
    word: str, stage: Stage, code: str, owner: Owner
) -> None:
    event: Json = connect(REAL, word) if stage is Stage.TCP else shake("x.com", REAL, word)
    parts: Json = {"tcp_connect" if stage is Stage.TCP else "tls_handshakes": [event]}
    (seen,) = round_from(v05("https://x.com/", **parts)).observations
    assert (seen.stage, seen.failure, seen.owner) == (stage, code, owner)


@pytest.mark.parametrize("word", ["dns_temporary_failure", "android_dns_cache_no_data"])
def test_a_lookup_that_could_mean_anything_denies_nothing(word: str) -> None:
    rnd = round_from(v05("https://x.com/", queries=[query("x.com", failure=word)]))
    assert {o.failure for o in rnd.observations} == {Failure.DNS_UNREACHABLE}


def test_a_certificate_nobody_verified_proves_nothing() -> None:
    parts: Json = fine("x.com") | {"tls_handshakes": [shake("x.com", REAL, no_tls_verify=True)]}
    assert {o.stage for o in round_from(v05("https://x.com/", **parts)).observations} == {
        Stage.DNS,
        Stage.TCP,
    }


def test_a_quic_handshake_is_none_of_tls() -> None:
    parts: Json = {"tls_handshakes": [shake("x.com", REAL, SILENCE, network="quic")]}
    assert round_from(v05("https://x.com/", **parts)).observations == ()


def test_the_same_handshake_again_is_a_second_attempt() -> None:
    twice = [shake("x.com", REAL, SILENCE), shake("x.com", REAL, SILENCE), shake("x.com", OTHER, SILENCE)]
    rnd = round_from(v04("https://x.com/", tls_handshakes=twice))
    assert [(o.address, o.attempt) for o in rnd.observations] == [(REAL, 1), (REAL, 2), (OTHER, 1)]


def test_scrubbed_addresses_are_unknown_and_no_error() -> None:
    parts: Json = {
        "queries": [query("x.com", "[scrubbed]", REAL)],
        "tcp_connect": [connect("[scrubbed]")],
        "tls_handshakes": [{**shake("x.com", REAL), "address": "[scrubbed]"}],
    }
    assert [o.address for o in round_from(v05("https://x.com/", **parts)).observations] == [None, None, None]


def test_every_host_of_the_platform_on_the_way_is_a_role_and_a_strangers_is_none() -> None:
    parts = fine("x.com", OTHER, depth=1)
    parts["queries"].insert(0, query("twitter.com", REAL))
    parts["tls_handshakes"].insert(0, shake("twitter.com", REAL))
    parts["requests"] = [
        get("http://twitter.com/", 301, "https://x.com/?a=1"),
        get("https://x.com/", 302, "https://block.example/", address=OTHER, depth=1),
        get("https://block.example/", 200, address="203.0.113.1", depth=2),
    ]
    rnd = round_from(v05("http://twitter.com/", **parts))
    (platform,) = rnd.targets
    assert [(r.name, r.required, r.endpoints[0].url) for r in platform.roles] == [
        ("web", True, "https://twitter.com/"),
        ("plain", False, "http://twitter.com/"),
        ("web-2", True, "https://x.com/"),
    ]
    assert {o.host for o in rnd.observations} == {"twitter.com", "x.com"}
    (plain,) = of(rnd, Stage.HTTP, "x/plain")
    assert plain.http is not None
    assert plain.http.location == "https://x.com/", "no query of a redirect is kept"
    assert len(of(rnd, Stage.DNS, "x/plain")) == len(of(rnd, Stage.DNS)) == 1
    assert [o.address for o in of(rnd, Stage.TCP, "x/web-2")] == [OTHER]


def test_a_redirect_that_ends_at_the_lookup_is_a_role_too() -> None:
    parts = fine("twitter.com")
    parts["requests"] = [get("https://twitter.com/", 301, "https://x.com/")]
    parts["queries"].append(query("x.com", failure="dns_nxdomain_error", depth=1))
    rnd = round_from(v05("https://twitter.com/", **parts))
    assert [r.name for r in rnd.targets[0].roles] == ["web", "web-2"]
    assert {o.failure for o in of(rnd, Stage.DNS, "x/web-2")} == {Failure.DNS_NXDOMAIN}


def test_hosts_and_answers_are_in_the_order_they_were_visited() -> None:
    hosts = ["t.co", "twitter.com", "mobile.twitter.com", "x.com"]
    parts: Json = {"requests": [get(f"https://{h}/", 301, depth=n) for n, h in enumerate(hosts)]}
    rnd = round_from(v05("https://t.co/", **parts))
    assert [r.endpoints[0].host for r in rnd.targets[0].roles] == hosts
    assert [o.host for o in rnd.observations] == hosts


def test_a_host_of_which_only_an_answer_from_nowhere_is_known_is_no_role() -> None:
    """The first releases of 0.4 give no address for a handshake either."""
    parts = fine("twitter.com")
    parts["requests"] = [get("https://twitter.com/", 301, "https://x.com/"), get("https://x.com/", 200)]
    assert [r.name for r in round_from(v04("https://twitter.com/", **parts)).targets[0].roles] == ["web"]


def test_an_answer_that_leads_nowhere_is_an_answer() -> None:
    broken = get("https://x.com/", 302, "https://", failure="http_invalid_redirect_location_host")
    (seen,) = round_from(v05("https://x.com/", requests=[broken])).observations
    assert seen.http is not None
    assert (seen.failure, seen.http.status) == (None, 302)


@pytest.mark.parametrize(
    ("word", "kept"),
    [
        ("connection_reset", []),
        ("generic_timeout_error", []),
        ("dns_nxdomain_error", []),
        ("ssl_unknown_authority", [(Stage.TLS, Failure.TLS_UNKNOWN_AUTHORITY)]),
        ("connection_refused", [(Stage.TCP, Failure.CONNECTION_REFUSED)]),
    ],
)
def test_a_fetch_that_failed_nobody_knows_where_is_no_failure_at_http(word: str, kept: Any) -> None:
    """0.4 has one word for lookup, handshake and request together."""
    rnd = round_from(v04("https://x.com/", requests=[get("https://x.com/", failure=word)]))
    assert [(o.stage, o.failure) for o in rnd.observations] == kept


def test_what_no_round_can_hold_is_refused() -> None:
    many = [f"198.18.{n}.1" for n in range(256)]
    parts: Json = {
        "queries": [{**query("x.com", REAL, by="udp"), "resolver_address": f"{a}:53"} for a in many],
        "tcp_connect": [connect(a) for a in many],
        "tls_handshakes": [shake("x.com", a) for a in many],
        "requests": [get("http://x.com/", 200, address=a) for a in many],
    }
    with pytest.raises(DecodeError, match=r"^\$\.test_keys: over 1024 observations$"):
        round_from(v05("https://x.com/", **parts))


def test_a_measurement_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form, "MAX_BYTES", 100)
    with pytest.raises(DecodeError, match=r"^\$: over 100 bytes$"):
        round_from(v05("https://x.com/"))


def test_a_name_of_other_letters_is_found_by_the_name_it_is_asked_by() -> None:
    parts = fine("xn--e1afmkfd.xn--p1ai")
    parts["requests"] = [get("https://ПРИМЕР.рф/", 200)]
    rnd = round_from(v05("https://ПРИМЕР.рф/", **parts))
    assert {o.host for o in rnd.observations} == {"xn--e1afmkfd.xn--p1ai"}
    assert len(rnd.observations) == 4


BAD: list[tuple[str, Any, str]] = [
    ("probe_asn", "17557x", "$.probe_asn: not AS and a number"),
    ("probe_cc", "Pakistan", "$.probe_cc: not a country of two letters"),
    ("input", "x.com", "$.input: not an http or https URL"),
    ("input", "http://[", "$.input: not an http or https URL"),
    ("input", None, "$.input: Input should be a valid string"),
    (
        "measurement_start_time",
        "yesterday",
        "$.measurement_start_time: not a time such as 2023-12-17 15:04:05",
    ),
    ("data_format_version", "0.1.0", "$.data_format_version: not 0.2.0, the one format read here"),
    ("test_keys", None, "$.test_keys: Input should be an object"),
    ("test_keys", {"queries": {}}, "$.test_keys.queries: Input should be a valid array"),
    ("test_keys", {"queries": [{"query_type": "A"}]}, "$.test_keys.queries[0].hostname: missing"),
    (
        "test_keys",
        {"queries": [query("x.com", "1.2.3.4.5")]},
        "$.test_keys.queries[0].answers[0]: '1.2.3.4.5' does not appear to be an IPv4 or IPv6 address",
    ),
    (
        "test_keys",
        {"tcp_connect": [connect(REAL, port=0)]},
        "$.test_keys.tcp_connect[0].port: Input should be greater than or equal to 1",
    ),
    (
        "test_keys",
        {"requests": [get("gopher://x.com/")]},
        "$.test_keys.requests[0].request.url: not an http or https URL",
    ),
]


@pytest.mark.parametrize(("key", "value", "said"), BAD, ids=[said for _, _, said in BAD])
def test_a_bad_measurement_is_told_by_its_path(key: str, value: Any, said: str) -> None:
    with pytest.raises(DecodeError) as caught:
        round_from({**v05("https://x.com/"), key: value})
    assert str(caught.value) == said
