"""Who is let in with a token, and what is kept of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from collector.tokens import Entry, Token, digest_of, refusal

TOKEN = Token(digest=digest_of("secret"), label="", issued_at=0.0, issued_by="me", uses=2, expires_at=100.0)


@pytest.mark.parametrize(
    ("token", "now", "said"),
    [
        (TOKEN, 99.9, None),
        (TOKEN, 100.0, Entry.EXPIRED),
        (replace(TOKEN, used=1), 0.0, None),
        (replace(TOKEN, used=2), 0.0, Entry.USED_UP),
        (replace(TOKEN, revoked_at=1.0), 0.0, Entry.REVOKED),
        (replace(TOKEN, revoked_at=1.0, used=2), 200.0, Entry.REVOKED),
        (replace(TOKEN, expires_at=None), 9e9, None),
        (None, 0.0, Entry.UNKNOWN),
    ],
)
def test_a_token_lets_in_or_says_why_not(token: Token | None, now: float, said: Entry | None) -> None:
    assert refusal(token, now) is said


def test_its_name_is_the_beginning_of_its_hash_and_the_token_is_nowhere() -> None:
    assert TOKEN.digest.startswith(TOKEN.name)
    assert len(TOKEN.name) == 12
    assert "secret" not in repr(TOKEN)
