"""Whose word weighs nothing, and of which time. PURE.

Facts stay: what a quarantined key or prefix sends is admitted and stored as ever. It is left out where
something is concluded from it, and by when it was *measured*, so that the order in which batches and
orders came changes nothing and a release from a certain moment on is exact. By default a quarantine
begins as far back as detection still tells anything again: what was said until now is taken back, and
nothing that is dated back later counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from .cells import Cell, CellKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """One order. `subject` is a probe or the tag of a prefix; it covers what was measured from `since` on
    and before `until`. `by` and `reason` are for the record, as is who released it; all times are Unix
    seconds."""

    subject: str
    ordered_at: float
    since: float
    by: str
    reason: str = ""
    until: float | None = None
    released_at: float | None = None
    released_by: str = ""

    def covers(self, at: float) -> bool:
        """Whether it is about what was measured at `at`."""
        return self.since <= at and (self.until is None or at < self.until)


Orders = Mapping[str, Sequence[Quarantine]]  # by subject: there may be thousands, and as many votes


def by_subject(quarantines: Iterable[Quarantine]) -> Orders:
    """The orders, to be asked about many votes."""
    found: dict[str, list[Quarantine]] = {}
    for order in quarantines:
        found.setdefault(order.subject, []).append(order)
    return found


def is_mute(orders: Orders, probe: str, prefix: str, at: float) -> bool:
    """Whether what this probe measured at `at` in this prefix weighs nothing."""
    return any(order.covers(at) for subject in (probe, prefix) for order in orders.get(subject, ()))


def heard(cells: Mapping[CellKey, Cell], orders: Orders) -> Mapping[CellKey, Cell]:
    """The cells without the votes of whoever is in quarantine. Counts of rounds stay: see `uncounted`."""
    return {key: _heard(cell, orders) for key, cell in cells.items()} if orders else cells


def _heard(cell: Cell, orders: Orders) -> Cell:
    votes = {
        probe: vote for probe, vote in cell.votes.items() if not is_mute(orders, probe, vote.prefix, vote.at)
    }
    return replace(cell, votes=votes)


def uncounted(
    cells: Mapping[CellKey, Cell], orders: Orders, *, probe: str, prefix: str
) -> Mapping[CellKey, Cell]:
    """What a batch adds, without its counts where it was measured in quarantine: sums cannot be told apart
    later. Its votes stay in the cell, because `heard` can tell them apart, and a release brings them back."""
    if not orders:
        return cells
    return {
        key: Cell(votes=cell.votes) if is_mute(orders, probe, prefix, key.minute * 60) else cell
        for key, cell in cells.items()
    }
