"""The document: what it names is there, and what is there is in it."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from typing import Any

import pytest

from collector.web.api.document import OPERATIONS, ROUNDS, document

EVERYTHING = (*OPERATIONS, ROUNDS)
DOCUMENT = document(EVERYTHING, ("x", "youtube"))
GETS = {one.name: DOCUMENT["paths"][one.path]["get"] for one in EVERYTHING}


def parameters(name: str) -> dict[str, Any]:
    return {one["name"]: one for one in GETS[name]["parameters"]}


def test_it_is_plain_json_of_openapi_3_1_and_every_reference_leads_somewhere() -> None:
    text = json.dumps(DOCUMENT)
    assert DOCUMENT["openapi"] == "3.1.0"
    named = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert named == set(DOCUMENT["components"]["schemas"]), "and nothing is described that nothing gives"
    assert "$defs" not in text


@pytest.mark.parametrize("operation", EVERYTHING, ids=lambda one: one.name)
def test_what_can_be_asked_is_what_is_read(operation: Any) -> None:
    found = parameters(operation.name)
    assert len(found) == len(fields(operation.asked))
    in_path = {name for name, one in found.items() if one["in"] == "path"}
    assert in_path == set(re.findall(r"{(\w+)}", operation.path))
    assert all(found[name]["required"] for name in in_path)
    for one in found.values():
        assert one["schema"].keys() & {"type"}, "a parameter that may be left out is not one that may be null"
        assert one["schema"]["type"] in ("string", "integer")


def test_parameters_say_what_they_take() -> None:
    assert list(parameters("series")) == ["country", "from", "to", "platform", "format"]
    assert parameters("series")["platform"]["schema"] == {"type": "string", "enum": ["x", "youtube"]}
    assert parameters("series")["from"]["schema"] == {"type": "string", "format": "date-time"}
    assert parameters("incidents")["limit"]["schema"]["default"] == 100
    required = {name for name, one in parameters("rounds").items() if one["required"]}
    assert required == {"country"}


def test_every_answer_says_in_which_forms_it_comes_and_how_it_is_refused() -> None:
    forms = {name: set(one["responses"]["200"]["content"]) for name, one in GETS.items()}
    tables = {"application/json", "text/csv", "application/jsonl"}
    assert {name for name, kinds in forms.items() if kinds == tables} == {"series", "incidents", "ledger"}
    assert forms["rounds"] == {"application/jsonl"}
    for one in GETS.values():
        refusals = {status for status in one["responses"] if status >= "400"}
        assert {"405", "429", "503"} <= refusals
        for status in refusals:
            assert list(one["responses"][status]["content"]) == ["application/problem+json"]
