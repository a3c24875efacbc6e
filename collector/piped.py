"""What goes between the collector and a process of its own beside it: things, pickled, each with its length
before it. And the end of the one beside: it lives as long as somebody holds the other end, however that one
ends, and no signal meant for the collector ends it.
"""

from __future__ import annotations

import pickle
import signal
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

from . import litter

LENGTH_BYTES = 4


def framed(thing: object) -> bytes:
    """As it goes through the pipes."""
    data = pickle.dumps(thing, pickle.HIGHEST_PROTOCOL)
    return len(data).to_bytes(LENGTH_BYTES) + data


def heard(source: BinaryIO) -> Iterator[Any]:
    """In the process beside: what is said to it, until the other end is closed."""
    while len(head := source.read(LENGTH_BYTES)) == LENGTH_BYTES:
        length = int.from_bytes(head)
        data = source.read(length)
        if len(data) < length:
            return
        yield pickle.loads(data)  # noqa: S301  written by the process that started this one


def said(sink: BinaryIO, thing: object) -> None:
    """In the process beside: say something. Where nobody listens any more, it is the end."""
    try:
        sink.write(framed(thing))
        sink.flush()
    except BrokenPipeError:
        sys.exit(0)


def pipes() -> tuple[BinaryIO, BinaryIO]:
    """In the process beside, at its beginning: the two ends; from here on it is deaf to signals."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    litter.seldom()
    return sys.stdin.buffer, sys.stdout.buffer
