"""Raw rounds to give out: the thin part that reads a few batches at a time, blurs, writes in OONI's words.

Only rounds of networks that may be told of by themselves, and only of lines that could judge: another tells
of a home, and not of a network.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from probe.verdict import judge
from probe.wire.codec import DecodeError, validate
from probe.wire.observation import Batch, GateState, Round

from .foreign.blurred import blurred
from .foreign.exported import measurements_of
from .ingest.admit import LIVE_S
from .ingest.commit import Committer
from .store.base import SignedBatch

PIECE = 100  # batches read at once: the store's thread has commits to make in between
MOST_READ = 20_000  # batches read for one answer,
MOST_LINES = 1000  # and lines in it; some 10 MB
LATE_S = 3600.0  # what came later than this after `until` is not looked for

# With what it is sorted by: the order in which rounds came is nobody's business.
_Line = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How far somebody has read: so many batches of those received in a minute (Unix minutes). Closer than
    its minute nobody is told when a batch came."""

    minute: int = 0
    batches: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Rounds measured from `since` to before `until` (Unix seconds, by their own clocks) in a country, of
    those detector's rounds, networks and platforms that may be told of by themselves; `mark` is where to go
    on. `key` names rounds anew, so that nothing else that is known of them leads here."""

    country: str
    since: float
    until: float
    round_s: float
    alone: frozenset[tuple[int, int, str]]
    mark: Mark
    key: bytes


async def measured(committer: Committer, wanted: Wanted) -> tuple[list[str], Mark | None]:
    """A line for each measurement, and where to go on; None at the end. Raises `StoreError`."""
    begins = max(wanted.since - LIVE_S, wanted.mark.minute * 60.0)
    stored = iter(committer.store.batches(since=begins, until=wanted.until + LATE_S))
    mark, skip, read, lines = wanted.mark, wanted.mark.batches, 0, list[_Line]()
    while read < MOST_READ and len(lines) < MOST_LINES:
        piece = await committer.call(lambda: list(islice(stored, PIECE)))
        if not piece:
            return [text for _, text in sorted(lines)], None
        new, skip = piece[skip:], max(0, skip - len(piece))
        told, done = await asyncio.to_thread(_lines, new, wanted, MOST_LINES - len(lines))
        lines += told
        mark, read = _after(mark, new[:done]), read + len(new)
    return [text for _, text in sorted(lines)], mark


def _after(mark: Mark, done: Sequence[SignedBatch]) -> Mark:
    if not done:
        return mark
    minute = int(done[-1].received_at // 60)
    newest = sum(int(signed.received_at // 60) == minute for signed in done)
    return Mark(minute=minute, batches=newest + (mark.batches if mark.minute == minute else 0))


def _lines(piece: Sequence[SignedBatch], wanted: Wanted, room: int) -> tuple[list[_Line], int]:
    """The lines of whole batches until there is no more room, and of how many."""
    found: list[_Line] = []
    for done, signed in enumerate(piece):
        if len(found) >= room:
            return found, done
        if signed.country == wanted.country:
            found += (line for rnd in _rounds(signed, wanted) for line in _told(signed, rnd, wanted))
    return found, len(piece)


def _rounds(signed: SignedBatch, wanted: Wanted) -> Iterator[Round]:
    try:
        batch = validate(Batch, signed.body)
    except DecodeError:  # written by a release that knew other words
        return
    for rnd in batch.rounds:
        is_wanted = wanted.since <= rnd.started_at.timestamp() < wanted.until
        if is_wanted and rnd.gate.state == GateState.ONLINE:
            yield rnd


def _told(signed: SignedBatch, rnd: Round, wanted: Wanted) -> Iterator[_Line]:
    number = int(rnd.started_at.timestamp() // wanted.round_s)
    at = datetime.fromtimestamp(number * wanted.round_s, UTC)
    name = hashlib.blake2b(rnd.round_id.encode(), key=wanted.key, digest_size=16).hexdigest()
    shown = blurred(rnd, at=at, name=name)
    for platform, measurement in measurements_of(
        shown, country=signed.country, asn=signed.asn, verdicts=judge(rnd)
    ):
        if (number, signed.asn, platform) in wanted.alone:
            yield f"{at} {name}", json.dumps(measurement, ensure_ascii=False, separators=(",", ":"))
