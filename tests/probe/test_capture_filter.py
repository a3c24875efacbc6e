"""What the kernel lets through to the helper: one connection's packets, in both directions.

The program runs on any socket, so a pair of our own shows it every packet; no privilege needed.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_Router_Alert
from scapy.layers.inet6 import IPv6

from probe.capture_helper import _attach, connection_filter

HERE, THERE, ELSEWHERE = "192.168.7.10", "104.244.42.1", "104.244.42.2"
HERE6, THERE6, ELSEWHERE6 = "fd07::10", "2606:1f80:f000::1", "2606:1f80:f000::2"
PORT, OWN = 443, 50_000

Passes = Callable[[object], bool]


@contextmanager
def filtered(address: str) -> Iterator[Passes]:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with one, other:
        other.setblocking(False)
        _attach(other, connection_filter(address, PORT, OWN))

        def passes(packet: object) -> bool:
            one.send(bytes(packet))  # type: ignore[call-overload]
            try:
                return bool(other.recv(2048))
            except BlockingIOError:
                return False

        yield passes


OURS4 = {
    "coming": IP(src=THERE, dst=HERE) / TCP(sport=PORT, dport=OWN),
    "going": IP(src=HERE, dst=THERE) / TCP(sport=OWN, dport=PORT) / b"hello",
    "with options before the ports": IP(src=THERE, dst=HERE, options=[IPOption_Router_Alert()])
    / TCP(sport=PORT, dport=OWN),
    "a first fragment": IP(src=THERE, dst=HERE, flags="MF") / TCP(sport=PORT, dport=OWN),
}
OURS6 = {
    "coming": IPv6(src=THERE6, dst=HERE6) / TCP(sport=PORT, dport=OWN),
    "going": IPv6(src=HERE6, dst=THERE6) / TCP(sport=OWN, dport=PORT) / b"hello",
}
ALIEN4 = {
    "another host coming": IP(src=ELSEWHERE, dst=HERE) / TCP(sport=PORT, dport=OWN),
    "another host going": IP(src=HERE, dst=ELSEWHERE) / TCP(sport=OWN, dport=PORT),
    "another port of theirs": IP(src=THERE, dst=HERE) / TCP(sport=PORT + 1, dport=OWN),
    "another port of ours": IP(src=THERE, dst=HERE) / TCP(sport=PORT, dport=OWN + 1),
    "another port going": IP(src=HERE, dst=THERE) / TCP(sport=OWN + 1, dport=PORT),
    "the ports the wrong way round": IP(src=THERE, dst=HERE) / TCP(sport=OWN, dport=PORT),
    "UDP": IP(src=THERE, dst=HERE) / UDP(sport=PORT, dport=OWN) / bytes(20),
    "ICMP": IP(src=THERE, dst=HERE) / ICMP(),
    "a later fragment": IP(src=THERE, dst=HERE, frag=9) / TCP(sport=PORT, dport=OWN),
    "the other family": OURS6["coming"],
    "a stump": b"\x45\0\0",
    "nothing": b"\0",
}
ALIEN6 = {
    "another host": IPv6(src=ELSEWHERE6, dst=HERE6) / TCP(sport=PORT, dport=OWN),
    "another port": IPv6(src=THERE6, dst=HERE6) / TCP(sport=PORT, dport=OWN + 1),
    "UDP": IPv6(src=THERE6, dst=HERE6) / UDP(sport=PORT, dport=OWN) / bytes(20),
    "the other family": OURS4["coming"],
    "a version that is none": b"\x50" + bytes(OURS6["coming"])[1:],
}
CASES = [
    (address, what, packet, ours)
    for address, packets, ours in (
        (THERE, OURS4, True),
        (THERE, ALIEN4, False),
        (THERE6, OURS6, True),
        (THERE6, ALIEN6, False),
    )
    for what, packet in packets.items()
]


@pytest.mark.parametrize(
    ("address", "packet", "ours"), [(a, p, o) for a, _, p, o in CASES], ids=[f"{a} {w}" for a, w, *_ in CASES]
)
def test_the_helper_gets(address: str, packet: object, ours: bool) -> None:
    with filtered(address) as passes:
        assert passes(packet) is ours
