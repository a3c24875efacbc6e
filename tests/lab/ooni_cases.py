"""The cases of OONI's web connectivity QA suite by name, and what stands for each of them here.

Names and expectations are those of probe-cli's ``internal/experiment/webconnectivityqa`` at 7cb22410c
(2026-08-14): `theirs` is what its test asserts for the newer of the two engines that run it (LTE 0.5.28).
What we say is not written here: the page, docs/ooni-qa.md, takes it from the golden rounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from probe.verdict import Status, judge
from tests import golden

from .compare import in_full

PAGE = Path(__file__).parent.parent.parent / "docs" / "ooni-qa.md"


@dataclass(frozen=True, slots=True)
class Case:
    """One case. `ours` are the scenarios that stand for it; none: it does not apply, and `why` says why
    not, else why we say something else."""

    name: str
    theirs: str
    ours: tuple[str, ...]
    why: str


DOWN = "down (blocking false, accessible false)"
FINE = "accessible"
HTTP, DNS, TCP = "blocked: http-failure", "blocked: dns", "blocked: tcp_ip"

_NAMES_EACH = (
    "Each mechanism is named that is at work; OONI has one word for a reset, a timeout and an error page."
)
_HOP = (
    "Every name that matters is an endpoint of its own, where the cut shows itself; what comes after a "
    "redirect is recorded and not judged."
)
_SAME = "The same."


def _redirects(what: str, scenario: str, theirs: str = HTTP, *, schemes: bool = True) -> Iterator[Case]:
    for scheme in ("ForHTTP", "ForHTTPS") if schemes else ("",):
        yield Case(f"redirectWithConsistentDNSAndThen{what}{scheme}", theirs, (scenario,), _HOP)


CASES: tuple[Case, ...] = (
    Case(
        "badSSLWithUnknownAuthorityWithConsistentDNS", DOWN, ("site_untrusted",),
        "One line cannot tell a certificate that is wrong for everybody from interception, so nobody is "
        "accused; OONI's helper sees the same one, peers do here.",
    ),
    Case(
        "badSSLWithExpiredCertificate", DOWN, ("site_expired",),
        "Nobody else can show the platform's own key, so nobody is accused; whether it is down, peers say.",
    ),
    Case(
        "badSSLWithWrongServerName", DOWN, ("site_wrong_name",),
        "As with the unknown authority.",
    ),
    Case(
        "badSSLWithUnknownAuthorityWithInconsistentDNS", DNS, ("dns_blockpage",),
        "The same; shown by the certificate, not by another AS.",
    ),
    Case(
        "cloudflareCAPTCHAWithHTTP", "blocked: http-diff, a false positive that is known",
        ("site_captcha_plain",), "An error status in cleartext is no block page; lengths are not compared.",
    ),
    Case("cloudflareCAPTCHAWithHTTPS", FINE, ("site_captcha",), _SAME),
    Case(
        "controlFailureWithSuccessfulHTTPWebsite", "no verdict", ("collector_blocked", "control_blocked"),
        "No helper is needed: two of several unrelated sites are enough, and the collector takes no part.",
    ),
    Case(
        "controlFailureWithSuccessfulHTTPSWebsite", FINE, ("collector_blocked", "control_blocked"), _SAME
    ),
    Case(
        "dnsBlockingAndroidDNSCacheNoData", DNS, ("dns_nxdomain",),
        "The same; the resolver is asked itself, so no system's way of putting it is in between.",
    ),
    Case("dnsBlockingBOGON", DNS, ("dns_bogon",), _SAME),
    Case("dnsBlockingNXDOMAIN", DNS, ("dns_nxdomain",), _SAME),
    Case("dnsHijackingToLocalhostWithHTTP", DNS, ("dns_loopback",), _SAME),
    Case("dnsHijackingToLocalhostWithHTTPS", DNS, ("dns_loopback",), _SAME),
    Case(
        "dnsHijackingToProxyWithHTTPURL", "accessible, and dns flagged", ("cache_in_isp",),
        "An address that shows the platform's certificate is the platform's, in whose network it may stand.",
    ),
    Case(
        "dnsHijackingToProxyWithHTTPSURL", "accessible, and dns flagged", ("cache_in_isp",),
        "An address that shows the platform's certificate is the platform's, in whose network it may stand.",
    ),
    Case(
        "ghostDNSBlockingWithHTTP", DNS, ("dns_ghost",),
        "The name is gone for everybody, so nobody is kept from anything now; no genuine address is left to "
        "prove the lie by.",
    ),
    Case(
        "ghostDNSBlockingWithHTTPS", DNS, ("dns_ghost",),
        "The name is gone for everybody, so nobody is kept from anything now; no genuine address is left to "
        "prove the lie by.",
    ),
    Case("httpBlockingConnectionReset", HTTP, ("http_reset",), _SAME),
    Case("httpDiffWithConsistentDNS", "blocked: http-diff", ("http_injected", "http_page_200"), _SAME),
    Case(
        "httpDiffWithInconsistentDNS", DNS, ("dns_blockpage",), "The same; shown by the certificate over TLS."
    ),
    Case("idnaWithoutCensorshipLowercase", FINE, (), "No platform has a name outside ASCII."),
    Case("idnaWithoutCensorshipWithFirstLetterUppercase", FINE, (), "No platform has a name outside ASCII."),
    Case(
        "largeFileWithHTTP", FINE, ("clean",),
        "The same; objects of 300 KB are cut off on purpose, to see how fast they come.",
    ),
    Case(
        "largeFileWithHTTPS", FINE, ("clean",),
        "The same; objects of 300 KB are cut off on purpose, to see how fast they come.",
    ),
    Case("localhostWithHTTP", DOWN, (), "No platform's name leads to 127.0.0.1 for everybody."),
    Case("localhostWithHTTPS", DOWN, (), "No platform's name leads to 127.0.0.1 for everybody."),
    Case(
        "redirectWithBrokenLocationForHTTP", "blocked: http-failure, a false positive that is accepted",
        ("site_astray",), "A redirect to nowhere is nobody's block page.",
    ),
    Case(
        "redirectWithBrokenLocationForHTTPS", "blocked: http-failure, a false positive that is accepted",
        ("site_astray",), "A redirect to nowhere is nobody's block page.",
    ),
    *_redirects("ConnectionRefused", "ip_reset"),
    *_redirects("ConnectionReset", "sni_reset"),
    *_redirects("NXDOMAIN", "dns_nxdomain", DNS, schemes=False),
    *_redirects("EOF", "sni_close"),
    *_redirects("Timeout", "sni_drop"),
    Case(
        "redirectWithMoreThanTenRedirectsAndHTTP", DOWN, ("site_round",),
        "The platform's own valid host answered, which is what is asked; it is followed for a few hops.",
    ),
    Case(
        "redirectWithMoreThanTenRedirectsAndHTTPS", DOWN, ("site_round",),
        "The platform's own valid host answered, which is what is asked; it is followed for a few hops.",
    ),
    Case("successWithHTTP", FINE, ("clean",), _SAME),
    Case("successWithHTTPS", FINE, ("clean",), _SAME),
    Case(
        "tcpBlockingConnectTimeout", TCP, ("ip_drop",),
        "Silence looks the same when the platform is down, which OONI's helper tells; here peers do.",
    ),
    Case(
        "tcpBlockingConnectionRefusedWithInconsistentDNS", DNS, ("dns_closed",),
        "Addresses where nothing answers look the same where one region of the platform is down; another AS "
        "proves nothing.",
    ),
    Case(
        "throttlingWithHTTP", "skipped (blocked: http-failure)", ("throttle_ip",),
        "Slow is a finding of its own, by comparison with unrelated sites, not a timeout.",
    ),
    Case(
        "throttlingWithHTTPS", HTTP, ("throttle_sni",),
        "Slow is a finding of its own, by comparison with unrelated sites, not a timeout.",
    ),
    Case("tlsBlockingConnectionResetWithConsistentDNS", HTTP, ("sni_reset",), _NAMES_EACH),
    Case(
        "tlsBlockingConnectionResetWithInconsistentDNS", DNS, ("dns_tls",),
        "The reset is proven, and OONI's word hides it; the lie is not where no genuine address completes a "
        "handshake.",
    ),
    Case(
        "websiteDownNXDOMAIN", DOWN, ("down_nxdomain",), "Peers say whether it is down; nobody is accused."
    ),
    Case("websiteDownNoAddrs", DOWN, ("down_nodata",), "Peers say whether it is down; nobody is accused."),
    Case(
        "websiteDownTCPConnect", DOWN, ("down_refused",), "Peers say whether it is down; nobody is accused."
    ),
)  # fmt: skip


def page() -> str:
    """docs/ooni-qa.md, of the table above and the golden rounds."""
    lines = [f"| {case.name} | {case.theirs} | {_ours(case)} | {case.why} |\n" for case in CASES]
    return _HEAD + "".join(lines)


_HEAD = """\
# OONI's cases

All 50 cases of OONI's web connectivity QA suite, with what its newer engine is expected to say there
(probe-cli at 7cb22410c, 2026-08-14) and what ours says of the scenario of the [lab](../tests/lab/README.md)
that stands for it, as measured by the real agent ([golden rounds](../tests/golden)). OONI tests any website
beside a helper abroad; here four platforms are tested beside unrelated sites on the same line. What peers in
other countries add is shown where it says more. `make golden` renews the rounds and this page.

| OONI's case | OONI expects | our scenario: what we say | if not the same, why |
| --- | --- | --- | --- |
"""


def _ours(case: Case) -> str:
    return "; ".join(f"`{name}`: {said(name)}" for name in case.ours) or "does not apply"


def said(name: str) -> str:
    """What the golden round of a scenario says of the platform that was touched."""
    rnd, peers = golden.read(name), golden.peers(name)
    alone, told = judge(rnd)[0], judge(rnd, peers=peers)[0]
    if told.status != alone.status:
        return f"{in_full(alone)}, with peers {in_full(told)}"
    down = alone.status is Status.UNREACHABLE and peers[0].failing
    return f"{in_full(alone)}, for peers too" if down else in_full(alone)
