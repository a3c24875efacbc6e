"""What an operator does with deliveries that were given up: look, send again, drop."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime

from collector.store.base import Delivery, Store


class NoSuchLetter(Exception):
    """A dead letter that is not there; the message names it."""


def name_of(letter: Delivery) -> str:
    """What a dead letter is called: webhook, incident, revision."""
    return f"{letter.webhook}/{letter.incident}/{letter.number}"


def line(letter: Delivery) -> str:
    """One letter for people; the moment is when it was published, or last put back."""
    at = datetime.fromtimestamp(letter.at, UTC)
    attempts = "1 attempt" if letter.attempts == 1 else f"{letter.attempts} attempts"
    return f"{name_of(letter)}  {at:%Y-%m-%dT%H:%M:%SZ}  {attempts}, last: {letter.error}"


def chosen(store: Store, names: Collection[str] | None) -> list[Delivery]:
    """The dead letters of these names, or all; raises `NoSuchLetter` before anything is done."""
    letters = {name_of(letter): letter for letter in store.outbox(dead=True)}
    if names is None:
        return list(letters.values())
    for name in names:
        if name not in letters:
            raise NoSuchLetter(f"{name}: no such dead letter")
    return [letters[name] for name in dict.fromkeys(names)]


def put_back(store: Store, letter: Delivery, now: float) -> None:
    """Let it be tried again from `now` (Unix seconds) on, as if it had been published then."""
    store.post(replace(letter, at=now, attempts=0, due=now, dead=False))
