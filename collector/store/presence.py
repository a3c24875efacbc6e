"""The embedded store's spans: when probes were there. The caller holds the transaction."""

from __future__ import annotations

import sqlite3

from collector.detect.spans import Span, union
from collector.detect.thresholds import PAUSE_S
from probe.wire.exchange import Presence

from .base import Seen, span_of

SCHEMA = """
CREATE TABLE IF NOT EXISTS spans (
    probe TEXT NOT NULL, country TEXT NOT NULL, asn INTEGER NOT NULL, first_at REAL NOT NULL,
    last_at REAL NOT NULL, said_bye INTEGER NOT NULL, prefix TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS spans_by_probe ON spans (probe, country, asn);
CREATE INDEX IF NOT EXISTS spans_by_time ON spans (last_at, first_at);
"""


def see(db: sqlite3.Connection, heartbeat: Seen) -> None:
    """Put a heartbeat to the spans it continues: nearly always one, and only its end moves."""
    span = span_of(heartbeat)
    rows = db.execute(
        "SELECT *, rowid FROM spans WHERE (probe, country, asn) = (?, ?, ?)"
        " AND first_at <= ? AND last_at >= ?",
        (span.probe, span.country, span.asn, span.last_at + PAUSE_S, span.first_at - PAUSE_S),
    ).fetchall()
    if not rows:
        values = (span.probe, span.country, span.asn, span.first_at, span.last_at)
        db.execute("INSERT INTO spans VALUES (?, ?, ?, ?, ?, ?, ?)", (*values, span.said_bye, span.prefix))
        return
    whole = union((span, *(_span(row[:-1]) for row in rows)))
    # Where the row is stays: probes are heard in the same order every minute, so that neighbours change
    # together and few pages are written.
    db.execute(
        "UPDATE spans SET (first_at, last_at, said_bye, prefix) = (?, ?, ?, ?) WHERE rowid = ?",
        (whole.first_at, whole.last_at, whole.said_bye, whole.prefix, rows[0][-1]),
    )
    db.executemany("DELETE FROM spans WHERE rowid = ?", [row[-1:] for row in rows[1:]])


def seen(db: sqlite3.Connection, since: float) -> list[Seen]:
    """See `base.Store.seen`."""
    rows = db.execute(  # max() in SQLite brings its own row's other columns along
        "SELECT probe, max(last_at), said_bye, country, asn, prefix FROM spans"
        " WHERE last_at >= ? GROUP BY probe",
        (since,),
    )
    return [
        Seen(
            probe=probe,
            at=at,
            state=Presence.BYE if said_bye else Presence.ALIVE,
            country=country,
            asn=asn,
            prefix=prefix,
        )
        for probe, at, said_bye, country, asn, prefix in rows
    ]


def spans(db: sqlite3.Connection, since: float, until: float) -> list[Span]:
    """See `base.Store.spans`."""
    rows = db.execute("SELECT * FROM spans WHERE last_at > ? AND first_at <= ?", (since, until))
    return [_span(row) for row in rows]


def forget(db: sqlite3.Connection, before: float) -> None:
    """See `base.Store.forget`."""
    db.execute("DELETE FROM spans WHERE last_at < ?", (before,))


def _span(row: tuple[str, str, int, float, float, int, str]) -> Span:
    probe, country, asn, first_at, last_at, said_bye, prefix = row
    return Span(
        probe=probe,
        country=country,
        asn=asn,
        first_at=first_at,
        last_at=last_at,
        said_bye=bool(said_bye),
        prefix=prefix,
    )
