"""Who is where in the lab: names, addresses and owners, as data.

The prefixes are those of their owners; the addresses exist in the lab's namespaces alone. Every name
has four addresses of each family: two are handed out by the resolvers of the country measured, two
by the public ones, so that a line's resolver and a trusted one never agree and are both right.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

FAMILIES = (4, 6)
PER_REGION = 2

# The home, and what its router says of itself.
HOME, ROUTER = "192.168.1.10", "192.168.1.1"

# Abroad: the root of all names, the public resolvers, a vantage without a censor, the collector.
AUTHORITY = ("199.7.83.42", "2001:500:9f::42")
LAME = "199.7.83.99"  # a server that fails every question, for SERVFAIL at who forwards to it
QUAD9, GOOGLE_DNS = "9.9.9.9", "8.8.8.8"
DOH, DOH_NAME = ("1.1.1.1", "1.0.0.1", "2606:4700:4700::1111"), "cloudflare-dns.com"
DOH_EGRESS = "172.70.37.12"
PUBLIC_RESOLVERS = {  # service address: the address its own questions come from
    **dict.fromkeys(DOH, DOH_EGRESS),
    QUAD9: "74.63.25.10",
    "2620:fe::fe": "74.63.25.10",
    GOOGLE_DNS: "172.253.9.4",
    "2001:4860:4860::8888": "172.253.9.4",
}
NO_RESOLVER = "192.0.2.53"  # RFC 5737: nobody is there, so whoever answers stands in between
WHOAMI = "whoami.akamai.net"
ABROAD = ("94.130.20.9", "2a01:4f8:c0c:1::9")
COLLECTOR, COLLECTOR_ELSEWHERE = "198.51.100.10", "95.217.20.10"

# At home, in the country itself: what the exchange reaches without transit.
DOMESTIC_AUTHORITY = "203.101.184.53"
DOMESTIC_ZONE = "example"


@dataclass(frozen=True, slots=True)
class Isp:
    """A provider: its networks, its resolver, its block page and its caches."""

    name: str
    asn: int
    networks: tuple[str, ...]
    line: tuple[str, str]  # its end of the customer's line; the customer has the next address
    lan6: str  # the prefix delegated to the customer
    resolver: tuple[str, str]
    block_page: tuple[str, str]
    block_host: str
    cache: tuple[str, str]  # where the caches' addresses begin


ISPS = {
    isp.name: isp
    for isp in (
        Isp(
            "a", 17557, ("39.32.0.0/11", "203.99.160.0/20", "2407:d000::/32"),
            line=("39.32.10.1", "2407:d000:0:1::1"), lan6="2407:d000:a:1::",
            resolver=("203.99.163.240", "2407:d000::53"), block_page=("203.99.161.10", "2407:d000::80"),
            block_host="block.isp-a.example", cache=("39.34.160.0", "2407:d000:cac::"),
        ),
        Isp(
            "b", 23674, ("115.186.128.0/18", "203.82.48.0/20", "2400:adc0::/32"),
            line=("115.186.140.1", "2400:adc0:0:1::1"), lan6="2400:adc0:b:1::",
            resolver=("203.82.48.3", "2400:adc0::53"), block_page=("203.82.49.10", "2400:adc0::80"),
            block_host="block.isp-b.example", cache=("115.186.150.0", "2400:adc0:cac::"),
        ),
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Owner:
    """Who runs names: a platform, or the operator of a control. `roles` sorts a platform's names."""

    name: str
    roles: Mapping[str, tuple[str, ...]]
    bases: tuple[str, ...]  # where its addresses begin, two networks of each family
    ttl: int = 64  # what its servers' packets start with

    @property
    def hosts(self) -> tuple[str, ...]:
        return tuple(host for hosts in self.roles.values() for host in hosts)

    def hosts_of(self, roles: Iterable[str]) -> tuple[str, ...]:
        """The names of some roles; of all where none is given."""
        return tuple(host for role in (roles or self.roles) for host in self.roles.get(role, ()))


@dataclass(frozen=True, slots=True)
class Platform(Owner):
    """A platform also has domains, and neighbours: addresses of its own that are not it."""

    domains: tuple[str, ...] = ()
    neighbour: tuple[str, tuple[str, str]] = ("", ("", ""))  # a live host beside it, under another name
    dead: tuple[str, str] = ("", "")  # addresses beside it where nobody is


