"""Raw rounds, where the operator gives them out: for one at a time, an hour at most."""

from __future__ import annotations

import asyncio
import math
import secrets

from collector.rounds import Wanted
from collector.web.sources import Sources

from .answer import Pen, Sheet
from .asked import Form, Refused, RoundsAsked, among
from .charts import told_until

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
        first, last = self._span(asked)
        if self._reading.locked():
            raise Refused(429, "raw rounds are read for one at a time", BUSY_S)
        async with self._reading:
            wanted = Wanted(
                country=asked.country,
                round_s=self._sources.limits.round_s,
                alone=await self._alone(asked, first, last),
                key=self._key,
            )
            lines = await self._sources.rounds(wanted) if wanted.alone else []
            return await self._pen.written(lambda: ("".join(f"{one}\n" for one in lines), {}), Form.JSONL)

    def _span(self, asked: RoundsAsked) -> tuple[int, int]:
        """The detector's rounds, first and last: whole ones, for with a narrow window somebody could look for
        the second in which a home measured."""
        round_s = self._sources.limits.round_s
        until = told_until(self._sources) if asked.until is None else asked.until
        since = until - HOUR_S if asked.since is None else asked.since
        if since >= until:
            raise Refused(400, "since: not before until")
        if until - since > HOUR_S:
            raise Refused(400, "since: more than an hour before until; ask for one after another")
        return int(since // round_s), math.ceil(until / round_s) - 1

    async def _alone(self, asked: RoundsAsked, first: int, last: int) -> frozenset[tuple[int, int, str]]:
        """Detector's rounds, networks and platforms with votes of so many prefixes that `series` shows them
        by themselves."""
        told = await self._sources.chronicle(asked.country, first, last)
        least = self._sources.display.min_prefixes
        return frozenset(
            (one.number, seen.asn, seen.platform)
            for one in told
            for seen in one.networks
            if seen.prefixes >= least and asked.platform in (None, seen.platform)
        )
