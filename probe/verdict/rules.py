"""The rule table: everything the engine can say, in the order in which it is asked.

A rule finds *facts* in the evidence; where it finds any, it speaks. Ids are persistent: they are
stored, published and quoted, so a rule that changes its meaning gets a new id. To add one, add a
row here, its finder to the module of what it looks at, and a story to ``tests/probe/verdict/``, whose
`test_rules` holds that every row runs. `scenarios` are those of the test lab that need the rule: it speaks
in their golden rounds, as `test_golden` holds. One that names none says in its `why` where it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from probe.wire.failure import Failure
from probe.wire.observation import GateState
from probe.wire.stage import Sent, Stage

from . import certificates, cleartext, connections, names, speed, whole
from .evidence import Evidence
from .record import Fact, Level, Mechanism, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A row. `mechanism` and `level` go together; `why` names the source of the judgment. One that is
    `of_failure` has nothing to say where nothing of the platform's failed, and is not asked there: that is
    most rules and most rounds."""

    id: str
    status: Status
    finds: Callable[[Evidence], Iterable[Fact]]
    why: str
    scenarios: tuple[str, ...]
    mechanism: Mechanism | None = None
    level: Level | None = None
    of_failure: bool = False


def _judged(status: Status, *, of_failure: bool = False) -> Callable[..., Rule]:
    def row(
        id: str,  # noqa: A002 - the field's name
        finds: Callable[[Evidence], Iterable[Fact]],
        why: str,
        *scenarios: str,
        says: tuple[Mechanism, Level] | None = None,
    ) -> Rule:
        mechanism, level = says or (None, None)
        return Rule(
            id=id, status=status, finds=finds, why=why, scenarios=scenarios, mechanism=mechanism, level=level,
            of_failure=of_failure,
        )  # fmt: skip

    return row


_insufficient = _judged(Status.INSUFFICIENT)
_blocked = _judged(Status.BLOCKED)
_throttled = _judged(Status.THROTTLED)
_unreachable = _judged(Status.UNREACHABLE)
_ok = _judged(Status.OK)
_fails_insufficient = _judged(Status.INSUFFICIENT, of_failure=True)
_fails_blocked = _judged(Status.BLOCKED, of_failure=True)
_fails_unreachable = _judged(Status.UNREACHABLE, of_failure=True)

_DENIAL = "README rule 3; OONI ts-017 calls the same dns_consistency inconsistent"

_GATE = (
    _insufficient(
        "gate.offline",
        whole.offline,
        "No verdict without two controls before and after; OONI/probe#1629 shows the cost of none.",
        "line_down",
        "resolver_down",
    ),
    _insufficient(
        "gate.portal",
        whole.gate(
            GateState.PORTAL,
            "A login page of this network (a captive portal) answers in the place of every site.",
        ),
        "RFC 8952: until the portal is satisfied every answer may be the portal's.",
        "captive_portal",
    ),
    _insufficient(
        "gate.domestic_only",
        whole.gate(
            GateState.DOMESTIC_ONLY, "Only sites of this country answer: the way abroad is cut or down."
        ),
        "A cut of all foreign traffic is a shutdown, which says nothing about one platform.",
        "shutdown",
    ),
    _insufficient(
        "gate.local_interception",
        whole.gate(
            GateState.LOCAL_INTERCEPTION,
            "Encrypted connections are opened on the way, those to unrelated sites too: most often by a "
            "filter, antivirus or proxy of this machine or home.",
        ),
        "README rule 6: what intercepts the controls as well is no platform's block.",
        "interception_all",
    ),
    _insufficient(
        "gate.clock",
        whole.gate(
            GateState.CLOCK,
            "This machine's clock is wrong: the certificates of unrelated sites seem out of date.",
        ),
        "RFC 5280, section 4.1.2.5: validity is judged by the clock of who verifies.",
        "clock_years",
    ),
    _insufficient(
        "gate.unknown",
        whole.gate_unknown,
        "A newer agent's word for why it could not judge is not ours to overrule. Needed where it is newer.",
    ),
)

