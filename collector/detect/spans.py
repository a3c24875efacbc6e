"""When a probe was there: its heartbeats as spans, the smallest record that tells who fell silent. PURE.

A span is a row of heartbeats from one network without a longer pause than `PAUSE_S`; where it ends without
a goodbye, the probe was lost. Spans are what the union of their heartbeats is: in whatever order those
come, and however often, the spans are the same. No address is in them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .thresholds import PAUSE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From the first to the last heartbeat, Unix seconds by the collector's clock. `said_bye` is what the
    last one said, `prefix` the tag of where it came from."""

    probe: str
    country: str
    asn: int
    first_at: float
    last_at: float
    said_bye: bool
    prefix: str


def is_near(one: Span, other: Span) -> bool:
    """Whether two spans of one probe in one network are one."""
    return one.first_at - other.last_at <= PAUSE_S and other.first_at - one.last_at <= PAUSE_S


def union(spans: Iterable[Span]) -> Span:
    """One span of several that are near each other; the newest heartbeat has the last word."""
    known = list(spans)
    newest = max(known, key=lambda one: (one.last_at, one.said_bye, one.prefix))
    return Span(
        probe=newest.probe,
        country=newest.country,
        asn=newest.asn,
        first_at=min(one.first_at for one in known),
        last_at=newest.last_at,
        said_bye=newest.said_bye,
        prefix=newest.prefix,
    )
