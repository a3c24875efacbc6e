"""Raw rounds, where the operator gives them out: for one at a time, an hour at most, part by part."""

from __future__ import annotations

import asyncio
import secrets

from collector.rounds import Mark, Wanted
from collector.web.sources import Sources

from .answer import Pen, Sheet
from .asked import Form, Refused, RoundsAsked, among
from .charts import told_until
from .state import moment

HOUR_S = 3600.0
BUSY_S = 5.0


class Raw:
    """Of one collector. Rounds are named under a key of this process: nobody can follow a name."""

    def __init__(self, sources: Sources, pen: Pen) -> None:
        self._sources, self._pen = sources, pen
        self._reading, self._key = asyncio.Lock(), secrets.token_bytes(32)

    async def rounds(self, asked: RoundsAsked) -> Sheet:
        """The rounds asked for; raises `Refused`."""
        among(asked.platform, self._sources.snapshot().platforms)
        since, until = self._span(asked)
        if self._reading.locked():
            raise Refused(429, "raw rounds are read for one at a time", BUSY_S)
        async with self._reading:
            minute, _, batches = (asked.cursor or "0-0").partition("-")
            wanted = Wanted(
                country=asked.country,
                since=since,
                until=until,
                round_s=self._sources.limits.round_s,
                alone=await self._alone(asked, since, until),
                mark=Mark(minute=int(minute), batches=int(batches)),
                key=self._key,
            )
            lines, mark = await self._sources.rounds(wanted) if wanted.alone else ([], None)
            onward = {} if mark is None else self._onward(mark, since, until)
            return await self._pen.written(lambda: ("".join(f"{one}\n" for one in lines), onward), Form.JSONL)

    def _span(self, asked: RoundsAsked) -> tuple[float, float]:
        """From when to when, in Unix seconds, as far as it was told."""
        told = told_until(self._sources)
        until = told if asked.until is None else asked.until
        since = until - HOUR_S if asked.since is None else asked.since
        if since >= until:
            raise Refused(400, "since: not before until")
        if until - since > HOUR_S:
            raise Refused(400, "since: more than an hour before until; ask for one after another")
        return min(told, max(0.0, since)), min(told, max(0.0, until))

    async def _alone(self, asked: RoundsAsked, since: float, until: float) -> frozenset[tuple[int, int, str]]:
        """Detector's rounds, networks and platforms with votes of so many prefixes that `series` shows them
        by themselves."""
        round_s, least = self._sources.limits.round_s, self._sources.display.min_prefixes
        told = await self._sources.chronicle(asked.country, int(since // round_s), int(until // round_s))
        return frozenset(
            (one.number, seen.asn, seen.platform)
            for one in told
            for seen in one.networks
            if seen.prefixes >= least and asked.platform in (None, seen.platform)
        )

    def _onward(self, mark: Mark, since: float, until: float) -> dict[str, str]:
        return {"cursor": f"{mark.minute}-{mark.batches}", "since": moment(since), "until": moment(until)}
