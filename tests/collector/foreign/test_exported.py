"""What a round becomes in OONI's words: all that the format can carry, and nothing that was not measured."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from functools import cache
from ipaddress import ip_address
from typing import Any

import pytest

from collector.foreign import form
from collector.foreign.exported import measurements_of
from collector.foreign.failures import failure_of, word_of
from collector.foreign.ooni import host_of, round_of
from collector.foreign.suppose import Reading, reading_of
from probe.verdict import Finding, Mechanism, Status, judge
from probe.wire.failure import Failure
from probe.wire.observation import Observation, Phase, Purpose, Round
from probe.wire.platform import Endpoint, Role
from probe.wire.stage import HttpDetail, Resolver, Stage
from tests import golden
from tests.lab import world
from tests.lab.scenarios import SCENARIOS
from tests.rounds import RESOLVER, X_ADDRESS, a_round, dns, failed, fine, reached, twice

Json = dict[str, Any]


def exported(rnd: Round, country: str = "PK", asn: int = 17557) -> list[Json]:
    """As a reader has them: through JSON."""
    whole = [measurement for _, measurement in measurements_of(rnd, country=country, asn=asn)]
    return [dict(json.loads(json.dumps(measurement))) for measurement in whole]


@cache
def golden_measurements(name: str) -> tuple[Json, ...]:
    return tuple(exported(golden.read(name)))


def target_of(measurement: Json) -> str:
    return str(measurement["test_keys"]["x_reachwatch"]["target"])


def read_back(measurement: Json, rnd: Round) -> Reading:
    data = json.dumps(measurement).encode()
    found = form.read(data)
    assert found is not None
    host = host_of(found)
    platform = next(p for p in rnd.targets if p.name == target_of(measurement).partition("/")[0])
    return reading_of(found, platform, host, data, known=True)


# There and back: every round of the lab.


def carried(rnd: Round, target: str) -> list[Observation]:
    """What the format has a place for, of one role."""
    return [
        o
        for o in rnd.observations
        if o.target == target
        and (o.phase, o.purpose) == (Phase.MAIN, Purpose.ENDPOINT)
        and o.stage in (Stage.DNS, Stage.TCP, Stage.TLS, Stage.HTTP)
        and (o.dns is None or o.dns.resolver is not Resolver.NOBODY)
    ]


def essence(o: Observation) -> tuple[object, ...]:
    """What must survive: whose resolver, where, when, how it ended, and what came."""
    resolver = o.dns and {Resolver.PROVIDER: Resolver.PUBLIC}.get(o.dns.resolver, o.dns.resolver)
    answers = o.dns and tuple(sorted(o.dns.answers))
    failure = {
        Failure.TLS_CERTIFICATE_TIME: Failure.TLS_INVALID_CERTIFICATE,
        Failure.HTTP_INVALID: Failure.LOCAL_ERROR,
    }.get(o.failure or Failure.LOCAL_ERROR, o.failure)
    version = o.tls and o.tls.version
    page = o.http and (o.http.status, o.http.location)
    return (o.stage, o.host, o.address, o.port, o.start_s, failure, resolver, answers, version, page)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_lookup_connection_handshake_and_page_of_the_lab_comes_back(name: str) -> None:
    rnd = golden.read(name)
    for measurement in golden_measurements(name):
        data = json.dumps(measurement).encode()
        found = form.read(data)
        assert found is not None
        target = target_of(measurement)
        platform = next(p for p in rnd.targets if p.name == target.partition("/")[0])
        role = "plain" if measurement["input"].startswith("http:") else "web"
        back = round_of(found, platform, data)
        again = [essence(o) for o in back.observations if o.target == f"{platform.name}/{role}"]
        assert sorted(again, key=repr) == sorted((essence(o) for o in carried(rnd, target)), key=repr)
        assert back.network.country == "PK"
        assert back.network.asn == 17557
        assert back.started_at == rnd.started_at.replace(microsecond=0)
        assert back.duration_s == rnd.duration_s


def is_for_want_of_a_word(finding: Finding, rnd: Round, target: str) -> bool:
    """Why our importer may call reached what the round calls blocked or held back: OONI knows no speed;
    and of a name that fails over one address family alone, only the controls that pass over it (the
    format has none) say that the family works here."""
    answered = {o.family for o in carried(rnd, target) if o.stage is Stage.HTTP and o.failure is None}
    return finding.mechanism is Mechanism.THROTTLE or not answered <= {*finding.families}


ACCUSATION = {Status.BLOCKED, Status.THROTTLED}


@pytest.mark.parametrize("name", SCENARIOS)
def test_read_back_no_measurement_of_the_lab_accuses_or_acquits_against_the_verdict(name: str) -> None:
    """What is blocked may come back as less than that, `unreachable` or `insufficient`: the gate, and the
    questions that prove a block (another name on the address, where on the way), have no place there."""
    rnd = golden.read(name)
    verdicts = {verdict.platform: verdict for verdict in judge(rnd)}
    for measurement in golden_measurements(name):
        target = target_of(measurement)
        verdict = verdicts[target.partition("/")[0]]
        found = [finding for finding in verdict.mechanisms if target in finding.roles]
        back = read_back(measurement, rnd).verdict
        if back.status in ACCUSATION:
            assert verdict.status in ACCUSATION, target
            assert {f.mechanism for f in back.mechanisms} <= {f.mechanism for f in found}, target
        if back.status is Status.OK:
            assert verdict.status is not Status.INSUFFICIENT, target
            assert all(is_for_want_of_a_word(finding, rnd, target) for finding in found), target
        # The words for OONI say the same as the rules say of what can be read back.
        if measurement["test_keys"]["blocking"] is False:
            assert back.status is Status.OK, target


def test_what_is_blocked_in_the_lab_is_not_all_lost_on_the_way() -> None:
    """The promise above would be kept by an export that says nothing."""
    said = [
        read_back(measurement, golden.read(name)).verdict.status
        for name in ("clean", "http_302", "mitm_v4", "sni_reset", "dns_bogon")
        for measurement in golden_measurements(name)
    ]
    assert {Status.OK, Status.BLOCKED, Status.UNREACHABLE} <= {*said}


@pytest.mark.parametrize("failure", list(Failure), ids=str)
def test_a_failure_comes_back_as_itself_or_as_the_docstring_says(failure: Failure) -> None:
    stages = {"dns": Stage.DNS, "tcp": Stage.TCP, "tls": Stage.TLS, "ssl": Stage.TLS, "http": Stage.HTTP}
    stage = stages.get(failure.partition("_")[0], Stage.TCP)
    lost = {
        Failure.TLS_CERTIFICATE_TIME: Failure.TLS_INVALID_CERTIFICATE,
        Failure.HTTP_INVALID: Failure.LOCAL_ERROR,
    }
    assert failure_of(word_of(failure), stage) == lost.get(failure, failure)


def test_a_failure_of_a_newer_agent_is_a_sentence_that_keeps_its_word() -> None:
    assert word_of(Failure("quic_stateless_reset")) == "unknown_failure: quic_stateless_reset"
    assert word_of(None) is None


# The form: df-000, df-001, df-002, df-005, df-006, df-008.

TEXT, NUMBER, OR_NULL = (str,), (int, float), (type(None),)
HEAD = {
    "annotations": (dict,),
    "data_format_version": TEXT,
    "input": TEXT,
    "measurement_start_time": TEXT,
    "probe_asn": TEXT,
    "probe_cc": TEXT,
    "probe_ip": TEXT,
    "report_id": TEXT,
    "resolver_ip": TEXT + OR_NULL,
    "software_name": TEXT,
    "software_version": TEXT,
    "test_keys": (dict,),
    "test_name": TEXT,
    "test_runtime": NUMBER,
    "test_start_time": TEXT,
    "test_version": TEXT,
}
EVENT = {"t0": NUMBER, "t": NUMBER, "transaction_id": (int,), "tags": (list,)}
FORMS: dict[str, dict[str, tuple[type, ...]]] = {
    "queries": {
        "answers": (list, *OR_NULL),
        "engine": TEXT,
        "failure": TEXT + OR_NULL,
        "hostname": TEXT,
        "query_type": TEXT,
        "resolver_address": TEXT + OR_NULL,
    },
    "tcp_connect": {"ip": TEXT, "port": (int,), "status": (dict,)},
    "tls_handshakes": {
        "address": TEXT,
        "failure": TEXT + OR_NULL,
        "no_tls_verify": (bool,),
        "server_name": TEXT,
    },
    "requests": {"failure": TEXT + OR_NULL, "request": (dict,), "response": (dict, *OR_NULL)},
    "network_events": {
        "conn_id": (int,),
        "failure": TEXT + OR_NULL,
        "operation": TEXT,
        "address": TEXT,
        "proto": TEXT,
    },
}
WITHIN: dict[str, dict[str, tuple[type, ...]]] = {
    "status": {"failure": TEXT + OR_NULL, "success": (bool,)},
    "request": {"body": TEXT, "headers": (dict,), "headers_list": (list,), "method": TEXT, "url": TEXT},
    "response": {"body": TEXT, "headers": (dict,), "headers_list": (list,), "code": (int,)},
}


def check(found: Json, wanted: dict[str, tuple[type, ...]]) -> None:
    assert {key: found[key] for key in wanted if not isinstance(found[key], wanted[key])} == {}


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_keys_of_the_data_formats_are_there_with_their_types(name: str) -> None:
    for measurement in golden_measurements(name):
        check(measurement, HEAD)
        keys = measurement["test_keys"]
        assert type(keys["blocking"]) in (str, bool, type(None))
        assert keys["blocking"] in ("dns", "tcp_ip", "http-failure", "http-diff", False, None)
        assert keys["accessible"] == {False: True, None: None}.get(keys["blocking"], False)
        for kind, wanted in FORMS.items():
            for event in keys[kind]:
                check(event, {**EVENT, **wanted})
                assert event["t0"] <= event["t"]
                for part, inner in WITHIN.items():
                    if event.get(part) is not None:
                        check(event[part], inner)


def test_every_kind_of_event_is_in_the_lab() -> None:
    kinds = {kind for m in golden_measurements("clean") for kind in FORMS if m["test_keys"][kind]}
    assert kinds == set(FORMS)


def test_the_head_is_the_rounds_where_it_was_admitted_whatever_it_says_itself() -> None:
    rnd = a_round(*fine("x/web"))
    (first, *_) = exported(rnd, "TR", 9121)
    assert (first["probe_cc"], first["probe_asn"], first["probe_ip"]) == ("TR", "AS9121", "127.0.0.1")
    assert (first["test_name"], first["data_format_version"]) == ("web_connectivity", "0.2.0")
    assert first["annotations"]["made_from"] == first["software_name"] == "reachwatch"
    began = datetime.strptime(first["measurement_start_time"], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - UTC
    assert began == rnd.started_at.replace(tzinfo=None, microsecond=0)
    assert first["report_id"] == (f"{began:%Y%m%dT%H%M%SZ}_webconnectivity_TR_9121_n0_{rnd.round_id[:16]}")
    assert exported(rnd, "TR", 9121)[0] == first, "the same round gives the same"


def test_each_url_of_which_something_was_seen_is_a_measurement() -> None:
    rnd = golden.read("clean")
    seen = {o.target for o in rnd.observations}
    urls = [e.url for p in rnd.targets for role in p.roles if p.target(role) in seen for e in role.endpoints]
    assert [m["input"] for m in golden_measurements("clean")] == urls
    assert len(urls) > 8
    assert exported(a_round()) == []


def test_endpoints_of_one_role_are_kept_apart_by_host_and_by_page() -> None:
    rnd = a_round(*fine("x/web"))
    (x,) = rnd.targets
    urls = ("https://x.com/", "https://mobile.x.com/", "https://x.com/other")
    assert {o.http.url for o in rnd.observations if o.target == "x/web" and o.http} == {urls[0]}
    role = Role(name="web", endpoints=tuple(Endpoint(url=url) for url in urls))
    found = exported(replace(rnd, targets=(replace(x, roles=(role,)),)))
    assert [(m["input"], len(m["test_keys"]["requests"])) for m in found] == [(urls[0], 1), (urls[2], 0)]


# What we did not measure is not there.


@pytest.mark.parametrize("name", ["clean", "sni_reset", "mitm_self_signed"])
def test_what_was_not_measured_is_null_or_absent(name: str) -> None:
    for measurement in golden_measurements(name):
        keys = measurement["test_keys"]
        for key in ("control", "control_failure", "dns_consistency", "body_length_match", "client_resolver"):
            assert keys[key] is None
        for handshake in keys["tls_handshakes"]:
            assert not {"peer_certificates", "cipher_suite", "negotiated_protocol"} & handshake.keys()
        assert {r["response"]["body"] for r in keys["requests"] if r["response"]} <= {""}


def test_a_question_about_a_failure_is_no_failure_of_the_site() -> None:
    asked = {o.purpose for o in golden.read("sni_reset").observations}
    assert Purpose.INNOCUOUS in asked
    for measurement in golden_measurements("sni_reset"):
        host = measurement["input"].split("/")[2]
        assert {h["server_name"] for h in measurement["test_keys"]["tls_handshakes"]} <= {host}


def test_an_address_that_runs_no_resolver_is_no_resolver() -> None:
    rnd = golden.read("dns_injection")
    assert any(o.dns and o.dns.resolver is Resolver.NOBODY for o in rnd.observations)
    servers = {
        str(query["resolver_address"])
        for measurement in golden_measurements("dns_injection")
        for query in measurement["test_keys"]["queries"]
    }
    assert not any(server.startswith("192.0.2.53") for server in servers)
    assert "9.9.9.9:53" in servers


def test_what_the_format_has_no_key_for_stands_beside() -> None:
    handshakes = [
        h for m in golden_measurements("mitm_self_signed") for h in m["test_keys"]["tls_handshakes"]
    ]
    assert any(h["failure"] and h["x_reachwatch"]["chain"][0]["issuer"] for h in handshakes)
    (meta, *_) = [m for m in golden_measurements("http_meta") if m["input"].startswith("http:")]
    assert meta["test_keys"]["requests"][0]["x_reachwatch"]["refresh"] == "http://block.isp-a.example/"
    assert meta["test_keys"]["x_reachwatch"]["verdict"]["status"] == "blocked"


def test_a_page_whose_body_is_not_kept_is_cut_short_and_an_empty_one_is_whole() -> None:
    for body_bytes in (0, 9):
        (found,) = exported(a_round(*reached("x/web", X_ADDRESS, body_bytes=body_bytes)))
        assert found["test_keys"]["requests"][0]["response"]["body_is_truncated"] is bool(body_bytes)


def test_a_lookup_says_who_was_asked_and_by_which_names_it_came_there() -> None:
    asked = dns("x/web", "system", X_ADDRESS)
    assert asked.dns is not None
    alias = replace(asked, dns=replace(asked.dns, cnames=("edge.x.com",)))
    (found,) = exported(a_round(alias))
    assert found["resolver_ip"] == RESOLVER
    (lookup,) = found["test_keys"]["queries"]
    assert lookup["resolver_address"] == f"{RESOLVER}:53"
    assert lookup["answers"] == [
        {"answer_type": "CNAME", "hostname": "edge.x.com", "ttl": None},
        {"answer_type": "A", "ipv4": X_ADDRESS, "ttl": None},
    ]


# Our verdict in OONI's word.

WORDS = [
    ("clean", {False, None}),
    ("dns_bogon", {"dns", None, False}),
    ("ip_reset", {"tcp_ip", None, False}),
    ("sni_reset", {"http-failure", None, False}),
    ("mitm_v4", {"http-failure", None, False}),
    ("http_302", {"http-diff", None, False}),
    ("http_reset", {"http-failure", None, False}),
    ("throttle_sni", {None, False}),
    ("router_filter", {None, False}),  # the other platform is reached
    ("interception_spared", {None}),
    ("captive_portal", set()),  # nothing of a platform was asked
    ("down_timeout", {None, False}),
]


@pytest.mark.parametrize(("name", "words"), WORDS)
def test_each_verdict_has_the_documented_word(name: str, words: set[str | bool | None]) -> None:
    assert {m["test_keys"]["blocking"] for m in golden_measurements(name)} == words


def test_of_a_throttled_platform_nothing_is_said() -> None:
    touched = golden.read("throttle_sni").targets[0].name
    mine = [m for m in golden_measurements("throttle_sni") if target_of(m).startswith(f"{touched}/")]
    assert {(m["test_keys"]["blocking"], m["test_keys"]["accessible"]) for m in mine} == {(None, None)}
    assert {m["test_keys"]["x_reachwatch"]["verdict"]["status"] for m in mine} == {"throttled"}


def test_a_page_in_cleartext_makes_nothing_accessible() -> None:
    (plain,) = [m for m in golden_measurements("clean") if m["input"] == "http://x.com/"]
    assert plain["test_keys"]["requests"][0]["response"]["code"] < 400
    assert (plain["test_keys"]["blocking"], plain["test_keys"]["accessible"]) == (None, None)


# The words of version 0.4 for a whole lookup and a whole fetch.


def test_a_fetch_that_failed_says_where_it_got_to() -> None:
    (found,) = exported(a_round(*twice(failed("x/web", X_ADDRESS, Failure.CONNECTION_TIMEOUT))))
    keys = found["test_keys"]
    assert (keys["dns_experiment_failure"], keys["http_experiment_failure"]) == (
        None,
        "generic_timeout_error",
    )
    (denied,) = exported(a_round(dns("x/web", "system", failure=Failure.DNS_NXDOMAIN)))
    keys = denied["test_keys"]
    assert keys["dns_experiment_failure"] == keys["http_experiment_failure"] == "dns_nxdomain_error"
    half = dns("x/web", "system", kind="AAAA", failure=Failure.DNS_NO_ANSWER)
    (answered, *_) = exported(a_round(half, *fine("x/web")))
    keys = answered["test_keys"]
    assert (keys["dns_experiment_failure"], keys["http_experiment_failure"]) == (None, None)


def test_requests_are_newest_first_and_a_redirect_is_deeper() -> None:
    rnd = a_round(*fine("x/web"))
    page = next(o for o in rnd.observations if o.http and o.target == "x/web")
    led = HttpDetail(url="https://mobile.x.com/", status=200)
    onward = replace(page, hop=1, host="mobile.x.com", start_s=page.start_s + 1, http=led)
    (found,) = exported(replace(rnd, observations=(onward, *rnd.observations)))
    requests = found["test_keys"]["requests"]
    assert [(r["request"]["url"], r["tags"]) for r in requests][:1] == [(led.url, ["depth=1"])]
    assert requests[-1]["tags"] == ["depth=0"]


def test_what_was_done_on_one_connection_has_one_number_and_each_lookup_its_own() -> None:
    for measurement in golden_measurements("clean"):
        keys = measurement["test_keys"]
        lookups = [q["transaction_id"] for q in keys["queries"]]
        connections = [c["transaction_id"] for c in keys["tcp_connect"]]
        assert len({*lookups, *connections}) == len(lookups) + len(connections)
        assert {r["transaction_id"] for r in keys["requests"]} <= {*connections}
        assert {h["transaction_id"] for h in keys["tls_handshakes"]} <= {*connections}
        assert [e["conn_id"] for e in keys["network_events"]] == connections


# Nobody is named.


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_measurement_of_the_lab_holds_an_address_of_the_home(name: str) -> None:
    text = json.dumps(golden_measurements(name)).replace(f"http://{world.ROUTER}/login", "")
    for isp in world.ISPS.values():
        assert f"{isp.lan6}10" not in text
        assert str(ip_address(isp.line[0]) + 1) not in text
    assert world.HOME not in text
    assert world.ROUTER not in text
