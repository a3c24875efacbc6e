"""A line 25 ms long each way between two network namespaces, in user space: delay.py HOME AWAY.

A TUN device in each, called ``line``; what goes into one comes out of the other so much later, in order.
It runs before everything else on the machine, because what it is late by would be taken for the network's.
"""

import fcntl
import os
import select
import struct
import subprocess
import sys
import time
from collections import deque

ONE_WAY_S = 0.025
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # linux/if_tun.h
_MOST_BYTES = 65_535


def device(namespace: str, number: int) -> int:
    """The end in that namespace."""
    tun, name = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK), f"rw{os.getpid()}-{number}"
    fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TUN | _IFF_NO_PI))
    words = ("ip", "link", "set", "dev", name, "name", "line", "netns", namespace)
    subprocess.run(words, check=True)
    return tun


def carry(ends: tuple[int, int]) -> None:
    """Until killed."""
    other = {ends[0]: ends[1], ends[1]: ends[0]}
    on_the_way: deque[tuple[float, int, bytes]] = deque()
    while True:
        wait_s = max(0.0, on_the_way[0][0] - time.monotonic()) if on_the_way else None
        for end in select.select(ends, (), (), wait_s)[0]:
            on_the_way.append((time.monotonic() + ONE_WAY_S, other[end], os.read(end, _MOST_BYTES)))
        while on_the_way and on_the_way[0][0] <= time.monotonic():
            _, end, packet = on_the_way.popleft()
            os.write(end, packet)


if __name__ == "__main__":
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    both = device(sys.argv[1], 0), device(sys.argv[2], 1)
    print("ready", flush=True)
    carry(both)
