"""What is to be known of a batch before it may be stored: whether it is admitted, and what it adds. PURE.

It is the largest part of what a batch costs, and needs nothing but the batch and a few facts about where it
came from; so that it can be done in another process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from collector.detect.cells import Cell, CellKey, cells_of_batch

from .admit import Refusal, Request, admit_batch
from .place import Found, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A batch that came at `at`, in Unix seconds, with the key of who says to have sent it. `prefix` is the
    tag of the prefix that it came from; `platforms` are those that are counted."""

    request: Request
    key: bytes
    at: float
    found: Found
    prefix: str
    platforms: frozenset[str]


# Without slots, which dataclasses pickle slowly: it goes from the judge to the collector.
@dataclass(frozen=True, kw_only=True)
class Judged:
    """A batch that may be stored, without its body: whoever asked has that."""

    sequence: int
    signature: bytes
    place: Place
    cells: Mapping[CellKey, Cell]


def judged(arrival: Arrival) -> Judged | Refusal:
    """What is found of it."""
    admitted = admit_batch(arrival.request, arrival.key, arrival.at)
    if isinstance(admitted, Refusal):
        return admitted
    batch = admitted.batch
    place = arrival.found.place(batch.rounds[-1].network)
    cells = cells_of_batch(
        batch, arrival.platforms, country=place.country, asn=place.asn, prefix=arrival.prefix
    )
    return Judged(sequence=batch.sequence, signature=admitted.signature, place=place, cells=cells)
