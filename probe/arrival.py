"""When what is read had reached this machine, which is not when this process came to read it.

The kernel stamps what comes (socket(7), SO_TIMESTAMPNS). A handshake's time is then the line's, however
many others are being made here at the same moment; where the system has no such stamp, it is ours.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import time
from collections.abc import Iterable

ANCILLARY_BYTES = 64
_SO_TIMESTAMPNS = 35  # asm-generic/socket.h; Python has no name for it
_TIMESPEC = struct.Struct("@ll")


def stamp(sock: socket.socket) -> None:
    """Have the kernel stamp what comes on this socket, where it can."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)


def lain_s(ancillary: Iterable[tuple[int, int, bytes]]) -> float:
    """For how long what was just read had been waiting, by the stamp on its last part; 0 without one."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS) and len(data) == _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack(data)
            waited_s: float = time.time() - seconds - nanoseconds / 1e9
            return min(max(waited_s, 0.0), 1.0)  # a clock that is set meanwhile makes no wait of hours
    return 0.0
