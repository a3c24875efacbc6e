"""A censor's box on a TUN device: what the kernel cannot do, for the flows that are led through it.

It is told what to do over a UNIX socket, one line of JSON with a list of rules, answered "ok":

    {"trigger": "sni|http|dns|any", "names": […], "families": [4, 6], "flap_s": 0, "action": {…}}

    drop   the packet and all after it vanish; residual_s: also whatever follows from that client
           to that address and port for so long
    reset  copies, ttl, ipid, window; late_s: the packet vanishes and the reset comes later;
           after_bytes: only when the server has sent so much; closes: a FIN in its place
    page   an HTTP answer is sent beside the true one, and before it
    forge  a DNS answer is sent before the true one
    delay  ms

Python on purpose: a few hundred packets a second are enough, and this is to be read.

    python -m tests.lab.box DEVICE SOCKET
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import json
import os
import random
import struct
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.rdatatype
import dns.rrset

from .packet import ACK, FIN, PSH, RST, SYN, UDP, Packet, parse, tcp_answer, udp_answer, undecremented

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
MAX_FLOWS = 4096
MAX_HELLO = 8192  # a ClientHello that is longer passes unread
PORTS = (53, 80, 443)


@dataclass(frozen=True, slots=True)
class Rule:
    """One order, as it came over the socket."""

    trigger: str
    action: dict[str, Any]
    names: frozenset[str] = frozenset()
    families: tuple[int, ...] = (4, 6)
    flap_s: float = 0.0

    @classmethod
    def read(cls, order: dict[str, Any]) -> Rule:
        rule = cls(**order)
        return replace(rule, names=frozenset(rule.names), families=tuple(rule.families))

    def fits(self, trigger: str, name: str, version: int, age_s: float) -> bool:
        """`age_s` is how long the orders have stood: a flapping rule begins with them."""
        awake = not self.flap_s or int(age_s / self.flap_s) % 2 == 0
        return self.trigger == trigger and name in self.names and version in self.families and awake


@dataclass(slots=True)
class Flow:
    """What is known of one connection: what its client said, and what was decided about it."""

    heard: bytes = b""
    decided: bool = False
    vanished: bool = False
    midway: dict[str, Any] | None = None
    from_server: int = 0


Key = tuple[bytes, int, bytes, int]


@dataclass(slots=True)
class Box:
    """All state. `write` sends a packet on; `later` does so after some seconds."""

    device: int
    loop: asyncio.AbstractEventLoop
    rules: list[Rule] = field(default_factory=list)
    since: float = 0.0
    flows: dict[Key, Flow] = field(default_factory=dict)
    residual: dict[tuple[bytes, bytes, int], float] = field(default_factory=dict)

    def order(self, rules: list[Rule]) -> None:
        """Forget everything, then obey these."""
        self.rules, self.since = rules, time.monotonic()
        self.flows.clear()
        self.residual.clear()

    def readable(self) -> None:
        """Take what waits, a bounded share at a time so that orders are not starved."""
        for _ in range(64):
            try:
                raw = os.read(self.device, 65535)
            except BlockingIOError:
                return
            self.take(raw)

    def take(self, raw: bytes) -> None:
        packet = parse(raw)
        passes = packet is None or self._judge(packet)
        if passes:
            delay_ms = sum(rule.action["ms"] for rule in self.rules if rule.trigger == "any")
            self._send(undecremented(raw), delay_ms / 1000)

    def _send(self, raw: bytes, after_s: float = 0.0) -> None:
        if after_s:
            self.loop.call_later(after_s, self._send, raw)
            return
        try:
            os.write(self.device, raw)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOBUFS, errno.EAGAIN):
                raise

    def _judge(self, packet: Packet) -> bool:
        """Whether the packet goes on; what else is to be sent has been."""
        if packet.protocol == UDP:
            if packet.target_port == 53:
                self._dns(packet)
            return True
        if packet.target_port in PORTS:
            return self._from_client(packet)
        return self._from_server(packet)

    # UDP.

    def _dns(self, packet: Packet) -> None:
        try:
            query = dns.message.from_wire(packet.payload)
            name = query.question[0].name.to_text(omit_final_dot=True).lower()
        except (dns.exception.DNSException, IndexError):
            return
        for rule in self._fitting("dns", name, packet.version):
            forged = _forged(query, rule.action)
            self._send(udp_answer(packet, forged, ttl=101, ipid=random.getrandbits(16)))

    # TCP.

    def _fitting(self, trigger: str, name: str, version: int) -> list[Rule]:
        age_s = time.monotonic() - self.since
        return [rule for rule in self.rules if rule.fits(trigger, name, version, age_s)]

    def _flow(self, key: Key) -> Flow:
        if len(self.flows) >= MAX_FLOWS:
            self.flows.pop(next(iter(self.flows)))
        return self.flows.setdefault(key, Flow())

    def _from_client(self, packet: Packet) -> bool:
        triple = (packet.source, packet.target, packet.target_port)
        if self.residual.get(triple, 0.0) > time.monotonic():
            return False
        key = (packet.source, packet.source_port, packet.target, packet.target_port)
        if packet.flags & SYN:
            self.flows.pop(key, None)
        elif key not in self.flows:
            return True  # what goes on from before the orders is none of theirs
        flow = self._flow(key)
        if flow.vanished:
            return False
        if flow.decided or not packet.payload:
            return True
        flow.heard += packet.payload
        trigger, name = ("http", _http_host(flow.heard)) if packet.target_port == 80 else _tls(flow.heard)
        flow.decided = name is not None or len(flow.heard) > MAX_HELLO
        passes = True
        for rule in self._fitting(trigger, name or "", packet.version):
            passes = self._act(rule.action, packet, flow) and passes
        return passes

    def _act(self, action: dict[str, Any], packet: Packet, flow: Flow) -> bool:
        """Do it; whether the packet goes on all the same."""
        if action["kind"] == "page":
            self._page(packet, action["body"])
            return True
        if action["kind"] == "drop":
            flow.vanished = True
            until = time.monotonic() + action["residual_s"]
            self.residual[packet.source, packet.target, packet.target_port] = until
            return False
        if action["after_bytes"]:
            flow.midway = action
            return True
        end = packet.seq + len(packet.payload)
        for raw in _resets(packet, action, packet.ack, end):
            self._send(raw, action["late_s"])
        flow.vanished = bool(action["late_s"] or action["closes"])
        # A reset that comes at once runs ahead of the server's own acknowledgement, which follows.
        return not flow.vanished

    def _page(self, packet: Packet, body: str) -> None:
        text = (
            f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n"
            f"Connection: close\r\n\r\n{body}"
        )
        end = packet.seq + len(packet.payload)
        page = tcp_answer(
            packet, seq=packet.ack, ack=end, flags=PSH | ACK | FIN, window=1400, ttl=101, ipid=0x4D2,
            payload=text.encode(),
        )  # fmt: skip
        self._send(page)

    def _from_server(self, packet: Packet) -> bool:
        key = (packet.target, packet.target_port, packet.source, packet.source_port)
        flow = self.flows.get(key)
        if flow is None or flow.midway is None:
            return True
        flow.from_server += len(packet.payload)
        if flow.from_server < flow.midway["after_bytes"]:
            return True
        for raw in _resets(_turned(packet), flow.midway, packet.seq, packet.ack):
            self._send(raw)
        flow.vanished = True
        return False


def _turned(packet: Packet) -> Packet:
    """As if the other side had sent it."""
    return replace(
        packet, source=packet.target, target=packet.source,
        source_port=packet.target_port, target_port=packet.source_port,
    )  # fmt: skip


def _resets(to: Packet, action: dict[str, Any], seq: int, ack: int) -> list[bytes]:
    """Resets of one IPID; those after the first guess how far the server may have got meanwhile."""
    shape = {name: action[name] for name in ("window", "ttl", "ipid")}
    guesses = (0, 1460, 4380)[: action["copies"]]
    flags = (FIN if action["closes"] else RST) | ACK
    return [tcp_answer(to, seq=seq + guess, ack=ack, flags=flags, **shape) for guess in guesses]


def _forged(query: dns.message.Message, action: dict[str, Any]) -> bytes:
    question = query.question[0]
    response = dns.message.make_response(query, recursion_available=True)
    address = {dns.rdatatype.A: action["v4"], dns.rdatatype.AAAA: action["v6"]}.get(question.rdtype)
    if address:
        response.answer.append(dns.rrset.from_text(question.name, 300, "IN", question.rdtype, address))
    return response.to_wire()


def _http_host(heard: bytes) -> str | None:
    """The Host of a request whose head is complete."""
    head, end, _ = heard.partition(b"\r\n\r\n")
    if not end:
        return None
    for line in head.split(b"\r\n")[1:]:
        field_name, _, value = line.partition(b":")
        if field_name.lower() == b"host":
            return value.strip().partition(b":")[0].decode("ascii", "replace").lower()
    return ""


def _tls(heard: bytes) -> tuple[str, str | None]:
    try:
        return "sni", server_name(heard)
    except (IndexError, struct.error):
        return "sni", None  # not all of it has come yet


def server_name(heard: bytes) -> str:
    """The name in a ClientHello (RFC 8446, section 4.1.2; RFC 6066), "" where there is none; raises
    `IndexError` or `struct.error` where it is cut short."""
    if heard[0] != 22 or heard[5] != 1:
        return ""
    at = 5 + 4 + 2 + 32
    at += 1 + heard[at]  # session id
    at += 2 + struct.unpack_from("!H", heard, at)[0]  # cipher suites
    at += 1 + heard[at]  # compression methods
    end = at + 2 + struct.unpack_from("!H", heard, at)[0]
    at += 2
    while at < end:
        kind, length = struct.unpack_from("!HH", heard, at)
        if kind == 0:
            size = struct.unpack_from("!H", heard, at + 7)[0]
            name = heard[at + 9 : at + 9 + size]
            if len(name) < size:
                raise IndexError(size)
            return name.decode("ascii", "replace").lower()
        at += 4 + length
    return ""


def attach(device: str) -> int:
    """The descriptor of an existing TUN device (Linux, Documentation/networking/tuntap.rst)."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN | IFF_NO_PI))
    return descriptor


async def main(device: str, path: Path) -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    box = Box(attach(device), loop)

    async def orders(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        box.order([Rule.read(order) for order in json.loads(await reader.readline())])
        writer.write(b"ok\n")
        await writer.drain()
        writer.close()

    loop.add_reader(box.device, box.readable)
    await asyncio.start_unix_server(orders, path, limit=1 << 20)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
