"""``python -m collector.ingest.judge``: a process that judges, and nothing else: groups of arrivals come in,
and what is found of them goes out."""

from __future__ import annotations

from typing import BinaryIO

from collector.piped import heard, pipes, said

from .admit import Refusal
from .judging import Arrival, Judged, judged

Answer = Judged | Refusal | RuntimeError


def answered(arrival: Arrival) -> Answer:
    """What is found of it. A batch that breaks the rules' code is its own request's failure, and not that
    of those which came with it."""
    try:
        return judged(arrival)
    except Exception as error:  # noqa: BLE001
        return RuntimeError(f"judging failed: {type(error).__name__}: {error}")


def main(source: BinaryIO, sink: BinaryIO) -> None:
    """Judge until the other end is closed."""
    for group in heard(source):
        said(sink, [answered(arrival) for arrival in group])


if __name__ == "__main__":
    main(*pipes())
