"""The records read by their own annotations, for the agent: pydantic, which reads the very same ones where
a collector is sent them, would be a quarter of its memory. A test holds both to the same verdict.

Strict as `strict.STRICT` is: nothing is taken for something else, but a whole number for a float and a
string for a moment or a word.
"""

from __future__ import annotations

import json
import re
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache
from math import isfinite
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Len

from .codec import DecodeError
from .openenum import OpenEnum

T = TypeVar("T")

# RFC 3339; of a moment without a zone the record itself has to judge.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)?")
_KINDS = {str: "string", int: "integer", float: "number", bool: "boolean"}


def validate(kind: type[T], data: bytes) -> T:
    """What `codec.validate` does: only the types, for JSON of our own making; raises `DecodeError`."""
    return cast(T, _read(kind, json.loads(data), "$"))


def _read(kind: Any, value: object, path: str) -> Any:
    """The value as an annotation wants it."""
    origin = get_origin(kind)
    if origin is Annotated:
        inner, *limits = get_args(kind)
        found = _read(inner, value, path)
        for limit in limits:
            _limit(limit, found, path)
        return found
    if origin in (Union, UnionType):  # all of ours are "or None"
        return None if value is None else _read(get_args(kind)[0], value, path)
    if origin is Literal:
        if type(value) is not str or value not in get_args(kind):
            raise DecodeError(path, f"Input should be {' or '.join(map(repr, get_args(kind)))}")
        return value
    if origin is tuple:
        if not isinstance(value, list):
            raise DecodeError(path, "Input should be a valid array")
        return tuple(_read(get_args(kind)[0], item, f"{path}[{n}]") for n, item in enumerate(value))
    if is_dataclass(kind):
        return _record(kind, value, path)
    return _simple(kind, value, path)


def _record(kind: Any, value: object, path: str) -> Any:
    if not isinstance(value, dict):
        raise DecodeError(path, "Input should be an object")
    known = _fields(kind)
    given = {}
    for name, (hint, needed) in known.items():
        if name in value:
            given[name] = _read(hint, value[name], f"{path}.{name}")
        elif needed:
            raise DecodeError(f"{path}.{name}", "missing")
    for name in value:
        if name not in known:
            raise DecodeError(f"{path}.{name}", "unknown key")
    try:
        return kind(**given)
    except ValueError as error:  # from the record's own __post_init__
        raise DecodeError(path, str(error)) from None


@cache
def _fields(kind: Any) -> dict[str, tuple[Any, bool]]:
    """Each field's annotation, and whether it has to be there."""
    hints = get_type_hints(kind, include_extras=True)
    return {
        f.name: (hints[f.name], f.default is MISSING and f.default_factory is MISSING) for f in fields(kind)
    }


def _simple(kind: Any, value: object, path: str) -> Any:
    if issubclass(kind, (OpenEnum, datetime)):
        return _spelt(kind, value, path)
    if type(value) is not kind and not (kind is float and type(value) is int):
        raise DecodeError(path, f"Input should be a valid {_KINDS[kind]}")
    return _finite(cast(float, value), path) if kind is float else value


def _finite(value: float, path: str) -> float:
    try:
        if isfinite(value):
            return float(value)
    except OverflowError:  # a whole number of hundreds of digits
        pass
    raise DecodeError(path, "Input should be a finite number")


def _spelt(kind: Any, value: object, path: str) -> Any:
    """What JSON has no form of its own for."""
    try:
        if type(value) is str and (kind is not datetime or _MOMENT.fullmatch(value)):
            return kind.fromisoformat(value) if kind is datetime else kind(value)
    except ValueError:
        pass
    raise DecodeError(path, "Input should be a valid datetime" if kind is datetime else "not a word")


def _limit(limit: object, value: Any, path: str) -> None:
    if value is None:
        return
    match limit:
        case Ge(ge=least) if value < least:
            raise DecodeError(path, f"Input should be greater than or equal to {least}")
        case Gt(gt=below) if value <= below:
            raise DecodeError(path, f"Input should be greater than {below}")
        case Le(le=most) if value > most:
            raise DecodeError(path, f"Input should be less than or equal to {most}")
        case Len():
            _length(limit, value, path)


def _length(limit: Len, value: str | tuple[object, ...], path: str) -> None:
    text = isinstance(value, str)
    what, unit = ("String", "character") if text else ("Tuple", "item")
    found = "" if text else f" after validation, not {len(value)}"
    for word, bound in (("least", limit.min_length), ("most", limit.max_length)):
        if bound is not None and (len(value) < bound if word == "least" else len(value) > bound):
            raise DecodeError(path, f"{what} should have at {word} {bound} {unit}{'s' * (bound != 1)}{found}")
