"""One connection's packets as JSON lines: a process of its own, for what needs CAP_NET_RAW.

Run by `probe.capture` and imported by nothing: scapy is GPL-2.0-only and takes 45 MB, and what it
reads here anybody on the way may have written. So it holds the packet socket and nothing else: the
kernel lets through one connection's packets alone, every privilege is dropped before the first is
read, and the process ends when its standard input does, or its time.

    capture_helper.py ADDRESS PORT OWN_PORT

The first line on standard output is ``ready``; each one after it is a packet (`probe.packets`).
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Any

LIFE_S = 15
MAX_PACKETS = 64
MEMORY_BYTES = 512 * 2**20
NOBODY = 65_534

# linux/if_ether.h, asm-generic/socket.h, linux/capability.h, linux/prctl.h.
_ETH_P_ALL = 0x0003
_SO_ATTACH_FILTER, _SO_TIMESTAMPNS = 26, 35
_CAPABILITY_VERSION_3 = 0x20080522
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38

# Classic BPF (linux/filter.h), as much of it as one connection needs.
_LOAD_BYTE, _LOAD_HALF, _LOAD_WORD = 0x30, 0x28, 0x20
_LOAD_HALF_AT_X, _X_IS_HEADER = 0x48, 0xB1
_SHIFT_RIGHT, _IF_EQUAL, _IF_BITS, _RETURN = 0x74, 0x15, 0x45, 0x06
_LOAD_X = 0x01

Step = tuple[int, int]
Read = Callable[[bytes], Any]


def main(argv: list[str]) -> int:
    """Watch until standard input ends; the exit status is of no interest."""
    signal.alarm(LIFE_S)  # whose default action ends the process, whatever it is doing
    address, port, own_port = argv[1], int(argv[2]), int(argv[3])
    read = _reader(address)
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as sock:
        _attach(sock, connection_filter(address, port, own_port))
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        _open_to_all_interfaces(sock)  # only now does anything arrive: nothing unfiltered is ever read
        _drop_privileges()
        _say("ready")
        _watch(sock, read)
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _reader(address: str) -> Read:
    """scapy's class for the packets of this family."""
    if ":" in address:
        from scapy.layers.inet6 import IPv6

        return IPv6
    from scapy.layers.inet import IP

    return IP


def connection_filter(address: str, port: int, own_port: int) -> bytes:
    """A BPF program that accepts this connection's TCP packets, in both directions, and no others.

    It sees packets from their IP header on (packet(7), SOCK_DGRAM).
    """
    host = ip_address(address)
    words = struct.unpack(f"!{len(host.packed) // 4}I", host.packed)
    if host.version == 4:
        head = [*_equal(_LOAD_BYTE, 0, 4, shift=4), *_equal(_LOAD_BYTE, 9, socket.IPPROTO_TCP)]
        head += [(_LOAD_HALF, 6), (_IF_BITS, 0x1FFF), (_X_IS_HEADER, 0)]  # no later fragments
        source, destination = 12, 16
    else:
        head = [*_equal(_LOAD_BYTE, 0, 6, shift=4), *_equal(_LOAD_BYTE, 6, socket.IPPROTO_TCP)]
        head += [(_LOAD_X, 40)]
        source, destination = 8, 24
    inbound = _end(source, words, port, own_port)
    outbound = _end(destination, words, own_port, port)
    return _assemble(head, inbound, outbound)


def _equal(load: int, offset: int, value: int, *, shift: int = 0) -> list[Step]:
    return [(load, offset), *([(_SHIFT_RIGHT, shift)] if shift else []), (_IF_EQUAL, value)]


def _end(offset: int, words: tuple[int, ...], source_port: int, destination_port: int) -> list[Step]:
    """The host at one end of the packet, and both ports."""
    host = [step for place, word in enumerate(words) for step in _equal(_LOAD_WORD, offset + 4 * place, word)]
    return [*host, *_equal(_LOAD_HALF_AT_X, 0, source_port), *_equal(_LOAD_HALF_AT_X, 2, destination_port)]


