"""The capture helper's lines read as evidence. PURE.

The helper parses bytes that anybody on the way may have sent, so nothing it says is believed
before it is checked: a line is a record of bounded integers, or the whole of it is nonsense.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from .wire.stage import PacketsDetail, Reset

MAX_LINES = 128
MAX_LINE_BYTES = 512
_MAX_RESETS = _MAX_TTLS = 16

# TCP flags (RFC 9293, 3.1).
_RST, _ACK = 0x04, 0x10


class Nonsense(ValueError):
    """The helper said something that no helper of ours says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One TCP packet of the connection watched. `at_us` is the kernel's time, in microseconds from
    any moment; `sent` is 1 for our own; `ip_id` is -1 where there is none (IPv6)."""

    at_us: int
    sent: int
    ttl: int
    ip_id: int
    flags: int
    window: int
    seq: int
    ack: int
    payload: int

    @property
    def is_reset(self) -> bool:
        """Whether the host, or somebody in its name, ends the connection at once."""
        return not self.sent and bool(self.flags & _RST)

    def acknowledges(self, other: Packet) -> bool:
        """Whether `other` has begun to arrive; sequence numbers wrap (RFC 9293, 3.4)."""
        return bool(self.flags & _ACK) and (self.ack - other.seq - 1) % 2**32 < 2**31


_BOUNDS = {
    "at_us": (0, 2**60),
    "sent": (0, 1),
    "ttl": (0, 255),
    "ip_id": (-1, 2**16 - 1),
    "flags": (0, 2**9 - 1),
    "window": (0, 2**16 - 1),
    "seq": (0, 2**32 - 1),
    "ack": (0, 2**32 - 1),
    "payload": (0, 2**20),
}


def read_lines(said: bytes) -> list[Packet]:
    """The packets in what the helper wrote, oldest first; raises `Nonsense`."""
    lines = said.splitlines()
    if len(lines) > MAX_LINES:
        raise Nonsense("more lines than a handshake has packets")
    return sorted(map(_read_line, lines), key=lambda packet: packet.at_us)


def _read_line(line: bytes) -> Packet:
    if len(line) > MAX_LINE_BYTES:
        raise Nonsense("a line too long")
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise Nonsense("a line that is no JSON") from None
    if not isinstance(record, dict) or record.keys() != _BOUNDS.keys():
        raise Nonsense("a line that is no packet")
    for name, (least, most) in _BOUNDS.items():
        if type(record[name]) is not int or not least <= record[name] <= most:  # bool is an int too
            raise Nonsense(f"a packet whose {name} cannot be")
    return Packet(**record)


def read_evidence(packets: Sequence[Packet]) -> PacketsDetail:
    """The resets of one connection, beside the TTLs of everything else that came in its host's name.

    Those are the host's own unless they are forged too: an injector can only forge what it sends,
    and needs no more than the reset.
    """
    resets = (_reset(packet, packets[:place]) for place, packet in enumerate(packets) if packet.is_reset)
    genuine = {packet.ttl for packet in packets if not packet.sent and not packet.is_reset}
    return PacketsDetail(
        genuine_ttls=tuple(sorted(genuine)[:_MAX_TTLS]),
        resets=tuple(islice(resets, _MAX_RESETS)),
    )


def _reset(packet: Packet, before: Sequence[Packet]) -> Reset:
    asked = _asked(before)
    heard = (other for other in before if not other.sent and not other.is_reset)
    return Reset(
        ip_ttl=packet.ttl,
        after_s=(packet.at_us - asked.at_us) / 1e6 if asked else 0.0,
        ip_id=None if packet.ip_id < 0 else packet.ip_id,
        window=packet.window,
        before_ack=asked is not None and not any(other.acknowledges(asked) for other in heard),
    )


def _asked(before: Iterable[Packet]) -> Packet | None:
    """What a reset answers: our ClientHello, and before one was sent our SYN."""
    ours = [packet for packet in before if packet.sent]
    return next((packet for packet in ours if packet.payload), ours[0] if ours else None)
