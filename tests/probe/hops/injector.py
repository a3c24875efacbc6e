"""Runs in a router's namespace: lets every packet pass, and answers one that holds NAME with three
resets in the server's name, as the field's injectors do, after DELAY_S.

    python -m tests.probe.hops.injector NAME TTL DELAY_S
"""

from __future__ import annotations

import socket
import sys
import time

from scapy.config import conf
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

ETH_P_ALL = 3
IP_ID = 31337


def inject(name: bytes, ttl: int, delay_s: float) -> None:
    conf.use_pcap = False
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    four = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    six = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
    print("ready", flush=True)
    while True:
        data, (_, _, kind, *_) = tap.recvfrom(65_535)
        if kind == socket.PACKET_OUTGOING or name not in data:
            continue
        time.sleep(delay_s)
        seen = IP(data) if data[0] >> 4 == 4 else IPv6(data)
        for ahead in (0, 1460, 2920):
            tcp = TCP(sport=seen.dport, dport=seen.sport, flags="RA", seq=seen.ack + ahead, ack=seen.seq)
            if seen.version == 4:
                four.sendto(bytes(IP(src=seen.dst, dst=seen.src, ttl=ttl, id=IP_ID) / tcp), (seen.src, 0))
            else:
                six.sendto(bytes(IPv6(src=seen.dst, dst=seen.src, hlim=ttl) / tcp), (seen.src, 0))


if __name__ == "__main__":
    inject(sys.argv[1].encode(), int(sys.argv[2]), float(sys.argv[3]))
