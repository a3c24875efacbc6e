"""Every scenario of the lab by name: what is done, what is true then, and by which signs it shows.

`truth` speaks of each platform the scenario was applied to; all others are `ok`, unless the whole
line is touched. `signs` are checks by other programs (dig, curl, openssl) that the scenario is real.
To add one, add a row; `test_lab.py` runs its signs.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from probe.verdict.record import Mechanism, Status

from . import world
from .effects import (
    Answer,
    BlockAddresses,
    BlockHosts,
    Clock,
    Cut,
    Delay,
    DnsInjection,
    DnsProxy,
    Down,
    Effect,
    Elsewhere,
    Gone,
    HttpInjection,
    HttpReset,
    Interception,
    LeadAside,
    Lie,
    Loss,
    Portal,
    Refusal,
    RouterFilter,
    SiteAnswers,
    Slow,
    Slowed,
    SniDrop,
    SniReset,
    SniResetKernel,
    Way,
)
from .servers import Port


class Tool(StrEnum):
    """Who bears witness, and of what."""

    DIG = "dig: what a resolver says of the name"
    CURL = "curl: how HTTPS to a genuine address ends"
    PLAIN = "curl: how cleartext HTTP to a genuine address ends"
    ISSUER = "openssl: who issued the certificate shown"
    SPEED = "curl: whether a large object comes at full speed"
    WAIT = "curl: whether the handshake takes longer than half a second"
    LOSS = "curl: whether of sixty connections any needs a second SYN"
    COLLECTOR = "curl: how a connection to the collector's address ends"
    CLOCK = "date: what the agent's command line takes the time to be"


@dataclass(frozen=True, slots=True)
class Sign:
    """`expect` is a word of `signs.py`, or an address or status as the tool prints it. The name asked
    for is the first of the platform's `role`, or `host`; `server` is whom dig asks; `here`: at an address
    that the country's resolvers give, not the public ones."""

    tool: Tool
    expect: str
    role: str = "web"
    host: str = ""
    family: int = 4
    server: str = world.ROUTER
    here: bool = False


