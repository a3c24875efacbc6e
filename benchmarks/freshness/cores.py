"""What this machine's cores can do, one alone and all at once. Rented ones are often halves of one core, or
somebody else's at the same time; without this, figures of two machines cannot be compared."""

from __future__ import annotations

import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SECONDS = 3.0
BODY = bytes(6_000)


@dataclass(frozen=True, slots=True)
class Cores:
    """Signatures of a batch verified each second: by one core alone, and by all of them together."""

    alone: float
    together: float


def cores() -> Cores:
    """As they are at this moment."""
    count = os.cpu_count() or 1
    with ProcessPoolExecutor(count, get_context("spawn")) as pool:
        list(pool.map(_verified, [0.2] * count))  # they have started
        return Cores(pool.submit(_verified, SECONDS).result(), sum(pool.map(_verified, [SECONDS] * count)))


def _verified(seconds: float) -> float:
    key = Ed25519PrivateKey.generate()
    public, signature = key.public_key(), key.sign(BODY)
    began, count = time.perf_counter(), 0
    while (took := time.perf_counter() - began) < seconds:
        public.verify(signature, BODY)
        count += 1
    return count / took
