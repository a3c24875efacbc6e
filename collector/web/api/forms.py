"""Rows as bytes that other programs read: JSON, CSV (RFC 4180), JSON Lines (jsonlines.org). PURE."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence

KINDS = {"json": "application/json", "csv": "text/csv", "jsonl": "application/jsonl"}

Rows = Iterable[Mapping[str, object]]


def json_text(value: object) -> str:
    """One document."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def jsonl(rows: Rows) -> str:
    """A document a line."""
    return "".join(f"{json_text(row)}\n" for row in rows)


def table(columns: Sequence[str], rows: Rows) -> str:
    """A header, and a line for each row. What is not known is empty; several words stand in one cell, with
    spaces between; counts by word as ``word=2``. Raises `ValueError` for a row of other columns."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns)
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return out.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return " ".join(f"{word}={count}" for word, count in value.items())
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    return value
