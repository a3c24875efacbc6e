"""``python -m collector.ingest.judge``: a process that judges, and nothing else.

Groups of arrivals come in by standard input and what is found of them goes out by standard output, each
pickled with its length before it. It lives as long as somebody holds the other end, and no signal meant for
the collector ends it: what was received before the collector is stopped is still judged.
"""

from __future__ import annotations

import pickle
import signal
import sys
from typing import BinaryIO

from .admit import Refusal
from .judging import Arrival, Judged, judged

Answer = Judged | Refusal | RuntimeError
LENGTH_BYTES = 4


def framed(thing: object) -> bytes:
    """As it goes through the pipes."""
    data = pickle.dumps(thing, pickle.HIGHEST_PROTOCOL)
    return len(data).to_bytes(LENGTH_BYTES) + data


def answered(arrival: Arrival) -> Answer:
    """What is found of it. A batch that breaks the rules' code is its own request's failure, and not that
    of those which came with it."""
    try:
        return judged(arrival)
    except Exception as error:  # noqa: BLE001
        return RuntimeError(f"judging failed: {type(error).__name__}: {error}")


def _group(source: BinaryIO) -> list[Arrival] | None:
    """The next, or None where the other end is closed."""
    head = source.read(LENGTH_BYTES)
    length = int.from_bytes(head)
    data = source.read(length)
    if len(head) < LENGTH_BYTES or len(data) < length:
        return None
    group: list[Arrival] = pickle.loads(data)  # noqa: S301  written by the process that started this one
    return group


def main(source: BinaryIO, sink: BinaryIO) -> None:
    """Judge until the other end is closed."""
    try:
        while (group := _group(source)) is not None:
            sink.write(framed([answered(one) for one in group]))
            sink.flush()
    except BrokenPipeError:
        pass  # nobody is there to be told


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    main(sys.stdin.buffer, sys.stdout.buffer)
