"""What may be asked: every parameter of every address, read strictly, and described for the document. PURE.

A parameter that nobody knows is refused rather than passed over: whoever mistypes ``platfrom`` would take
the answer for another question's.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, TypeVar, cast

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, WithJsonSchema

from collector.detect.claims import WITHDRAWN
from collector.detect.incidents import Phase

T = TypeVar("T")

_QUERY: dict[str, Any] = {"extra": "forbid"}
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})"
)
PHASES = (*Phase, WITHDRAWN)


class Refused(Exception):
    """A question that gets no answer: `status` is HTTP's, `detail` says why in one line."""

    def __init__(self, status: int, detail: str, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.retry_after_s = status, detail, retry_after_s


class Form(StrEnum):
    """How rows are written."""

    JSON = "json"
    CSV = "csv"
    JSONL = "jsonl"


def _moment(text: object) -> float:
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        raise ValueError("a time in RFC 3339 with its zone, such as 2023-12-17T15:04:00Z")
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise ValueError(f"{text} is no moment of any calendar") from None


def _matching(pattern: str, what: str) -> BeforeValidator:
    compiled = re.compile(pattern)

    def read(text: object) -> object:
        if not isinstance(text, str) or not compiled.fullmatch(text):
            raise ValueError(what)
        return text

    return BeforeValidator(read)


def _one_of(words: Iterable[str]) -> BeforeValidator:
    return _matching("|".join(map(re.escape, words)), f"one of {', '.join(words)}")


def _limit(text: object) -> int:
    if not isinstance(text, str) or not re.fullmatch(r"[1-9][0-9]{0,2}", text) or int(text) > 500:
        raise ValueError("a number from 1 to 500")
    return int(text)


def _said(schema: dict[str, Any], description: str) -> tuple[WithJsonSchema, Any]:
    return WithJsonSchema(schema), Field(description=description)


_COUNTRY, _COUNTRY_WORDS = "[A-Z]{2}", "two capital letters (ISO 3166-1)"
Country = Annotated[
    str,
    _matching(_COUNTRY, _COUNTRY_WORDS),
    *_said({"type": "string", "pattern": f"^{_COUNTRY}$"}, "ISO 3166-1 alpha-2, in capitals."),
]
CountryOrWorld = Annotated[
    str,
    _matching(rf"{_COUNTRY}|\*", f"{_COUNTRY_WORDS}, or * for the world"),
    *_said(
        {"type": "string", "pattern": rf"^({_COUNTRY}|\*)$"},
        "ISO 3166-1 alpha-2, in capitals; `*` for outages of a platform everywhere.",
    ),
]
# Which there are is the collector's setting: the document lists them, and who serves compares.
Platform = Annotated[str, *_said({"type": "string"}, "A platform's name.")]
Time = Annotated[float, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
OneForm = Annotated[
    Form,
    _one_of(Form),
    *_said(
        {"type": "string", "enum": [str(one) for one in Form]},
        "JSON, CSV (RFC 4180, with a header) or JSON Lines.",
    ),
]
Cursor = Annotated[str, *_said({"type": "string"}, "Where the last answer ended; its `next` has it.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """No parameters."""

    __pydantic_config__ = _QUERY


@dataclass(frozen=True, slots=True, kw_only=True)
class OneCountry:
    """A country in the path."""

    __pydantic_config__ = _QUERY
    country: Country


@dataclass(frozen=True, slots=True, kw_only=True)
class OneIncident:
    """An incident in the path."""

    __pydantic_config__ = _QUERY
    id: Annotated[str, Field(description="As a list of incidents gives it.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesAsked:
    """A country's rounds. `since` and `until` are ``from`` and ``to``, in Unix seconds."""

    __pydantic_config__ = _QUERY
    country: Country
    since: Annotated[
        Time | None,
        Field(alias="from", description="The first round is that of this moment; 24 hours before `to`."),
    ] = None
    until: Annotated[
        Time | None,
        Field(alias="to", description="Rounds that began before; at most 7 days after `from`, or now."),
    ] = None
    platform: Platform | None = None
    format: OneForm = Form.JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentsAsked:
    """Incidents going on at any time from `since` to before `until` (Unix seconds)."""

    __pydantic_config__ = _QUERY
    country: CountryOrWorld | None = None
    platform: Platform | None = None
    phase: Annotated[
        str | None,
        _one_of(PHASES),
        *_said({"type": "string", "enum": [str(one) for one in PHASES]}, "Where it stands now."),
    ] = None
    since: Annotated[Time | None, Field(description="Going on then, or begun later.")] = None
    until: Annotated[Time | None, Field(description="Begun before.")] = None
    limit: Annotated[
        int,
        BeforeValidator(_limit),
        *_said({"type": "integer", "minimum": 1, "maximum": 500, "default": 100}, "So many at once."),
    ] = 100
    cursor: Cursor | None = None
    format: OneForm = Form.JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerAsked:
    """A part of the ledger."""

    __pydantic_config__ = _QUERY
    country: Country | None = None
    platform: Platform | None = None
    format: OneForm = Form.JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundsAsked:
    """Raw rounds, by when they were measured (Unix seconds)."""

    __pydantic_config__ = _QUERY
    country: Country
    platform: Platform | None = None
    since: Annotated[Time | None, Field(description="An hour before `until`; both to whole rounds.")] = None
    until: Annotated[Time | None, Field(description="At most an hour after `since`, or now.")] = None


@cache
def adapter(kind: Hashable) -> TypeAdapter[Any]:
    """What reads a kind of question, and describes it."""
    return TypeAdapter(cast(type[Any], kind))


def read(kind: type[T], pairs: Iterable[tuple[str, str]]) -> T:
    """The question in an address's parameters; raises `Refused`, naming the one to blame."""
    given: dict[str, str] = {}
    for name, text in pairs:
        if name in given:
            raise Refused(400, f"{_named(name)}: given twice")
        given[name] = text
    try:
        return cast(T, adapter(cast(Hashable, kind)).validate_python(given))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise Refused(400, f"{_named(str(first['loc'][0]))}: {_words(first)}") from None


def _words(error: Any) -> str:
    known = {"missing_argument": "missing", "missing_keyword_only_argument": "missing", "missing": "missing"}
    if error["type"] == "unexpected_keyword_argument":
        return "unknown parameter"
    return known.get(error["type"], str(error["msg"])).removeprefix("Value error, ")


def _named(name: str) -> str:
    """A name as it may stand in a message, whatever somebody called a parameter."""
    whole = name if name.isprintable() else f"{name[:40]!a}"
    return whole if len(whole) <= 40 else f"{whole[:40]}…"


def among(platform: str | None, platforms: Iterable[str]) -> None:
    """Refuse a platform that is not counted here."""
    if platform is not None and platform not in platforms:
        raise Refused(400, f"platform: one of {', '.join(platforms)}")
