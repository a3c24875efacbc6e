"""All that parses outside bytes: it parses, or it says so in our own words. Nothing else comes out."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from datetime import UTC, datetime, timedelta

import dns.message
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID
from hypothesis import given
from hypothesis import strategies as st

from probe.config import Config
from probe.http1 import ClosedEarly, Exchange, InvalidResponse
from probe.icmp import IcmpError, IcmpKind, read_error
from probe.net import TcpState
from probe.packets import MAX_LINES, Nonsense, Packet, read_evidence, read_lines
from probe.stages.certificate import describe
from probe.stages.dns import read_answer
from probe.stages.message import Malformed, Query, read
from probe.wire.failure import Failure
from probe.wire.settings import ConfigError, settle

QUERY = Query("x.com", "A", id=7)


@given(st.binary(max_size=300))
def test_any_bytes_are_an_answer_or_a_dns_error(wire: bytes) -> None:
    with contextlib.suppress(Malformed):
        read_answer(read(QUERY, wire))


@given(st.binary(max_size=120), st.integers(0, 11), st.integers(0, 255))
def test_any_change_of_a_good_answer_is_an_answer_or_a_dns_error(tail: bytes, place: int, value: int) -> None:
    wire = bytearray(dns.message.make_response(dns.message.from_wire(QUERY.to_wire())).to_wire() + tail)
    wire[place] = value
    with contextlib.suppress(Malformed):
        addresses, _, failure = read_answer(read(QUERY, bytes(wire)))
        assert bool(addresses) == (failure in (None, Failure.DNS_BOGON))


class _Canned:
    """A stream that gives what it was given, in pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    async def read(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    async def write(self, data: bytes) -> None:
        pass

    overslept_s = 0.0

    def state(self) -> TcpState:
        return TcpState()

    def close(self) -> None:
        pass


WORDS = [
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 302\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"Location: http://[\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"\r\n",
]
HTTPISH = st.lists(st.sampled_from(WORDS) | st.binary(min_size=1, max_size=40), max_size=8)


@given(HTTPISH)
def test_any_bytes_are_a_response_or_one_of_two_errors(pieces: list[bytes]) -> None:
    exchange = Exchange(_Canned(pieces), max_body_bytes=100)
    with contextlib.suppress(InvalidResponse, ClosedEarly):
        asyncio.run(exchange.run("GET", "x.com", "/"))
        assert exchange.status is not None
        assert 200 <= exchange.status <= 599


@given(st.binary(max_size=400))
def test_any_bytes_are_a_certificate_or_none(der: bytes) -> None:
    assert describe(der) is None


NAMES_OF_A_KIND = {
    "x400Address": b"\x30\x04\xa3\x02\x05\x00",
    "ediPartyName": b"\x30\x04\xa5\x02\x05\x00",
    "no IA5String": b"\x30\x03\x82\x01\xff",
    "nothing": b"\xff",
}


@pytest.mark.parametrize("kind", NAMES_OF_A_KIND)
def test_a_certificate_with_names_that_cannot_be_read_is_none(kind: str) -> None:
    """Anybody can show one, signed by himself (RFC 5280, 4.2.1.6)."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    names = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, NAMES_OF_A_KIND[kind])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    assert describe(certificate.public_bytes(Encoding.DER)) is None


@given(st.text(max_size=200))
def test_any_text_is_a_configuration_or_a_configuration_error(text: str) -> None:
    with contextlib.suppress(ConfigError):
        assert isinstance(settle(Config, text=text, source="x", environ={}, flags={}), Config)


@given(
    st.dictionaries(
        st.sampled_from([*Config.__dataclass_fields__, "nonsense"]), st.text(max_size=30), max_size=3
    )
)
def test_any_environment_is_a_configuration_or_a_configuration_error(values: dict[str, str]) -> None:
    environ = {f"REACHWATCH_{key.upper()}": value for key, value in values.items()}
    with contextlib.suppress(ConfigError):
        assert isinstance(settle(Config, text="", source="x", environ=environ, flags={}), Config)


# What Linux gives beside the data: struct sock_extended_err, then the sender's struct sockaddr.
SENDER_4 = struct.pack("=HH4s8x", socket.AF_INET, 0, bytes([198, 18, 1, 2]))
SENDER_6 = struct.pack("=HHI16sI", socket.AF_INET6, 0, 0, socket.inet_pton(socket.AF_INET6, "2001:db8::2"), 0)
IP_RECVERR, IPV6_RECVERR = (socket.IPPROTO_IP, 11), (socket.IPPROTO_IPV6, 25)


def extended(origin: int, kind: int, code: int) -> bytes:
    return struct.pack("=IBBBBII", 113, origin, kind, code, 0, 0, 0)


ERRORS = [
    (IP_RECVERR, extended(2, 11, 0) + SENDER_4, IcmpError(IcmpKind.EXPIRED, 0, "198.18.1.2")),
    (IP_RECVERR, extended(2, 3, 13) + SENDER_4, IcmpError(IcmpKind.UNREACHABLE, 13, "198.18.1.2")),
    (IPV6_RECVERR, extended(3, 3, 0) + SENDER_6, IcmpError(IcmpKind.EXPIRED, 0, "2001:db8::2")),
    (IPV6_RECVERR, extended(3, 1, 1) + SENDER_6, IcmpError(IcmpKind.UNREACHABLE, 1, "2001:db8::2")),
    (IP_RECVERR, extended(2, 3, 4) + SENDER_4, None),  # too big: it is sent on in pieces
    (IP_RECVERR, extended(2, 11, 1) + SENDER_4, None),  # pieces that never came together
    (IP_RECVERR, extended(1, 0, 0) + SENDER_4, None),  # this machine's own word
    (IP_RECVERR, extended(2, 11, 0) + bytes(16), None),  # from nobody
    ((socket.IPPROTO_IP, 2), extended(2, 11, 0) + SENDER_4, None),
]


@pytest.mark.parametrize(("place", "data", "error"), ERRORS)
def test_an_icmp_error_as_linux_gives_it(
    place: tuple[int, int], data: bytes, error: IcmpError | None
) -> None:
    assert read_error([(0, 8, b"\x40\0\0\0"), (*place, data)]) == error


@given(
    st.lists(
        st.tuples(st.sampled_from([0, 41]), st.sampled_from([2, 11, 25]), st.binary(max_size=60)), max_size=3
    )
    | st.tuples(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255), st.binary(max_size=30)).map(
        lambda x: [(0, 11, extended(*x[:3]) + x[3])]
    )
)
def test_any_bytes_beside_the_data_are_an_icmp_error_or_none(ancillary: list[tuple[int, int, bytes]]) -> None:
    read_error(ancillary)


HELLO = Packet(at_us=1000, sent=1, ttl=64, ip_id=1, flags=0x18, window=9, seq=2**32 - 5, ack=1, payload=500)
FROM_HOST = {"sent": 0, "ttl": 52, "ip_id": 7, "flags": 0x10, "window": 9, "seq": 1, "payload": 0}
ACKED = Packet(at_us=2000, ack=495, **FROM_HOST)  # the sequence number has wrapped
RESET = Packet(at_us=1500, ack=0, **{**FROM_HOST, "flags": 0x14, "ttl": 80})


def test_a_reset_is_measured_against_the_hello_and_against_its_acknowledgement() -> None:
    early = read_evidence([HELLO, RESET, ACKED]).resets
    late = read_evidence([HELLO, ACKED, RESET]).resets
    assert [(r.ip_ttl, r.after_s, r.before_ack) for r in early] == [(80, 0.0005, True)]
    assert [r.before_ack for r in late] == [False]
    assert read_evidence([HELLO, RESET, ACKED]).genuine_ttls == (52,)


def test_an_acknowledgement_of_the_syn_is_none_of_the_hello() -> None:
    syn_ack = Packet(at_us=500, ack=2**32 - 5, **{**FROM_HOST, "flags": 0x12})
    (reset,) = read_evidence([syn_ack, HELLO, RESET]).resets
    assert reset.before_ack


PACKET = st.fixed_dictionaries(
    {name: st.integers(-2, 2**33) | st.integers(0, 1) | st.booleans() for name in Packet.__slots__}
)


@given(
    st.binary(max_size=400)
    | st.lists(PACKET, max_size=5).map(lambda x: "\n".join(map(json.dumps, x)).encode())
)
def test_whatever_the_helper_says_is_evidence_or_nonsense(said: bytes) -> None:
    with contextlib.suppress(Nonsense):
        read_evidence(read_lines(said))


@pytest.mark.parametrize(
    "value", ["true", "1.0", "NaN", "-2", "65536", '"1"', "null", "[]", "9" * 400, "[" * 500, "9" * 5000]
)
def test_a_packet_with_such_an_ip_id_is_nonsense(value: str) -> None:
    good = {name: getattr(RESET, name) for name in Packet.__slots__}
    line = json.dumps({**good, "ip_id": 0})
    assert read_lines(line.encode())
    with pytest.raises(Nonsense):
        read_lines(line.replace('"ip_id": 0', f'"ip_id": {value}').encode())


def test_more_packets_than_a_handshake_has_are_nonsense() -> None:
    line = json.dumps({name: getattr(RESET, name) for name in Packet.__slots__}).encode()
    assert len(read_evidence(read_lines(b"\n".join([line] * MAX_LINES))).resets) == 16
    with pytest.raises(Nonsense):
        read_lines(b"\n".join([line] * (MAX_LINES + 1)))


@given(
    st.lists(
        st.builds(
            Packet,
            **{
                name: st.integers(0, 1) if name == "sent" else st.integers(0, 255)
                for name in Packet.__slots__
            },
        ),
        max_size=40,
    )
)
def test_any_packets_make_a_record(packets: list[Packet]) -> None:
    detail = read_evidence(sorted(packets, key=lambda p: p.at_us))
    assert all(reset.after_s >= 0 for reset in detail.resets)
    assert len(detail.resets) <= 16
    assert len(detail.genuine_ttls) <= 16
