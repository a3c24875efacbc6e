"""Questions become answers: the handlers, and for how long what they made is kept.

An answer is made for the first who asks and given to everybody until there is a newer snapshot or round; one
is written at a time, in a thread. What costs the store something is read piece by piece.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import math
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from aiohttp import web

from collector.detect.bundling import last_round
from collector.detect.evidence import NoEvidence
from collector.detect.revisions import Revision
from collector.detector import GRACE_S, Findings
from collector.snapshot import Snapshot
from collector.web.ledger import Entry, ledger
from collector.web.shelf import Leaf, Shelf
from collector.web.sources import Sources

from .answer import Sheet, gate, sent
from .asked import (
    Form,
    IncidentsAsked,
    LedgerAsked,
    Nothing,
    OneCountry,
    OneIncident,
    Refused,
    SeriesAsked,
    among,
    read,
)
from .document import OPERATIONS, document
from .forms import KINDS, json_text, jsonl, table
from .incidents import COLUMNS, chosen, described, lines
from .limit import Limiter
from .models import Incident, Incidents, IncidentTold, Series, SeriesRow
from .series import rows
from .state import describe, heard_from, moment

SNAPSHOT_AGE_S = 2.0  # as often as there is a new one
ROUND_AGE_S = 30.0  # at most: what comes late changes rounds that were told
FIXED_AGE_S = 300.0

DAY_S = 86_400.0
LONGEST_S = 7 * DAY_S
MOST_ROWS = 10_000  # some 3 MB as JSON; the rest is the next answer's
PIECE_ROUNDS = 288  # of the chronicle at once: the store's thread has commits to make in between

Query = Mapping[str, str]  # what the address of the rest of an answer says otherwise
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, eq=False)
class Edition:
    """What the state is made of. The same object as long as both are the same."""

    snapshot: Snapshot
    findings: Findings


def application(sources: Sources) -> web.Application:
    """Everything under ``/api``, to be mounted there."""
    limiter = Limiter(sources.api.requests_a_minute, secrets.token_bytes(32))
    app = web.Application(middlewares=[gate(limiter, sources.wall)])
    app.add_routes(Api(sources).routes())
    return app


class Api:
    """Every address, of one collector."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._states, self._lists, self._fixed = Shelf[Sheet](300), Shelf[Sheet](64), Shelf[Sheet](1)
        self._charts, self._bundles = Shelf[Sheet](16), Shelf[Sheet | Refused](4)
        self._pen = asyncio.Lock()
        self._edition = Edition(sources.snapshot(), sources.findings())

    def routes(self) -> list[web.RouteDef]:
        """A route for each operation."""
        handlers: Mapping[str, Callable[[Any], Awaitable[Sheet]]] = {
            "state": self._state,
            "country": self._country,
            "series": self._series,
            "incidents": self._incidents,
            "incident": self._incident,
            "evidence": self._evidence,
            "ledger": self._ledger,
            "openapi": self._document,
        }
        ages = {"state": self._snapshot_age, "country": self._snapshot_age, "openapi": lambda: FIXED_AGE_S}
        return [
            web.get(
                f"/v1{one.path}",
                _answering(one.asked, handlers[one.name], ages.get(one.name, self._round_age)),
            )
            for one in OPERATIONS
        ]

    def _snapshot_age(self) -> float:
        return SNAPSHOT_AGE_S

    def _round_age(self) -> float:
        """Until the next round is told."""
        told_at = self._sources.findings().until + self._sources.limits.round_s + GRACE_S
        return max(1.0, min(ROUND_AGE_S, told_at - self._sources.wall()))

    @property
    def _until(self) -> float:
        """The end of the last round told; now, where none was."""
        return self._sources.findings().until or self._sources.wall()

    async def _written(self, write: Callable[[], tuple[str, Query]], form: Form = Form.JSON) -> Sheet:
        async with self._pen:
            text, onward = await asyncio.to_thread(write)
            leaf = await asyncio.to_thread(Leaf.of, text)
        return Sheet(leaf, KINDS[form], onward=onward)

    async def _state(self, _asked: Nothing) -> Sheet:
        return await self._stated(None)

    async def _country(self, asked: OneCountry) -> Sheet:
        if asked.country not in heard_from(self._sources.snapshot(), self._sources.findings()):
            raise Refused(404, f"no probe in {asked.country} has reported within the window")
        return await self._stated(asked.country)

    async def _stated(self, country: str | None) -> Sheet:
        now = Edition(self._sources.snapshot(), self._sources.findings())
        if (now.snapshot, now.findings) != (self._edition.snapshot, self._edition.findings):
            self._edition = now
        only, least = None if country is None else {country}, self._sources.display.min_prefixes

        def write() -> tuple[str, Query]:
            return json_text(describe(now.snapshot, now.findings, least, only)), {}

        return await self._states.get(country or "", self._edition, lambda: self._written(write))

    async def _series(self, asked: SeriesAsked) -> Sheet:
        among(asked.platform, self._sources.snapshot().platforms)
        first, last = self._span(asked)
        name = f"{asked.country} {first} {last} {asked.platform} {asked.format}"

        async def make() -> Sheet:
            told, following = await self._told(asked, first, last)
            return await self._written(lambda: self._chart(asked, first, last, told, following), asked.format)

        return await self._charts.get(name, self._sources.findings(), make)

    def _span(self, asked: SeriesAsked) -> tuple[int, int]:
        """The first and the last round asked for, of those that were told."""
        round_s = self._sources.limits.round_s
        until = self._until if asked.until is None else asked.until
        since = until - DAY_S if asked.since is None else asked.since
        if since >= until:
            raise Refused(400, "from: not before to")
        if until - since > LONGEST_S:
            raise Refused(400, "from: more than 7 days before to; ask for one week after another")
        first, last = int(since // round_s), math.ceil(until / round_s) - 1
        return max(0, min(self._head + 1, first)), min(self._head, last)

    @property
    def _head(self) -> int:
        return self._sources.findings().state.number

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

    async def _incidents(self, asked: IncidentsAsked) -> Sheet:
        among(asked.platform, self._sources.snapshot().platforms)
        published, limits = list(self._sources.published().values()), self._sources.limits

        def write() -> tuple[str, Query]:
            page, cursor = chosen(published, asked, limits)
            told = [self._described(one) for one in page]
            onward = {} if cursor is None else {"cursor": cursor}
            if asked.format is Form.CSV:
                return table(COLUMNS, lines(told)), onward
            if asked.format is Form.JSONL:
                return jsonl(told), onward
            whole: Incidents = {"incidents": told, "next": cursor}
            return json_text(whole), onward

        return await self._lists.get(
            f"{asked}", self._sources.findings(), lambda: self._written(write, asked.format)
        )

    def _described(self, revision: Revision) -> Incident:
        return described(revision, self._sources.limits, self._sources.display.min_prefixes)

    def _last(self, incident: str) -> Revision:
        """The last word on an incident; raises `Refused`. Asked of memory: names that were made up cost the
        store nothing."""
        last = self._sources.published().get(incident)
        if last is None:
            raise Refused(404, "no such incident was ever published")
        return last

    async def _incident(self, asked: OneIncident) -> Sheet:
        async def make() -> Sheet:
            told = await self._sources.revisions(asked.id)
            return await self._written(
                lambda: (json_text(IncidentTold(id=asked.id, revisions=[*map(self._described, told)])), {})
            )

        return await self._lists.get(f"incident {asked.id}", self._last(asked.id), make)

    async def _evidence(self, asked: OneIncident) -> Sheet:
        last = self._last(asked.id)
        newest = last_round(last.incident, self._head, self._sources.limits)

        async def make() -> Sheet | Refused:
            try:
                data = await self._sources.evidence(asked.id)
            except NoEvidence as why:
                return Refused(404, f"{why}")
            headers = {"Content-Disposition": f'attachment; filename="{asked.id}.evidence.json"'}
            return Sheet(await asyncio.to_thread(_bundle, data), KINDS["json"], headers)

        # One at a time, whoever asks for which: it reads the store round by round.
        found = await self._bundles.get(f"{asked.id} {last.number} {newest}", self, make)
        if isinstance(found, Refused):
            raise found
        return found

    async def _ledger(self, asked: LedgerAsked) -> Sheet:
        among(asked.platform, self._sources.snapshot().platforms)
        published, at = list(self._sources.published().values()), self._until

        def write() -> tuple[str, Query]:
            told = [
                asdict(one)
                for one in ledger(published, at, self._sources.limits.round_s)
                if asked.country in (None, one.country) and asked.platform in (None, one.platform)
            ]
            if asked.format is Form.CSV:
                return table([column.name for column in fields(Entry)], told), {}
            if asked.format is Form.JSONL:
                return jsonl(told), {}
            return json_text({"at": moment(at), "entries": told}), {}

        return await self._lists.get(
            f"{asked}", self._sources.findings(), lambda: self._written(write, asked.format)
        )

    async def _document(self, _asked: Nothing) -> Sheet:
        platforms = self._sources.snapshot().platforms
        return await self._fixed.get(
            "", self, lambda: self._written(lambda: (json_text(document(OPERATIONS, platforms)), {}))
        )


def _answering(kind: type, answer: Callable[[Any], Awaitable[Sheet]], age_s: Callable[[], float]) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        asked: object = read(kind, [*request.match_info.items(), *request.query.items()])
        return sent(request, await answer(asked), age_s())

    return handle


def _bundle(data: bytes) -> Leaf:
    """Under its SHA-256, so that a file can be compared with what is served."""
    return Leaf(data, gzip.compress(data, 5, mtime=0), f'W/"{hashlib.sha256(data).hexdigest()}"')
