"""A country's rounds, read from the chronicle piece by piece and kept until there is a new round."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from collector.web.shelf import Shelf
from collector.web.sources import Sources

from .answer import Pen, Query, Sheet
from .asked import Form, Refused, SeriesAsked, among
from .forms import json_text, jsonl, table
from .models import Series, SeriesRow
from .series import rows
from .state import moment

DAY_S = 86_400.0
LONGEST_S = 7 * DAY_S
MOST_ROWS = 10_000  # some 3 MB as JSON; the rest is the next answer's
PIECE_ROUNDS = 48  # of the chronicle at once: the store's thread has commits to make in between
HELD = 16


def told_until(sources: Sources) -> float:
    """The end of the last round told, in Unix seconds; now, where none was."""
    return sources.findings().until or sources.wall()


class Charts:
    """Of one collector."""

    def __init__(self, sources: Sources, pen: Pen) -> None:
        self._sources, self._pen = sources, pen
        self._held = Shelf[Sheet](HELD)

    async def series(self, asked: SeriesAsked) -> Sheet:
        """The rounds asked for; raises `Refused`."""
        among(asked.platform, self._sources.snapshot().platforms)
        first, last = self._span(asked)
        name = f"{asked.country} {first} {last} {asked.platform} {asked.format}"

        async def make() -> Sheet:
            told, following = await self._told(asked, first, last)
            return await self._pen.written(
                lambda: self._chart(asked, first, last, told, following), asked.format
            )

        return await self._held.get(name, self._sources.findings(), make)

    def _span(self, asked: SeriesAsked) -> tuple[int, int]:
        """The first and the last round asked for, of those that were told."""
        round_s = self._sources.limits.round_s
        until = told_until(self._sources) if asked.until is None else asked.until
        since = until - DAY_S if asked.since is None else asked.since
        if since >= until:
            raise Refused(400, "from: not before to")
        if until - since > LONGEST_S:
            raise Refused(400, "from: more than 7 days before to; ask for one week after another")
        # Before the first round nothing was told of any: what is asked for is answered without rows.
        findings, now = self._sources.findings(), self._sources.wall()
        head = findings.state.number if findings.until else int(now // round_s) - 1
        first, last = int(since // round_s), math.ceil(until / round_s) - 1
        return max(0, min(head + 1, first)), min(head, last)

    async def _told(self, asked: SeriesAsked, first: int, last: int) -> tuple[list[SeriesRow], int | None]:
        """Whole rounds, of no more than so many rows; and the one that the next answer begins with."""
        found: list[SeriesRow] = []
        limits, least = self._sources.limits, self._sources.display.min_prefixes
        for begins in range(first, last + 1, PIECE_ROUNDS):
            piece = await self._sources.chronicle(asked.country, begins, min(last, begins + PIECE_ROUNDS - 1))
            told = await asyncio.to_thread(list, rows(piece, limits.round_s, least, asked.platform))
            for one, more in zip(piece, told, strict=True):
                if found and len(found) + len(more) > MOST_ROWS:
                    return found, one.number
                found += more
        return found, None

    def _chart(
        self, asked: SeriesAsked, first: int, last: int, told: Sequence[SeriesRow], following: int | None
    ) -> tuple[str, Query]:
        round_s, end = self._sources.limits.round_s, max(first, last + 1)
        onward = (
            {} if following is None else {"from": moment(following * round_s), "to": moment(end * round_s)}
        )
        if asked.format is Form.CSV:
            return table(tuple(SeriesRow.__annotations__), told), onward
        if asked.format is Form.JSONL:
            return jsonl(told), onward
        whole: Series = {
            "country": asked.country,
            "since": moment(first * round_s),
            "until": moment((end if following is None else following) * round_s),
            "round_s": round_s,
            "rows": [*told],
            "next": onward.get("from"),
        }
        return json_text(whole), onward
