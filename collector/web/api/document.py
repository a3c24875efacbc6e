"""The table of everything that can be asked, and the OpenAPI 3.1 document made of it. PURE.

Whoever adds an address adds a row here and a handler in `serve`; parameters and answers are described by
the very types that read and write them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from probe.wire.version import __version__

from . import asked, models

VERSION = "1"
BASE = f"/api/v{VERSION}"
_REFS = "#/components/schemas/{model}"

_ABOUT = """\
What volunteers' probes can reach, and what a detector concludes from it.

- `suspected` is possible and no more. `insufficient` means that too few can judge, never that all is well.
- What is not there had no votes: draw it as a gap.
- Counts are of homes, one vote a network prefix. No probe, prefix or address is given out, and networks of
  few prefixes are only counted together.
- An incident is never edited: what changes is said by a further revision, and the last one holds.
- Answers may be kept for as long as `Cache-Control` says; with `If-None-Match` what has not changed is not
  sent again.
- Within a version keys may be added, and nothing else changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One address. `asked` reads its parameters, `answer` is what it gives as JSON, if it does; `tables`
    where the same comes as CSV and JSON Lines too."""

    name: str
    path: str
    summary: str
    asked: type
    answer: Any
    refusals: tuple[int, ...] = (400,)
    tables: bool = False


OPERATIONS = (
    Operation(
        name="state",
        path="/state",
        summary="The state now, of every country",
        asked=asked.Nothing,
        answer=models.State,
    ),
    Operation(
        name="country",
        path="/state/{country}",
        summary="The state now, of one country",
        asked=asked.OneCountry,
        answer=models.State,
        refusals=(400, 404),
    ),
    Operation(
        name="series",
        path="/series/{country}",
        summary="A country round by round",
        asked=asked.SeriesAsked,
        answer=models.Series,
        tables=True,
    ),
    Operation(
        name="incidents",
        path="/incidents",
        summary="The last word on each incident, newest first; as CSV a line for each of its platforms",
        asked=asked.IncidentsAsked,
        answer=models.Incidents,
        tables=True,
    ),
    Operation(
        name="incident",
        path="/incidents/{id}",
        summary="Everything published on one incident",
        asked=asked.OneIncident,
        answer=models.IncidentTold,
        refusals=(400, 404),
    ),
    Operation(
        name="evidence",
        path="/incidents/{id}/evidence",
        summary="What the claim rests on, as a file that `reachwatch-collector verify` makes it again from",
        asked=asked.OneIncident,
        answer=models.EvidenceFile,
        refusals=(400, 404),
    ),
    Operation(
        name="ledger",
        path="/ledger",
        summary="Confirmed disruptions, by country, platform and half-year",
        asked=asked.LedgerAsked,
        answer=models.Ledger,
        tables=True,
    ),
    Operation(
        name="openapi",
        path="/openapi.json",
        summary="This document",
        asked=asked.Nothing,
        answer=models.Document,
    ),
)
# Only where an operator has decided so: `api.rounds` says why.
ROUNDS = Operation(
    name="rounds",
    path="/rounds",
    summary="Raw rounds as OONI's `web_connectivity` (data format 0.2.0), JSON Lines, blurred so that they "
    "tell of a network and not of a home: of networks that `series` shows by themselves in that round, of "
    "lines that could judge, and of what came within a quarter of an hour. At most 1000 lines, chosen by "
    "chance where there are more: ask for a shorter time",
    asked=asked.RoundsAsked,
    answer=None,
)

_WHY = {
    400: "A parameter is wrong, unknown or given twice",
    404: "There is none",
    405: "Only GET and HEAD",
    429: "Asked too often from this address, or busy; `Retry-After` says when again",
    503: "The store cannot be read now",
}


def document(operations: Collection[Operation], platforms: Collection[str]) -> dict[str, Any]:
    """The document, for a collector that counts these platforms."""
    answers = {one.name: one.answer for one in operations if one.answer is not None}
    inputs = [(name, "serialization", TypeAdapter(kind)) for name, kind in answers.items()]
    inputs.append(("problem", "serialization", TypeAdapter(models.Problem)))
    schemas, shared = TypeAdapter.json_schemas(inputs, ref_template=_REFS)  # type: ignore[arg-type]
    of = {name: schema for (name, _), schema in schemas.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "reachwatch", "version": f"{VERSION}+{__version__}", "description": _ABOUT},
        "servers": [{"url": BASE}],
        "paths": {one.path: {"get": _get(one, of, platforms)} for one in operations},
        "components": {"schemas": shared["$defs"]},
    }


def _get(operation: Operation, schemas: dict[str, Any], platforms: Collection[str]) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": schemas["problem"]}}
    refusals = (*operation.refusals, 405, 429, 503)
    return {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": _parameters(operation, platforms),
        "responses": {
            "200": {"description": operation.summary, "content": _content(operation, schemas)},
            "304": {"description": "As it was when it had the ETag that was sent"},
            **{str(status): {"description": _WHY[status], "content": problem} for status in refusals},
        },
    }


def _content(operation: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    text = {"schema": {"type": "string"}}
    if operation.answer is None:
        return {"application/jsonl": text}
    kinds = {"application/json": {"schema": schemas[operation.name]}}
    return kinds | {"text/csv": text, "application/jsonl": text} if operation.tables else kinds


def _parameters(operation: Operation, platforms: Collection[str]) -> list[dict[str, Any]]:
    """As the type that reads them has them, in the order in which it does."""
    whole = asked.adapter(operation.asked).json_schema()
    found: list[dict[str, Any]] = []
    for name, schema in whole.get("properties", {}).items():
        in_path = f"{{{name}}}" in operation.path
        choices: list[dict[str, Any]] = schema.pop("anyOf", [])  # a parameter that may be left out
        plain = next((one for one in choices if one.get("type") != "null"), {})
        kind = {key: value for key, value in (schema | plain).items() if key not in ("title", "description")}
        if kind.get("default", ...) is None:
            del kind["default"]
        if name == "platform":
            kind["enum"] = list(platforms)
        described = schema.get("description", plain.get("description"))
        found.append(
            {
                "name": name,
                "in": "path" if in_path else "query",
                "required": name in whole.get("required", ()),
                **({"description": described} if described else {}),
                "schema": kind,
            }
        )
    return found
