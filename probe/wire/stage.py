"""The stages of reaching a service, in causal order, and what each one records.

To add a stage: one row in `Stage`, one detail type here, one field in `Observation`, and one
module in ``probe/stages/``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import urlsplit

from annotated_types import Ge, Le, Len

from .address import read_address
from .openenum import OpenEnum
from .strict import STRICT

Text = Annotated[str, Len(0, 255)]
Address = Annotated[str, Len(2, 45)]
Count = Annotated[int, Ge(0), Le(2**53)]
# An IPv4 time to live or IPv6 hop limit.
Ttl = Annotated[int, Ge(0), Le(255)]


def check_readable(url: str) -> None:
    """Raise `ValueError` for a URL whose host or port cannot be told, such as ``http://[``: every
    reader after this one may ask for them without a care."""
    try:
        parts = urlsplit(url)
        _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("a URL whose host cannot be read") from None


class Stage(OpenEnum):
    """One step on the way to a service; a later one is tried only where the earlier succeeded."""

    DNS = "dns"
    TCP = "tcp"
    TLS = "tls"
    HTTP = "http"
    # How fast it comes once it is reached.
    TRANSFER = "transfer"
    # Not steps but evidence of who broke one: where on the way, and by which packets.
    PATH = "path"
    PACKETS = "packets"


# The steps themselves, whose results are counted.
STEPS = (Stage.DNS, Stage.TCP, Stage.TLS, Stage.HTTP, Stage.TRANSFER)


class Resolver(OpenEnum):
    """Who was asked for a name."""

    # The resolver this line was given, as any program here uses it.
    SYSTEM = "system"
    # The trusted one over HTTPS (RFC 8484).
    DOH = "doh"
    # A resolver abroad in plain DNS, which everybody on the way can read and answer.
    PUBLIC = "public"
    # The provider's own resolver asked past the home's router, which may filter on its own.
    PROVIDER = "provider"
    # An address that runs no resolver: whoever answers stands on the way.
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class LateAnswer:
    """Another answer to a question that had been answered. `after_s` counts from the first one."""

    __pydantic_config__ = STRICT
    rcode: Annotated[str, Len(1, 16)]
    after_s: Annotated[float, Ge(0)]
    answers: Annotated[tuple[Address, ...], Len(0, 32)] = ()
    ip_ttl: Ttl | None = None

    def __post_init__(self) -> None:
        for address in self.answers:
            read_address(address)


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsDetail:
    """One query and its answer (RFC 1035). `server` is None where it was the volunteer's own.

    `ip_ttl` is what the answer's packet had left of its TTL. `late` is what came after the first
    answer, where it was waited for: an honest resolver answers once.
    """

    __pydantic_config__ = STRICT
    resolver: Resolver
    query_type: Annotated[str, Len(1, 8)]
    server: Address | None = None
    rcode: Annotated[str, Len(1, 16)] | None = None
    answers: Annotated[tuple[Address, ...], Len(0, 32)] = ()
    cnames: Annotated[tuple[Text, ...], Len(0, 16)] = ()
    ip_ttl: Ttl | None = None
    late: Annotated[tuple[LateAnswer, ...], Len(0, 4)] = ()

    def __post_init__(self) -> None:
        for address in (*self.answers, *([self.server] if self.server is not None else [])):
            read_address(address)  # raises ValueError, which a decode reports with its place


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpDetail:
    """What the kernel knows of the connection (TCP_INFO), where it tells: the smoothed round-trip
    time and, beside a later stage's failure, how much of what was sent the other side has
    acknowledged, how much it has sent, and how often something was sent again. One byte is the SYN:
    a ClientHello of which nothing is acknowledged was lost on the way, one acknowledged met a silent
    server; and where something came before a timeout, the line was slow and not cut.
    """

    __pydantic_config__ = STRICT
    rtt_s: Annotated[float, Ge(0)] | None = None
    bytes_acked: Count | None = None
    bytes_received: Count | None = None
    retransmits: Count | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What identifies a certificate (RFC 5280): enough to recognise it, not the bytes of it."""

    __pydantic_config__ = STRICT
    subject: Text
    issuer: Text
    not_before: datetime
    not_after: datetime
    spki_sha256: Annotated[str, Len(32, 64)]
    names: Annotated[tuple[Text, ...], Len(0, 16)] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsDetail:
    """A handshake (RFC 8446): what was negotiated and the chain as it was sent, leaf first.

    `system_trusted` is set only where our own CA bundle refused the chain: True means that this
    machine's store accepts it, as it does for an antivirus or an office proxy.
    """

    __pydantic_config__ = STRICT
    version: Annotated[str, Len(0, 16)] | None = None
    chain: Annotated[tuple[Certificate, ...], Len(0, 8)] = ()
    verify_error: Text | None = None
    system_trusted: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpDetail:
    """One bounded GET (RFC 9110). `location` is scheme, host and path of a redirect, no query;
    `refresh` the same of a page that redirects by itself (``<meta http-equiv=refresh>``)."""

    __pydantic_config__ = STRICT
    url: Text
    status: Annotated[int, Ge(100), Le(599)] | None = None
    location: Text | None = None
    refresh: Text | None = None
    body_bytes: Count = 0
    # Only for the captive-portal check, which knows the body it must see.
    body_matches: bool | None = None

    @property
    def leads_to(self) -> str | None:
        """The host a redirect names, in lower case; "" where none can be read, None for no redirect."""
        onward = self.location or self.refresh
        if onward is None:
            return None
        try:
            return urlsplit(onward).hostname or ""
        except ValueError:  # a collector reads what any agent sent
            return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferDetail:
    """One bounded object, or as much of it as came in time. `timed_bytes` are those of the body
    that came after its first piece, `timed_s` how long they took: what the server needs to think is
    not the line's, and a piece is there only once the whole of its TLS record is."""

    __pydantic_config__ = STRICT
    url: Text
    wanted_bytes: Count
    body_bytes: Count
    timed_bytes: Count
    timed_s: Annotated[float, Ge(0)]
    status: Annotated[int, Ge(100), Le(599)] | None = None


