"""Work for an enrolment: found work holds, for its key and its challenge alone."""

from __future__ import annotations

import hashlib
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.wire.work import Wanted, Work, solved

KEY, OTHER = b"k" * 32, b"o" * 32
WANTED = Wanted(challenge="0f" * 16, bits=10)


def test_what_was_found_is_worth_what_was_asked_for_to_no_other_key_and_for_no_other_challenge() -> None:
    work = solved(WANTED, KEY, count())
    assert work is not None
    assert work.bits(KEY) >= 10
    assert work.bits(OTHER) < 10
    assert Work(challenge="f0" * 16, nonce=work.nonce).bits(KEY) < 10
    assert solved(WANTED, KEY, range(work.nonce)) is None


@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**53))
def test_the_bits_are_those_of_the_hash_that_is_described(key: bytes, nonce: int) -> None:
    said = b"reachwatch/1 enrolment\0" + bytes.fromhex("0f" * 16) + key + nonce.to_bytes(8, "big")
    bits = f"{int(hashlib.sha256(said).hexdigest(), 16):0256b}"
    assert Work(challenge="0f" * 16, nonce=nonce).bits(key) == len(bits) - len(bits.lstrip("0"))


@pytest.mark.parametrize("challenge", ["0F" * 16, "zz" * 16, "0f" * 15 + " 0"])
def test_a_challenge_is_32_small_hex_digits(challenge: str) -> None:
    with pytest.raises(ValueError, match="32 hex digits"):
        Wanted(challenge=challenge, bits=1)
