"""Work that a collector may ask for before it takes a new key, in the manner of hashcash (Back, 2002); pure.

A nonce such that SHA-256 over `DOMAIN`, the challenge's 16 bytes, the key's 32 and the nonce's 8 (big-endian)
begins with so many zero bits. The key in it keeps one from sharing what another found; the challenge, which
its collector has drawn by chance for the day, from bringing it later or elsewhere. To check it is one hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le, Len

from .strict import STRICT

DOMAIN = b"reachwatch/1 enrolment\0"
CHALLENGE_DIGITS = 32
# Four million hashes in the mean: five seconds of a desktop, some forty of a Raspberry Pi 3 (estimated).
MOST_BITS = 22

Challenge = Annotated[str, Len(CHALLENGE_DIGITS, CHALLENGE_DIGITS)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a collector asks for: `challenge` is 32 hex digits. How many bits a probe will do it decides
    itself."""

    __pydantic_config__ = STRICT
    challenge: Challenge
    bits: Annotated[int, Ge(1), Le(256)]

    def __post_init__(self) -> None:
        _bytes_of(self.challenge)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a probe found."""

    __pydantic_config__ = STRICT
    challenge: Challenge
    nonce: Annotated[int, Ge(0), Le(2**53)]

    def __post_init__(self) -> None:
        _bytes_of(self.challenge)

    def bits(self, public_key: bytes) -> int:
        """How many zero bits it is worth for that key."""
        return _zeros(_begun(self.challenge, public_key), self.nonce)


def solved(wanted: Wanted, public_key: bytes, nonces: Iterable[int]) -> Work | None:
    """The first of these nonces that will do; None where there is none among them."""
    begun = _begun(wanted.challenge, public_key)
    for nonce in nonces:
        if _zeros(begun, nonce) >= wanted.bits:
            return Work(challenge=wanted.challenge, nonce=nonce)
    return None


def _bytes_of(challenge: str) -> bytes:
    if not set(challenge) <= set("0123456789abcdef"):
        raise ValueError("challenge: not 32 hex digits")
    return bytes.fromhex(challenge)


def _begun(challenge: str, public_key: bytes) -> hashlib._Hash:
    return hashlib.sha256(DOMAIN + _bytes_of(challenge) + public_key)


def _zeros(begun: hashlib._Hash, nonce: int) -> int:
    whole = begun.copy()
    whole.update(nonce.to_bytes(8, "big"))
    return 256 - int.from_bytes(whole.digest(), "big").bit_length()
