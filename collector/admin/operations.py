"""The operations themselves: each takes its order to a store, and says what came of it in lines.

What is short and changes something runs on the store's thread in one piece, so that nothing comes
between its look and its change. The rest runs in a thread of its own, for as long as it takes: it asks the
store through `Desk.call`, in pieces between which ingest goes on, or reads the folder beside it
(`store.upkeep`).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from collector.alerts.letters import NoSuchLetter, chosen, line, name_of, put_back
from collector.detect.quarantine import Quarantine
from collector.detect.thresholds import DEFAULT
from collector.store import upkeep
from collector.store.base import Delivery, Enrolled, Store
from collector.tokens import Token, digest_of

from . import orders
from .desk import CannotDo, Desk, columns, timed
from .orders import TAG, Order

FINE, BAD = 0, 1
DAY_S = 86_400.0
# Detection tells no round from before this many seconds again.
REACH_S = DEFAULT.late_s
SECRET_BYTES = 24  # 192 bits: nobody guesses one, so its hash needs no salt


def carry_out(desk: Desk, order: Order) -> int:
    """Do what was ordered; returns the exit status. Raises `CannotDo` or `StoreError`."""
    if change := _CHANGES.get(type(order)):
        return int(desk.call(change, desk, order))
    return _OPERATIONS[type(order)](desk, order)


def keys(desk: Desk, order: orders.Keys) -> int:
    """List keys, one a line."""
    in_force = _in_force(desk.call(desk.store.quarantines))
    labels = {token.name: token.label for token in desk.call(desk.store.tokens)}
    for one in desk.call(desk.store.enrolled):
        if order.country in (None, one.seen.country if one.seen else "ZZ"):
            row = _described(one, labels, in_force)
            desk.out(json.dumps(row) if order.json else columns(row.values()))
    return FINE


def _described(
    one: Enrolled, labels: Mapping[str, str], in_force: Mapping[str, Quarantine]
) -> dict[str, object]:
    seen = one.seen
    subjects = (one.probe, seen.prefix if seen else "")
    held = next((in_force[subject] for subject in subjects if subject in in_force), None)
    return {
        "key": one.probe,
        "enrolled_at": timed(one.enrolled_at),
        "seen_at": timed(seen.at) if seen else None,
        "country": seen.country if seen else None,
        "asn": seen.asn if seen else None,
        "prefix": seen.prefix if seen else None,
        "token": one.token,
        "label": labels.get(one.token, "") if one.token else None,
        "state": "quarantined" if held else "fine",
    }


def put_aside(desk: Desk, order: orders.PutAside) -> int:
    """Quarantine a key or a prefix tag."""
    now = desk.now()
    since = now - REACH_S if order.since is None else _within_reach(order.since, now)
    if order.subject in _in_force(desk.store.quarantines()):
        raise CannotDo(f"{order.subject} is in quarantine already")
    standing_there = _standing_there(desk.store, order.subject)
    quarantine = Quarantine(
        subject=order.subject, ordered_at=now, since=since, by=desk.by, reason=order.reason
    )
    desk.store.order(quarantine)
    desk.ordered(since)
    desk.out(f"{order.subject}: weighs nothing in what was measured from {timed(since)} on")
    if TAG.fullmatch(order.subject):
        desk.note(
            f"keys heard from last under this tag: {standing_there}. The tag is good until midnight UTC or"
            " until the collector is started anew; then the prefix gets another, which is not in quarantine."
        )
    return FINE


def _standing_there(store: Store, subject: str) -> int:
    """How many keys the subject is; a tag may be one that nobody stands in now."""
    enrolled = store.enrolled()
    if TAG.fullmatch(subject):
        return sum(one.seen is not None and one.seen.prefix == subject for one in enrolled)
    if not any(one.probe == subject for one in enrolled):
        raise CannotDo(f"no such key: {subject}")
    return 1


def release(desk: Desk, order: orders.Release) -> int:
    """End the quarantine of a key or a prefix tag."""
    now = desk.now()
    held = _in_force(desk.store.quarantines()).get(order.subject)
    if held is None:
        raise CannotDo(f"{order.subject} is not in quarantine")
    until = now if order.since is None else _within_reach(order.since, now)
    desk.store.order(replace(held, until=until, released_at=now, released_by=desk.by))
    desk.ordered(until)
    desk.out(f"{order.subject}: weighs again in what was measured from {timed(until)} on")
    return FINE


def _within_reach(since: float, now: float) -> float:
    if since > now:
        raise CannotDo(f"--since: {timed(since)} is still to come")
    if since < now - REACH_S:
        raise CannotDo(
            f"--since: what was measured before {timed(now - REACH_S)} ({REACH_S / 3600:.0f} hours ago)"
            " is not judged again"
        )
    return since


def quarantined(desk: Desk, order: orders.Quarantined) -> int:
    """List quarantines, one a line."""
    found: list[Quarantine] = desk.call(desk.store.quarantines)
    for one in found:
        if order.every or one.released_at is None:
            row = {
                "subject": one.subject,
                "since": timed(one.since),
                "ordered_at": timed(one.ordered_at),
                "by": one.by,
                "until": timed(one.until),
                "released_at": timed(one.released_at),
                "released_by": one.released_by or None,
                "reason": one.reason,
            }
            desk.out(json.dumps(row) if order.json else columns(row.values()))
    return FINE


def _in_force(found: Iterable[Quarantine]) -> dict[str, Quarantine]:
    return {one.subject: one for one in found if one.released_at is None}


def issue(desk: Desk, order: orders.Issue) -> int:
    """Issue a token, and show it this once."""
    now = desk.now()
    secret = secrets.token_hex(SECRET_BYTES)
    token = Token(
        digest=digest_of(secret),
        label=order.label,
        issued_at=now,
        issued_by=desk.by,
        expires_at=None if order.days is None else now + order.days * DAY_S,
        uses=order.uses,
    )
    desk.store.issue(token)
    desk.out(secret)
    desk.note(f"its name is {token.name}; the token itself is not kept and cannot be shown again")
    return FINE


def tokens(desk: Desk, order: orders.Tokens) -> int:
    """List tokens, one a line."""
    found: list[Token] = desk.call(desk.store.tokens)
    for one in found:
        row = {
            "name": one.name,
            "issued_at": timed(one.issued_at),
            "by": one.issued_by,
            "expires_at": timed(one.expires_at),
            "uses": one.uses,
            "used": one.used,
            "revoked_at": timed(one.revoked_at),
            "label": one.label,
        }
        desk.out(json.dumps(row) if order.json else columns(row.values()))
    return FINE


def revoke(desk: Desk, order: orders.Revoke) -> int:
    """Revoke a token by its name."""
    its = next((token for token in desk.store.tokens() if token.name == order.name), None)
    if its is None:
        raise CannotDo(f"no such token: {order.name}")
    if its.revoked_at is not None:
        raise CannotDo(f"{order.name} was revoked already, at {timed(its.revoked_at)}")
    desk.store.issue(replace(its, revoked_at=desk.now()))
    desk.out(f"{order.name}: lets nobody in any more; {its.used} keys came with it and stay")
    return FINE


def compact(desk: Desk, _order: orders.Compact) -> int:
    """Drop what may go, and give the room back."""
    now, before = desk.now(), desk.call(desk.store.figures)
    cells_before = now - desk.keep.cells_days * DAY_S
    dropped = desk.call(
        desk.store.expire,
        now - desk.keep.batches_days * DAY_S,
        cells_before,
        int(cells_before // desk.round_s),
    )
    while (left := desk.call(desk.store.compact)) and not desk.gone():
        desk.note(f"{left} pages to give back")
    after = desk.call(desk.store.figures)
    desk.out(f"{dropped} batches dropped; {before.size_bytes} -> {after.size_bytes} bytes")
    return FINE


def back_up(desk: Desk, order: orders.BackUp) -> int:
    """Copy the store into a file."""
    size = upkeep.back_up(desk.folder, Path(order.file), progress(desk.note, desk.gone))
    desk.out(f"{order.file}: {size} bytes")
    return FINE


def progress(note: Callable[[str], None], gone: Callable[[], bool]) -> Callable[[int, int], None]:
    """Tell of a copy's pages in words, whenever a tenth more is done; end it where nobody waits for it."""
    last = -1

    def tell(done: int, of: int) -> None:
        nonlocal last
        if gone():
            raise CannotDo("given up: nobody waits for the copy any more")
        tenth = 10 * done // max(of, 1)
        if tenth > last:
            last = tenth
            note(f"copied {10 * tenth} %")

    return tell


