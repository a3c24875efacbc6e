"""Enrolment tokens: who may bring a key. PURE.

A token is shown once, when it is issued, and only its hash is kept: it is long and drawn by chance, so a
plain SHA-256 gives nothing away. Its name, by which it is listed and revoked, is the beginning of the hash.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

NAME_DIGITS = 12


class Entry(StrEnum):
    """What became of a key that asked to be enrolled."""

    ENROLLED = "enrolled"
    KNOWN = "known"
    UNKNOWN = "token_unknown"
    REVOKED = "token_revoked"
    EXPIRED = "token_expired"
    USED_UP = "token_used_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token, less the token itself. `uses` is how many keys may come with it; times are Unix seconds."""

    digest: str
    label: str
    issued_at: float
    issued_by: str
    uses: int
    expires_at: float | None = None
    used: int = 0
    revoked_at: float | None = None

    @property
    def name(self) -> str:
        """What it is called where it must not be shown."""
        return self.digest[:NAME_DIGITS]


def digest_of(secret: str) -> str:
    """The hash under which a token is kept, in hex."""
    return hashlib.sha256(secret.encode()).hexdigest()


def refusal(token: Token | None, now: float) -> Entry | None:
    """Why a new key may not come with this token at `now` (Unix seconds); None where it may."""
    if token is None:
        return Entry.UNKNOWN
    if token.revoked_at is not None:
        return Entry.REVOKED
    if token.expires_at is not None and now >= token.expires_at:
        return Entry.EXPIRED
    if token.used >= token.uses:
        return Entry.USED_UP
    return None
