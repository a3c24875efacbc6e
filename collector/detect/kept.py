"""States of a few rounds back, kept for what comes late. PURE.

What falls into a round that was folded already is answered by folding again from the last state before
it: the newest states are kept one by one, those behind them fewer and fewer, and one from before
anything that can still come.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .saved import Settled
from .thresholds import Thresholds

# Rounds of which states are kept one by one, and, of what lies behind, how far back one in how long (in
# seconds).
NEWEST = 4
SPARSE_S = ((12 * 3600, 3 * 3600), (5 * 86_400, 86_400))


@dataclass
class Kept:
    """Never empty."""

    limits: Thresholds
    _states: dict[int, Settled] = field(default_factory=dict)

    @classmethod
    def beginning_with(cls, limits: Thresholds, *states: Settled) -> Kept:
        """These states and no others."""
        return cls(limits, {one.state.number: one for one in states})

    @property
    def newest(self) -> Settled:
        """The last."""
        return self._states[max(self._states)]

    @property
    def oldest(self) -> Settled:
        """What no late data can change any more, once it lies far enough back."""
        return self._states[min(self._states)]

    @property
    def number(self) -> int:
        """The round of the newest."""
        return max(self._states)

    def before(self, number: int) -> Settled | None:
        """The last state from before a round; None where none is kept."""
        return self._states.get(max((one for one in self._states if one < number), default=-1))

    def is_near(self, number: int) -> bool:
        """Whether folding again from a round costs a few rounds only."""
        return number > self.number - NEWEST + 1

    def up_to(self, number: int) -> Kept:
        """The states from before a round; the oldest in any case."""
        oldest = min(self._states)
        return Kept(self.limits, {n: one for n, one in self._states.items() if n < number or n == oldest})

    def add(self, settled: Settled) -> None:
        """The state after the next round; some of those before it go."""
        head = settled.state.number
        self._states[head] = settled
        last = max(
            (n for n in self._states if n <= head - self.limits.late_rounds), default=min(self._states)
        )
        self._states = {n: one for n, one in self._states.items() if n == last or self._stays(n, head, last)}

    def _stays(self, number: int, head: int, last: int) -> bool:
        sparse = ((int(s // self.limits.round_s) for s in both) for both in SPARSE_S)
        return number > last and (
            number > head - NEWEST
            or any(number > head - back and number % every == 0 for back, every in sparse)
        )

    def __len__(self) -> int:
        return len(self._states)
