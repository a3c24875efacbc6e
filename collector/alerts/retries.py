"""When a delivery is tried again, and when it is given up. PURE.

What may be better later is tried again, later and later, with jitter so that receivers which failed together
are not asked together; what the receiver refuses is given up at once. Given up is not gone: it is a dead
letter, which an operator sees and may send again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from collector.store.base import Delivery

if TYPE_CHECKING:
    from random import Random

FIRST_S = 5.0  # the first wait, in seconds; each is twice the one before it
LONGEST_S = 4 * 3600.0
JITTER = 0.5  # of a wait, this share at most is left out
ASKED_S = 86_400.0  # the longest wait that a receiver may ask for
# Both end it: 72 hours since it was published outlast a weekend.
GIVE_UP_S = 72 * 3600.0
ATTEMPTS = 40

# 4xx that say "not now" rather than "never": Request Timeout, Too Early (RFC 8470), Too Many Requests.
_LATER = frozenset({408, 425, 429})


class Result(StrEnum):
    """What became of one attempt."""

    DELIVERED = "delivered"
    RETRIED = "retried"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a receiver said: `status` None where nothing came, and then `error` says why; `retry_after_s`
    where it asked for a wait, in seconds."""

    status: int | None = None
    error: str = ""
    retry_after_s: float | None = None


def after(delivery: Delivery, answer: Answer, now: float, rng: Random) -> tuple[Result, Delivery]:
    """What became of the attempt, and how the delivery stands then; `now` is Unix seconds."""
    status = answer.status
    if status is not None and 200 <= status < 300:
        return Result.DELIVERED, delivery
    tried = replace(
        delivery,
        attempts=delivery.attempts + 1,
        error=f"status {status}" if status is not None else answer.error,
    )
    is_refused = status is not None and 400 <= status < 500 and status not in _LATER
    if is_refused or tried.attempts >= ATTEMPTS or now - delivery.at >= GIVE_UP_S:
        return Result.DEAD, replace(tried, dead=True)
    wait_s = max(backoff_s(tried.attempts, rng), min(answer.retry_after_s or 0.0, ASKED_S))
    return Result.RETRIED, replace(tried, due=now + wait_s)


def backoff_s(attempts: int, rng: Random) -> float:
    """How long to wait after so many attempts that failed, in seconds."""
    return min(LONGEST_S, FIRST_S * 2.0 ** (attempts - 1)) * rng.uniform(1 - JITTER, 1)


def retry_after_s(text: str, now: float) -> float | None:
    """What ``Retry-After`` asks for (RFC 9110, 10.2.3: seconds or a date), in seconds from `now`; None
    where it cannot be read."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, aware.timestamp() - now)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
