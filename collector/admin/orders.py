"""What can be ordered: one record for each operation, checked where it is made and where it arrives. PURE.

Everything in them that a person typed is one printable line, because it is shown to another person later.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le, Len

from probe.wire.strict import STRICT

KEY = re.compile(r"[0-9a-f]{32}")
TAG = re.compile(r"[0-9a-f]{16}")
COUNTRY = re.compile(r"[A-Z]{2}")
NAME = re.compile(r"[0-9a-f]{12}")

Line = Annotated[str, Len(0, 200)]
FilePath = Annotated[str, Len(1, 4096)]
Moment = Annotated[float, Ge(0), Le(253402300799)]  # the end of the year 9999


def _check_line(text: str, what: str) -> None:
    if not text.isprintable() or len(text) > 200:
        raise ValueError(f"{what}: is one line of at most 200 printable characters")


def _check_subject(text: str) -> None:
    if not KEY.fullmatch(text) and not TAG.fullmatch(text):
        raise ValueError(f"{text[:80]!r} is neither a key (32 hex digits) nor a prefix tag (16)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """List enrolled keys, of one country or of all."""

    __pydantic_config__ = STRICT
    country: str | None = None
    json: bool = False

    def __post_init__(self) -> None:
        if self.country is not None and not COUNTRY.fullmatch(self.country):
            raise ValueError(f"{self.country[:80]!r} is not a country of two letters, such as PK")


@dataclass(frozen=True, slots=True, kw_only=True)
class PutAside:
    """Quarantine a key or a prefix tag; `since` is Unix seconds, by default as far back as can be."""

    __pydantic_config__ = STRICT
    subject: str
    since: Moment | None = None
    reason: Line = ""

    def __post_init__(self) -> None:
        _check_subject(self.subject)
        _check_line(self.reason, "--reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """End a quarantine; `since` is Unix seconds, by default now."""

    __pydantic_config__ = STRICT
    subject: str
    since: Moment | None = None

    def __post_init__(self) -> None:
        _check_subject(self.subject)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """List quarantines: those in force, or every one there ever was."""

    __pydantic_config__ = STRICT
    every: bool = False
    json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """Issue a token for so many keys within so many days, or for ever."""

    __pydantic_config__ = STRICT
    label: Line = ""
    uses: Annotated[int, Ge(1), Le(1_000_000)] = 1
    days: Annotated[float, Gt(0), Le(36_500)] | None = None

    def __post_init__(self) -> None:
        _check_line(self.label, "--label")
        if not 1 <= self.uses <= 1_000_000:
            raise ValueError("--uses: is from 1 to 1000000")
        if self.days is not None and not 0 < self.days <= 36_500:
            raise ValueError("--days: is more than 0 and at most 36500")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """List tokens, without the tokens themselves."""

    __pydantic_config__ = STRICT
    json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoke:
    """Let nobody in with a token any more. Keys that came with it stay."""

    __pydantic_config__ = STRICT
    name: str

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(f"{self.name[:80]!r} is not a token's name (12 hex digits, see: tokens list)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compact:
    """Drop what retention says may go, and give the room back to the disk."""

    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class BackUp:
    """Copy the store into one file, given by its absolute path."""

    __pydantic_config__ = STRICT
    file: FilePath

    def __post_init__(self) -> None:
        if not self.file.startswith("/") or "\0" in self.file:
            raise ValueError(f"{self.file[:80]!r} is not an absolute path")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Say what is damaged in the store."""

    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters:
    """List what was published and could not be delivered."""

    __pydantic_config__ = STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryLetters:
    """Deliver dead letters again, those named or every one."""

    __pydantic_config__ = STRICT
    letters: tuple[Line, ...] = ()
    every: bool = False

    def __post_init__(self) -> None:
        _check_letters(self.letters, self.every, "retry")


@dataclass(frozen=True, slots=True, kw_only=True)
class DropLetters:
    """Forget dead letters, those named or every one."""

    __pydantic_config__ = STRICT
    letters: tuple[Line, ...] = ()
    every: bool = False

    def __post_init__(self) -> None:
        _check_letters(self.letters, self.every, "drop")


def _check_letters(letters: Collection[str], every: bool, deed: str) -> None:
    if every == bool(letters):
        raise ValueError(f"dead-letters {deed}: name the letters, or say --all")
    for letter in letters:
        _check_line(letter, "LETTER")


Order = (
    Keys | PutAside | Release | Quarantined | Issue | Tokens | Revoke | Compact | BackUp | Check
    | DeadLetters | RetryLetters | DropLetters
)  # fmt: skip