def _assemble(head: list[Step], *ways: list[Step]) -> bytes:
    """All of `head` and then all of one of `ways`; whatever test fails, the next way is tried."""
    accept, refuse = (_RETURN, 0xFFFF), (_RETURN, 0)
    blocks = [[*way, accept] for way in ways]
    starts = [len(head)]
    for block in blocks:
        starts.append(starts[-1] + len(block))
    program = [_jumping(step, place, starts[-1]) for place, step in enumerate(head)]
    for block, start, following in zip(blocks, starts, starts[1:], strict=False):
        program += [_jumping(step, start + place, following) for place, step in enumerate(block)]
    return b"".join([*program, _jumping(refuse, 0, 0)])


def _jumping(step: Step, place: int, failed: int) -> bytes:
    """One instruction: code, jump if true, jump if false, operand. Bits that are set fail."""
    code, operand = step
    away = failed - place - 1
    yes, no = {_IF_EQUAL: (0, away), _IF_BITS: (away, 0)}.get(code, (0, 0))
    return struct.pack("=HBBI", code, yes, no, operand)


def _attach(sock: socket.socket, program: bytes) -> None:
    """SO_ATTACH_FILTER takes a struct sock_fprog, which holds a pointer."""
    kept = ctypes.create_string_buffer(program, len(program))
    fprog = struct.pack("@HP", len(program) // 8, ctypes.addressof(kept))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, fprog)


def _open_to_all_interfaces(sock: socket.socket) -> None:
    """Python's own bind insists on one interface. A struct sockaddr_ll (packet(7)) without one."""
    everywhere = struct.pack("=HHiHBB8x", socket.AF_PACKET, socket.htons(_ETH_P_ALL), 0, 0, 0, 0)
    _checked("bind", sock.fileno(), everywhere, len(everywhere))


def _checked(call: str, *arguments: object) -> None:
    """One call of the C library that Python has none for."""
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, call)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), call)


def _drop_privileges() -> None:
    """Become nobody, give every capability back (capabilities(7)), and bound what is left."""
    for limit, most in (
        (resource.RLIMIT_CPU, LIFE_S),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(limit, (most, most))
    if os.geteuid() == 0:
        with contextlib.suppress(OSError):  # a user namespace may know nobody; the capabilities still go
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
    _checked("capset", struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), bytes(24))
    _checked("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _checked("prctl", _PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def _watch(sock: socket.socket, read: Read) -> None:
    """Say each packet, up to `MAX_PACKETS`; after that only wait for the end."""
    said, interface = 0, None
    while True:
        ready, _, _ = select.select([sys.stdin, sock], [], [])
        if sock in ready:
            data, ancillary, _, link = sock.recvmsg(2048, 256)
            # A bridge shows a packet on several interfaces: the one our first packet left by counts.
            interface = interface if interface is not None else link[0]
            line = _line(data, ancillary, sent=link[2] == socket.PACKET_OUTGOING, read=read)
            if line is not None and link[0] == interface and said < MAX_PACKETS:
                _say(json.dumps(line))
                said += 1
        elif sys.stdin in ready:
            return


def _line(
    data: bytes, ancillary: list[tuple[int, int, bytes]], *, sent: bool, read: Read
) -> Mapping[str, int] | None:
    """The record of one packet; None for what scapy cannot read as one, whatever it makes of it."""
    try:
        ip = read(data)
        tcp = ip["TCP"]
        (seconds, nanoseconds), is_six = _time(ancillary), ip.version == 6
        header_bytes = 40 if is_six else ip.ihl * 4
        total = ip.plen + 40 if is_six else ip.len
        return {
            "at_us": seconds * 1_000_000 + nanoseconds // 1000,
            "sent": int(sent),
            "ttl": int(ip.hlim if is_six else ip.ttl),
            "ip_id": -1 if is_six else int(ip.id),
            "flags": int(tcp.flags),
            "window": int(tcp.window),
            "seq": int(tcp.seq),
            "ack": int(tcp.ack),
            "payload": max(0, total - header_bytes - tcp.dataofs * 4),
        }
    except Exception:  # noqa: BLE001  # a hostile packet ends nothing
        return None


def _time(ancillary: list[tuple[int, int, bytes]]) -> tuple[int, int]:
    """The kernel's time of the packet (SO_TIMESTAMPNS): a struct timespec."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            return struct.unpack_from("@ll", data)
    raise LookupError("a packet without its time")


if __name__ == "__main__":
    sys.exit(main(sys.argv))
