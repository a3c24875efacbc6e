"""Records to bytes and back. Encoding is canonical; decoding is strict, bounded and says where.

Encoding needs the standard library alone, so the agent stays small. Decoding validates the same
dataclasses with pydantic, which is imported on the first decode; the agent has `reader` in its place. The
shape is looked at first, because JSON readers are lenient where it hurts: they keep the last of two equal
keys, read ``1e999`` as infinity and accept control characters in strings.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar, cast

if TYPE_CHECKING:
    from pydantic import TypeAdapter

MAX_BYTES = 1 << 20  # A clean round is 120 KB of JSON; 1 MiB holds one in which every question was asked.
MAX_DEPTH = 16  # The deepest record of ours, a certificate's names, lies 9 deep.

T = TypeVar("T")

# pydantic speaks of Python; who wrote the JSON or the TOML should not have to.
_OURS = {
    "unexpected_keyword_argument": "unknown key",
    "missing": "missing",
    "json_invalid": "not JSON",
    "enum": "not a word",
}


class DecodeError(ValueError):
    """Bytes that are no such record. `path` is a JSON path (RFC 9535) into what was sent."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message


def encode(record: object) -> bytes:
    """The record as compact UTF-8 JSON, fields in order of declaration, defaults left out."""
    return _WRITER.encode(plain(record)).encode()


_WRITER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def plain(value: object, *, whole: bool = False) -> Any:
    """The value as JSON's own types; `whole` keeps the fields that hold their default."""
    if type(value) in _PLAIN:
        return value
    if is_dataclass(value):
        return {
            name: plain(item, whole=whole)
            for name, default in _fields(cast(Hashable, type(value)))
            if (item := getattr(value, name)) != default or whole
        }
    if isinstance(value, (tuple, list)):
        return [plain(item, whole=whole) for item in value]
    if isinstance(value, datetime):
        return rfc3339(value)
    return value


# What most values are.
_PLAIN = frozenset({str, int, float, bool, type(None)})


@cache
def _fields(kind: Hashable) -> tuple[tuple[str, object], ...]:
    """Names and defaults, `dataclasses.MISSING` where there is none."""
    return tuple((f.name, f.default) for f in fields(cast(Any, kind)))


def rfc3339(moment: datetime) -> str:
    """A moment as RFC 3339 writes it, in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Validate(Protocol):
    """Makes a record of JSON, or raises `DecodeError`: `validate` here, or `reader.validate`."""

    def __call__(self, kind: type[T], data: bytes) -> T:
        """One record of `kind`."""


def decode(kind: type[T], data: bytes, by: Validate | None = None) -> T:
    """Read one record of `kind`; raises `DecodeError` and nothing else."""
    if len(data) > MAX_BYTES:
        raise DecodeError("$", f"over {MAX_BYTES} bytes")
    shape = _look(data)
    try:
        return (by or validate)(kind, data)
    except DecodeError:
        _sound(shape)
        raise


def _look(data: bytes) -> object:
    """Refuse what a lenient reader would take; what is there otherwise, as Python reads it."""
    try:
        shape = json.loads(data, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except DecodeError:
        raise
    except UnicodeDecodeError as error:
        raise DecodeError("$", f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise DecodeError("$", f"not JSON: {error.msg} at character {error.pos}") from None
    except (RecursionError, ValueError) as error:  # ValueError: an integer of thousands of digits
        reason = "nested too deeply" if isinstance(error, RecursionError) else "number too long"
        raise DecodeError("$", reason) from None
    if not _is_printable(data):
        _sound(shape)
    return shape


def _sound(shape: object) -> None:
    """Say where it nests deeper than any record of ours, or holds a control character. With every value's
    path this takes longer than all the rest, so it is asked only where something is wrong: what nests that
    deep is no record of ours, since none has a part that could hold just anything."""
    for path, depth, value in _walk(shape, "$", 1):
        if depth > MAX_DEPTH:
            raise DecodeError(path, f"nested deeper than {MAX_DEPTH}")
        if isinstance(value, str) and not value.isprintable():
            raise DecodeError(path, "control character in a string")


def _is_printable(data: bytes) -> bool:
    """Whether no string in it can hold a control character; False where that takes a closer look."""
    try:
        return b"\\" not in data and data.decode().isprintable()
    except UnicodeDecodeError:
        return False


def _walk(value: object, path: str, depth: int) -> Iterator[tuple[str, int, object]]:
    yield path, depth, value
    if depth > MAX_DEPTH:
        return
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _walk(item, f"{path}.{key}", depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, f"{path}[{index}]", depth + 1)


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise DecodeError("$", f"duplicate key {twice[:40]!r}")
    return found


def _no_constant(name: str) -> NoReturn:
    raise DecodeError("$", f"{name} is not JSON")


@cache
def _adapter(kind: Hashable) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(cast(type[Any], kind))


def validate(kind: type[T], data: bytes) -> T:
    """Only the types, for JSON of our own making; raises `DecodeError`."""
    from pydantic import ValidationError

    try:
        return cast(T, _adapter(cast(Hashable, kind)).validate_json(data))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        message = _OURS.get(first["type"], first["msg"]).removeprefix("Value error, ")
        raise DecodeError(json_path(first["loc"]), message) from None


def json_path(location: tuple[str | int, ...]) -> str:
    """pydantic's location as a JSON path: ``$.rounds[0].gate.state``."""
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