_DNS = (
    _fails_blocked(
        "dns.bogon",
        names.denied(Failure.DNS_BOGON, "answers {answers} for {host}, where no public service can be"),
        f"RFC 6890 addresses are not globally reachable; {_DENIAL}.",
        "dns_bogon",
        "dns_loopback",
        "dns_zero",
        says=(Mechanism.DNS, Level.PROVEN),
    ),
    _fails_blocked(
        "dns.nxdomain",
        names.denied(Failure.DNS_NXDOMAIN, "says that the name {host} does not exist"),
        f"RFC 8020: NXDOMAIN denies the name itself, and it exists; {_DENIAL}.",
        "dns_nxdomain",
        "dns_doh_blocked",
        says=(Mechanism.DNS, Level.PROVEN),
    ),
    _fails_blocked(
        "dns.refused",
        names.denied(Failure.DNS_REFUSED, "refuses to answer for {host}"),
        f"The same resolver answered for the controls; {_DENIAL}.",
        "dns_refused",
        says=(Mechanism.DNS, Level.PROVEN),
    ),
    _fails_blocked(
        "dns.no_answer",
        # A resolver that leaves out AAAA on purpose (a home without IPv6) is no censor.
        names.denied(Failure.DNS_NO_ANSWER, "gives no address for {host}", families=(4,)),
        f"RFC 2308 NODATA for a name that has an A record; {_DENIAL}.",
        "dns_nodata",
        says=(Mechanism.DNS, Level.PROVEN),
    ),
    _fails_blocked(
        "dns.servfail",
        names.denied(Failure.DNS_SERVFAIL, "fails again and again for {host}"),
        # Its own way to the platform's name servers may be broken; for controls it answered.
        f"RFC 8499: a failure of the server, for this name alone; {_DENIAL}.",
        "dns_servfail",
        says=(Mechanism.DNS, Level.LIKELY),
    ),
    _fails_blocked(
        "dns.timeout",
        names.silence,
        f"Silence for these names from a resolver that answered for the controls; {_DENIAL}.",
        "dns_timeout",
        says=(Mechanism.DNS, Level.LIKELY),
    ),
    _fails_blocked(
        "dns.denied_unproven",
        names.denied_unproven,
        "README rule 3; a resolver that proves its own name says otherwise, if not the addresses themselves.",
        "dns_tls_ip",
        says=(Mechanism.DNS, Level.LIKELY),
    ),
    _fails_blocked(
        "dns.bogon_alone",
        names.bogon_alone,
        "RFC 6890; with every other resolver cut off a genuine address cannot be shown beside it.",
        "dns_alone",
        says=(Mechanism.DNS, Level.LIKELY),
    ),
    _fails_blocked(
        "dns.impostor",
        names.impostor,
        "README rule 2: an address is genuine when a valid handshake for the name completes on it.",
        "dns_blockpage",
        "dns_other_platform",
        "dns_same_as",
        says=(Mechanism.DNS, Level.LIKELY),
    ),
    _blocked(
        "dns.second_answer",
        names.second_answer,
        "An honest resolver answers once; OONI's dnsping is the one other test that looks (OONI/probe#1521).",
        "dns_injection",
        says=(Mechanism.DNS, Level.PROVEN),
    ),
    _blocked(
        "dns.from_nowhere",
        names.from_nowhere,
        "RFC 5737 addresses are nobody's: who answers there answers in another's place.",
        "dns_proxy",
        says=(Mechanism.DNS, Level.PROVEN),
    ),
    _blocked(
        "dns.hijacked_abroad",
        names.hijacked_abroad,
        "A resolver that nobody here runs and that is honest everywhere else; its answer was not its own.",
        "dns_proxy",
        says=(Mechanism.DNS, Level.PROVEN),
    ),
)

