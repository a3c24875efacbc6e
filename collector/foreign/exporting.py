"""The export itself: stored batches in, lines out, and a tally of what became of them. The only loop;
reading a round in OONI's words is `exported`'s."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from math import inf

from collector.ingest.admit import LIVE_S
from collector.store.base import SignedBatch, Store
from probe.wire.codec import DecodeError, validate
from probe.wire.observation import Batch

from .exported import measurements_of

NAMED = 5  # bad batches named in the summary; the count tells of the rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rounds: measured from `since` on and before `until` (Unix seconds, by their own clocks), in
    `country` (None for all), and of them which platforms."""

    platforms: Collection[str]
    since: float = 0.0
    until: float = inf
    country: str | None = None


@dataclass
class Tally:
    """What became of everything that was asked for."""

    batches: int = 0
    rounds: int = 0
    measurements: int = 0
    bad: int = 0
    torn: list[str] = field(default_factory=list)
    named: list[str] = field(default_factory=list)

    def refuse(self, signed: SignedBatch, reason: str) -> None:
        """Count a bad batch; the first few are named."""
        self.bad += 1
        if len(self.named) < NAMED:
            self.named.append(f"batch {signed.sequence} of probe {signed.probe}: {reason}")

    @property
    def is_clean(self) -> bool:
        """Whether all that is stored could be read."""
        return not self.bad and not self.torn

    def lines(self) -> Iterator[str]:
        """The summary, for a person."""
        yield (
            f"{self.batches} batches, {self.bad} of them bad; {self.rounds} rounds, "
            f"{self.measurements} measurements"
        )
        yield from self.torn
        yield from self.named
        if self.bad > len(self.named):
            yield f"and {self.bad - len(self.named)} more bad"


def run(store: Store, wanted: Wanted, show: Callable[[str], None]) -> Tally:
    """Read the store and `show` each measurement, a JSON document, as soon as it is there. What is damaged
    is told in the end, and the rest is shown. Raises `StoreError`."""
    tally = Tally()
    # A round is admitted at most `LIVE_S` before it was measured by our clock, and as late as it may.
    for signed in store.batches(since=wanted.since - LIVE_S, torn=tally.torn.append):
        if wanted.country in (None, signed.country):
            _take(signed, wanted, tally, show)
    return tally


def _take(signed: SignedBatch, wanted: Wanted, tally: Tally, show: Callable[[str], None]) -> None:
    tally.batches += 1
    try:
        batch = validate(Batch, signed.body)
    except DecodeError as error:
        tally.refuse(signed, str(error))
        return
    for rnd in batch.rounds:
        if not wanted.since <= rnd.started_at.timestamp() < wanted.until:
            continue
        tally.rounds += 1
        for platform, measurement in measurements_of(rnd, country=signed.country, asn=signed.asn):
            if platform in wanted.platforms:
                tally.measurements += 1
                show(json.dumps(measurement, ensure_ascii=False, separators=(",", ":")))