@dataclass(frozen=True, slots=True)
class Truth:
    """What is so: the statuses one line may honestly give, and the mechanisms it must name when it
    says blocked or throttled; `perhaps`: those at work that it cannot always prove. `partial`: some
    required roles still work. `abroad`: people elsewhere reach it; `with_peers`: what has to be said
    once it is known that they do, where that is more."""

    interfered: bool
    statuses: frozenset[Status]
    mechanisms: frozenset[Mechanism] = frozenset()
    perhaps: frozenset[Mechanism] = frozenset()
    partial: bool = False
    abroad: bool = True
    with_peers: Status | None = None

    @property
    def is_untellable(self) -> bool:
        """Whether one line alone may have to leave it open, so that peers are asked."""
        return Status.UNREACHABLE in self.statuses

    @property
    def told_by_peers(self) -> Truth:
        """The truth for who knows what peers elsewhere see."""
        return replace(self, statuses=frozenset({self.with_peers})) if self.with_peers else self


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named state of the world. `only` are the platforms it can be about, `isps` the providers;
    `whole_line`: the truth is that of every platform, whichever it was applied to."""

    name: str
    effects: tuple[Effect, ...]
    truth: Truth
    signs: tuple[Sign, ...] = ()
    whole_line: bool = False
    only: tuple[str, ...] = tuple(world.PLATFORMS)
    isps: tuple[str, ...] = tuple(world.ISPS)
    notes: str = field(default="", compare=False)

    @property
    def is_crowded(self) -> bool:
        """Whether all who are touched share one slow way, so that a round has time for two of them."""
        ways = (effect.what for effect in self.effects if isinstance(effect, Slow))
        return any(way in (Slowed.NAME, Slowed.ADDRESS) for way in ways)


def _blocked(*mechanisms: Mechanism, partial: bool = False, or_also: tuple[Status, ...] = ()) -> Truth:
    return Truth(True, frozenset({Status.BLOCKED, *or_also}), frozenset(mechanisms), partial=partial)


OK = Truth(False, frozenset({Status.OK}))
BY_DNS, BY_TLS = _blocked(Mechanism.DNS), _blocked(Mechanism.TLS)
# Who blocks in cleartext alone blocks no role a person would miss.
BY_MITM, BY_HTTP, BY_IP = (
    _blocked(Mechanism.MITM),
    _blocked(Mechanism.HTTP, partial=True),
    _blocked(Mechanism.IP),
)
UNTELLABLE = frozenset({Status.UNREACHABLE})
# Addresses that are merely silent look from one line as when the platform is down.
BY_SILENCE = Truth(True, UNTELLABLE, frozenset({Mechanism.IP}), with_peers=Status.BLOCKED)
BY_SWALLOWING = replace(BY_SILENCE, mechanisms=frozenset({Mechanism.TLS}))
# A lie that leads to where nothing is looks as when the platform is down in this region alone.
BY_DEAD_END = Truth(True, UNTELLABLE, frozenset({Mechanism.DNS}))
THROTTLED = Truth(True, frozenset({Status.THROTTLED}), frozenset({Mechanism.THROTTLE}))
DOWN = Truth(False, UNTELLABLE, abroad=False)
CANNOT_JUDGE = Truth(False, frozenset({Status.INSUFFICIENT}))
PERHAPS_HOME = Truth(False, frozenset({Status.INSUFFICIENT, Status.UNREACHABLE}))

CLEAN = (Sign(Tool.DIG, "genuine"), Sign(Tool.DIG, "genuine", family=6), Sign(Tool.CURL, "200"))


def _dns(name: str, answer: Answer, expect: str, truth: Truth = BY_DNS) -> Scenario:
    signs = (Sign(Tool.DIG, expect), Sign(Tool.DIG, "genuine", server=world.QUAD9), Sign(Tool.CURL, "200"))
    return Scenario(name, (Lie(answer),), truth, signs)


def _tls(name: str, effect: Effect, expect: str, truth: Truth = BY_TLS) -> Scenario:
    return Scenario(name, (effect,), truth, (Sign(Tool.DIG, "genuine"), Sign(Tool.CURL, expect)))


def _mitm(name: str, port: Port, issuer: str) -> Scenario:
    signs = (Sign(Tool.CURL, "certificate"), Sign(Tool.ISSUER, issuer))
    return Scenario(name, (LeadAside(443, port),), BY_MITM, signs)


def _page(name: str, port: Port, expect: str) -> Scenario:
    signs = (Sign(Tool.PLAIN, expect), Sign(Tool.CURL, "200"))
    return Scenario(name, (LeadAside(80, port),), BY_HTTP, signs)


def _site(name: str, port: Port, status: str, truth: Truth = OK) -> Scenario:
    return Scenario(name, (SiteAnswers(port),), truth, (Sign(Tool.CURL, status),))


def _plain_site(name: str, port: Port, status: str) -> Scenario:
    signs = (Sign(Tool.PLAIN, status), Sign(Tool.CURL, "200"))
    return Scenario(name, (SiteAnswers(port, at=80),), OK, signs)


def _certificate(name: str, port: Port, *more: Sign) -> Scenario:
    return Scenario(name, (SiteAnswers(port),), DOWN, (Sign(Tool.CURL, "certificate"), *more))


def _gone(name: str, *lies: Lie, empty: bool = False, truth: Truth = DOWN, says: str, truly: str) -> Scenario:
    signs = (Sign(Tool.DIG, says), Sign(Tool.DIG, truly, server=world.QUAD9))
    return Scenario(name, (Gone(empty), *lies), truth, signs)


def _role(name: str, role: str, only: tuple[str, ...]) -> Scenario:
    signs = (Sign(Tool.CURL, "reset", role=role), Sign(Tool.CURL, "200"))
    truth = _blocked(Mechanism.TLS, partial=True)
    return Scenario(name, (SniReset(roles=(role,)),), truth, signs, only=only)


WITH_MEDIA = ("x", "facebook", "instagram")
CACHED = ("facebook", "instagram", "youtube")

_ALL = (
    Scenario("clean", (), OK, CLEAN),
    Scenario(
        "cache_in_isp", (Lie(Answer.CACHE),), OK,
        (Sign(Tool.DIG, "cache"), Sign(Tool.CURL, "200")), only=CACHED,
    ),
    Scenario(
        "x_other_cdn", (Elsewhere(),), OK, (*CLEAN, Sign(Tool.DIG, "cloudflare")), only=("x",)
    ),
    # Names.
    _dns("dns_nxdomain", Answer.NXDOMAIN, "nxdomain"),
    _dns("dns_nodata", Answer.NODATA, "nodata"),
    _dns("dns_servfail", Answer.SERVFAIL, "servfail"),
    _dns("dns_refused", Answer.REFUSED, "refused"),
    _dns("dns_timeout", Answer.TIMEOUT, "timeout"),
    _dns("dns_bogon", Answer.BOGON, "10.10.34.35"),
    _dns("dns_loopback", Answer.LOOPBACK, "127.0.0.1"),
    _dns("dns_zero", Answer.ZERO, "0.0.0.0"),
    _dns("dns_blockpage", Answer.BLOCK_PAGE, "block page"),
    _dns("dns_other_platform", Answer.OTHER_PLATFORM, "another platform"),
    _dns("dns_same_as", Answer.NEIGHBOUR, "neighbour"),
    _dns("dns_same_as_dead", Answer.DEAD_NEIGHBOUR, "dead neighbour", BY_DEAD_END),
    _dns("dns_closed", Answer.RESOLVER, "resolver", BY_DEAD_END),
    _gone(
        "dns_ghost", Lie(Answer.BLOCK_PAGE), says="block page", truly="nxdomain",
        truth=Truth(True, UNTELLABLE, frozenset({Mechanism.DNS}), abroad=False),
    ),
    Scenario(
        "dns_injection", (DnsInjection(),), BY_DNS,
        (
            Sign(Tool.DIG, "8.7.198.45"), Sign(Tool.DIG, "8.7.198.45", server=world.QUAD9),
            Sign(Tool.DIG, "8.7.198.45", server=world.NO_RESOLVER), Sign(Tool.CURL, "200"),
        ),
    ),
    Scenario(
        "dns_proxy", (DnsProxy(), Lie(Answer.NXDOMAIN)), BY_DNS,
        (
            Sign(Tool.DIG, "nxdomain"), Sign(Tool.DIG, "nxdomain", server=world.QUAD9),
            Sign(Tool.DIG, "nxdomain", server=world.NO_RESOLVER), Sign(Tool.CURL, "200"),
        ),
    ),
    Scenario(
        "dns_proxy_honest", (DnsProxy(),), OK,
        (*CLEAN, Sign(Tool.DIG, "genuine", server=world.NO_RESOLVER)),
    ),
    Scenario(
        "dns_doh_blocked", (Lie(Answer.NXDOMAIN), Cut(Way.DOH)),
        BY_DNS,
        (Sign(Tool.DIG, "nxdomain"), Sign(Tool.DIG, "timeout", server=world.DOH[0])),
    ),
    Scenario(
        "dns_alone", (DnsProxy(), Lie(Answer.BOGON), Cut(Way.DOH)), BY_DNS,
        (Sign(Tool.DIG, "10.10.34.35", server=world.QUAD9), Sign(Tool.CURL, "200")),
    ),
    # Addresses.
    _tls("ip_drop", BlockAddresses(Refusal.DROP), "timeout", BY_SILENCE),
    _tls("ip_icmp", BlockAddresses(Refusal.ICMP), "refused", BY_IP),
    _tls("ip_reset", BlockAddresses(Refusal.RESET), "refused", BY_IP),
    _tls("ip_swallow", BlockAddresses(Refusal.SWALLOW), "timeout", BY_SWALLOWING),
    Scenario(
        "v6_drop", (BlockAddresses(Refusal.DROP, families=(6,)),),
        Truth(True, UNTELLABLE, frozenset({Mechanism.IP}), partial=True),
        (Sign(Tool.CURL, "200"), Sign(Tool.CURL, "timeout", family=6)),
    ),
    # Names in TLS.
    _tls("sni_drop", SniDrop(), "timeout"),
    _tls("sni_reset", SniReset(), "reset"),
    _tls("sni_reset_late", SniReset(late_s=1.0, copies=1), "reset"),
    _tls("sni_close", SniReset(closes=True, copies=1), "reset"),
    _tls("sni_residual", SniDrop(residual_s=20), "timeout"),
    _tls("sni_reset_kernel", SniResetKernel(), "reset"),
    _mitm("mitm_self_signed", Port.MITM_SELF_SIGNED, "gateway"),
    _mitm("mitm_other_ca", Port.MITM_OTHER_CA, "National Root CA"),
    _mitm("mitm_wrong_name", Port.MITM_WRONG_NAME, "Lab CA"),
    Scenario(
        "mitm_doh_blocked", (LeadAside(443, Port.MITM_OTHER_CA), Cut(Way.DOH)), BY_MITM,
        (Sign(Tool.ISSUER, "National Root CA"), Sign(Tool.DIG, "timeout", server=world.DOH[0])),
    ),
    Scenario(
        "mitm_v4", (LeadAside(443, Port.MITM_OTHER_CA, families=(4,)),),
        _blocked(Mechanism.MITM, partial=True),
        (Sign(Tool.ISSUER, "National Root CA"), Sign(Tool.CURL, "200", family=6)),
    ),
    # Cleartext.
    _page("http_page_200", Port.PAGE_200, "200"),
    _page("http_302", Port.PAGE_302, "302"),
    _page("http_303", Port.PAGE_303, "303"),
    _page("http_307", Port.PAGE_307, "307"),
    _page("http_meta", Port.PAGE_META, "200"),
    Scenario("http_injected", (HttpInjection(),), BY_HTTP, (Sign(Tool.PLAIN, "200"), Sign(Tool.CURL, "200"))),
    _page("http_https_page", Port.PAGE_HTTPS, "302"),
    Scenario("http_reset", (HttpReset(),), BY_HTTP, (Sign(Tool.PLAIN, "reset"), Sign(Tool.CURL, "200"))),
    # Quality.
    # After the handshake and the first kilobyte of a robots.txt; a generate_204 has no middle.
    Scenario(
        "reset_midway",
        (SniReset(after_bytes=2700),),
        BY_TLS,
        (Sign(Tool.DIG, "genuine"), Sign(Tool.CURL, "reset")),
        only=WITH_MEDIA,
    ),
    Scenario(
        "throttle_sni", (Slow(Slowed.NAME, 128),), THROTTLED, (Sign(Tool.SPEED, "slow"),),
    ),
    Scenario("throttle_ip", (Slow(Slowed.ADDRESS, 128),), THROTTLED, (Sign(Tool.SPEED, "slow"),)),
    Scenario(
        "throttle_media", (Slow(Slowed.NAME, 128, roles=("media",)),),
        Truth(True, frozenset({Status.THROTTLED}), frozenset({Mechanism.THROTTLE}), partial=True),
        (Sign(Tool.SPEED, "slow", role="media"), Sign(Tool.SPEED, "fast")), only=WITH_MEDIA,
    ),
    Scenario(
        "line_slow", (Slow(Slowed.LINE, 512),), OK,
        (Sign(Tool.SPEED, "slow"), Sign(Tool.SPEED, "slow", host=world.DOMESTIC_CONTROLS[0])),
        whole_line=True,
    ),
    Scenario(
        "abroad_slow", (Slow(Slowed.TRANSIT, 512),), OK,
        (
            Sign(Tool.SPEED, "slow"), Sign(Tool.SPEED, "slow", host=world.CONTROLS[0]),
            Sign(Tool.SPEED, "fast", host=world.DOMESTIC_CONTROLS[0]),
        ),
        whole_line=True,
    ),
    Scenario("loss", (Loss(10),), OK, (Sign(Tool.LOSS, "lossy"),), whole_line=True),
    Scenario("delay", (Delay(600),), OK, (Sign(Tool.WAIT, "long"),), whole_line=True),
    # One family, one role, one time.
    Scenario(
        "ipv6_broken", (Cut(Way.IPV6),), OK,
        (Sign(Tool.CURL, "200"), Sign(Tool.CURL, "timeout", family=6)), whole_line=True,
    ),
    Scenario(
        "v4_blocked", (SniReset(families=(4,)),), _blocked(Mechanism.TLS, partial=True),
        (Sign(Tool.CURL, "reset"), Sign(Tool.CURL, "200", family=6)),
    ),
    Scenario(
        "v6_blocked", (SniReset(families=(6,)),), _blocked(Mechanism.TLS, partial=True),
        (Sign(Tool.CURL, "200"), Sign(Tool.CURL, "reset", family=6)),
    ),
    _role("role_video", "video", ("youtube",)),
    _role("role_api", "api", tuple(world.PLATFORMS)),
    _role("role_media", "media", WITH_MEDIA),
    Scenario(
        "flapping", (SniReset(flap_s=60),), _blocked(Mechanism.TLS, or_also=(Status.OK,)),
        (Sign(Tool.CURL, "reset"),), notes="blocked for a minute from the switch on, then free for one",
    ),
    Scenario(
        "dns_tls_ip",
        (Lie(Answer.BOGON), BlockAddresses(Refusal.DROP, roles=("web",)), SniReset()),
        _blocked(Mechanism.DNS, Mechanism.TLS, Mechanism.IP),
        (Sign(Tool.DIG, "10.10.34.35"), Sign(Tool.CURL, "timeout"), Sign(Tool.CURL, "reset", role="api")),
        notes="addresses of the web role are dropped, the names of all others reset",
    ),
    # The name is lied about, and where it truly is it is cut off: the lie alone cannot be proven.
    Scenario(
        "dns_tls", (Lie(Answer.BLOCK_PAGE), SniReset()),
        Truth(True, frozenset({Status.BLOCKED}), frozenset({Mechanism.TLS}), frozenset({Mechanism.DNS})),
        (Sign(Tool.DIG, "block page"), Sign(Tool.CURL, "reset")),
    ),
    # The whole line.
    Scenario(
        "shutdown", (Cut(Way.ABROAD),), CANNOT_JUDGE,
        (Sign(Tool.CURL, "timeout"), Sign(Tool.CURL, "200", host=world.DOMESTIC_CONTROLS[0])),
        whole_line=True,
    ),
    Scenario(
        "line_down", (Cut(Way.LINE),), CANNOT_JUDGE,
        (Sign(Tool.CURL, "timeout"), Sign(Tool.CURL, "timeout", host=world.DOMESTIC_CONTROLS[0])),
        whole_line=True,
    ),
    Scenario(
        "captive_portal", (Portal(),), CANNOT_JUDGE,
        (
            Sign(Tool.PLAIN, "302", host=world.PORTAL.hosts[0]),
            Sign(Tool.PLAIN, "302", host=world.PORTAL.hosts[0], family=6), Sign(Tool.CURL, "refused"),
        ),
        whole_line=True,
    ),
    Scenario(
        "resolver_down", (Cut(Way.RESOLVER),), CANNOT_JUDGE,
        (Sign(Tool.DIG, "timeout", host=world.CONTROLS[0]), Sign(Tool.CURL, "200")), whole_line=True,
    ),
    # The platform's own.
    _tls("down_refused", Down(Refusal.RESET), "refused", DOWN),
    _tls("down_timeout", Down(Refusal.DROP), "timeout", DOWN),
    _site("down_5xx", Port.SITE_5XX, "503", DOWN),
    Scenario(
        "down_region", (Down(Refusal.DROP, here_only=True),),
        Truth(False, UNTELLABLE),
        (Sign(Tool.CURL, "200"), Sign(Tool.CURL, "timeout", here=True)),
    ),
    _gone("down_nxdomain", says="nxdomain", truly="nxdomain"),
    _gone("down_nodata", empty=True, says="nodata", truly="nodata"),
    _certificate("site_untrusted", Port.SITE_UNTRUSTED, Sign(Tool.ISSUER, "gateway")),
    _certificate("site_expired", Port.SITE_EXPIRED, Sign(Tool.ISSUER, "Lab CA")),
    _certificate("site_wrong_name", Port.SITE_WRONG_NAME, Sign(Tool.ISSUER, "Lab CA")),
    _site("site_403", Port.SITE_403, "403"),
    _site("site_429", Port.SITE_429, "429"),
    _site("site_captcha", Port.SITE_CAPTCHA, "403"),
    _site("site_round", Port.SITE_ROUND, "302"),
    _plain_site("site_captcha_plain", Port.SITE_CAPTCHA_PLAIN, "403"),
    _plain_site("site_astray", Port.SITE_ASTRAY, "302"),
    # The home's own.
    Scenario(
        "interception_all", (Interception(),), CANNOT_JUDGE,
        (
            Sign(Tool.CURL, "certificate"), Sign(Tool.ISSUER, "Home Shield CA"),
            Sign(Tool.CURL, "certificate", host=world.CONTROLS[0]),
        ),
        whole_line=True,
    ),
    Scenario(
        "interception_spared", (Interception(spared=True),), CANNOT_JUDGE,
        (
            Sign(Tool.CURL, "certificate"), Sign(Tool.ISSUER, "Home Shield CA"),
            Sign(Tool.CURL, "200", host=world.CONTROLS[0]),
        ),
        whole_line=True,
    ),
    Scenario(
        "router_filter", (RouterFilter(),), CANNOT_JUDGE,
        (Sign(Tool.DIG, "0.0.0.0"), Sign(Tool.DIG, "genuine", server=world.ISPS["a"].resolver[0])),
    ),
    # A home that asks nobody else, or filters connections itself, looks from inside as its provider would.
    Scenario(
        "router_filter_alone", (RouterFilter(alone=True),), PERHAPS_HOME,
        (Sign(Tool.DIG, "0.0.0.0"), Sign(Tool.DIG, "timeout", server=world.QUAD9)),
    ),
    Scenario(
        "router_sni", (SniResetKernel(at_home=True),), PERHAPS_HOME,
        (Sign(Tool.DIG, "genuine"), Sign(Tool.CURL, "reset")),
    ),
    Scenario(
        "clock_hours", (Clock("+5h"),), Truth(False, frozenset({Status.OK, Status.INSUFFICIENT})),
        (Sign(Tool.CLOCK, "hours ahead"),), whole_line=True,
    ),
    Scenario(
        "clock_years", (Clock("-3y"),), CANNOT_JUDGE,
        (Sign(Tool.CLOCK, "years behind"),), whole_line=True,
    ),
    Scenario(
        "control_blocked", (BlockHosts(world.CONTROLS[:1]),), OK,
        (*CLEAN, Sign(Tool.CURL, "timeout", host=world.CONTROLS[0])), whole_line=True,
    ),
    Scenario(
        "controls_of_one_company_blocked", (BlockHosts(world.ONE_COMPANY),), OK,
        (*CLEAN, *(Sign(Tool.CURL, "timeout", host=host) for host in world.ONE_COMPANY)), whole_line=True,
    ),
    Scenario(
        "collector_blocked", (Cut(Way.COLLECTOR),), OK, (*CLEAN, Sign(Tool.COLLECTOR, "timeout")),
        whole_line=True,
    ),
    Scenario(
        "one_isp", (SniReset(),), BY_TLS, (Sign(Tool.DIG, "genuine"), Sign(Tool.CURL, "reset")), isps=("a",),
    ),
)  # fmt: skip

SCENARIOS = {scenario.name: scenario for scenario in _ALL}
