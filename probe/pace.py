"""How often one host is connected to, whatever is configured, signed or suspected. PURE: the moment is an
argument.

Thousands of agents that knock at one door are a flood. What a single one may do is bounded here and
nowhere else: a token bucket for each host, and whoever finds it empty waits.
"""

from __future__ import annotations

from dataclasses import dataclass, field

# A round in which every question is asked about every platform connects to one host 37 times.
AT_ONCE = 60
EVERY_S = 1.0


@dataclass(slots=True)
class Pace:
    """The buckets of one installation. `_full_at` is when each would be full again, by the same clock that
    `wait_s` is asked with."""

    _full_at: dict[str, float] = field(default_factory=dict)

    def wait_s(self, host: str, now: float) -> float:
        """Take one connection's turn: how long it has to wait for, in seconds."""
        full_at = max(self._full_at.get(host, now), now) + EVERY_S
        self._full_at[host] = full_at
        return max(0.0, full_at - now - AT_ONCE * EVERY_S)

    def forget(self, now: float) -> None:
        """Drop the hosts whose buckets are full: a redirect's host is met once and never again."""
        self._full_at = {host: at for host, at in self._full_at.items() if at > now}
