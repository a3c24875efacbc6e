"""Raw rounds to give out: the thin part that reads a few batches at a time, blurs, writes in OONI's words.

Only rounds of networks that may be told of by themselves, and only of lines that could judge: another tells
of a home, and not of a network.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import nsmallest
from itertools import islice
from operator import itemgetter

from probe.verdict import judge
from probe.wire.codec import DecodeError, validate
from probe.wire.observation import Batch, GateState, Round

from .foreign.blurred import blurred
from .foreign.exported import measurements_of
from .ingest.admit import LIVE_S
from .ingest.commit import Committer
from .store.base import SignedBatch

PIECE = 100  # batches read at once: the store's thread has commits to make in between
MOST_READ = 1_000_000  # batches looked at for one answer, which are not read yet
MOST_BATCHES = 200  # read
MOST_LINES = 1000  # and given; some 10 MB
LATE_S = 900.0  # what came later than this after `until` is not looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The detector's rounds, networks (ASN) and platforms of a country that may be told of by themselves.
    `key` chooses and names, so that nothing else that is known of a round leads to it here."""

    country: str
    round_s: float
    alone: frozenset[tuple[int, int, str]]
    key: bytes

    @property
    def since(self) -> float:
        """Unix seconds."""
        return min(number for number, _, _ in self.alone) * self.round_s

    @property
    def until(self) -> float:
        """Unix seconds."""
        return (max(number for number, _, _ in self.alone) + 1) * self.round_s


async def measured(committer: Committer, wanted: Wanted) -> list[str]:
    """A line for each measurement, by detector's round. Where there are more than are given, chance decides
    and not the order in which they came: whoever sends rounds could tell the second of the others by it.
    Raises `StoreError`."""
    since, until = wanted.since - LIVE_S, wanted.until + LATE_S
    stored = iter(committer.store.batches(since=since, until=until))
    networks = {asn for _, asn, _ in wanted.alone}
    chosen: list[tuple[str, SignedBatch]] = []
    for _ in range(0, MOST_READ, PIECE):
        piece = await committer.call(lambda: list(islice(stored, PIECE)))
        if not piece:
            break
        here = [one for one in piece if one.country == wanted.country and one.asn in networks]
        drawn = [(_named(f"{one.probe} {one.sequence}", wanted.key), one) for one in here]
        chosen = nsmallest(MOST_BATCHES, [*chosen, *drawn], key=itemgetter(0))
    return await asyncio.to_thread(_lines, [signed for _, signed in chosen], wanted)


def _named(name: str, key: bytes) -> str:
    return hashlib.blake2b(name.encode(), key=key, digest_size=16).hexdigest()


def _lines(chosen: Iterable[SignedBatch], wanted: Wanted) -> list[str]:
    found: list[tuple[str, str]] = []
    for signed in chosen:
        for rnd in _rounds(signed):
            found += _told(signed, rnd, wanted)
        if len(found) >= MOST_LINES:
            break
    return [text for _, text in sorted(found[:MOST_LINES])]


def _rounds(signed: SignedBatch) -> Iterator[Round]:
    try:
        batch = validate(Batch, signed.body)
    except DecodeError:  # written by a release that knew other words
        return
    yield from (rnd for rnd in batch.rounds if rnd.gate.state == GateState.ONLINE)


def _told(signed: SignedBatch, rnd: Round, wanted: Wanted) -> Iterator[tuple[str, str]]:
    """Its lines, each with what it is sorted by."""
    number = int(rnd.started_at.timestamp() // wanted.round_s)
    platforms = {platform for one, asn, platform in wanted.alone if (one, asn) == (number, signed.asn)}
    if not platforms:
        return
    at = datetime.fromtimestamp(number * wanted.round_s, UTC)
    shown = blurred(rnd, at=at, name=_named(rnd.round_id, wanted.key))
    for platform, measurement in measurements_of(
        shown, country=signed.country, asn=signed.asn, verdicts=judge(rnd)
    ):
        if platform in platforms:
            text = json.dumps(measurement, ensure_ascii=False, separators=(",", ":"))
            yield f"{at} {shown.round_id}", text
