"""OONI's cases are all there, by their names, and the page says what the golden rounds say."""

from __future__ import annotations

import re

import pytest

from .ooni_cases import CASES, PAGE, Case, page, said
from .scenarios import SCENARIOS

IN_ORDER = """
badSSLWithUnknownAuthorityWithConsistentDNS badSSLWithExpiredCertificate badSSLWithWrongServerName
badSSLWithUnknownAuthorityWithInconsistentDNS cloudflareCAPTCHAWithHTTP cloudflareCAPTCHAWithHTTPS
controlFailureWithSuccessfulHTTPWebsite controlFailureWithSuccessfulHTTPSWebsite
dnsBlockingAndroidDNSCacheNoData dnsBlockingBOGON dnsBlockingNXDOMAIN dnsHijackingToLocalhostWithHTTP
dnsHijackingToLocalhostWithHTTPS dnsHijackingToProxyWithHTTPURL dnsHijackingToProxyWithHTTPSURL
ghostDNSBlockingWithHTTP ghostDNSBlockingWithHTTPS httpBlockingConnectionReset httpDiffWithConsistentDNS
httpDiffWithInconsistentDNS idnaWithoutCensorshipLowercase idnaWithoutCensorshipWithFirstLetterUppercase
largeFileWithHTTP largeFileWithHTTPS localhostWithHTTP localhostWithHTTPS
redirectWithBrokenLocationForHTTP redirectWithBrokenLocationForHTTPS
redirectWithConsistentDNSAndThenConnectionRefusedForHTTP
redirectWithConsistentDNSAndThenConnectionRefusedForHTTPS
redirectWithConsistentDNSAndThenConnectionResetForHTTP
redirectWithConsistentDNSAndThenConnectionResetForHTTPS redirectWithConsistentDNSAndThenNXDOMAIN
redirectWithConsistentDNSAndThenEOFForHTTP redirectWithConsistentDNSAndThenEOFForHTTPS
redirectWithConsistentDNSAndThenTimeoutForHTTP redirectWithConsistentDNSAndThenTimeoutForHTTPS
redirectWithMoreThanTenRedirectsAndHTTP redirectWithMoreThanTenRedirectsAndHTTPS successWithHTTP
successWithHTTPS tcpBlockingConnectTimeout tcpBlockingConnectionRefusedWithInconsistentDNS
throttlingWithHTTP throttlingWithHTTPS tlsBlockingConnectionResetWithConsistentDNS
tlsBlockingConnectionResetWithInconsistentDNS websiteDownNXDOMAIN websiteDownNoAddrs websiteDownTCPConnect
"""
NAMES = IN_ORDER.split()


def test_all_fifty_cases_are_there_in_the_order_of_the_suite() -> None:
    assert [case.name for case in CASES] == NAMES
    assert len(NAMES) == len(set(NAMES)) == 50


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_names_scenarios_that_are_and_one_sentence(case: Case) -> None:
    assert set(case.ours) <= set(SCENARIOS)
    assert case.why.endswith(".")


def test_what_is_said_to_be_the_same_is_the_same() -> None:
    """Blocked where they say blocked, reached where they say accessible."""
    for case in CASES:
        if case.why.startswith("The same"):
            word = "ok" if "accessible" in case.theirs else "blocked"
            assert all(said(name).startswith(word) for name in case.ours), case.name


def test_the_page_says_what_the_golden_rounds_say() -> None:
    assert PAGE.read_text() == page(), "make golden renews it"
    assert len(re.findall(r"^\| \w+ \| ", PAGE.read_text(), re.M)) == 50
