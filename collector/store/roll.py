"""The embedded store's tables about people: tokens, who came with which, and who is in quarantine.

The caller holds the transaction: a token's use is counted with the key that it let in, or not at all.
"""

from __future__ import annotations

import sqlite3
from dataclasses import astuple, fields

from collector.detect.ballots import Standing
from collector.detect.quarantine import Quarantine
from collector.tokens import Entry, Token, refusal
from probe.wire.exchange import Presence

from .base import Enrolled, Seen

SCHEMA = """
CREATE TABLE IF NOT EXISTS probes (
    probe TEXT PRIMARY KEY, public_key BLOB NOT NULL, enrolled_at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tokens (
    digest TEXT PRIMARY KEY, label TEXT NOT NULL, issued_at REAL NOT NULL, issued_by TEXT NOT NULL,
    uses INTEGER NOT NULL, expires_at REAL, used INTEGER NOT NULL, revoked_at REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS came_with (probe TEXT PRIMARY KEY, token TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS quarantines (
    subject TEXT NOT NULL, ordered_at REAL NOT NULL, since REAL NOT NULL, by TEXT NOT NULL,
    reason TEXT NOT NULL, until REAL, released_at REAL, released_by TEXT NOT NULL,
    PRIMARY KEY (ordered_at, subject)) WITHOUT ROWID;
"""


def _columns(kind: type[Token] | type[Quarantine]) -> str:
    return ", ".join(field.name for field in fields(kind))


_TOKEN, _QUARANTINE = _columns(Token), _columns(Quarantine)


def enrol(db: sqlite3.Connection, probe: str, public_key: bytes, at: float, token: str | None) -> Entry:
    """See `base.Store.enrol`."""
    if db.execute("SELECT 1 FROM probes WHERE probe = ?", (probe,)).fetchone():
        return Entry.KNOWN
    if token is not None:
        kept = _token(db, token)
        refused = refusal(kept, at)
        if kept is None or refused:
            return refused or Entry.UNKNOWN
        db.execute("UPDATE tokens SET used = used + 1 WHERE digest = ?", (token,))
        db.execute("INSERT INTO came_with VALUES (?, ?)", (probe, kept.name))
    db.execute("INSERT INTO probes VALUES (?, ?, ?)", (probe, public_key, at))
    return Entry.ENROLLED


def keys(db: sqlite3.Connection) -> dict[str, bytes]:
    """See `base.Store.keys`."""
    return dict(db.execute("SELECT probe, public_key FROM probes").fetchall())


def _token(db: sqlite3.Connection, digest: str) -> Token | None:
    asked = f"SELECT {_TOKEN} FROM tokens WHERE digest = ?"  # noqa: S608 - the names of our own fields
    row = db.execute(asked, (digest,)).fetchone()
    return _as_token(row) if row else None


def _as_token(row: tuple[object, ...]) -> Token:
    return Token(**dict(zip((field.name for field in fields(Token)), row, strict=True)))  # type: ignore[arg-type]


def standings(db: sqlite3.Connection) -> dict[str, Standing]:
    """See `base.Store.standings`."""
    rows = db.execute("SELECT probe, enrolled_at, token FROM probes LEFT JOIN came_with USING (probe)")
    return {probe: Standing(since, token) for probe, since, token in rows}


def enrolled(db: sqlite3.Connection) -> list[Enrolled]:
    """See `base.Store.enrolled`."""
    rows = db.execute(  # max() in SQLite brings its own row's other columns along
        "SELECT probe, enrolled_at, token, at, said_bye, country, asn, prefix FROM probes"
        " LEFT JOIN came_with USING (probe)"
        " LEFT JOIN (SELECT probe, max(last_at) AS at, said_bye, country, asn, prefix FROM spans"
        " GROUP BY probe) USING (probe) ORDER BY enrolled_at, probe"
    )
    return [
        Enrolled(probe=probe, enrolled_at=since, token=token, seen=_seen(probe, heard))
        for probe, since, token, *heard in rows
    ]


def _seen(probe: str, heard: list[object]) -> Seen | None:
    at, said_bye, country, asn, prefix = heard
    if at is None:
        return None
    state = Presence.BYE if said_bye else Presence.ALIVE
    return Seen(
        probe=probe, at=at, state=state, country=country, asn=asn, prefix=prefix  # type: ignore[arg-type]
    )  # fmt: skip


def issue(db: sqlite3.Connection, token: Token) -> None:
    """See `base.Store.issue`."""
    row = astuple(token)
    db.execute(
        f"INSERT OR REPLACE INTO tokens ({_TOKEN}) VALUES ({', '.join('?' * len(row))})",  # noqa: S608
        row,
    )


def tokens(db: sqlite3.Connection) -> list[Token]:
    """See `base.Store.tokens`."""
    rows = db.execute(f"SELECT {_TOKEN} FROM tokens ORDER BY issued_at, digest")  # noqa: S608
    return [_as_token(row) for row in rows]


def order(db: sqlite3.Connection, quarantine: Quarantine) -> None:
    """See `base.Store.order`."""
    row = astuple(quarantine)
    db.execute(
        f"INSERT OR REPLACE INTO quarantines ({_QUARANTINE})"  # noqa: S608
        f" VALUES ({', '.join('?' * len(row))})",
        row,
    )


def quarantines(db: sqlite3.Connection) -> list[Quarantine]:
    """See `base.Store.quarantines`."""
    names = [field.name for field in fields(Quarantine)]
    rows = db.execute(f"SELECT {_QUARANTINE} FROM quarantines ORDER BY ordered_at, subject")  # noqa: S608
    return [Quarantine(**dict(zip(names, row, strict=True))) for row in rows]
