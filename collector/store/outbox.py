"""The embedded store's deliveries: what was published, on its way to whoever subscribed. The caller holds the
transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import astuple

from collector.detect.revisions import Revision

from .base import Delivery

SCHEMA = """
CREATE TABLE IF NOT EXISTS subscribers (webhook TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (
    webhook TEXT NOT NULL, incident TEXT NOT NULL, number INTEGER NOT NULL, at REAL NOT NULL,
    attempts INTEGER NOT NULL, due REAL NOT NULL, error TEXT NOT NULL, dead INTEGER NOT NULL,
    PRIMARY KEY (webhook, incident, number)) WITHOUT ROWID;
"""


def subscribe(db: sqlite3.Connection, webhooks: Collection[str]) -> None:
    """See `base.Store.subscribe`."""
    db.execute("DELETE FROM subscribers")
    db.executemany("INSERT INTO subscribers VALUES (?)", [(name,) for name in webhooks])


def address(db: sqlite3.Connection, revisions: Iterable[Revision]) -> None:
    """A delivery of each to each subscriber."""
    rows = [(one.incident.id, one.number, one.at) for one in revisions]
    db.executemany("INSERT INTO outbox SELECT webhook, ?, ?, ?, 0, 0, '', 0 FROM subscribers", rows)


def outbox(db: sqlite3.Connection, webhook: str | None, *, dead: bool) -> list[Delivery]:
    """See `base.Store.outbox`."""
    rows = db.execute(
        "SELECT webhook, incident, number, at, attempts, due, error FROM outbox WHERE dead = ?1"
        " AND (?2 IS NULL OR webhook = ?2) ORDER BY webhook, incident, number",
        (dead, webhook),
    )
    return [
        Delivery(
            webhook=webhook, incident=incident, number=number, at=at, attempts=attempts, due=due,
            error=error, dead=dead,
        )
        for webhook, incident, number, at, attempts, due, error in rows
    ]  # fmt: skip


def post(db: sqlite3.Connection, delivery: Delivery) -> None:
    """See `base.Store.post`."""
    db.execute("INSERT OR REPLACE INTO outbox VALUES (?, ?, ?, ?, ?, ?, ?, ?)", astuple(delivery))


def delivered(db: sqlite3.Connection, delivery: Delivery) -> None:
    """See `base.Store.delivered`."""
    name = (delivery.webhook, delivery.incident, delivery.number)
    db.execute("DELETE FROM outbox WHERE webhook = ? AND incident = ? AND number = ?", name)
