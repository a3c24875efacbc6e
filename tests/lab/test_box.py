"""The censor's box by itself: what it reads of packets, and what it makes of them."""

from __future__ import annotations

import asyncio
import ssl
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .box import Box, Rule, server_name
from .packet import (
    ACK,
    PSH,
    RST,
    SYN,
    TCP,
    UDP,
    Packet,
    checksum,
    parse,
    tcp_answer,
    udp_answer,
    undecremented,
)


def hello(name: str) -> bytes:
    """A real ClientHello."""
    outgoing = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def test_the_name_is_read_from_a_real_hello_and_not_from_half_of_it() -> None:
    whole = hello("www.youtube.com")
    assert server_name(whole) == "www.youtube.com"
    at = whole.index(b"www.youtube.com")
    with pytest.raises((IndexError, struct.error)):
        server_name(whole[: at + 5])


def test_what_is_no_hello_has_no_name() -> None:
    assert server_name(b"GET / HTTP/1.1\r\n\r\n") == ""


@given(st.binary(max_size=80))
def test_any_bytes_are_a_packet_or_none(raw: bytes) -> None:
    parse(raw)


ENDS = st.sampled_from([(b"\x01\x02\x03\x04", b"\x05\x06\x07\x08", 0x45), (b"a" * 16, b"b" * 16, 0x60)])


@given(ENDS, st.binary(max_size=64), st.integers(2, 255), st.integers(0, 0xFFFF))
def test_an_answer_goes_back_with_right_checksums_and_a_given_ttl(
    ends: tuple[bytes, bytes, int], payload: bytes, ttl: int, ipid: int
) -> None:
    here, there, first = ends
    start = bytes([first]) + b"\0" * (19 if first == 0x45 else 39)
    question = parse(_sent(start, here, there))
    assert question is not None
    raw = tcp_answer(question, seq=7, ack=9, flags=RST | ACK, window=11, ttl=ttl, ipid=ipid, payload=payload)
    answer = parse(raw)
    assert answer is not None
    assert (answer.source, answer.target) == (there, here)
    assert (answer.source_port, answer.target_port) == (443, 1234)
    assert (answer.seq, answer.ack, answer.flags, answer.payload) == (7, 9, RST | ACK, payload)
    assert _transport_sum(raw, TCP) == 0
    assert _transport_sum(udp_answer(question, payload, ttl=ttl, ipid=ipid), UDP) == 0
    if answer.version == 4:
        assert checksum(raw[:20]) == 0
        assert raw[8] == ttl


def test_the_hop_through_the_box_is_given_back() -> None:
    question = parse(_sent(b"\x45" + b"\0" * 19, b"aaaa", b"bbbb"))
    assert question is not None
    for ttl in range(1, 255):
        raw = udp_answer(question, b"x", ttl=ttl, ipid=3)
        given_back = undecremented(raw)
        assert given_back[8] == ttl + 1
        assert checksum(given_back[:20]) == 0


def test_a_flapping_rule_begins_awake_and_then_takes_turns() -> None:
    rule = Rule.read({"trigger": "sni", "names": ["x.com"], "flap_s": 60, "action": {"kind": "drop"}})
    assert [rule.fits("sni", "x.com", 4, age) for age in (0, 59, 60, 119, 120)] == [1, 1, 0, 0, 1]
    assert not rule.fits("sni", "www.x.com", 4, 0)


def test_a_connection_from_before_the_orders_is_none_of_theirs() -> None:
    """The kernel goes on repeating what a closed socket has not delivered, into the next scenario."""
    box = Box(-1, asyncio.new_event_loop())
    drop = {"kind": "drop", "residual_s": 20}
    said = Packet(b"", 4, b"aaaa", b"bbbb", TCP, 1234, 443, hello("x.com"), flags=PSH | ACK)
    opened = replace(said, payload=b"", flags=SYN)
    for first, passes in (([], True), ([opened], False), ([], True)):
        box.order([Rule.read({"trigger": "sni", "names": ["x.com"], "action": drop})])
        assert all(map(box._from_client, first))
        assert box._from_client(said) is passes
        assert bool(box.residual) is not passes
    box.loop.close()


def _sent(start: bytes, source: bytes, target: bytes) -> bytes:
    """A client's packet from port 1234 to port 443."""
    segment = struct.pack("!HHIIBBHHH", 1234, 443, 1, 2, 5 << 4, PSH | ACK, 64, 0, 0)
    if len(source) == 4:
        return start[:2] + struct.pack("!H", 40) + b"\0" * 4 + b"\x40\x06\0\0" + source + target + segment
    return start[:4] + struct.pack("!HBB", 20, TCP, 64) + source + target + segment


def _transport_sum(raw: bytes, protocol: int) -> int:
    """Zero where the segment's checksum fits its pseudo-header (RFC 793, RFC 8200)."""
    v4 = raw[0] >> 4 == 4
    segment, ends = (raw[20:], raw[12:20]) if v4 else (raw[40:], raw[8:40])
    return checksum(ends + struct.pack("!IxxxB", len(segment), protocol) + segment)
