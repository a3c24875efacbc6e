"""How batches become a segment and cells a value, and back. PURE.

A segment is one zstd frame over its batches one after another; each is a JSON head, then the
signed body byte for byte, both with their length before them. Readable with any zstd and a dozen
lines of any language, on purpose: it is evidence.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

import zstandard

from collector.detect.cells import Cell, Histogram, Vote
from probe.verdict import Compared

from .base import SignedBatch

T = TypeVar("T")

_LENGTHS = struct.Struct(">II")  # of the head, of the body; network byte order
_LEVEL = 3
_HEAD = ("probe", "sequence", "received_at", "country", "asn", "located_by", "prefix")


class Torn(Exception):
    """Bytes that are not what was packed; they rotted on the disk."""


def read(unpack: Callable[[bytes], T], data: bytes, name: str) -> T:
    """What was packed into a row; raises `Torn`, which names the row."""
    try:
        return unpack(data)
    except (Torn, ValueError, TypeError):
        raise Torn(f"{name}: cannot be read") from None


def pack_segment(batches: Iterable[SignedBatch]) -> bytes:
    """Batches as one compressed segment."""
    parts = []
    for batch in batches:
        head: dict[str, Any] = {name: getattr(batch, name) for name in _HEAD}
        head["signature"] = batch.signature.hex()
        text = json.dumps(head, separators=(",", ":")).encode()
        parts += [_LENGTHS.pack(len(text), len(batch.body)), text, batch.body]
    return compress(b"".join(parts))


def unpack_segment(segment: bytes) -> list[SignedBatch]:
    """The batches of a segment; raises `Torn` for bytes that are none."""
    try:
        return list(_batches(decompress(segment)))
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise Torn(str(error)) from None


def compress(data: bytes) -> bytes:
    """One zstd frame. The checksum makes a bit that rotted on disk an error, not another number."""
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(data)


def decompress(segment: bytes) -> bytes:
    """What a frame holds; raises `Torn`. Piece by piece: in one go, memory is taken at the frame's word,
    and that may have rotted."""
    machine = zstandard.ZstdDecompressor().decompressobj()
    try:
        data = machine.decompress(segment)
    except zstandard.ZstdError as error:
        raise Torn(str(error)) from None
    if not machine.eof:
        raise Torn("breaks off")
    return data


def _batches(data: bytes) -> Iterator[SignedBatch]:
    at = 0
    while at < len(data):
        head_bytes, body_bytes = _LENGTHS.unpack_from(data, at)
        at += _LENGTHS.size
        head = json.loads(data[at : at + head_bytes])
        at += head_bytes
        signature = bytes.fromhex(head.pop("signature"))
        yield SignedBatch(signature=signature, body=data[at : at + body_bytes], **head)
        at += body_bytes


def pack_cells(cells: Mapping[str, Cell]) -> bytes:
    """Cells, by platform, as canonical JSON: the same counts, the same bytes."""
    values = {platform: _value(cell) for platform, cell in cells.items()}
    return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()


def _value(cell: Cell) -> dict[str, Any]:
    return {
        "statuses": dict(cell.statuses),
        "mechanisms": dict(cell.mechanisms),
        "results": {f"{stage} {failure}": n for (stage, failure), n in cell.results.items()},
        "durations": {stage: [*h.counts, h.total_us] for stage, h in cell.durations.items()},
        "votes": dict(cell.votes),  # which are tuples, and become arrays
    }


def unpack_cells(data: bytes) -> dict[str, Cell]:
    """Cells, by platform, from their bytes; raises `Torn`."""
    try:
        return {platform: _cell(value) for platform, value in json.loads(data).items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Torn(str(error)) from None


def _cell(value: Any) -> Cell:
    return Cell(
        statuses=value["statuses"],
        mechanisms=value["mechanisms"],
        results={_pair(key): n for key, n in value["results"].items()},
        durations={stage: Histogram(tuple(h[:-1]), h[-1]) for stage, h in value["durations"].items()},
        votes={
            probe: Vote(at, status, prefix, broke, tuple(proven), Compared(*speed) if speed else ())
            for probe, (at, status, prefix, broke, proven, speed) in value["votes"].items()
        },
    )


def _pair(key: str) -> tuple[str, str]:
    stage, _, failure = key.partition(" ")
    return stage, failure