PLATFORMS = {
    platform.name: platform
    for platform in (
        Platform(
            "x",
            {
                "web": ("x.com", "twitter.com"),
                "api": ("api.x.com", "api.twitter.com"),
                "static": ("abs.twimg.com",),
                "media": ("pbs.twimg.com", "video.twimg.com"),
                "links": ("t.co",),
            },
            ("104.244.42.0", "104.244.43.0", "2606:1f80:f000:1::", "2606:1f80:f000:2::"),
            domains=("x.com", "twitter.com", "twimg.com", "t.co"),
            neighbour=("www.periscope.example.com", ("104.244.45.9", "2606:1f80:f000:9::9")),
            dead=("104.244.46.77", "2606:1f80:f000:77::77"),
        ),
        Platform(
            "facebook",
            {
                "web": ("www.facebook.com", "m.facebook.com"),
                "api": ("graph.facebook.com", "b-graph.facebook.com"),
                "static": ("static.xx.fbcdn.net",),
                "media": ("scontent.xx.fbcdn.net", "external.xx.fbcdn.net"),
                "push": ("edge-mqtt.facebook.com",),
            },
            ("157.240.1.0", "31.13.64.0", "2a03:2880:f10d:83::", "2a03:2880:f01c:8::"),
            domains=("facebook.com", "fbcdn.net"),
            neighbour=("www.whatsapp.com", ("157.240.9.53", "2a03:2880:f26d:e5::9")),
            dead=("157.240.12.77", "2a03:2880:f1ff:77::77"),
        ),
        Platform(
            "instagram",
            {
                "web": ("www.instagram.com",),
                "api": ("i.instagram.com", "graph.instagram.com"),
                "static": ("static.cdninstagram.com",),
                "media": ("scontent.cdninstagram.com",),
                "push": ("edge-chat.instagram.com",),
            },
            ("157.240.2.0", "31.13.65.0", "2a03:2880:f20d:e5::", "2a03:2880:f21c:e5::"),
            domains=("instagram.com", "cdninstagram.com"),
            neighbour=("www.threads.net", ("157.240.9.63", "2a03:2880:f27d:e5::9")),
            dead=("157.240.13.77", "2a03:2880:f2ff:77::77"),
        ),
        Platform(
            "youtube",
            {
                "web": ("www.youtube.com", "m.youtube.com"),
                "api": ("youtubei.googleapis.com",),
                "static": ("i.ytimg.com",),
                "video": ("redirector.googlevideo.com",),
                "links": ("youtu.be",),
            },
            ("142.250.1.0", "172.217.0.0", "2607:f8b0:4004:800::", "2a00:1450:4001:800::"),
            ttl=128,
            domains=("youtube.com", "ytimg.com", "googlevideo.com", "youtubei.googleapis.com", "youtu.be"),
            neighbour=("www.blogger.com", ("142.250.9.9", "2607:f8b0:4009:9::9")),
            dead=("142.250.12.77", "2607:f8b0:4077::77"),
        ),
    )
}  # fmt: skip

# As a censor sees it: one more name to block. Its second address is in no DNS.
COLLECTOR_SITE = Platform(
    "collector", {"web": ("collector.example.net",)}, (), domains=("collector.example.net",)
)

# X's other home: the same names on Cloudflare, in the scenario `x_other_cdn`.
X_ON_CLOUDFLARE = Owner(
    "x-on-cloudflare",
    PLATFORMS["x"].roles,
    ("162.159.140.0", "172.66.0.0", "2606:4700:10::", "2606:4700:11::"),
)


def _site(name: str, *bases: str, hosts: tuple[str, ...] = (), ttl: int = 64) -> Owner:
    return Owner(name, {"web": hosts or (name,)}, bases, ttl)