class Sent(OpenEnum):
    """What was sent with a small TTL to see how far it gets."""

    SYN = "syn"
    CLIENT_HELLO = "client_hello"


class Met(OpenEnum):
    """What became of a packet that could go so many hops and no further."""

    # The router where it ended said so (RFC 792, time exceeded).
    EXPIRED = "expired"
    SILENCE = "silence"
    RESET = "reset"
    # A router or host says that it will not pass it on (RFC 1812, 5.2.7.1).
    REJECTED = "rejected"
    # What was asked for came: the packet got to the address, or to somebody who answers in its place.
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One TTL: what became of the packet itself, and which router a UDP packet to the same address
    ends at there (None where that one stays silent or is the volunteer's own). `private`: the router
    named itself by an address of a private network, as those of homes do."""

    __pydantic_config__ = STRICT
    ttl: Ttl
    met: Met
    router: Address | None = None
    router_met: Met = Met.SILENCE
    private: bool = False
    icmp_code: Annotated[int, Ge(0), Le(255)] | None = None

    def __post_init__(self) -> None:
        if self.router is not None:
            read_address(self.router)


@dataclass(frozen=True, slots=True, kw_only=True)
class PathDetail:
    """How far a packet gets on the way to an address, TTL by TTL."""

    __pydantic_config__ = STRICT
    sent: Sent
    hops: Annotated[tuple[Hop, ...], Len(0, 32)] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reset:
    """One RST as it arrived (RFC 9293, 3.5.2). `after_s` counts from the packet it answers;
    `before_ack` says that the server had not acknowledged that packet yet."""

    __pydantic_config__ = STRICT
    ip_ttl: Ttl
    after_s: Annotated[float, Ge(0)]
    ip_id: Annotated[int, Ge(0), Le(65_535)] | None = None
    window: Annotated[int, Ge(0), Le(65_535)] = 0
    before_ack: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketsDetail:
    """The packets of one failing connection: its resets, and the TTLs of what the host itself sent."""

    __pydantic_config__ = STRICT
    genuine_ttls: Annotated[tuple[Ttl, ...], Len(0, 16)] = ()
    resets: Annotated[tuple[Reset, ...], Len(0, 16)] = ()
