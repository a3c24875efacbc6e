"""OONI's ``web_connectivity`` as OONI writes it: data format 0.2.0, test versions 0.4 and 0.5. PURE.

Lenient about keys we do not read, since theirs grow with every release; strict about those we do. A
field that a version leaves out has a default that says "not there". The specification is in
ooni/spec: ``data-formats/df-000`` to ``df-008`` and ``nettests/ts-017-web-connectivity.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Annotated, Any

from annotated_types import Ge, Le, Len

from probe.wire.codec import DecodeError, validate

TEST_NAME, DATA_FORMAT = "web_connectivity", "0.2.0"
MAX_BYTES = 16 << 20  # A page of 512 KiB, with certificates and events, is under 1 MiB as JSON.

_LENIENT: dict[str, Any] = {"strict": True, "extra": "ignore", "allow_inf_nan": False}

# Every address of the volunteer's own is replaced by this before a measurement is published.
SCRUBBED = "[scrubbed]"

Time = Annotated[float, Ge(0), Le(86_400)]
Entries = Len(0, 256)  # The largest measurement known makes 24 connects and 24 handshakes.


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What every event carries. `t` is when it ended, `t0` (since 0.5) when it began."""

    __pydantic_config__ = _LENIENT
    t: Time | None = None
    t0: Time | None = None
    tags: tuple[str, ...] | None = None

    @property
    def depth(self) -> int | None:
        """How many redirects came before, where a tag tells."""
        for tag in self.tags or ():
            name, _, number = tag.partition("=")
            if name == "depth" and number.isdecimal() and len(number) < 3:
                return int(number)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A record in an answer (df-002)."""

    __pydantic_config__ = _LENIENT
    ipv4: str | None = None
    ipv6: str | None = None
    hostname: str | None = None

    def __post_init__(self) -> None:
        _ = self.address  # raises ValueError, which validation reports with its place

    @property
    def address(self) -> str | None:
        """The address it gives; None for another record, and for one OONI took out."""
        return address_of(self.ipv4 or self.ipv6 or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query(Entry):
    """A lookup (df-002). ``getaddrinfo`` asks for both families at once and is called ``ANY``."""

    __pydantic_config__ = _LENIENT
    hostname: str
    query_type: Annotated[str, Len(1, 8)]
    engine: str = "unknown"
    failure: str | None = None
    answers: Annotated[tuple[Answer, ...], Entries] | None = None
    resolver_address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectStatus:
    """How a connection attempt went (df-005)."""

    __pydantic_config__ = _LENIENT
    success: bool
    failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect(Entry):
    """A TCP connection attempt (df-005)."""

    __pydantic_config__ = _LENIENT
    ip: str
    port: Annotated[int, Ge(1), Le(65_535)]
    status: ConnectStatus

    def __post_init__(self) -> None:
        address_of(self.ip)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake(Entry):
    """A TLS handshake (df-006); a QUIC one says ``udp`` or ``quic`` for `network`."""

    __pydantic_config__ = _LENIENT
    failure: str | None
    address: str | None = None
    network: str | None = None
    server_name: str | None = None
    no_tls_verify: bool = False
    tls_version: str | None = None

    def __post_init__(self) -> None:
        endpoint_of(self.address or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked for (df-001)."""

    __pydantic_config__ = _LENIENT
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What came back (df-001); `code` is 0 where nothing did. A header that is no text is an object."""

    __pydantic_config__ = _LENIENT
    code: int | None = None
    headers: Mapping[str, object] | None = None

    @property
    def location(self) -> str | None:
        """Where a redirect leads (RFC 9110, section 10.2.2)."""
        for name, value in (self.headers or {}).items():
            if name.lower() == "location" and isinstance(value, str):
                return value
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction(Entry):
    """A request and its response (df-001); 0.4 does not say which address answered."""

    __pydantic_config__ = _LENIENT
    request: Request
    failure: str | None = None
    response: Response | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        endpoint_of(self.address or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class HelperHandshake:
    """A handshake the test helper made, verifying the certificate for the name."""

    __pydantic_config__ = _LENIENT
    status: bool
    server_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HelperLookup:
    """What the test helper's own resolver said."""

    __pydantic_config__ = _LENIENT
    failure: str | None = None
    addrs: Annotated[tuple[str, ...], Entries] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The test helper's results (ts-017); absent parts were not measured there."""

    __pydantic_config__ = _LENIENT
    dns: HelperLookup | None = None
    tls_handshake: Mapping[str, HelperHandshake] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TestKeys:
    """The results, and OONI's own conclusion. `blocking` is a word, False, or None for unknown."""

    __pydantic_config__ = _LENIENT
    queries: Annotated[tuple[Query, ...], Entries] | None = None
    tcp_connect: Annotated[tuple[Connect, ...], Entries] | None = None
    tls_handshakes: Annotated[tuple[Handshake, ...], Entries] | None = None
    requests: Annotated[tuple[Transaction, ...], Entries] | None = None
    control: Control | None = None
    dns_consistency: str | None = None
    blocking: str | bool | None = None
    accessible: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One measurement: one URL, tested once by one probe."""

    __pydantic_config__ = _LENIENT
    data_format_version: str
    input: str
    measurement_start_time: str
    test_keys: TestKeys
    test_version: str
    probe_cc: str | None = None
    probe_asn: str | None = None
    report_id: str | None = None
    measurement_uid: str | None = None
    test_runtime: Annotated[float, Ge(0), Le(86_400)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """What tells whether a line is a measurement of the kind read here."""

    __pydantic_config__ = _LENIENT
    test_name: str


def read(data: bytes) -> Measurement | None:
    """The measurement, or None where it is one of another of OONI's tests; raises `DecodeError`."""
    if len(data) > MAX_BYTES:
        raise DecodeError("$", f"over {MAX_BYTES} bytes")
    if validate(Heading, data).test_name != TEST_NAME:
        return None
    found = validate(Measurement, data)
    if found.data_format_version != DATA_FORMAT:
        raise DecodeError("$.data_format_version", f"not {DATA_FORMAT}, the one format read here")
    return found


def address_of(text: str) -> str | None:
    """The address a text spells, without a zone; None for none. Raises `ValueError` for another text."""
    if text in ("", SCRUBBED):
        return None
    return str(ip_address(text.partition("%")[0]))


def endpoint_of(text: str) -> str | None:
    """The address out of ``address:port`` or ``[v6]:port``; raises `ValueError`."""
    if text in ("", SCRUBBED):
        return None
    return address_of(text.rpartition(":")[0].strip("[]") or text)
