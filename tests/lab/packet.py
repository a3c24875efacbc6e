"""IPv4 and IPv6 packets as the box reads and writes them: just the headers it needs, by `struct`."""

from __future__ import annotations

import struct
from dataclasses import dataclass

TCP, UDP = 6, 17
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


@dataclass(frozen=True, slots=True)
class Packet:
    """A TCP or UDP packet; `raw` is the whole. UDP has no sequence and no flags."""

    raw: bytes
    version: int
    source: bytes
    target: bytes
    protocol: int
    source_port: int
    target_port: int
    payload: bytes
    seq: int = 0
    ack: int = 0
    flags: int = 0


def parse(raw: bytes) -> Packet | None:
    """What the box can use of a packet; None for fragments, options it does not know, and all else."""
    version = raw[0] >> 4 if raw else 0
    if version == 4 and len(raw) >= 20:
        start = (raw[0] & 15) * 4
        if struct.unpack_from("!H", raw, 6)[0] & 0x1FFF:
            return None
        protocol, source, target = raw[9], raw[12:16], raw[16:20]
        end = struct.unpack_from("!H", raw, 2)[0]
    elif version == 6 and len(raw) >= 40:
        start, protocol, source, target, end = 40, raw[6], raw[8:24], raw[24:40], len(raw)
    else:
        return None
    return _transport(raw[:end], version, source, target, protocol, start)


def _transport(
    raw: bytes, version: int, source: bytes, target: bytes, protocol: int, start: int
) -> Packet | None:
    if protocol == UDP and len(raw) >= start + 8:
        one, two = struct.unpack_from("!HH", raw, start)
        return Packet(raw, version, source, target, UDP, one, two, raw[start + 8 :])
    if protocol == TCP and len(raw) >= start + 20:
        one, two, seq, ack, offset, flags = struct.unpack_from("!HHIIBB", raw, start)
        body = raw[start + (offset >> 4) * 4 :]
        return Packet(raw, version, source, target, TCP, one, two, body, seq, ack, flags)
    return None


def tcp_answer(
    to: Packet, *, seq: int, ack: int, flags: int, window: int, ttl: int, ipid: int, payload: bytes = b""
) -> bytes:
    """A segment from whom `to` was sent to, back to its sender."""
    header = struct.pack(
        "!HHIIBBHHH", to.target_port, to.source_port, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, 5 << 4, flags,
        window, 0, 0,
    )  # fmt: skip
    return _back(to, TCP, header + payload, 16, ttl, ipid)


def udp_answer(to: Packet, payload: bytes, *, ttl: int, ipid: int) -> bytes:
    """A datagram from whom `to` was sent to, back to its sender."""
    header = struct.pack("!HHHH", to.target_port, to.source_port, 8 + len(payload), 0)
    return _back(to, UDP, header + payload, 6, ttl, ipid)


def _back(to: Packet, protocol: int, segment: bytes, checksum_at: int, ttl: int, ipid: int) -> bytes:
    source, target = to.target, to.source
    pseudo = source + target + struct.pack("!IxxxB", len(segment), protocol)
    value = checksum(pseudo + segment) or 0xFFFF  # RFC 768: zero would say "none"
    segment = segment[:checksum_at] + struct.pack("!H", value) + segment[checksum_at + 2 :]
    if to.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(segment), protocol, ttl) + source + target + segment
    start = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), ipid, 0, ttl, protocol, 0) + source + target
    return start[:10] + struct.pack("!H", checksum(start)) + start[12:] + segment


def undecremented(raw: bytes) -> bytes:
    """The same packet with the hop given back that the way through the box has cost (RFC 1624)."""
    if raw[0] >> 4 == 6:
        return raw[:7] + bytes([min(255, raw[7] + 1)]) + raw[8:]
    old = struct.unpack_from("!H", raw, 10)[0]
    total = (~old & 0xFFFF) + 0x0100
    new = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    return raw[:8] + bytes([raw[8] + 1]) + raw[9:10] + struct.pack("!H", new) + raw[12:]


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
