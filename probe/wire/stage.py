"""The stages of reaching a service, in causal order, and what each one records.

To add a stage: one row in `Stage`, one detail type here, one field in `Observation`, and one
module in ``probe/stages/``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit

from annotated_types import Ge, Le, Len

from .openenum import OpenEnum
from .strict import STRICT

Text = Annotated[str, Len(0, 255)]
Address = Annotated[str, Len(2, 45)]
Count = Annotated[int, Ge(0), Le(2**53)]


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


class Resolver(OpenEnum):
    """Who was asked: the resolver this line was given, or the trusted one over HTTPS (RFC 8484)."""

    SYSTEM = "system"
    DOH = "doh"


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsDetail:
    """One query and its answer (RFC 1035). `server` is None where it was the volunteer's own."""

    __pydantic_config__ = STRICT
    resolver: Resolver
    query_type: Annotated[str, Len(1, 8)]
    server: Address | None = None
    rcode: Annotated[str, Len(1, 16)] | None = None
    answers: Annotated[tuple[Address, ...], Len(0, 32)] = ()
    cnames: Annotated[tuple[Text, ...], Len(0, 16)] = ()

    def __post_init__(self) -> None:
        for address in (*self.answers, *([self.server] if self.server is not None else [])):
            ip_address(address)  # raises ValueError, which a decode reports with its place


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpDetail:
    """The kernel's smoothed round-trip time for the connection (TCP_INFO), where it tells one."""

    __pydantic_config__ = STRICT
    rtt_s: Annotated[float, Ge(0)] | None = None


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
    """One bounded GET (RFC 9110). `location` is scheme, host and path of a redirect, no query."""

    __pydantic_config__ = STRICT
    url: Text
    status: Annotated[int, Ge(100), Le(599)] | None = None
    location: Text | None = None
    body_bytes: Count = 0
    # Only for the captive-portal check, which knows the body it must see.
    body_matches: bool | None = None

    @property
    def leads_to(self) -> str | None:
        """The host a redirect names, in lower case; "" where none can be read, None for no redirect."""
        if self.location is None:
            return None
        try:
            return urlsplit(self.location).hostname or ""
        except ValueError:  # a collector reads what any agent sent
            return ""
