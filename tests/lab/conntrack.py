"""Forget every connection that the kernel tracks in some namespaces. What an earlier scenario has led
aside would be led there still, if a new flow happened to have the ports of an old one.

    python -m tests.lab.conntrack NAMESPACE…
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
from pathlib import Path

NETNS = Path("/run/netns")
_NETLINK_NETFILTER = 12
_DELETE = 1 << 8 | 2  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE: all where none is named
_REQUEST_AND_ACKNOWLEDGE = 5
_CLONE_NEWNET = 0x40000000


def enter(name: str) -> None:
    """This process's network is that one's from here on (`os.setns` comes with Python 3.12)."""
    libc = ctypes.CDLL(None, use_errno=True)
    with (NETNS / name).open() as file:
        if libc.setns(file.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), name)


def flush() -> None:
    """Forget them all (linux/netfilter/nfnetlink_conntrack.h)."""
    message = struct.pack("=IHHIIBBH", 20, _DELETE, _REQUEST_AND_ACKNOWLEDGE, 1, 0, socket.AF_UNSPEC, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as kernel:
        kernel.send(message)
        (error,) = struct.unpack_from("=i", kernel.recv(4096), 16)
    if error:
        raise OSError(-error, os.strerror(-error), "conntrack")


if __name__ == "__main__":
    for namespace in sys.argv[1:]:
        enter(namespace)
        flush()
