"""The TCP packets that arrive at a device, a line of JSON each, until killed: a tcpdump for tests.

python -m tests.lab.watch DEVICE
"""

from __future__ import annotations

import json
import socket
import struct
import sys

from .packet import Packet, parse

ETH_P_ALL, PACKET_OUTGOING = 3, 4  # linux/if_ether.h, linux/if_packet.h


def describe(packet: Packet) -> dict[str, object]:
    """What tells an injected packet from a genuine one. IPv6 has no id."""
    v4 = packet.version == 4
    return {
        "from": socket.inet_ntop(socket.AF_INET if v4 else socket.AF_INET6, packet.source),
        "port": packet.source_port,
        "flags": packet.flags,
        "seq": packet.seq,
        "ttl": packet.raw[8] if v4 else packet.raw[7],
        "ipid": struct.unpack_from("!H", packet.raw, 4)[0] if v4 else None,
        "window": struct.unpack_from("!H", packet.raw, ((packet.raw[0] & 15) * 4 if v4 else 40) + 14)[0],
        "bytes": len(packet.payload),
    }


def main(device: str) -> None:
    """Says that it listens, then what comes."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL)) as sock:
        sock.bind((device, ETH_P_ALL))
        print(json.dumps({"listening": device}), flush=True)
        while True:
            raw, where = sock.recvfrom(65535)
            packet = parse(raw) if where[2] != PACKET_OUTGOING else None
            if packet is not None and packet.protocol == socket.IPPROTO_TCP:
                print(json.dumps(describe(packet)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
