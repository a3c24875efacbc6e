"""Rows as other programs read them."""

from __future__ import annotations

import csv
import io
import json

import pytest

from collector.web.api.forms import json_text, jsonl, table

ROWS: list[dict[str, object]] = [
    {"a": None, "b": 1.5, "c": ["x", "y"]},
    {"a": 'say "no", please\n', "b": True, "c": {"x": 2, "y": 1}},
]


def test_a_table_is_read_back_by_anybody_s_reader() -> None:
    read = list(csv.DictReader(io.StringIO(table(("a", "b", "c"), ROWS))))
    assert read == [
        {"a": "", "b": "1.5", "c": "x y"},
        {"a": 'say "no", please\n', "b": "true", "c": "x=2 y=1"},
    ]


def test_a_table_without_rows_still_says_its_columns() -> None:
    assert table(("a", "b"), []) == "a,b\r\n"


def test_a_row_of_other_columns_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="fields not in fieldnames"):
        table(("a",), [{"b": 1}])


def test_a_line_each_and_one_document() -> None:
    assert [json.loads(line) for line in jsonl(ROWS).splitlines()] == ROWS
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text(float("nan"))
