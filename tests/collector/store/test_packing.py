"""Segments: what was packed is unpacked byte for byte, and what is torn is said to be."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.store.packing import Torn, pack_segment, unpack_segment
from tests.batches import ingest, someone

BATCHES = [ingest(someone(n), sequence=n).batch for n in range(1, 6)]
SEGMENT = pack_segment(BATCHES)


def test_a_segment_gives_back_what_was_put_in() -> None:
    assert unpack_segment(SEGMENT) == BATCHES


@given(st.integers(0, len(SEGMENT) - 1), st.integers(1, 255))
def test_a_single_changed_byte_never_becomes_other_evidence(place: int, change: int) -> None:
    torn = bytearray(SEGMENT)
    torn[place] ^= change
    with contextlib.suppress(Torn):
        assert unpack_segment(bytes(torn)) == BATCHES


def test_a_rotten_size_is_torn_and_takes_no_memory() -> None:
    huge = SEGMENT[:4] + bytes([SEGMENT[4] ^ 160]) + SEGMENT[5:]  # now declares exabytes
    with pytest.raises(Torn):
        unpack_segment(huge)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_segment_or_torn(data: bytes) -> None:
    with contextlib.suppress(Torn):
        unpack_segment(data)


@pytest.mark.parametrize("kept", [1, 20, len(SEGMENT) - 1])
def test_a_segment_cut_short_is_torn(kept: int) -> None:
    with pytest.raises(Torn):
        unpack_segment(SEGMENT[:kept])