_CONNECTION = (
    _fails_blocked(
        "ip.rejected_on_the_way",
        connections.rejected_on_the_way,
        "RFC 1812, 5.2.7.1: 'administratively prohibited' is a router's own word for a filter.",
        "ip_icmp",
        says=(Mechanism.IP, Level.PROVEN),
    ),
    _fails_blocked(
        "ip.reset_on_the_way",
        connections.reset_on_the_way(Sent.SYN, Stage.TCP),
        "RFC 791: a packet whose TTL ends at a router cannot have been answered by a host behind it.",
        "ip_reset",
        says=(Mechanism.IP, Level.PROVEN),
    ),
    _fails_blocked(
        "tls.name",
        connections.name_fails,
        "README rule 5: only the name differs, so only the name can be why (OONI/probe#2440 asks for it).",
        "sni_drop",
        "sni_reset",
        "sni_reset_late",
        "sni_close",
        "sni_residual",
        "v4_blocked",
        "v6_blocked",
        says=(Mechanism.TLS, Level.PROVEN),
    ),
    _fails_blocked(
        "tls.name_elsewhere",
        connections.name_fails_elsewhere,
        "README rule 5: a server that answers for names not its own has no reason to break for this one.",
        "dns_tls",
        says=(Mechanism.TLS, Level.PROVEN),
    ),
    _fails_blocked(
        "tls.name_breaks_off",
        connections.name_breaks_off,
        # A broken back end behind this one name would look the same.
        "As tls.name, one stage later: a censor that lets the handshake pass and cuts what follows.",
        "reset_midway",
        says=(Mechanism.TLS, Level.LIKELY),
    ),
    _fails_blocked(
        "tls.reset_on_the_way",
        connections.reset_on_the_way(Sent.CLIENT_HELLO, Stage.TLS),
        "RFC 791, as ip.reset_on_the_way; OONI's tlsmiddlebox looks for the same hop.",
        "sni_reset",
        "sni_close",
        says=(Mechanism.TLS, Level.PROVEN),
    ),
    _fails_blocked(
        "tls.forged_reset",
        connections.forged_reset,
        # A firewall in front of the server may send its own, which is the platform's.
        "Weaver, Sommer, Paxson 2009 (NDSS): a forged reset carries the TTL of who forged it.",
        "sni_reset",
        "sni_reset_late",
        says=(Mechanism.TLS, Level.LIKELY),
    ),
    _fails_blocked(
        "tls.answered_on_the_way",
        certificates.answered_on_the_way,
        "RFC 791, as tls.reset_on_the_way: who answers what ends at a router is not the host behind it.",
        "mitm_self_signed",
        "mitm_other_ca",
        "mitm_wrong_name",
        says=(Mechanism.MITM, Level.PROVEN),
    ),
    _fails_blocked(
        "tls.foreign_certificate",
        certificates.foreign_certificate,
        "README rule 6: genuine on one address, so that the platform's own mistake is not the reason.",
        "mitm_v4",
        says=(Mechanism.MITM, Level.LIKELY),
    ),
)

_CLEARTEXT = (
    _blocked(
        "http.foreign_redirect",
        cleartext.foreign_redirect,
        "README rule 7: any redirect counts, 303 too, where OONI looks at four codes alone (ts-017).",
        "http_302",
        "http_303",
        "http_307",
        "http_meta",
        "http_https_page",
        says=(Mechanism.HTTP, Level.PROVEN),
    ),
    _blocked(
        "http.page",
        cleartext.page,
        "README rule 7: all four are preloaded for HSTS (RFC 6797) and only redirect in cleartext.",
        "http_page_200",
        "http_injected",
        says=(Mechanism.HTTP, Level.LIKELY),
    ),
    _fails_blocked(
        "http.host",
        connections.host_fails,
        "README rule 5 for the Host field; OONI's case httpBlockingConnectionReset calls it http-failure.",
        "http_reset",
        says=(Mechanism.HTTP, Level.PROVEN),
    ),
)

_SPEED = (
    _throttled(
        "throttle.extreme",
        speed.held_back,
        # A way that is crowded for this platform alone would look the same.
        "README rule 8: repeated, on the same line, in the same round, round trips taken off.",
        "throttle_ip",
        "throttle_sni",
        "throttle_media",
        says=(Mechanism.THROTTLE, Level.LIKELY),
    ),
    _throttled(
        "throttle.ceiling",
        speed.at_a_ceiling,
        "README rule 8; Xue et al. 2021 saw 130-150 kbit/s and no more, whatever the line (Russia).",
        "throttle_sni",
        says=(Mechanism.THROTTLE, Level.LIKELY),
    ),
    _throttled(
        "throttle.handshake",
        speed.handshake_held_back,
        "README rule 8; Turkey 2025 showed as long handshakes. Needed where a role has nothing to transfer.",
        says=(Mechanism.THROTTLE, Level.LIKELY),
    ),
)

