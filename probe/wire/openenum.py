"""Enumerations closed for us, open to the wire.

A newer agent may send a word this release has never heard of. Refusing it would lose a whole
round, and mapping it to a known word would be a lie, so an unknown word survives as itself,
is marked, and is counted as ``unknown`` wherever a bounded label is needed.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Self

# A word of the vocabulary: short enough to keep, plain enough to print anywhere.
_WORD = re.compile(r"[a-z][a-z0-9_]{0,39}")


class OpenEnum(StrEnum):
    """A string enumeration whose unknown members compare by value and never equal a known one."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str) or not _WORD.fullmatch(value):
            return None
        # Built outside the class's own table on purpose: the wire must not grow our memory.
        member = str.__new__(cls, value)
        member._name_ = "UNKNOWN"
        member._value_ = value
        return member

    @property
    def is_known(self) -> bool:
        """Whether this release knows the word."""
        return self._name_ != "UNKNOWN"

    @property
    def label(self) -> str:
        """The word as a metric label: itself when known, ``unknown`` otherwise."""
        return self._value_ if self.is_known else "unknown"
