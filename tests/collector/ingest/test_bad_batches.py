"""A folder of bad batches, each correctly signed and each with its exact refusal."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from collector.ingest.admit import Refusal, admit_batch
from tests.batches import NOW, signed, someone

FOLDER = Path(__file__).parents[2] / "bad" / "batches"
EXPECTED = tomllib.loads((FOLDER / "expected.toml").read_text())
ME = someone(1)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_bad_batch_is_refused_with_code_place_and_message(name: str) -> None:
    body = (FOLDER / name).read_bytes()
    refusal = admit_batch(signed(ME, body), ME.public_key, NOW)
    assert isinstance(refusal, Refusal)
    assert f"{refusal.code} {refusal.path}: {refusal.message}" == EXPECTED[name]


def test_every_bad_batch_is_in_the_table() -> None:
    assert {file.name for file in FOLDER.glob("*.json")} == set(EXPECTED)