FOREIGN = (
    _site("www.wikipedia.org", "91.198.174.0", "185.15.58.0", "2620:0:862:ed1a::", "2a02:ec80:300:ed1a::"),
    _site("www.debian.org", "130.89.148.0", "151.101.2.0", "2001:67c:2564:a119::", "2a04:4e42::", ttl=255),
    _site("www.kernel.org", "139.178.84.0", "145.40.73.0", "2604:1380:4641:c500::", "2604:1380:40e1:4800::"),
    _site("www.ietf.org", "104.16.44.0", "104.16.45.0", "2606:4700:6810::", "2606:4700:6811::"),
    # Two sites of one company: when both fail, the company is a target, not the line.
    _site(
        "microsoft", "20.112.250.0", "13.107.21.0", "2603:1030:20e:3::", "2620:1ec:c11::",
        hosts=("www.microsoft.com", "www.bing.com"), ttl=128,
    ),
)  # fmt: skip
CONTROLS = tuple(host for owner in FOREIGN for host in owner.hosts)
ONE_COMPANY = FOREIGN[-1].hosts
PORTAL = _site(
    "detectportal.firefox.com", "34.107.221.0", "34.107.222.0", "2600:1901:0:38d7::", "2600:1901:0:38d8::"
)
DOMESTIC = tuple(
    _site(name, *bases)
    for name, *bases in (
        ("www.khabar.example", "203.101.184.0", "203.101.185.0", "2400:fc00:8::", "2400:fc00:9::"),
        ("www.bahi-bank.example", "203.101.186.0", "203.101.187.0", "2400:fc00:a::", "2400:fc00:b::"),
        ("surfsafe.example", "203.101.188.0", "203.101.189.0", "2400:fc00:c::", "2400:fc00:d::"),
    )
)
DOMESTIC_CONTROLS = ("www.khabar.example", "www.bahi-bank.example")
BLOCK_PAGE_SITE = "surfsafe.example"  # over HTTPS, with a valid certificate of its own

OWNERS: tuple[Owner, ...] = (*PLATFORMS.values(), *FOREIGN, PORTAL)


def addresses(owner: Owner, host: str, family: int) -> tuple[str, ...]:
    """All addresses a name has, alternating between its owner's two networks."""
    position = owner.hosts.index(host)
    bases = [base for base in owner.bases if ip_address(base).version == family]
    count = 2 * PER_REGION
    return tuple(_after(bases[k % len(bases)], 1 + position * count + k) for k in range(count))


def cache_address(isp: Isp, host: str, family: int) -> str:
    """Where the provider's own network serves a platform's name from."""
    hosts = [host for platform in PLATFORMS.values() for host in platform.hosts]
    return _after(of_family(isp.cache, family), 1 + hosts.index(host))


def all_addresses(owner: Owner) -> Iterator[str]:
    for host in owner.hosts:
        for family in FAMILIES:
            yield from addresses(owner, host, family)


def of_family(pair: tuple[str, ...], family: int) -> str:
    """The address of that family out of several."""
    return next(address for address in pair if ip_address(address).version == family)


def _after(base: str, steps: int) -> str:
    return str(ip_address(base) + steps)


Records = dict[str, dict[int, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Zone:
    """What the world's names resolve to: one answer for the country measured, one for all others."""

    country: Records
    public: Records

    def without(self, gone: Mapping[str, bool]) -> Zone:
        """The zone as the authority tells it where names are gone, or left without an address."""

        def left(records: Records) -> Records:
            rest = {host: found for host, found in records.items() if host not in gone}
            return {**rest, **{host: {} for host, empty in gone.items() if empty}}

        return Zone(left(self.country), left(self.public))

    def every(self, host: str, family: int) -> tuple[str, ...]:
        """The genuine addresses of a name, wherever they are handed out."""
        return (*self.country[host][family], *self.public[host][family])


def zone(seed: int = 0, *, x_elsewhere: bool = False) -> Zone:
    """The addresses of a world; another seed hands out others of the same owners."""
    rng = random.Random(seed)
    country: Records = {}
    public: Records = {}
    for owner in (*OWNERS, *DOMESTIC):
        where = X_ON_CLOUDFLARE if x_elsewhere and owner.name == "x" else owner
        for host in owner.hosts:
            country[host], public[host] = {}, {}
            for family in FAMILIES:
                pool = list(addresses(where, host, family))
                rng.shuffle(pool)
                country[host][family] = tuple(pool[:PER_REGION])
                public[host][family] = tuple(pool[PER_REGION:])
    for isp in ISPS.values():
        page: dict[int, tuple[str, ...]] = {
            family: (of_family(isp.block_page, family),) for family in FAMILIES
        }
        country[isp.block_host] = public[isp.block_host] = page
    for host in COLLECTOR_SITE.hosts:
        country[host] = public[host] = {4: (COLLECTOR,), 6: ()}
    return Zone(country, public)


def is_of(address: str, isp: Isp) -> bool:
    """Whether an address lies in a provider's networks."""
    there = ip_address(address)
    return any(there in ip_network(network) for network in isp.networks)