_HOME = (
    _fails_insufficient(
        "local.own_filter",
        names.own_filter,
        "README rule 3: a filter of this home's own is nobody's censorship.",
        "router_filter",
    ),
    _fails_insufficient(
        "local.trusted_root",
        certificates.trusted_here,
        "README rule 6: who put that root into this machine's store stands at home. Needed on such a one.",
    ),
    _fails_insufficient(
        "local.next_door",
        certificates.intercepted_next_door,
        "README rule 6; RFC 791: what goes one hop and is answered was answered at home.",
        "interception_spared",
    ),
    _insufficient(
        "round.unfinished",
        whole.unfinished,
        "What was not measured is unknown: neither reachable nor blocked. Needed where a round is cut short.",
    ),
)

_PEERS = (
    _fails_blocked(
        "peers.ip",
        connections.unconnected_here,
        "README rule 11: only peers elsewhere can tell a platform that is down from one that is cut off.",
        "ip_drop",
        says=(Mechanism.IP, Level.LIKELY),
    ),
    _fails_blocked(
        "peers.mitm",
        certificates.foreign_here,
        "README rule 11, for certificates: the platform's own mistake would show to everybody.",
        "mitm_self_signed",
        "mitm_other_ca",
        "mitm_wrong_name",
        says=(Mechanism.MITM, Level.LIKELY),
    ),
    _fails_blocked(
        "peers.tls",
        connections.broken_here,
        "README rule 11, for handshakes.",
        "ip_swallow",
        says=(Mechanism.TLS, Level.LIKELY),
    ),
)

_REST = (
    _fails_unreachable(
        "dns.home_or_provider",
        names.home_or_provider,
        "README rule 3: most homes ask a router, and the router may filter or pass on a lie.",
        "router_filter_alone",
        says=(Mechanism.DNS, Level.WEAK),
    ),
    _fails_unreachable(
        "ip.silent",
        connections.silent_addresses,
        "README rule 4; a platform that is down looks the same from here (Facebook, October 2021).",
        "ip_drop",
        "down_timeout",
        "v6_drop",
        says=(Mechanism.IP, Level.WEAK),
    ),
    _fails_unreachable(
        "tls.home_or_provider",
        connections.broken_next_door,
        "README rule 3, for connections: many a home's router has a filter of its own.",
        "router_sni",
        says=(Mechanism.TLS, Level.WEAK),
    ),
    _fails_unreachable(
        "tls.foreign_everywhere",
        certificates.foreign_everywhere,
        # Whether the address or the name was lied about, or the platform errs, one line cannot tell.
        "README rule 6; OONI's cases badSSL… are of sites that show such certificates to everybody.",
        "site_untrusted",
        "site_wrong_name",
        says=(Mechanism.MITM, Level.WEAK),
    ),
    _fails_unreachable(
        "tls.lost_hello",
        connections.lost_hello,
        "RFC 9293: what is not acknowledged did not arrive; why, one line cannot tell.",
        "ip_swallow",
        says=(Mechanism.TLS, Level.WEAK),
    ),
    _fails_unreachable(
        "roles.family_failed",
        whole.family_failed,
        "README rule 10: the families are judged apart, and one of them fails.",
        "v6_drop",
    ),
    _unreachable(
        "roles.failed",
        whole.failed,
        "README rule 11: from one vantage alone this cannot be told from the platform's own outage.",
        "dns_same_as_dead",
        "down_5xx",
        "down_region",
        "site_expired",
    ),
    _ok(
        "roles.answered",
        whole.answered,
        "README, `ok`: 403, 429, 451 and a CAPTCHA by the platform's own valid host are reachable.",
        "clean",
        "cache_in_isp",
        "site_403",
    ),
)

RULES: tuple[Rule, ...] = (
    *_GATE,
    *_DNS,
    *_CONNECTION,
    *_CLEARTEXT,
    *_SPEED,
    *_HOME,
    *_PEERS,
    *_REST,
)
