"""What can be done to a line, as data. A scenario is a handful of these; `actions` carries them out.

Each is a small frozen record that prints as what it is. `roles` narrows an effect to a platform's
roles (all where empty), `families` to IPv4 or IPv6.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .servers import Port
from .world import FAMILIES


class Answer(StrEnum):
    """What a lying resolver says."""

    NXDOMAIN = "nxdomain"
    NODATA = "nodata"
    SERVFAIL = "servfail"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    BOGON = "bogon"
    LOOPBACK = "loopback"
    ZERO = "zero"
    BLOCK_PAGE = "the provider's block page"
    OTHER_PLATFORM = "another platform"
    NEIGHBOUR = "a live host of the same owner"
    DEAD_NEIGHBOUR = "an address of the same owner where nobody is"
    CACHE = "the provider's cache"
    RESOLVER = "the resolver itself, where no site is"


@dataclass(frozen=True, slots=True)
class Lie:
    """At the provider's resolver, for the platform's whole domains."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class DnsProxy:
    """All plain DNS crossing the provider is answered by its resolver."""


@dataclass(frozen=True, slots=True)
class DnsInjection:
    """In path: a forged answer to any question for the platform, the true one after it."""

    v4: str = "8.7.198.45"
    v6: str = "2001:da8:112::21ae"


class Way(StrEnum):
    """What can be cut off, by packets dropped."""

    ABROAD = "transit"
    LINE = "the line"
    RESOLVER = "the provider's resolver"
    DOH = "the trusted resolver"
    COLLECTOR = "the collector"
    IPV6 = "IPv6"


@dataclass(frozen=True, slots=True)
class Cut:
    way: Way


class Refusal(StrEnum):
    """What happens to packets for an address; the words are nftables'."""

    DROP = "drop"
    ICMP = "reject with icmpx admin-prohibited"
    RESET = "reject with tcp reset"
    # Connections open, and nothing that is sent on them arrives.
    SWALLOW = "tcp flags & psh == psh drop"


@dataclass(frozen=True, slots=True)
class BlockAddresses:
    """At the provider, every genuine address."""

    how: Refusal
    roles: tuple[str, ...] = ()
    families: tuple[int, ...] = FAMILIES


@dataclass(frozen=True, slots=True)
class BlockHosts:
    """At the provider, every address of named sites that are no platform's."""

    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SniDrop:
    """In path: the ClientHello and all after it vanish; `residual_s`: so does, for as long, whatever
    else the same client sends to the same address and port."""

    residual_s: float = 0.0
    roles: tuple[str, ...] = ()
    families: tuple[int, ...] = FAMILIES


@dataclass(frozen=True, slots=True)
class SniReset:
    """In path: the ClientHello is answered by `copies` resets of one IPID before the server can;
    `late_s`: instead it vanishes and the reset comes later; `after_bytes`: only when the server has
    sent so much; `flap_s`: so long on, so long off, beginning with the switch; `closes`: the connection is
    ended in good order (FIN) instead."""

    copies: int = 3
    ttl: int = 101
    ipid: int = 0x4D2
    window: int = 1400
    late_s: float = 0.0
    after_bytes: int = 0
    flap_s: float = 0.0
    closes: bool = False
    roles: tuple[str, ...] = ()
    families: tuple[int, ...] = FAMILIES


@dataclass(frozen=True, slots=True)
class SniResetKernel:
    """The same by netfilter's own means: `-m string` and REJECT. `at_home`: by the router."""

    at_home: bool = False


@dataclass(frozen=True, slots=True)
class LeadAside:
    """At the provider, connections to a port of the platform end at a server of the provider's."""

    port: int
    to: Port
    families: tuple[int, ...] = FAMILIES


@dataclass(frozen=True, slots=True)
class HttpReset:
    """In path: a cleartext request is answered by a reset, by its Host field."""


@dataclass(frozen=True, slots=True)
class HttpInjection:
    """In path: a page beside the true answer, and before it."""


class Slowed(StrEnum):
    NAME = "the flows that show the platform's name"
    ADDRESS = "the flows to the platform's addresses"
    LINE = "the whole line"
    TRANSIT = "everything abroad"


@dataclass(frozen=True, slots=True)
class Slow:
    what: Slowed
    kbit: int
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Loss:
    """Of the line's packets, both ways."""

    percent: int


@dataclass(frozen=True, slots=True)
class Delay:
    """In path: whatever leaves the line waits so long."""

    ms: int


@dataclass(frozen=True, slots=True)
class Down:
    """The platform's own trouble, seen from everywhere; `here_only`: at the addresses this country is
    given."""

    how: Refusal
    here_only: bool = False


@dataclass(frozen=True, slots=True)
class SiteAnswers:
    """The platform's own servers answer with an error or a question; `at` is the port asked."""

    port: Port
    at: int = 443


@dataclass(frozen=True, slots=True)
class Gone:
    """The platform's names exist nowhere any more; `empty`: they do, without an address."""

    empty: bool = False


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The platform stands on another network than usual."""


@dataclass(frozen=True, slots=True)
class Portal:
    """The router leads cleartext to its login page and lets nothing else pass."""


@dataclass(frozen=True, slots=True)
class Interception:
    """The router opens all TLS; `spared`: except that to the controls."""

    spared: bool = False


@dataclass(frozen=True, slots=True)
class RouterFilter:
    """The router's own resolver answers 0.0.0.0 for the platform; `alone`: it lets no other be asked."""

    alone: bool = False


@dataclass(frozen=True, slots=True)
class Clock:
    """The agent's clock is wrong; an offset as `faketime` takes it."""

    offset: str


# What takes place elsewhere than at a provider, and so whichever the home has dialled.
EVERYWHERE = (Down, SiteAnswers, Gone, Elsewhere, Portal, Interception, RouterFilter, Clock)

Effect = (
    Lie | DnsProxy | DnsInjection | Cut | BlockAddresses | BlockHosts | SniDrop | SniReset | SniResetKernel
    | LeadAside | HttpReset | HttpInjection | Slow | Loss | Delay | Down | SiteAnswers | Gone | Elsewhere
    | Portal | Interception | RouterFilter | Clock
)  # fmt: skip
