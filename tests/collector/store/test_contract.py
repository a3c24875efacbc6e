"""What every store promises, run over the whole table of stores; and what the embedded one adds."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import reduce
from pathlib import Path
from random import Random

import pytest

from collector.detect.ballots import Standing
from collector.detect.cells import Cell, CellKey, merge
from collector.detect.chronicle import CountryRound, NationRound
from collector.detect.incidents import Incident, Part, Phase
from collector.detect.network import Condition
from collector.detect.quarantine import Quarantine
from collector.detect.revisions import Revision
from collector.store import STORES, open_store
from collector.store.base import Delivery, Enrolled, Seen, Store, Stored, StoreError
from collector.tokens import Entry, Token, digest_of
from probe.wire.exchange import Presence
from tests.batches import CLEAN, NOW, cells, ingest, someone
from tests.rounds import NOW as MEASURED

MINUTE = int(MEASURED.timestamp() // 60)


@pytest.fixture(params=sorted(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"{request.param}://{tmp_path / 'store'}")
    yield opened
    opened.close()


def everything(store: Store) -> dict[CellKey, Cell]:
    return store.cells(0, MINUTE + 10_000_000)


def test_a_batch_is_kept_byte_for_byte_as_it_was_signed(store: Store) -> None:
    item = ingest(someone())
    assert store.ingest([item]) == [Stored.NEW]
    assert list(store.batches()) == [item.batch]


def test_the_cells_a_batch_adds_are_there(store: Store) -> None:
    store.ingest([ingest(someone())])
    assert everything(store) == cells(CLEAN, probe=someone().probe_id)


def test_a_retry_is_a_duplicate_and_counts_nothing_twice(store: Store) -> None:
    item = ingest(someone())
    store.ingest([item])
    assert store.ingest([item]) == [Stored.DUPLICATE]
    assert everything(store) == cells(CLEAN, probe=someone().probe_id)
    assert len(list(store.batches())) == 1


def test_a_retry_within_one_group_is_a_duplicate_too(store: Store) -> None:
    item = ingest(someone())
    assert store.ingest([item, item]) == [Stored.NEW, Stored.DUPLICATE]
    assert everything(store) == cells(CLEAN, probe=someone().probe_id)


def test_the_same_sequence_of_another_probe_is_no_duplicate(store: Store) -> None:
    assert store.ingest([ingest(someone(1)), ingest(someone(2))]) == [Stored.NEW, Stored.NEW]


def test_cells_of_many_batches_add_up_in_any_grouping(store: Store) -> None:
    items = [ingest(someone(n % 3), sequence=n) for n in range(1, 8)]
    store.ingest(items[:3])
    for item in items[3:]:
        store.ingest([item])
    found = everything(store)
    for key, cell in found.items():
        assert cell == reduce(merge, (item.cells[key] for item in items))
        assert sum(cell.statuses.values()) == 7
        assert set(cell.votes) == {someone(n).probe_id for n in range(3)}


def test_cells_are_asked_for_by_minute_both_ends_included(store: Store) -> None:
    store.ingest([ingest(someone())])
    assert store.cells(MINUTE, MINUTE)
    assert not store.cells(MINUTE + 1, MINUTE + 5)
    assert not store.cells(MINUTE - 5, MINUTE - 1)


def test_batches_can_be_asked_for_by_probe_and_by_time(store: Store) -> None:
    old, new = ingest(someone(1), received_at=NOW - 100), ingest(someone(2), received_at=NOW)
    store.ingest([old])
    store.ingest([new])
    assert [b.probe for b in store.batches(someone(1).probe_id)] == [someone(1).probe_id]
    assert [b.probe for b in store.batches(since=NOW - 50)] == [someone(2).probe_id]
    assert [b.probe for b in store.batches(until=NOW - 50)] == [someone(1).probe_id]
    assert list(store.batches(someone(2).probe_id, until=NOW)) == []
    assert list(store.batches(someone(3).probe_id)) == []


def test_batches_of_one_group_are_asked_for_by_time_however_long_the_disk_stood_still(store: Store) -> None:
    store.ingest([ingest(someone(1), received_at=NOW - 4000), ingest(someone(2), received_at=NOW)])
    assert [b.probe for b in store.batches(until=NOW - 3999)] == [someone(1).probe_id]
    assert [b.probe for b in store.batches(someone(1).probe_id, until=NOW - 3999)] == [someone(1).probe_id]


def test_a_key_stays_the_one_that_was_enrolled_first(store: Store) -> None:
    store.enrol("p", b"first", NOW)
    store.enrol("p", b"second", NOW)
    assert store.keys() == {"p": b"first"}


def test_what_is_known_of_a_probe_is_when_its_key_came_first(store: Store) -> None:
    store.enrol("p", b"k", NOW)
    store.enrol("p", b"k", NOW + 60)
    assert store.standings() == {"p": Standing(NOW)}


TOKEN = Token(digest=digest_of("t"), label="of a friend", issued_at=NOW, issued_by="me", uses=2)


def test_a_key_that_came_with_a_token_counts_as_a_use_of_it_once(store: Store) -> None:
    store.issue(TOKEN)
    assert store.enrol("p", b"k", NOW, TOKEN.digest) is Entry.ENROLLED
    assert store.enrol("p", b"k", NOW, TOKEN.digest) is Entry.KNOWN
    assert store.tokens() == [replace(TOKEN, used=1)]
    assert store.standings() == {"p": Standing(NOW, TOKEN.name)}


@pytest.mark.parametrize(
    ("kept", "entry"),
    [
        (None, Entry.UNKNOWN),
        (replace(TOKEN, revoked_at=NOW - 1), Entry.REVOKED),
        (replace(TOKEN, expires_at=NOW), Entry.EXPIRED),
        (replace(TOKEN, used=2), Entry.USED_UP),
    ],
)
def test_a_token_that_lets_nobody_in_says_why_and_leaves_nothing(
    store: Store, kept: Token | None, entry: Entry
) -> None:
    if kept:
        store.issue(kept)
    assert store.enrol("p", b"k", NOW, TOKEN.digest) is entry
    assert (store.keys(), store.enrolled()) == ({}, [])
    assert store.tokens() == ([kept] if kept else [])


def test_who_is_known_asks_for_no_token_and_not_even_a_bad_one_turns_it_away(store: Store) -> None:
    store.enrol("p", b"k", NOW)
    assert store.enrol("p", b"k", NOW, "nonsense") is Entry.KNOWN
    assert store.standings() == {"p": Standing(NOW)}


def test_tokens_are_listed_as_they_were_issued_and_replaced_by_their_digest(store: Store) -> None:
    newer = replace(TOKEN, digest=digest_of("u"), issued_at=NOW + 1, expires_at=NOW + 9)
    for token in (newer, TOKEN, replace(newer, revoked_at=NOW + 2)):
        store.issue(token)
    assert store.tokens() == [TOKEN, replace(newer, revoked_at=NOW + 2)]


def test_the_enrolled_are_listed_with_their_token_and_where_they_were_heard_from(store: Store) -> None:
    seen = Seen(probe="a", at=NOW + 5, state=Presence.ALIVE, country="PK", asn=1, prefix="aa")
    store.issue(TOKEN)
    store.enrol("b", b"k", NOW + 1)
    store.enrol("a", b"l", NOW, TOKEN.digest)
    store.see([seen])
    assert store.enrolled() == [
        Enrolled(probe="a", enrolled_at=NOW, token=TOKEN.name, seen=seen),
        Enrolled(probe="b", enrolled_at=NOW + 1, token=None, seen=None),
    ]


def test_orders_are_kept_and_a_release_stands_in_place_of_its_order(store: Store) -> None:
    one = Quarantine(subject="p", ordered_at=NOW, since=NOW - 60, by="me", reason="lies")
    other = Quarantine(subject="o", ordered_at=NOW, since=NOW, by="me")
    released = replace(one, until=NOW + 1, released_at=NOW + 1, released_by="you")
    again = replace(one, ordered_at=NOW + 2)
    for order in (again, one, other, released):
        store.order(order)
    assert store.quarantines() == [other, released, again]


def test_compacting_comes_to_an_end_and_loses_nothing(store: Store) -> None:
    store.ingest([ingest(someone(n)) for n in range(1, 80)])
    store.ingest([ingest(someone(100), received_at=NOW + 10)])
    store.expire(NOW + 5, 0, 0)
    kept = everything(store)
    for _ in range(1000):
        if not store.compact():
            break
    else:
        raise AssertionError("without end")
    assert everything(store) == kept
    assert [batch.probe for batch in store.batches()] == [someone(100).probe_id]


def test_how_long_a_round_is_stays_as_it_was_first_said(store: Store) -> None:
    assert store.rounds_of(300) == 300
    assert store.rounds_of(60) == 300


def test_of_detections_states_those_are_kept_that_are_wanted(store: Store) -> None:
    assert store.settled() == []
    store.settle({5: b"five", 2: b"two" * 1000}, {2, 5})
    assert store.settled() == [b"two" * 1000, b"five"]
    store.settle({6: b"six"}, {2, 6})
    assert store.settled() == [b"two" * 1000, b"six"]


def test_what_was_published_is_added_to_and_never_changed(store: Store) -> None:
    part = Part(platform="x", phase=Phase.SUSPECTED, since=1)
    one = Revision(number=1, at=NOW, reason="r", incident=Incident(id="b", country="PK", parts=(part,)))
    other = replace(one, incident=replace(one.incident, id="a"))
    store.publish([replace(one, number=2), one, other])
    assert store.revisions() == [other, one, replace(one, number=2)]
    assert store.revisions("a") == [other]
    with pytest.raises(StoreError):
        store.publish([replace(other, number=2), replace(one, reason="edited")])
    assert store.revisions() == [other, one, replace(one, number=2)], "all or none"


def published(incident: str, *numbers: int) -> list[Revision]:
    part = Part(platform="x", phase=Phase.SUSPECTED, since=1)
    what = Incident(id=incident, country="PK", parts=(part,))
    return [Revision(number=n, at=NOW + n, reason="r", incident=what) for n in numbers]


def test_what_is_published_waits_for_each_subscriber_and_for_nobody_before_there_was_one(
    store: Store,
) -> None:
    store.publish(published("a", 1))
    assert store.outbox() == []
    store.subscribe(["press", "ops"])
    store.publish(published("b", 1, 2))
    first = Delivery(webhook="ops", incident="b", number=1, at=NOW + 1)
    second = Delivery(webhook="ops", incident="b", number=2, at=NOW + 2)
    assert store.outbox("ops") == [first, second]
    assert store.outbox() == [
        first, second, replace(first, webhook="press"), replace(second, webhook="press"),
    ]  # fmt: skip
    store.subscribe(["press"])
    store.publish(published("c", 1))
    assert store.outbox("ops") == [first, second], "what waits for others stays"
    assert [one.incident for one in store.outbox("press")] == ["b", "b", "c"]


def test_what_cannot_be_published_is_delivered_to_nobody(store: Store) -> None:
    store.publish(published("a", 1))
    store.subscribe(["ops"])
    with pytest.raises(StoreError):
        store.publish([*published("b", 1), *published("a", 1)])
    assert store.outbox() == []


def test_a_delivery_stands_as_it_was_posted_last_until_it_is_delivered(store: Store) -> None:
    store.subscribe(["ops"])
    store.publish(published("a", 1, 2))
    first, second = store.outbox("ops")
    tried = replace(first, attempts=3, due=NOW + 9.5, error="status 503")
    store.post(tried)
    assert store.outbox("ops") == [tried, second]
    store.post(replace(tried, dead=True))
    assert store.outbox("ops") == [second]
    assert store.outbox(dead=True) == [replace(tried, dead=True)]
    store.delivered(second)
    store.delivered(second)
    assert store.outbox("ops") == []
    store.delivered(tried)
    assert store.outbox(dead=True) == []


def test_what_detection_saw_is_kept_by_country_and_round_and_told_anew_when_it_changed(store: Store) -> None:
    seen = NationRound(
        platform="x", condition=Condition.OK, score=0.0, share=0.0, networks=2, world=None
    )  # fmt: skip
    rounds = [CountryRound(number=n, country=c, nations=(seen,)) for n in (3, 1, 2) for c in ("PK", "TR")]
    store.tell(rounds)
    assert [one.number for one in store.chronicle("PK", 1, 2)] == [1, 2]
    again = CountryRound(number=2, country="PK")
    store.tell([again])
    assert store.chronicle("PK", 2, 9)[0] == again
    assert [(one.number, one.country) for one in store.chronicle(None, 2, 3)] == [
        (number, country) for number in (2, 3) for country in ("PK", "TR")
    ]
    assert store.chronicle("TR", 3, 3) == [CountryRound(number=3, country="TR", nations=(seen,))]
    store.expire(0, 0, 3)
    assert [one.number for one in store.chronicle("PK", 0, 9)] == [3]
    store.tell([], [("PK", 3), ("PK", 4), ("DE", 3)])
    assert store.chronicle("PK", 0, 9) == []


def test_what_evidence_begins_with_is_kept_by_incident_and_the_last_stands(store: Store) -> None:
    assert store.grounds("a") is None
    store.ground({"a": b"one", "b": b"other"})
    store.ground({"a": b"two"})
    assert (store.grounds("a"), store.grounds("b")) == (b"two", b"other")
    store.unground(["a", "never there"])
    assert (store.grounds("a"), store.grounds("b")) == (None, b"other")


def test_the_newest_heartbeat_of_each_probe_is_kept_whatever_the_order(store: Store) -> None:
    newest = Seen(probe="p", at=NOW, state=Presence.BYE, country="PK", asn=1, prefix="aa")
    store.see([newest])
    store.see([replace(newest, at=NOW - 60, state=Presence.ALIVE)])
    assert store.seen(NOW - 1) == [newest]
    assert store.seen(NOW + 1) == []


def beat(at: float, probe: str = "p", asn: int = 1, prefix: str = "aa", *, bye: bool = False) -> Seen:
    state = Presence.BYE if bye else Presence.ALIVE
    return Seen(probe=probe, at=NOW + at, state=state, country="PK", asn=asn, prefix=prefix)


def spans(store: Store) -> list[tuple[str, int, float, float, bool, str]]:
    found = store.spans(0, NOW + 1e6)
    return sorted(
        (s.probe, s.asn, s.first_at - NOW, s.last_at - NOW, s.said_bye, s.prefix) for s in found
    )  # fmt: skip


# Two that were lost and came back, one that moved to another network and back, one that said goodbye.
BEATS = [
    *(beat(at) for at in (0, 60, 120, 300, 481, 540)),
    *(beat(at, "q", prefix="old") for at in (0, 60)),
    *(beat(at, "q", 2) for at in (120, 180)),
    *(beat(at, "q", prefix="new") for at in (241, 300)),
    *(beat(at, "r") for at in (0, 60)),
    beat(70, "r", bye=True),
    beat(400, "s", bye=True),
]
SPANS = [
    ("p", 1, 0, 300, False, "aa"),
    ("p", 1, 481, 540, False, "aa"),
    ("q", 1, 0, 60, False, "old"),
    ("q", 1, 241, 300, False, "new"),
    ("q", 2, 120, 180, False, "aa"),
    ("r", 1, 0, 70, True, "aa"),
    ("s", 1, 400, 400, True, "aa"),
]


@pytest.mark.parametrize("seed", range(5))
def test_heartbeats_are_remembered_as_spans_in_whatever_order_and_however_often(
    store: Store, seed: int
) -> None:
    mixed = [*BEATS, *BEATS[::3]]
    Random(seed).shuffle(mixed)
    for at in range(0, len(mixed), 4):
        store.see(mixed[at : at + 4])
    assert spans(store) == SPANS


def test_spans_are_asked_for_by_when_they_overlap(store: Store) -> None:
    store.see(BEATS)
    assert {s.probe for s in store.spans(NOW + 300, NOW + 1e6)} == {"p", "s"}
    assert {s.probe for s in store.spans(NOW + 300, NOW + 480)} == {"s"}
    assert {s.probe for s in store.spans(0, NOW)} == {"p", "q", "r"}


def test_of_a_probe_in_two_networks_the_newest_heartbeat_is_told(store: Store) -> None:
    store.see(BEATS)
    assert {s.probe: s.asn for s in store.seen(NOW + 100)} == {"p": 1, "q": 1, "s": 1}


def test_who_was_there_is_forgotten(store: Store) -> None:
    store.see(BEATS)
    store.forget(NOW + 301)
    assert [span[0] for span in spans(store)] == ["p", "s"]


def test_retention_drops_old_batches_and_old_cells_and_leaves_the_rest(store: Store) -> None:
    store.ingest([ingest(someone(1), received_at=NOW - 1000)])
    store.ingest([ingest(someone(2), received_at=NOW)])
    assert store.expire(NOW - 500, 0, 0) == 1
    assert [b.probe for b in store.batches()] == [someone(2).probe_id]
    assert everything(store)
    assert store.expire(0, MEASURED.timestamp() + 3600, 0) == 0
    assert not everything(store)
    assert store.figures().oldest_batch_at == NOW


def test_until_when_batches_were_dropped_is_remembered_and_never_goes_back(store: Store) -> None:
    assert store.dropped_until() is None
    for n, received_at in enumerate((NOW - 900, NOW - 1000, NOW), start=1):
        store.ingest([ingest(someone(n), received_at=received_at)])
    assert store.expire(NOW - 2000, 0, 0) == 0
    assert store.dropped_until() is None
    assert store.expire(NOW - 500, 0, 0) == 2
    assert store.dropped_until() == NOW - 900
    store.ingest([ingest(someone(4), received_at=NOW - 950)])  # a clock set back
    assert store.expire(NOW - 500, 0, 0) == 1
    assert store.dropped_until() == NOW - 900


def minutes_from(*starts: int) -> list[dict[CellKey, Cell]]:
    rounds = [replace(CLEAN, started_at=MEASURED + timedelta(minutes=n)) for n in starts]
    return [{key: cell for key, cell in cells(rnd).items() if key.platform == "x"} for rnd in rounds]


def stored_in(store: Store, *additions: dict[CellKey, Cell]) -> None:
    store.ingest([replace(ingest(someone(n)), cells=some) for n, some in enumerate(additions, start=1)])


def test_cells_are_replaced_from_a_minute_on_and_the_earlier_ones_stay(store: Store) -> None:
    zero, one, two, three = minutes_from(0, 1, 2, 3)
    stored_in(store, zero, one, two)
    assert store.replace_cells(MINUTE + 1, [one, three, one]) == 3  # one changed, one gone, one new
    ((key, cell),) = one.items()
    assert everything(store) == zero | three | {key: merge(cell, cell)}


def test_replacing_cells_by_the_same_changes_none(store: Store) -> None:
    zero, one = minutes_from(0, 1)
    stored_in(store, zero, one)
    assert [store.replace_cells(MINUTE, [one, zero]) for _ in range(2)] == [0, 0]
    assert everything(store) == zero | one


def test_replacing_cells_by_none_leaves_none(store: Store) -> None:
    zero, one = minutes_from(0, 1)
    stored_in(store, zero, one)
    assert store.replace_cells(MINUTE + 1, []) == 1
    assert everything(store) == zero


def test_a_replacement_that_breaks_off_has_changed_nothing_and_can_be_tried_again(store: Store) -> None:
    zero, one = minutes_from(0, 1)
    stored_in(store, zero)

    def broken() -> Iterator[dict[CellKey, Cell]]:
        yield from [one] * 1000
        raise RuntimeError("breaks off")

    with pytest.raises(RuntimeError):
        store.replace_cells(MINUTE, broken())
    assert everything(store) == zero
    assert store.replace_cells(MINUTE, [one]) == 2


def test_a_replacement_may_be_made_of_the_batches_of_the_same_store(store: Store) -> None:
    items = [ingest(someone(), sequence=n, prefix=f"p{n}") for n in range(1, 251)]
    store.ingest(items[:120])
    store.ingest(items[120:])
    found = everything(store)
    of = {item.batch.sequence: item.cells for item in items}
    assert store.replace_cells(MINUTE, (of[batch.sequence] for batch in store.batches())) == 0
    assert everything(store) == found


def test_cells_can_be_gone_through_from_a_minute_on(store: Store) -> None:
    zero, one, two = minutes_from(0, 1, 2)
    stored_in(store, two, zero, one)
    assert dict(store.cells_from(MINUTE + 1)) == one | two


def test_an_empty_store_has_no_oldest_batch(store: Store) -> None:
    figures = store.figures()
    assert figures.oldest_batch_at is None
    assert figures.free_bytes is None or figures.free_bytes > 0


def test_in_a_folder_that_is_open_to_all_what_is_kept_is_its_owners_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    store = open_store(f"sqlite://{tmp_path}")
    store.ingest([ingest(someone())])
    rights = {file.name: oct(file.stat().st_mode & 0o777) for file in tmp_path.iterdir()}
    assert rights == dict.fromkeys(
        ["lock", *(f"reachwatch.sqlite{end}" for end in ("", "-shm", "-wal"))], "0o600"
    )
    store.close()


def test_an_unknown_store_is_refused_by_name() -> None:
    with pytest.raises(StoreError, match="postgres:x: no such store; there are memory, sqlite"):
        open_store("postgres:x")


class TestSqlite:
    def test_it_is_all_there_after_a_restart(self, tmp_path: Path) -> None:
        first = open_store(f"sqlite://{tmp_path}")
        first.ingest([ingest(someone())])
        first.enrol("p", b"key", NOW)
        first.close()
        again = open_store(f"sqlite://{tmp_path}")
        assert again.ingest([ingest(someone())]) == [Stored.DUPLICATE]
        assert everything(again) == cells(CLEAN, probe=someone().probe_id)
        assert again.keys() == {"p": b"key"}
        again.close()

    def test_a_second_collector_on_the_folder_is_refused(self, tmp_path: Path) -> None:
        first = open_store(f"sqlite://{tmp_path}")
        with pytest.raises(StoreError, match="another collector uses this folder"):
            open_store(f"sqlite://{tmp_path}")
        first.close()

    @pytest.mark.parametrize(("version", "words"), [(99, "a newer release"), (2, "an older release")])
    def test_a_file_of_another_release_is_left_alone(self, tmp_path: Path, version: int, words: str) -> None:
        import sqlite3

        db = sqlite3.connect(tmp_path / "reachwatch.sqlite")
        db.execute(f"PRAGMA user_version = {version}")
        db.close()
        with pytest.raises(StoreError, match=words):
            open_store(f"sqlite://{tmp_path}")

    def test_what_was_dropped_is_remembered_over_a_restart(self, tmp_path: Path) -> None:
        first = open_store(f"sqlite://{tmp_path}")
        first.ingest([ingest(someone(), received_at=NOW - 1000)])
        first.expire(NOW, 0, 0)
        first.close()
        again = open_store(f"sqlite://{tmp_path}")
        assert again.dropped_until() == NOW - 1000
        again.close()

    def test_a_damaged_file_is_one_clear_line(self, tmp_path: Path) -> None:
        (tmp_path / "reachwatch.sqlite").write_bytes(b"this is no database" * 100)
        with pytest.raises(StoreError, match="file is not a database"):
            open_store(f"sqlite://{tmp_path}")

    def test_a_full_disk_refuses_the_whole_group_and_keeps_what_was_there(self, tmp_path: Path) -> None:
        store = open_store(f"sqlite://{tmp_path}")
        store.ingest([ingest(someone(1))])
        store._db.execute("PRAGMA max_page_count = 17")  # type: ignore[attr-defined]
        group = [ingest(someone(n), prefix=f"{n:016x}") for n in range(2, 400)]
        with pytest.raises(StoreError, match="full"):
            store.ingest(group)
        assert len(list(store.batches())) == 1
        assert everything(store) == cells(CLEAN, probe=someone().probe_id)
        store.close()

    def test_compacting_gives_the_room_back_in_pieces(self, tmp_path: Path) -> None:
        store = open_store(f"sqlite://{tmp_path}")
        for n in range(1, 400):
            store.ingest([ingest(someone(), sequence=n, received_at=NOW + n)])
        store.expire(NOW + 395, 0, 0)
        before = (tmp_path / "reachwatch.sqlite").stat().st_size
        steps = 1
        while store.compact():
            steps += 1
        assert 1 <= steps < 10
        assert (tmp_path / "reachwatch.sqlite").stat().st_size < before / 4
        assert (tmp_path / "reachwatch.sqlite-wal").stat().st_size == 0
        assert len(list(store.batches())) == 5
        store.close()

    def test_people_are_all_there_after_a_restart(self, tmp_path: Path) -> None:
        first = open_store(f"sqlite://{tmp_path}")
        order = Quarantine(subject="p", ordered_at=NOW, since=NOW - 60, by="me", reason="lies")
        first.issue(TOKEN)
        first.enrol("p", b"k", NOW, TOKEN.digest)
        first.order(order)
        first.close()
        again = open_store(f"sqlite://{tmp_path}")
        assert (again.tokens(), again.quarantines()) == ([replace(TOKEN, used=1)], [order])
        assert again.standings() == {"p": Standing(NOW, TOKEN.name)}
        again.close()

    def test_where_somebody_is_told_of_torn_segments_the_rest_comes(self, tmp_path: Path) -> None:
        store = open_store(f"sqlite://{tmp_path}")
        for n in (1, 2, 3):
            store.ingest([ingest(someone(n))])
        store._db.execute("UPDATE segments SET data = x'00' WHERE id = 2")  # type: ignore[attr-defined]
        torn: list[str] = []
        assert [b.probe for b in store.batches(torn=torn.append)] == [someone(n).probe_id for n in (1, 3)]
        assert [said.split(":")[0] for said in torn] == ["segment 2 is damaged"]
        store.close()

    def test_a_torn_segment_is_said_and_not_read_as_nothing(self, tmp_path: Path) -> None:
        store = open_store(f"sqlite://{tmp_path}")
        store.ingest([ingest(someone())])
        store._db.execute("UPDATE segments SET data = substr(data, 1, 40)")  # type: ignore[attr-defined]
        with pytest.raises(StoreError, match="segment 1 is damaged"):
            list(store.batches())
        store.close()


DIES = """
import os, signal, sys
from collector.store import open_store
from tests.collector.store.test_contract import published
store = open_store("sqlite://" + sys.argv[1])
store.subscribe(["ops"])
store.publish(published("a", 1))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_published_when_the_process_was_killed_still_waits_to_be_delivered(tmp_path: Path) -> None:
    child = subprocess.run([sys.executable, "-c", DIES, str(tmp_path)], check=False)
    assert child.returncode == -signal.SIGKILL
    store = open_store(f"sqlite://{tmp_path}")
    assert [(one.webhook, one.incident, one.number) for one in store.outbox()] == [("ops", "a", 1)]
    store.close()


CHILD = """
import sys
from collector.store import open_store
from tests.batches import ingest, someone
store = open_store("sqlite://" + sys.argv[1])
first = int(sys.argv[2])
for start in range(first, first + 100_000, 4):
    group = [ingest(someone(), sequence=n) for n in range(start, start + 4)]
    store.ingest(group)
    print(start + 3, flush=True)
"""


@pytest.mark.slow
def test_a_kill_in_the_middle_loses_nothing_acknowledged_and_counts_nothing_twice(tmp_path: Path) -> None:
    first, acknowledged = 1, 0
    for cycle in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path), str(first)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        for _ in range(3 + cycle):
            acknowledged = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        child.communicate()
        first = acknowledged + 1  # the next child sends again what was not acknowledged
    store = open_store(f"sqlite://{tmp_path}")
    sequences = [batch.sequence for batch in store.batches()]
    counted = [cell.statuses for cell in everything(store).values()]
    store.close()
    assert len(sequences) == len(set(sequences))
    assert set(sequences) >= set(range(1, acknowledged + 1))
    assert counted == [{"online": len(sequences)}, {"ok": len(sequences)}]
