"""DNS messages (RFC 1035; EDNS as in RFC 6891): a question as it is sent, an answer as it is read.

By hand, because a round does it fifty times: dnspython takes over a millisecond for each, and 3 MB of
memory. It stays the measure of what is read here, in tests.
"""

from __future__ import annotations

import os
import re
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

UDP_PAYLOAD = 1232  # DNS Flag Day 2020: fits every path without fragmentation.
TYPES = {"A": 1, "AAAA": 28}
_CNAME, _OPT, _IN = 5, 41, 1
_READ = {_CNAME, *TYPES.values()}
_QR, _OPCODE, _TC, _RD, _RCODE = 0x8000, 0x7800, 0x0200, 0x0100, 0x000F
_HEAD = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")
# A name of 255 bytes has so many labels; one that takes more steps goes in circles (RFC 1035, 4.1.4).
_MOST_STEPS, _MOST_NAME_BYTES = 128, 255
MOST_CNAMES = 16

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)
# IANA's registry; the others are written as their number.
_RCODES = (
    "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET",
    "NOTAUTH", "NOTZONE",
)  # fmt: skip
# What a server says of a question it may not even have read.
_WITHOUT_QUESTION = (FORMERR, SERVFAIL, NOTIMP, REFUSED)
_PLAIN_LABEL = re.compile(rb"[A-Za-z0-9_-]+")


class Malformed(Exception):
    """Bytes that are no DNS message, or one that contradicts itself."""


class AnotherQuestion(Malformed):
    """An answer that does not belong to the question asked."""


@dataclass(frozen=True, slots=True)
class Query:
    """One question; `host` is a name as `is_name` has them, `kind` one of `TYPES`. Its id is random."""

    host: str
    kind: str
    id: int = field(default_factory=lambda: int.from_bytes(os.urandom(2)))

    def to_wire(self) -> bytes:
        """As it is sent: recursion desired, and how large an answer may be."""
        labels = b"".join(bytes([len(label)]) + label for label in self.host.encode().split(b"."))
        asked = labels + b"\0" + struct.pack("!HH", TYPES[self.kind], _IN)
        edns = b"\0" + _RECORD.pack(_OPT, UDP_PAYLOAD, 0, 0)
        return _HEAD.pack(self.id, _RD, 1, 0, 0, 1) + asked + edns


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said. `addresses` are of the type asked for, `cnames` the names that led to them;
    `circular`: they lead nowhere."""

    rcode: int
    truncated: bool
    addresses: tuple[str, ...] = ()
    cnames: tuple[str, ...] = ()
    circular: bool = False

    @property
    def said(self) -> str:
        """The rcode in IANA's words."""
        return _RCODES[self.rcode] if self.rcode < len(_RCODES) else f"RCODE{self.rcode}"


Records = dict[tuple[str, int], dict[str, None]]
"""By owner, in small letters, and type: what is said, in order."""


def read(query: Query, wire: bytes) -> Answer:
    """The answer to this very question; raises `Malformed` and `AnotherQuestion`, nothing else."""
    try:
        return _read(query, wire)
    except (IndexError, struct.error):
        raise Malformed("cut short") from None


def _read(query: Query, wire: bytes) -> Answer:
    number, flags, questions, *counts = _HEAD.unpack_from(wire)
    at, asked = _HEAD.size, []
    for _ in range(questions):
        name, at = _name(wire, at)
        asked.append((name.lower(), *struct.unpack_from("!HH", wire, at)))
        at += 4
    records, high = _records(wire, at, counts)
    rcode = high << 4 | flags & _RCODE
    fits = asked == [(query.host.lower(), TYPES[query.kind], _IN)] or (
        not asked and rcode in _WITHOUT_QUESTION
    )
    if number != query.id or flags & (_QR | _OPCODE) != _QR or not fits:
        raise AnotherQuestion("another question's answer")
    return _followed(query, records, Answer(rcode, bool(flags & _TC)))


def _records(wire: bytes, at: int, counts: Sequence[int]) -> tuple[Records, int]:
    """What the answer section says, and the upper bits of the rcode; all sections are read through."""
    records: Records = {}
    high = 0
    for place in range(sum(counts)):
        owner, at = _name(wire, at)
        kind, group, ttl, length = _RECORD.unpack_from(wire, at)
        at += _RECORD.size + length
        if at > len(wire):
            raise Malformed("cut short")
        if kind == _OPT:
            high = ttl >> 24  # RFC 6891, section 6.1.3
        elif place < counts[0] and group == _IN and kind in _READ:
            said = records.setdefault((owner.lower(), kind), {})
            if kind == _CNAME:  # a name has one at most (RFC 1034, section 3.6.2): the last
                said.clear()
            said[_said(wire, at - length, length, kind)] = None
    if at != len(wire):
        raise Malformed("more than a message")
    return records, high


def _followed(query: Query, records: Records, answer: Answer) -> Answer:
    """The answer with the addresses, and the chain of names that leads to them (RFC 1034, section 3.6.2)."""
    name, cnames = query.host.lower(), list[str]()
    for _ in range(MOST_CNAMES):
        found = records.get((name, TYPES[query.kind]))
        onward = records.get((name, _CNAME))
        if found or not onward:
            return replace(answer, addresses=tuple(found or ()), cnames=tuple(cnames))
        cnames += onward
        name = next(iter(onward)).lower()
    return replace(answer, circular=True)


def _said(wire: bytes, at: int, length: int, kind: int) -> str:
    """A record's data in words."""
    data = wire[at : at + length]
    if kind == TYPES["A"] and length == 4:
        return socket.inet_ntop(socket.AF_INET, data)
    if kind == TYPES["AAAA"] and length == 16:
        return socket.inet_ntop(socket.AF_INET6, data)
    if kind == _CNAME:
        name, end = _name(wire, at)
        if end == at + length:
            return name
    raise Malformed("a record of the wrong length")


def _name(wire: bytes, at: int) -> tuple[str, int]:
    """The name there as people write it, and where it ends. Pointers lead back alone."""
    labels, end, lowest, length = list[str](), 0, at, 1
    for _ in range(_MOST_STEPS):
        size = wire[at]
        if size == 0:
            return ".".join(labels), end or at + 1
        if size >= 0xC0:
            end = end or at + 2
            at = struct.unpack_from("!H", wire, at)[0] & 0x3FFF
            if at >= lowest:
                raise Malformed("a name that points ahead")
            lowest = at
            continue
        label = wire[at + 1 : at + 1 + size]
        length += 1 + size
        if size >= 0x40 or len(label) < size or length > _MOST_NAME_BYTES:
            raise Malformed("no name")
        labels.append(_label(label))
        at += 1 + size
    raise Malformed("a name that does not end")


def _label(label: bytes) -> str:
    """As zone files write it (RFC 1035, section 5.1)."""
    if _PLAIN_LABEL.fullmatch(label):
        return label.decode()
    return "".join(map(_letter, label))


def _letter(byte: int) -> str:
    if chr(byte) in '"().;\\@$':
        return f"\\{chr(byte)}"
    return chr(byte) if 0x20 < byte < 0x7F else f"\\{byte:03}"
