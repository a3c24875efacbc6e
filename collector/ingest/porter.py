"""Who may bring a key: everybody, who has a token, or who has worked for it; one with a token in any case.

Work makes a thousand keys cost a thousand times what one does. It does not stop who has many machines, or one
with a graphics card: that a prefix has one vote, and a new key none, does.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from collector.config import Door
from probe.wire.work import CHALLENGE_DIGITS, Wanted

from .admit import Code, Newcomer, Refusal

DAY_S = 86_400


@dataclass
class Porter:
    """Asks a new key for what `door` says. `wall` is Unix seconds.

    A challenge is drawn by chance and lives in memory: nobody can work ahead of the day it is given out, and
    after a restart who was at work is given another. It is good until the end of the next UTC day.
    """

    door: Door
    wall: Callable[[], float]
    _drawn: dict[int, str] = field(default_factory=dict)

    def refused(self, newcomer: Newcomer) -> Refusal | None:
        """Why a key that is not known here may not come in as it came; None where nothing is to be said."""
        if self.door.mode == "open" or newcomer.token is not None:
            return None
        if self.door.mode == "token":
            return Refusal(Code.ENTRY_CLOSED, "$.token", "this collector takes new keys with a token only")
        wanted, work = self._wanted(), newcomer.work
        if work is None or work.challenge not in self._drawn.values():
            return Refusal(Code.WORK_REQUIRED, "$.work", f"{wanted.bits} bits on this challenge", wanted)
        if work.bits(newcomer.key) < wanted.bits:
            return Refusal(Code.WORK_REQUIRED, "$.work", f"fewer than {wanted.bits} bits", wanted)
        return None

    def _wanted(self) -> Wanted:
        today = int(self.wall() // DAY_S)
        if today not in self._drawn:
            kept = {day: drawn for day, drawn in self._drawn.items() if day == today - 1}
            self._drawn = {**kept, today: secrets.token_hex(CHALLENGE_DIGITS // 2)}
        return Wanted(challenge=self._drawn[today], bits=self.door.work_bits)
