"""When to measure next. PURE: the moment and chance are arguments.

Each installation has a phase of its own and each round its jitter, so that a country's agents do
not knock at the platforms in step. After a change the next round comes sooner, because the minute
a block begins is what people ask for; but only so often, or a flapping line would drain a
volunteer's data.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

JITTER = 0.1  # of the interval, either way
SOONER = 4  # after a change the next round comes in a quarter of the interval
SOONEST_S = 30.0
MOST_HURRIED = 3  # rounds in a row


@dataclass(frozen=True, slots=True)
class Schedule:
    """Rounds at ``phase_s + k · interval_s`` (Unix seconds), give or take the jitter. `hurried`
    counts the rounds brought forward in a row."""

    interval_s: float
    phase_s: float
    hurried: int = 0

    def after(self, now: float, changed: bool, rng: Random) -> tuple[float, Schedule]:
        """When the next round starts, later than `now`, and the schedule from then on. What was
        missed in between (a machine that slept) is not made up for."""
        if changed and self.hurried < MOST_HURRIED and self.interval_s > SOONEST_S:
            wait_s = max(SOONEST_S, self.interval_s / SOONER)
            return now + wait_s * rng.uniform(1, 1 + JITTER), replace(self, hurried=self.hurried + 1)
        slots = (now - self.phase_s) // self.interval_s + 1
        at = self.phase_s + slots * self.interval_s
        # A slot no further ahead than the jitter is this round's own, begun early. One further ahead is the
        # next: to leave that out after a round brought forward would lose a round just when one counts.
        if at - now < self.interval_s * JITTER:
            at += self.interval_s
        jittered = at + self.interval_s * rng.uniform(-JITTER, JITTER)
        return jittered, replace(self, hurried=0 if not changed else self.hurried)