def dead_letters(desk: Desk, _order: orders.DeadLetters) -> int:
    """List what was given up, one a line."""
    found: list[Delivery] = desk.call(chosen, desk.store, None)
    for letter in found:
        desk.out(line(letter))
    desk.note(f"{len(found)} dead letters")
    return FINE


def retry_letters(desk: Desk, order: orders.RetryLetters) -> int:
    """Have dead letters delivered again."""
    letters = _chosen(desk, order.letters)
    for letter in letters:
        if letter.webhook not in desk.webhooks:
            raise CannotDo(f"{name_of(letter)}: no webhook of that name is configured")
    for letter in letters:
        put_back(desk.store, letter, desk.now())
    return _told(desk, letters, "to be delivered again")


def drop_letters(desk: Desk, order: orders.DropLetters) -> int:
    """Forget dead letters."""
    letters = _chosen(desk, order.letters)
    for letter in letters:
        desk.store.delivered(letter)
    return _told(desk, letters, "dropped")


def _chosen(desk: Desk, names: Collection[str]) -> list[Delivery]:
    try:
        return chosen(desk.store, names or None)
    except NoSuchLetter as error:
        raise CannotDo(str(error)) from None


def _told(desk: Desk, letters: Collection[Delivery], done: str) -> int:
    desk.left(len(desk.store.outbox(dead=True)))
    for letter in letters:
        desk.out(line(letter))
    desk.note(f"{len(letters)} {done}")
    return FINE


def check(desk: Desk, _order: orders.Check) -> int:
    """Name what is damaged."""
    damaged = 0
    for damage in upkeep.check(desk.folder, desk.gone):
        damaged += 1
        desk.out(damage)
    if not damaged:
        desk.out("all is well: the database, every segment, its receipts, every cell")
    return BAD if damaged else FINE


_CHANGES: Mapping[type[Order], Callable[[Desk, Any], int]] = {
    orders.PutAside: put_aside,
    orders.Release: release,
    orders.Issue: issue,
    orders.Revoke: revoke,
    orders.RetryLetters: retry_letters,
    orders.DropLetters: drop_letters,
}
_OPERATIONS: Mapping[type[Order], Callable[[Desk, Any], int]] = {
    orders.Keys: keys,
    orders.Quarantined: quarantined,
    orders.Tokens: tokens,
    orders.Compact: compact,
    orders.BackUp: back_up,
    orders.Check: check,
    orders.DeadLetters: dead_letters,
}
