"""Questions become answers: the handlers, and for how long what they made is kept.

An answer is made for the first who asks and given to everybody until there is a newer snapshot or round; one
is written at a time, in a thread. What costs the store something is read piece by piece.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from aiohttp import web

from collector.detect.evidence import NoEvidence
from collector.detect.revisions import Revision
from collector.detector import GRACE_S, Findings
from collector.limit import Limiter
from collector.snapshot import Snapshot
from collector.web.ledger import Entry, ledger
from collector.web.shelf import Leaf, Shelf
from collector.web.sources import Sources

from .answer import Pen, Query, Sheet, gate, sent
from .asked import (
    Form,
    IncidentsAsked,
    LedgerAsked,
    Nothing,
    OneCountry,
    OneIncident,
    Refused,
    among,
    read,
)
from .charts import Charts, told_until
from .document import OPERATIONS, ROUNDS, document
from .forms import KINDS, json_text, jsonl, table
from .incidents import COLUMNS, chosen, described, lines
from .models import Incident, Incidents, IncidentTold
from .raw import Raw
from .state import describe, heard_from, moment

SNAPSHOT_AGE_S = 2.0  # as often as there is a new one
ROUND_AGE_S = 30.0  # at most: what comes late changes rounds that were told
FIXED_AGE_S = 300.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, eq=False)
class Edition:
    """What the state is made of. The same object as long as both are the same."""

    snapshot: Snapshot
    findings: Findings


def application(sources: Sources, limiter: Limiter) -> web.Application:
    """Everything under ``/api``, to be mounted there."""
    app = web.Application(middlewares=[gate(limiter, sources.wall)])
    app.add_routes(Api(sources).routes())
    return app


class Api:
    """Every address, of one collector."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._states, self._lists, self._fixed = Shelf[Sheet](300), Shelf[Sheet](64), Shelf[Sheet](1)
        self._bundles = Shelf[Sheet | Refused](4)
        self._pen = Pen()
        self._operations = (*OPERATIONS, ROUNDS) if sources.api.rounds else OPERATIONS
        self._edition = Edition(sources.snapshot(), sources.findings())

    def routes(self) -> list[web.RouteDef]:
        """A route for each operation."""
        handlers: Mapping[str, Callable[[Any], Awaitable[Sheet]]] = {
            "state": self._state,
            "country": self._country,
            "series": Charts(self._sources, self._pen).series,
            "incidents": self._incidents,
            "incident": self._incident,
            "evidence": self._evidence,
            "ledger": self._ledger,
            "openapi": self._document,
            "rounds": Raw(self._sources, self._pen).rounds,
        }
        ages = {"state": self._snapshot_age, "country": self._snapshot_age, "openapi": lambda: FIXED_AGE_S}
        return [
            web.get(
                f"/v1{one.path}",
                _answering(one.asked, handlers[one.name], ages.get(one.name, self._round_age)),
            )
            for one in self._operations
        ]

    def _snapshot_age(self) -> float:
        return SNAPSHOT_AGE_S

    def _round_age(self) -> float:
        """Until the next round is told."""
        told_at = self._sources.findings().until + self._sources.limits.round_s + GRACE_S
        return max(1.0, min(ROUND_AGE_S, told_at - self._sources.wall()))

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

        return await self._states.get(country or "", self._edition, lambda: self._pen.written(write))

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
            f"{asked}", self._sources.findings(), lambda: self._pen.written(write, asked.format)
        )

    def _described(self, revision: Revision) -> Incident:
        return described(revision, self._sources.voice)

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
            return await self._pen.written(
                lambda: (json_text(IncidentTold(id=asked.id, revisions=[*map(self._described, told)])), {})
            )

        return await self._lists.get(f"incident {asked.id}", self._last(asked.id), make)

    async def _evidence(self, asked: OneIncident) -> Sheet:
        self._last(asked.id)

        async def make() -> Sheet | Refused:
            try:
                data = await self._sources.evidence(asked.id)
            except NoEvidence as why:
                return Refused(404, f"{why}")
            headers = {"Content-Disposition": f'attachment; filename="{asked.id}.evidence.json"'}
            return Sheet(await asyncio.to_thread(_bundle, data), KINDS["json"], headers)

        # One at a time, whoever asks for which: it reads the store round by round. Anew with every finding,
        # because a quarantine or what came late changes what a claim rests on long after it is over.
        found = await self._bundles.get(asked.id, self._sources.findings(), make)
        if isinstance(found, Refused):
            raise found
        return found

    async def _ledger(self, asked: LedgerAsked) -> Sheet:
        among(asked.platform, self._sources.snapshot().platforms)
        published, at = list(self._sources.published().values()), told_until(self._sources)

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
            f"{asked}", self._sources.findings(), lambda: self._pen.written(write, asked.format)
        )

    async def _document(self, _asked: Nothing) -> Sheet:
        platforms = self._sources.snapshot().platforms
        return await self._fixed.get(
            "",
            self,
            lambda: self._pen.written(lambda: (json_text(document(self._operations, platforms)), {})),
        )


def _answering(kind: type, answer: Callable[[Any], Awaitable[Sheet]], age_s: Callable[[], float]) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        asked: object = read(kind, [*request.match_info.items(), *request.query.items()])
        return sent(request, await answer(asked), age_s())

    return handle


def _bundle(data: bytes) -> Leaf:
    """Under its SHA-256, so that a file can be compared with what is served."""
    return Leaf(data, gzip.compress(data, 5, mtime=0), f'W/"{hashlib.sha256(data).hexdigest()}"')
