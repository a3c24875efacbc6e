"""What pages are made of besides the newest snapshot: what was published, and the rounds that charts show.

Read once for everybody: kept for as long as the detector's findings are the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from collector.detect.claims import describe
from collector.detect.incidents import WORLD, Incident, Witnesses
from collector.detect.revisions import Revision
from collector.detect.sentences import title
from collector.web.ledger import last_words
from collector.web.pulse import Notice
from collector.web.shelf import Shelf
from collector.web.sources import Sources

from .history import History
from .plot import Plot, plot

# Incidents are drawn from so long before they began, and the last of a long one for at most a week.
AROUND_S = 3600.0
LONGEST_S = 7 * 86_400.0
PLOTS = 200  # held at a time
# So much of the chronicle at once: the store's thread has commits to make in between. A day of fifteen
# networks takes a quarter of a second on a busy machine.
PIECE_ROUNDS = 72


class Archive:
    """Of one collector."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._plots = Shelf[Plot](PLOTS)
        self._said = Shelf[list[Revision]](PLOTS)

    async def said(self, incident: str) -> list[Revision]:
        """Every revision of an incident, the first first; none where there is no such incident."""
        last = self._sources.published().get(incident)

        async def load() -> list[Revision]:
            return await self._sources.revisions(incident)

        return await self._said.get(incident, last, load) if last else []

    def to_date(self, said: Sequence[Revision]) -> Revision:
        """The last of an incident's revisions as it stands now, which is how lists have it. `said` is how it
        was told and is never edited; its counts go on until there is something new to tell."""
        return self._sources.published().get(said[-1].incident.id, said[-1])

    def last_words(self, country: str | None = None) -> list[Revision]:
        """The last revision of each incident, of one country or of all, the newest incident first."""
        said = last_words(list(self._sources.published().values()))
        return [one for one in reversed(said) if country in (None, one.incident.country)]

    def card(self, said: Revision) -> dict[str, Any]:
        """One incident as lists name it."""
        voice = self._sources.voice
        return {"title": title(said, voice.words), **describe(said, voice)}

    def lasted_s(self, incident: Incident, at: float) -> float:
        """For how long, as the ledger counts it: what goes on until `at` (Unix seconds)."""
        round_s = self._sources.limits.round_s
        began = incident.since * round_s
        return max(began, at if incident.ended is None else incident.ended * round_s) - began

    async def window(self, notice: Notice, country: str, length_s: float) -> Plot:
        """The newest rounds of a country, for so many seconds back: from now, before there were any."""
        round_s = self._sources.limits.round_s
        last = notice.findings.state.number if notice.findings.until else int(notice.at // round_s) - 1
        first = last - int(length_s // round_s) + 1
        return await self.plot(notice, country, first, last)

    async def plot(self, notice: Notice, country: str, first: int, last: int) -> Plot:
        """A country's rounds from `first` to `last`."""
        limits, least = self._sources.limits, self._sources.display.min_prefixes

        async def load() -> Plot:
            history = History(first, last)
            for begins in range(first, last + 1, PIECE_ROUNDS):
                ends = min(last, begins + PIECE_ROUNDS - 1)
                rounds = await self._sources.chronicle(country, begins, ends)
                await asyncio.to_thread(history.add, rounds, least)
            return await asyncio.to_thread(plot, history, notice.snapshot.platforms, limits.round_s)

        return await self._plots.get(f"{country} {first} {last}", notice.findings, load)

    async def around(self, notice: Notice, said: Revision) -> Plot | None:
        """The rounds before, during and after; None where it is the world's."""
        incident, limits = said.incident, self._sources.limits
        if incident.country == WORLD:
            return None
        around, newest = int(AROUND_S // limits.round_s), notice.findings.state.number
        last = newest if incident.ended is None else min(newest, incident.ended + around)
        first = max(incident.since - around, last - int(LONGEST_S // limits.round_s))
        return await self.plot(notice, incident.country, first, last) if first <= last else None


def networks(said: Revision, least: int) -> dict[int, dict[str, Witnesses]]:
    """By ASN and platform: each network of enough homes at its worst."""
    found: dict[int, dict[str, Witnesses]] = {}
    for part in said.incident.parts:
        for asn, seen in part.networks.items():
            if seen.of >= least:
                found.setdefault(asn, {})[part.platform] = seen
    return dict(sorted(found.items()))


def stages(notice: Notice, country: str) -> dict[str, Mapping[str, tuple[int, int]]]:
    """By stage and platform: successes and failures in the snapshot's window."""
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for platform in notice.snapshot.platforms:
        tally = notice.snapshot.countries.get((country, platform))
        for stage, counts in (tally.stages if tally else {}).items():
            found.setdefault(stage, {})[platform] = counts
    return dict(found)
