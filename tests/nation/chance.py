"""Chance without a state: the same words always draw the same number, in whatever order they are drawn. PURE.

A generator that is asked one more time in the middle would change everything after it; a story in which
one probe more takes part should leave all others as they were.
"""

from __future__ import annotations

from hashlib import blake2b

_ONE = float(2**64)


def draw(*words: object) -> float:
    """A number in [0, 1) for these words."""
    digest = blake2b("\x1f".join(map(str, words)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / _ONE


def secret(*words: object) -> bytes:
    """32 bytes for these words. For keys of simulated probes alone: whoever knows the seed knows them."""
    return blake2b("\x1f".join(map(str, words)).encode(), digest_size=32).digest()
