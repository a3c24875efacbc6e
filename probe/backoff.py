"""How long to wait before the next try. PURE: chance and the moment are arguments."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

BASE_S = 5.0
CAP_S = 300.0  # one round: after a long outage the graph must not stay stale for longer
# A collector that asks for more than a day is broken or hostile; a day of spool is safe to wait.
MAX_RETRY_AFTER_S = 86_400.0


def delay_s(failures: int, rng: Random, retry_after_s: float | None = None) -> float:
    """Seconds to wait after that many failures in a row (from 1): exponential with full jitter
    (Brooker, "Exponential Backoff And Jitter", 2015), and never less than the server asked for.

    Full jitter, because after an outage every agent of a country comes back at the same moment.
    """
    ceiling = min(CAP_S, BASE_S * 2 ** min(max(failures, 1) - 1, 16))
    jittered = rng.uniform(0, ceiling)
    return jittered if retry_after_s is None else retry_after_s + jittered


def retry_after_s(value: str, now: float) -> float | None:
    """A Retry-After field (RFC 9110, section 10.2.3) in seconds from `now` (Unix seconds), within a
    day; None where it is none."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), MAX_RETRY_AFTER_S)
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):  # the last for a year or zone of twenty digits
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max(0.0, (moment - datetime.fromtimestamp(now, UTC)).total_seconds()), MAX_RETRY_AFTER_S)
