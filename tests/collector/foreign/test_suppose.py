"""The same evidence under both sets of rules: OONI's word beside ours.

The names W… and S… are of the list of weaknesses that a field survey of OONI's rules found, most of
them by running those rules; OONI's own words here are what they say of such data.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from collector.foreign import form
from collector.foreign.importing import load_platforms
from collector.foreign.ooni import host_of, named_after
from collector.foreign.suppose import Reading, reading_of

from .measurements import (
    BOGON,
    CACHE,
    CLOSED,
    FORGED,
    LIE,
    OTHER,
    REAL,
    RESET,
    SILENCE,
    Json,
    connect,
    control,
    fine,
    get,
    query,
    shake,
    v04,
    v05,
)

PLATFORMS = load_platforms(None)
NXDOMAIN = "dns_nxdomain_error"
URL = "https://x.com/"


def reading(measurement: Json) -> Reading:
    data = json.dumps(measurement).encode()
    found = form.read(data)
    assert found is not None
    host = host_of(found)
    platform = next((p for p in PLATFORMS if p.owns(host)), None)
    return reading_of(found, platform or named_after(host), host, data, known=platform is not None)


def ours(found: Reading) -> str:
    mechanisms = [f"{f.mechanism}({f.level})" for f in found.verdict.mechanisms]
    return " ".join([str(found.verdict.status), *mechanisms])


def theirs(found: Reading) -> tuple[Any, Any]:
    return found.ooni.blocking, found.ooni.accessible


def said(blocking: str | bool | None, accessible: bool | None) -> Json:
    return {"blocking": blocking, "accessible": accessible}


# What fails, and how: an SNI reset on what the line's resolver gave, a cache inside the ISP say.
SNI_RESET_AT_CACHE: Json = {
    "queries": [query("x.com", CACHE)],
    "tcp_connect": [connect(CACHE)],
    "tls_handshakes": [shake("x.com", CACHE, RESET)],
    "requests": [get(URL, failure=RESET, address=CACHE)],
}
LIED_TO: Json = {
    "queries": [query("x.com", BOGON), query("x.com", REAL, by="udp"), query("x.com", REAL, by="doh")],
    "tcp_connect": [connect(BOGON, SILENCE), connect(REAL)],
    "tls_handshakes": [shake("x.com", REAL)],
    "requests": [get(URL, 200)],
}
ALL_AT_ONCE: Json = {
    "queries": [query("x.com", BOGON)],
    "tcp_connect": [connect(BOGON, SILENCE), connect(REAL)],
    "tls_handshakes": [shake("x.com", REAL, RESET)],
}
FORGED_SAME_AS: Json = {
    "queries": [query("x.com", LIE)],
    "tcp_connect": [connect(LIE)],
    "tls_handshakes": [shake("x.com", LIE, FORGED)],
}

# name, measurement, OONI's (blocking, accessible), what shows that the line was up, ours.
# OONI does not say which resolver the line was given. Most are a home's own router, which may filter on
# its own: so a lie in DNS is seen, and not laid at the provider's door.
CASES: list[tuple[str, Json, tuple[Any, Any], str | None, str]] = [
    (
        "fine",
        v05(URL, **fine("x.com"), helper=control(REAL), **said(False, True)),
        (False, True),
        "test_helper",
        "ok",
    ),
    (
        "fine_04",
        v04(URL, **fine("x.com"), helper=control(REAL), **said(False, True)),
        (False, True),
        "test_helper",
        "ok",
    ),
    (
        "helper_unreachable_and_https_fine",
        v05(URL, **fine("x.com"), **said(False, True)),
        (False, True),
        "handshake",
        "ok",
    ),
    (
        "W1_S1_dead_line_is_not_accessible",
        v05(URL, queries=[query("x.com", failure="dns_temporary_failure")], **said(False, True)),
        (False, True),
        None,
        "insufficient",
    ),
    (
        "W1_nxdomain_and_no_helper",
        v05(URL, queries=[query("x.com", failure=NXDOMAIN)], **said(False, True)),
        (False, True),
        None,
        "insufficient",
    ),
    (
        "S3_nxdomain_at_the_isp_and_no_helper",
        v05(
            URL,
            queries=[query("x.com", failure=NXDOMAIN), query("x.com", REAL, by="doh")],
            tcp_connect=[connect(REAL)],
            tls_handshakes=[shake("x.com", REAL)],
            requests=[get(URL, 200)],
            **said(False, True),
        ),
        (False, True),
        "handshake",
        "unreachable dns(weak)",
    ),
    (
        "W2_S5_cache_in_the_isp_and_sni_reset_is_not_dns",
        v05(URL, **SNI_RESET_AT_CACHE, helper=control(REAL), **said("dns", False)),
        ("dns", False),
        "test_helper",
        "unreachable",
    ),
    (
        "S4_cache_in_the_isp_and_all_fine",
        v05(URL, **fine("x.com", CACHE), helper=control(REAL), **said(False, True)),
        (False, True),
        "test_helper",
        "ok",
    ),
    (
        "S6_cache_in_the_isp_and_ip_drop_is_not_dns",
        v05(
            URL,
            queries=[query("x.com", CACHE)],
            tcp_connect=[connect(CACHE, SILENCE)],
            helper=control(REAL),
            **said("dns", False),
        ),
        ("dns", False),
        "test_helper",
        "unreachable",
    ),
    (
        "W3_S7_poisoned_in_the_same_as_is_not_down",
        v05(URL, **FORGED_SAME_AS, helper=control(REAL), **said(False, False)),
        (False, False),
        "test_helper",
        "unreachable dns(weak)",
    ),
    (
        "bogon",
        v05(URL, **LIED_TO, helper=control(REAL), **said("dns", False)),
        ("dns", False),
        "test_helper",
        "unreachable dns(weak)",
    ),
    (
        "S8_dns_and_sni_at_once_the_helper_proves_the_address",
        v05(URL, **ALL_AT_ONCE, helper=control(REAL), **said("dns", False)),
        ("dns", False),
        "test_helper",
        "unreachable dns(weak)",
    ),
    (
        "S9_sni_reset_and_helper_refused_is_not_down",
        v05(
            URL,
            queries=[query("x.com", REAL)],
            tcp_connect=[connect(REAL)],
            tls_handshakes=[shake("x.com", REAL, RESET)],
            helper=control(REAL, proven=()),
            **said(False, False),
        ),
        (False, False),
        "test_helper",
        "unreachable",
    ),
    (
        "W5_S13_cleartext_redirect_to_an_https_block_page",
        v05(
            "http://x.com/",
            queries=[query("x.com", REAL)],
            tcp_connect=[connect(REAL, port=80), connect(REAL)],
            tls_handshakes=[shake("x.com", REAL, CLOSED), shake("block.example", LIE, depth=1)],
            requests=[
                get("http://x.com/", 302, "https://block.example/"),
                get("https://block.example/", 200, address=LIE, depth=1),
            ],
            helper=control(REAL),
            **said(False, True),
        ),
        (False, True),
        "test_helper",
        "blocked http(proven)",
    ),
    (
        "W6_S13_redirect_by_303",
        v05(
            "http://x.com/",
            queries=[query("x.com", REAL)],
            tcp_connect=[connect(REAL, port=80)],
            requests=[get("http://x.com/", 303, "http://block.example/")],
            helper=control(REAL),
            **said(None, None),
        ),
        (None, None),
        "test_helper",
        "blocked http(proven)",
    ),
    (
        "W7_a_page_in_cleartext_whose_length_is_not_told_proves_nothing",
        v05(
            "http://x.com/",
            queries=[query("x.com", REAL)],
            tcp_connect=[connect(REAL, port=80)],
            requests=[get("http://x.com/", 200)],
            helper=control(REAL),
            **said(False, True),
        ),
        (False, True),
        "test_helper",
        "insufficient",
    ),
    (
        "S14_a_refusal_by_the_platform_itself_is_reachable",
        v05(
            URL,
            **{**fine("x.com"), "requests": [get(URL, 403)]},
            helper=control(REAL),
            **said(False, True),
        ),
        (False, True),
        "test_helper",
        "ok",
    ),
    (
        "foreign_certificate_where_the_helper_sees_the_real_one",
        v05(
            URL,
            queries=[query("x.com", REAL)],
            tcp_connect=[connect(REAL)],
            tls_handshakes=[shake("x.com", REAL, FORGED)],
            helper=control(REAL),
            **said("http-failure", False),
        ),
        ("http-failure", False),
        "test_helper",
        "blocked mitm(likely)",
    ),
    (
        "a_lie_and_a_foreign_certificate_where_only_the_helper_sees_the_real_one",
        v05(
            URL,
            queries=[query("x.com", BOGON)],
            tcp_connect=[connect(REAL)],
            tls_handshakes=[shake("x.com", REAL, FORGED)],
            helper=control(REAL),
            **said("dns", False),
        ),
        ("dns", False),
        "test_helper",
        "blocked mitm(likely)",
    ),
    (
        "nxdomain_for_all_denies_nothing",
        v05(
            URL,
            queries=[query("x.com", failure=NXDOMAIN)],
            helper=control(failure="dns_name_error"),
            **said(False, False),
        ),
        (False, False),
        "test_helper",
        "unreachable",
    ),
    (
        "bogon_04_with_the_helper_as_the_only_witness",
        v04(
            URL,
            queries=[query("x.com", BOGON)],
            tcp_connect=[connect(BOGON, SILENCE)],
            requests=[get(URL, failure=SILENCE)],
            helper=control(REAL, OTHER),
            **said("dns", False),
        ),
        ("dns", False),
        "test_helper",
        "unreachable dns(weak)",
    ),
    (
        "04_with_the_empty_control_it_writes_on_failure",
        v04(URL, queries=[query("x.com", failure=NXDOMAIN)], **said(None, None)),
        (None, None),
        None,
        "insufficient",
    ),
    (
        "04_follows_a_redirect_to_another_host_of_the_platform",
        v04(
            "https://twitter.com/",
            queries=[query("twitter.com", REAL)],
            tcp_connect=[connect(REAL)],
            tls_handshakes=[shake("twitter.com", REAL), shake("x.com", OTHER)],
            requests=[get("https://twitter.com/", 301, URL), get(URL, 200)],
            helper=control(REAL),
            **said(False, True),
        ),
        (False, True),
        "test_helper",
        "ok",
    ),
    (
        "W9_a_redirect_that_ends_at_the_platforms_other_host",
        v05(
            "https://twitter.com/",
            queries=[query("twitter.com", REAL), query("x.com", OTHER, depth=1)],
            tcp_connect=[connect(REAL), connect(OTHER, depth=1)],
            tls_handshakes=[shake("twitter.com", REAL), shake("x.com", OTHER, RESET, depth=1)],
            requests=[get("https://twitter.com/", 301, URL), get(URL, failure=RESET, address=OTHER, depth=1)],
            helper=control(REAL),
            **said("http-failure", False),
        ),
        ("http-failure", False),
        "test_helper",
        "unreachable",
    ),
    (
        "a_portals_own_valid_certificate_shows_no_line",
        v05(
            "http://x.com/",
            queries=[query("x.com", LIE), query("x.com", LIE, by="udp")],
            tcp_connect=[connect(LIE, port=80)],
            tls_handshakes=[shake("login.example", LIE, depth=1)],
            requests=[get("http://x.com/", 302, "https://login.example/", address=LIE)],
            **said(None, None),
        ),
        (None, None),
        None,
        "insufficient",
    ),
    (
        "a_site_of_unknown_hosts_may_redirect_anywhere",
        v05(
            "http://short.example/",
            queries=[query("short.example", REAL)],
            tcp_connect=[connect(REAL, port=80)],
            requests=[get("http://short.example/", 301, "https://long.example/")],
            helper=control(REAL),
            **said(False, True),
        ),
        (False, True),
        "test_helper",
        "insufficient",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[name for name, *_ in CASES])
def test_both_conclusions(case: tuple[str, Json, tuple[Any, Any], str | None, str]) -> None:
    _, measurement, ooni, line_up, verdict = case
    found = reading(measurement)
    assert theirs(found) == ooni
    assert (found.line_up_by, ours(found)) == (line_up, verdict), found.verdict.reasons
    assert found.gate_assumed is (line_up is not None)


def test_what_is_supposed_is_never_in_the_round() -> None:
    found = reading(v05(URL, **ALL_AT_ONCE, helper=control(REAL)))
    assert found.round.gate.state == "not_measured"
    assert {o.attempt for o in found.round.observations} == {1}
    assert [o.dns.answers for o in found.round.observations if o.dns] == [(BOGON,)]
    assert not [o for o in found.round.observations if o.target.startswith("portal/")]


def test_a_repetition_is_supposed_only_where_the_verdict_hangs_on_it() -> None:
    assert not reading(v05(URL, **fine("x.com"))).repetition_assumed
    assert reading(v05(URL, **LIED_TO, helper=control(REAL))).repetition_assumed
    twice: Json = {**FORGED_SAME_AS, "tls_handshakes": [shake("x.com", LIE, FORGED)] * 2}
    assert not reading(v04(URL, **twice, helper=control(REAL))).repetition_assumed
