"""When there is something new to show: pages are made anew for it, and open pages are told.

The news itself is never sent: a reader's page fetches what the server rendered once for everybody. That
nothing new has come is news as well, once a minute by the wall's clock: by the snapshot's own, a collector
that looks at nothing any more would say for ever how well it all is.
"""

from __future__ import annotations

from dataclasses import dataclass

from collector.detector import Findings
from collector.snapshot import Snapshot

from .sources import Sources


@dataclass(frozen=True, slots=True, eq=False)
class Notice:
    """What there is at `at` (Unix seconds): round `number`, snapshot and findings. The same object as long as
    nothing in them has changed and the minute is the same."""

    number: int
    at: float
    snapshot: Snapshot
    findings: Findings


class Pulse:
    """Looks at what there is, and tells whether it is news."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._last = self._seen = self._look()

    def notice(self) -> Notice:
        """The newest."""
        last, seen, at = self._last, self._seen, self._sources.wall()
        is_now = at // 60 == last.at // 60
        if is_now and self._sources.snapshot() is seen.snapshot and self._sources.findings() is seen.findings:
            return last  # looked at already: a comparison for every reader every second would tell
        self._seen = new = self._look()
        is_same = (
            is_now
            and new.findings is last.findings
            and new.snapshot.countries == last.snapshot.countries
            and new.snapshot.probes == last.snapshot.probes
        )
        if not is_same:
            self._last = new
        return self._last

    def _look(self) -> Notice:
        snapshot, findings = self._sources.snapshot(), self._sources.findings()
        return Notice(findings.state.number, self._sources.wall(), snapshot, findings)
