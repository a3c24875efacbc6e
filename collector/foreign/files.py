"""Files of measurements as OONI hands them out: a JSON document, an array, or one object a line
(JSONL), each plain or gzipped. What a file is shows in its first bytes, never in its name."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .form import MAX_BYTES

# An array is read whole, for it cannot be cut without reading it; OONI's own archive is JSONL.
MAX_DOCUMENT_BYTES = 128 << 20

_GZIP = b"\x1f\x8b"  # RFC 1952, section 2.3.1


@dataclass(frozen=True, slots=True)
class Piece:
    """One measurement's bytes, or why there are none, and the place it came from."""

    place: str
    data: bytes = b""
    problem: str | None = None


def pieces(path: Path) -> Iterator[Piece]:
    """Every measurement in a file. What cannot be read is a piece with its problem; the rest goes on."""
    place = str(path)
    try:
        with path.open("rb") as raw:
            is_gzip = raw.read(2) == _GZIP
            raw.seek(0)
            yield from _unpacked(gzip.GzipFile(fileobj=raw) if is_gzip else raw, place)
    except OSError as error:
        yield Piece(place, problem=error.strerror or str(error))


def _unpacked(stream: IO[bytes] | gzip.GzipFile, name: str) -> Iterator[Piece]:
    number = 0
    try:
        for number, line in enumerate(_lines(stream), 1):
            if number == 1 and _opens_document(line):
                yield from _document(line + stream.read(MAX_DOCUMENT_BYTES), name)
                return
            if len(line) > MAX_BYTES:
                yield Piece(f"{name}:{number}", problem=f"over {MAX_BYTES} bytes")
            elif line.strip():
                yield Piece(f"{name}:{number}", line)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        problem = "the gzip data ends early" if isinstance(error, EOFError) else "broken gzip data"
        yield Piece(f"{name}:{number + 1}", problem=problem)


def _lines(stream: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    """Lines; of one that is too long, its beginning, a byte over the limit. What is left of it is
    still there for who wants it when he has the line, and passed over when he wants the next."""
    while line := stream.readline(MAX_BYTES + 1):
        yield line
        while len(line) > MAX_BYTES and not line.endswith(b"\n"):
            line = stream.readline(MAX_BYTES + 1) or b"\n"


def _opens_document(line: bytes) -> bool:
    """Whether the first line begins one JSON text that goes on over lines, or an array."""
    text = line.strip()
    return text.startswith(b"[") or text == b"{"


def _document(text: bytes, name: str) -> Iterator[Piece]:
    if len(text) > MAX_DOCUMENT_BYTES:
        yield Piece(name, problem=f"over {MAX_DOCUMENT_BYTES} bytes in one document")
        return
    try:
        whole = json.loads(text)
    except RecursionError:
        yield Piece(name, problem="nested too deeply")
        return
    except json.JSONDecodeError as error:
        yield Piece(f"{name}:{error.lineno}", problem=f"not JSON: {error.msg} at column {error.colno}")
        return
    except ValueError:  # not UTF-8, or an integer of thousands of digits
        yield Piece(name, problem="not JSON")
        return
    if isinstance(whole, list):
        for index, item in enumerate(whole):
            yield Piece(f"{name}:[{index}]", json.dumps(item).encode())
    else:
        yield Piece(f"{name}:1", text)
