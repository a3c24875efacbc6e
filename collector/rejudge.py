"""History judged again: the signed rounds in a store, by the rules and platforms of today.

Rules improve, and cells are counted by the rules of the moment at which a batch arrived. Cells also
outlive batches, so not every cell can be made again. What is promised:

    Of the minutes asked for, one is judged again if and only if it is certain that every batch ever
    counted in it is still stored. Its cells are then, byte for byte, those that these batches would
    give if they arrived today. Every other minute keeps the cells it has.

How that is known: a round is admitted at most `LIVE_S` before it was measured by our clock, and may
come as late as its spool allows. So all that was ever counted in a minute was received after the
minute's beginning less `LIVE_S`, and if nothing received after that moment was ever dropped, all of
it is there. Lateness does not matter: it moves a batch to where less is dropped. A release that
lowers `LIVE_S` must keep the old value here until the batches admitted under it are gone.

It asks for a store that nobody else uses, as every opened store is: one connection does all the
writing, and a batch that came in meanwhile would be counted by the old rules or not at all. What
agents measure in the meantime waits in their spools; it is taken for `SPOOLED_S`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from probe.wire.codec import DecodeError, validate
from probe.wire.observation import Batch

from .detect.cells import Cell, CellKey, cells_of_batch
from .detect.quarantine import Orders, by_subject, uncounted
from .ingest.admit import LIVE_S
from .store.base import SignedBatch, Store

MINUTE_S = 60


class CannotRejudge(Exception):
    """A stored batch that this release cannot read; the message names it. Nothing has changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """What some cells say together: how many they are, and rounds by platform and status."""

    cells: int
    statuses: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejudged:
    """What was done: from which minute on, with how many rounds. `changed` counts the cells that
    came, went or are other than before; `is_cut` tells that batches from before have been dropped."""

    first_minute: int
    is_cut: bool
    rounds: int
    changed: int
    before: Census
    after: Census


def rejudge(store: Store, platforms: Collection[str], since: float) -> Rejudged:
    """Replace the cells from the minute of `since` (Unix seconds) on, as far back as they can be made
    again, in one transaction. Raises `CannotRejudge` or `StoreError`, and then nothing has changed."""
    asked = int(since // MINUTE_S)
    first = _first_whole_minute(store.dropped_until(), asked)
    judging = _Judging(store, platforms, first, by_subject(store.quarantines()))
    before = _census(store, first)
    changed = store.replace_cells(first, judging)
    return Rejudged(
        first_minute=first,
        is_cut=first > asked,
        rounds=judging.rounds,
        changed=changed,
        before=before,
        after=_census(store, first),
    )


def _first_whole_minute(dropped_until: float | None, asked: int) -> int:
    """The first minute whose batches were all received after anything that was ever dropped."""
    if dropped_until is None:
        return asked
    return max(asked, int((dropped_until + LIVE_S) // MINUTE_S) + 1)


@dataclass
class _Judging:
    """The cells of one batch after another; `rounds` counts as it goes on."""

    store: Store
    platforms: Collection[str]
    first_minute: int
    orders: Orders
    rounds: int = 0

    def __iter__(self) -> Iterator[Mapping[CellKey, Cell]]:
        """Every batch that can hold a round from the first minute on."""
        for signed in self.store.batches(since=self.first_minute * MINUTE_S - LIVE_S):
            yield self._cells(signed)

    def _cells(self, signed: SignedBatch) -> dict[CellKey, Cell]:
        try:
            # Admission has looked for what JSON readers let pass; to look again doubles the time.
            batch = validate(Batch, signed.body)
        except DecodeError as error:
            raise CannotRejudge(f"batch {signed.sequence} of probe {signed.probe}: {error}") from None
        minutes = [rnd.started_at.timestamp() // MINUTE_S for rnd in batch.rounds]
        self.rounds += sum(minute >= self.first_minute for minute in minutes)
        cells = uncounted(
            cells_of_batch(
                batch, self.platforms, country=signed.country, asn=signed.asn, prefix=signed.prefix
            ),
            self.orders,
            probe=signed.probe,
            prefix=signed.prefix,
        )
        return {key: cell for key, cell in cells.items() if key.minute >= self.first_minute}


def _census(store: Store, first_minute: int) -> Census:
    cells, statuses = 0, defaultdict[str, Counter[str]](Counter)
    for key, cell in store.cells_from(first_minute):
        cells += 1
        statuses[key.platform].update(cell.statuses)
    return Census(cells=cells, statuses=statuses)
