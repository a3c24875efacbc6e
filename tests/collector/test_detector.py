"""The detector over a real store: the same data in any order, late, twice or over a restart, are told
the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from random import Random

import pytest

from collector.detect.cells import CONNECTIVITY, HELD_BACK, Cell, CellKey, Vote
from collector.detect.chronicle import pack_round
from collector.detect.incidents import Cause, Phase, Scope, Slowness
from collector.detect.kept import NEWEST
from collector.detect.quarantine import Quarantine
from collector.detect.saved import pack
from collector.detect.thresholds import DEFAULT
from collector.detector import GRACE_S, LATE_S, Detector
from collector.ingest.admit import SPOOLED_S
from collector.ingest.commit import Committer
from collector.lookout import added_to
from collector.metrics import Metrics
from collector.store import open_store
from collector.store.base import Ingest, Seen, SignedBatch, Store, StoreError
from probe.verdict import Compared
from probe.wire.exchange import Presence
from tests.collector.detect.homes import FIRST, WARM, Home, homes, world
from tests.collector.detect.lines import BEGAN, beats, cut

ROUND_S = DEFAULT.round_s
START = (FIRST - WARM) * ROUND_S
PAKISTAN = homes("PK", 4, 6)
EVERYBODY = [*PAKISTAN, *world()]
END = 24


def fails(home: Home, number: int) -> bool:
    """Rounds 2 to 14 of the story are dark in Pakistan."""
    return home.country == "PK" and 2 <= number < 15


@dataclass
class Clock:
    """A wall clock that is set."""

    at: float = START

    def __call__(self) -> float:
        return self.at


def said(home: Home, number: int) -> Ingest:
    """What one home's batch adds: its vote in round `number` of the story."""
    at = (FIRST + number) * ROUND_S + 60
    failed = fails(home, number)
    vote = Vote(
        at,
        "blocked" if failed else "ok",
        f"prefix of {home.probe}",
        "tls tls_reset_error" if failed else "",
        ("tls",) if failed else (),
    )
    return added(home, number, vote)


def said_of_speed(home: Home, number: int) -> Ingest:
    """The same where the platform is held back instead: every other round a home measures how much."""
    at = (FIRST + number) * ROUND_S + 60
    prefix = f"prefix of {home.probe}"
    if (number + len(home.probe) + home.asn) % 2:
        return added(home, number, Vote(at, "ok", prefix))
    if not fails(home, number):
        return added(home, number, Vote(at, "ok", prefix, speed=Compared(1.2, 9_000_000)))
    return added(home, number, Vote(at, "throttled", prefix, HELD_BACK, speed=Compared(60.0, 140_000)))


def added(home: Home, number: int, vote: Vote) -> Ingest:
    """A batch with this vote."""
    at = vote.at
    batch = SignedBatch(
        probe=home.probe, sequence=number + WARM + 1, received_at=at, country=home.country, asn=home.asn,
        located_by="declared", prefix=vote.prefix, signature=b"", body=b"{}",
    )  # fmt: skip
    key = CellKey(int(at // 60), home.country, home.asn, "x")
    return Ingest(batch=batch, cells={key: Cell(statuses={vote.status: 1}, votes={home.probe: vote})})


WHOLE = [[said(home, number) for home in EVERYBODY] for number in range(-WARM, END)]
SLOW = [[said_of_speed(home, number) for home in EVERYBODY] for number in range(-WARM, END)]


@dataclass
class Watchers:
    """A detector over a store."""

    detector: Detector
    clock: Clock
    committer: Committer

    @property
    def store(self) -> Store:
        """What it is over."""
        return self.committer.store

    def take(self, items: Sequence[Ingest]) -> None:
        """Store a group, as the committer does."""
        for at in range(0, len(items), 100):
            group = items[at : at + 100]
            self.detector.noted(added_to(group, self.store.ingest(group)))

    def at_the_end_of(self, number: int) -> None:
        """Let time come to the moment at which a round of the story is complete, and detect."""
        self.clock.at = (FIRST + number + 1) * ROUND_S + GRACE_S + 1
        self.detector.detect()

    @property
    def final(self) -> bytes:
        """State, incidents and chronicle as bytes, less the time at which they were said."""
        store = self.store
        told = [one for where in ("PK", "TR") for one in store.chronicle(where, FIRST, FIRST + END)]
        kept = pack(self.detector._kept.newest)
        return b"\n".join([kept, *map(pack_round, told)])


@contextmanager
def watching(url: str, clock: Clock | None = None) -> Iterator[Watchers]:
    """A detector on an opened store, all homes enrolled long ago."""
    clock = clock or Clock()
    store = open_store(url)
    committer = Committer(store, Metrics("0", ("x",)), clock)
    detector = Detector(store, DEFAULT, wall=clock, monotonic=clock)
    for home in EVERYBODY:
        store.enrol(home.probe, home.probe.encode(), 0.0)
    detector.start()
    try:
        yield Watchers(detector, clock, committer)
    finally:
        committer.close()


def in_order(watchers: Watchers, rounds: Sequence[Sequence[Ingest]] = WHOLE) -> None:
    """Everything comes when it was measured."""
    for number, items in enumerate(rounds, -WARM):
        watchers.take(items)
        watchers.at_the_end_of(number)


@pytest.fixture(params=["memory", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"{request.param}://{tmp_path / 'store'}"


def test_what_is_sure_before_a_round_is_over_is_told_before_it_is_over_and_once(url: str) -> None:
    with watching(url) as watchers:
        in_order(watchers, WHOLE[: WARM + 3])
        third = WHOLE[WARM + 3]
        by_now = [one for one in third if one.batch.country != "PK" or int(one.batch.probe[-1]) < 5]
        watchers.take(by_now)
        watchers.clock.at = (FIRST + 3) * ROUND_S + 270
        watchers.detector.detect()
        store = watchers.store
        told = store.revisions()[-1]
        assert (told.incident.phase, told.incident.scope) == (Phase.CONFIRMED, Scope.NATION)
        assert told.at < (FIRST + 4) * ROUND_S
        assert store.grounds(told.incident.id) is not None
        assert told.incident in watchers.detector.findings.book
        watchers.take([one for one in third if one not in by_now])
        for number, items in enumerate(WHOLE[WARM + 4 :], 4):
            watchers.at_the_end_of(number - 1)
            watchers.take(items)
        watchers.at_the_end_of(END - 1)
        revisions, final = store.revisions(), watchers.final
    assert [one.incident.phase for one in revisions].count(Phase.CONFIRMED) == 1
    assert not any(one.withdrawn for one in revisions)
    assert final == told_in_order("memory://")


def told_in_order(url: str, rounds: Sequence[Sequence[Ingest]] = WHOLE) -> bytes:
    with watching(url) as watchers:
        in_order(watchers, rounds)
        return watchers.final


def test_an_event_is_published_as_it_opens_is_sure_and_ends(url: str) -> None:
    with watching(url) as watchers:
        in_order(watchers)
        revisions = watchers.store.revisions()
    assert [one.number for one in revisions] == list(range(1, len(revisions) + 1))
    assert {one.incident.id for one in revisions} == {"pk-20231217T1010Z"}
    assert [one.incident.phase for one in revisions][-2:] == [Phase.CONFIRMED, Phase.ENDED]
    sure = next(one for one in revisions if one.incident.phase is Phase.CONFIRMED)
    assert sure.incident.scope is Scope.NATION
    assert sure.at - (FIRST + 2) * ROUND_S <= 2 * ROUND_S + GRACE_S + 1, "two rounds"


def test_what_was_seen_is_kept_round_by_round_for_whoever_draws_it(url: str) -> None:
    with watching(url) as watchers:
        in_order(watchers)
        rounds = watchers.store.chronicle("PK", FIRST, FIRST + END - 1)
    assert [one.number for one in rounds] == list(range(FIRST, FIRST + END))
    dark = rounds[4]
    assert [(one.prefixes, one.failing_prefixes) for one in dark.networks] == [(6, 6)] * 4
    assert dark.networks[0].broke == {"tls tls_reset_error": 6}
    assert dark.nations[0].share == 1.0
    assert dark.nations[0].world == 0.0
    assert sum(one.failing_prefixes for one in rounds[0].networks) == 0


def test_throttling_is_published_by_its_name_and_its_rate(url: str) -> None:
    with watching(url) as watchers:
        in_order(watchers, SLOW)
        revisions = watchers.store.revisions()
        (row,) = watchers.store.chronicle("PK", FIRST + 8, FIRST + 8)
    assert {one.incident.id for one in revisions} == {"pk-20231217T1010Z"}
    assert [one.incident.phase for one in revisions][-2:] == [Phase.CONFIRMED, Phase.ENDED]
    (part,) = revisions[-1].incident.parts
    assert (part.cause, part.since, part.confirmed) == (Cause.THROTTLING, FIRST + 2, FIRST + 4)
    assert part.slow == Slowness(homes=len(PAKISTAN), ratio=60.0, bps=140_000, is_extreme=True)
    assert part.ended is not None
    assert FIRST + 15 <= part.ended <= FIRST + 18
    assert [(one.failing, one.votes, one.ratio) for one in row.speeds] == [(6.0, 6.0, 60.0)] * 4
    assert [one.failing for one in row.networks] == [0.0] * 4, "they reach it"


@pytest.mark.parametrize(
    ("seed", "whole"), [(1, WHOLE), (2, WHOLE), (3, SLOW)], ids=["fails", "fails again", "slow"]
)
def test_shuffled_and_repeated_batches_are_told_the_same(
    url: str, tmp_path: Path, seed: int, whole: Sequence[Sequence[Ingest]]
) -> None:
    chance = Random(seed)
    mixed = [item for items in whole for item in items]
    chance.shuffle(mixed)
    with watching(url) as watchers:
        for at in range(0, len(mixed), 400):
            watchers.take([*mixed[at : at + 400], *chance.sample(mixed[: at + 400], 30)])
            watchers.clock.at += 1
        watchers.at_the_end_of(END - 1)
        assert watchers.final == told_in_order(f"sqlite://{tmp_path / 'other'}", whole)


def test_what_comes_late_is_told_as_if_it_had_come_in_time(url: str, tmp_path: Path) -> None:
    """A quarter of the homes were cut off from us as well, and upload at the end."""
    late = {home.probe for n, home in enumerate(PAKISTAN) if n % 4 == 0}
    in_time = [[item for item in items if item.batch.probe not in late] for items in WHOLE]
    with watching(url) as watchers:
        in_order(watchers, in_time)
        before = watchers.final
        watchers.take([item for items in WHOLE for item in items if item.batch.probe in late])
        watchers.clock.at += LATE_S
        watchers.detector.detect()
        assert before != watchers.final
        revisions = watchers.store.revisions()
        # One more empty round has passed meanwhile.
        with watching(f"sqlite://{tmp_path / 'other'}") as others:
            in_order(others)
            others.clock.at = watchers.clock.at
            others.detector.detect()
            assert watchers.final == others.final
    ids = {one.incident.id for one in revisions if not one.withdrawn}
    assert ids == {"pk-20231217T1010Z"}


def test_a_few_seconds_late_is_answered_at_once_and_far_back_from_time_to_time(url: str) -> None:
    with watching(url) as watchers:
        in_order(watchers, WHOLE[:-1])
        number = END - 2
        held = watchers.detector.findings.state
        stray = replace(said(EVERYBODY[0], number), batch=replace(WHOLE[0][0].batch, sequence=9000))
        watchers.take([stray])
        watchers.detector.detect()
        assert watchers.detector.findings.state == held, "the same vote again changes nothing"
        assert watchers.detector._near is None
        far = replace(said(EVERYBODY[0], number - NEWEST - 1), batch=replace(stray.batch, sequence=9001))
        watchers.take([far])
        watchers.detector.detect()
        assert watchers.detector._far is None
        watchers.take([replace(far, batch=replace(far.batch, sequence=9002))])
        watchers.detector.detect()
        assert watchers.detector._far is not None, "it waits"


@dataclass
class Slow:
    """A monotonic clock by which everything takes a second."""

    at: float = 0.0

    def __call__(self) -> float:
        self.at += 1.0
        return self.at


def test_while_old_uploads_are_caught_up_with_what_is_new_is_told_in_time(url: str, tmp_path: Path) -> None:
    late = {home.probe for n, home in enumerate(PAKISTAN) if n % 4 == 0}
    in_time = [[item for item in items if item.batch.probe not in late] for items in WHOLE]
    with watching(url) as watchers:
        in_order(watchers, in_time)
        watchers.take([item for items in WHOLE for item in items if item.batch.probe in late])
        watchers.detector.monotonic = Slow()
        number, looks = END, 0
        while looks == 0 or watchers.detector._again is not None:
            watchers.at_the_end_of(number)
            assert watchers.detector.findings.state.number == FIRST + number
            for _ in range(5):
                watchers.detector.detect()
            number, looks = number + 1, looks + 1
        assert looks > 5, "a little at each look"
        with watching(f"sqlite://{tmp_path / 'other'}") as others:
            in_order(others)
            others.at_the_end_of(number - 1)
            assert watchers.final == others.final


def test_what_is_stored_while_its_round_is_being_read_is_not_forgotten(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, (last, *others) = 4, [one for one in WHOLE[WARM + 4] if one.batch.country == "PK"]
    with watching(url) as watchers:
        in_order(watchers, WHOLE[: WARM + number])
        watchers.take([*(one for one in WHOLE[WARM + number] if one.batch.country != "PK"), *others])
        store = watchers.store
        read, waiting, stored = store.cells, [last], list[int]()

        def cells(first: int, until: int) -> dict[CellKey, Cell]:
            found = read(first, until)
            if waiting and first <= min(key.minute for key in last.cells) <= until:
                stored.extend(added_to([last], store.ingest([waiting.pop()])))
            return found

        monkeypatch.setattr(store, "cells", cells)
        watchers.at_the_end_of(number)
        assert not waiting
        watchers.detector.noted(stored)
        watchers.detector.detect()
        (rnd,) = store.chronicle("PK", FIRST + number, FIRST + number)
    assert sum(one.prefixes for one in rnd.networks) == len(PAKISTAN)


def test_a_restart_tells_what_is_new_before_it_catches_up(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path / 'store'}"
    clock = Clock()
    with watching(url, clock) as watchers:
        in_order(watchers, WHOLE[: WARM + 8])
        watchers.take([replace(said(PAKISTAN[0], -5), batch=replace(WHOLE[0][0].batch, sequence=9003))])
    with watching(url, clock) as watchers:
        watchers.detector.monotonic = Slow()
        watchers.take(WHOLE[WARM + 8])
        watchers.at_the_end_of(8)
        assert watchers.detector.findings.state.number == FIRST + 8
        assert watchers.detector._again is not None, "and what came before it stopped is not forgotten"


@pytest.mark.parametrize("whole", [WHOLE, SLOW], ids=["fails", "slow"])
def test_a_restart_in_the_middle_changes_nothing(tmp_path: Path, whole: Sequence[Sequence[Ingest]]) -> None:
    url = f"sqlite://{tmp_path / 'store'}"
    clock = Clock()
    with watching(url, clock) as watchers:
        in_order(watchers, whole[: WARM + 8])
    with watching(url, clock) as watchers:
        for number in range(8, END):
            watchers.take(whole[number + WARM])
            watchers.at_the_end_of(number)
        final = watchers.final
        numbers = [one.number for one in watchers.store.revisions()]
    assert final == told_in_order(f"sqlite://{tmp_path / 'other'}", whole)
    assert numbers == list(range(1, len(numbers) + 1)), "nothing is told twice"


def test_an_incident_is_counted_once_and_over_a_restart(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path / 'store'}"
    once = {Cause.BLOCKING_CONFIRMED: 1}
    with watching(url, Clock()) as watchers:
        in_order(watchers)
        assert watchers.detector.confirmed == once, "confirmed and ended, and one incident"
    with watching(url, Clock()) as watchers:
        assert watchers.detector.confirmed == once


def test_what_can_change_no_more_is_stored_and_a_restart_goes_on_from_it(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path / 'store'}"
    clock = Clock()
    days = int(5 * 86_400 / ROUND_S)
    with watching(url, clock) as watchers:
        in_order(watchers)
        watchers.at_the_end_of(days)
        settled = watchers.store.settled()
        kept = watchers.detector._kept
        last = days + FIRST - DEFAULT.late_rounds
        assert last - 300 <= kept.oldest.state.number <= last
        assert len(kept) < 20
        final = watchers.final
    with watching(url, clock) as watchers:
        assert watchers.store.settled() == settled
        watchers.at_the_end_of(days)
        assert watchers.final == final


def test_a_clock_that_began_in_1970_and_is_set_right_leaves_nothing_to_fold_for_hours(url: str) -> None:
    with watching(url, Clock(0.0)) as watchers:
        watchers.detector.detect()
        watchers.clock.at = 1000.0
        watchers.detector.detect()
        watchers.at_the_end_of(0)
        assert watchers.detector.findings.state.number == FIRST


SILENT = cut([home for home in PAKISTAN if home.asn != 4], 20, 60)
MINUTES = 90


def heartbeats() -> list[Seen]:
    """Three of Pakistan's networks fall silent for forty minutes; everybody else goes on."""
    return sorted(
        (
            Seen(
                probe=home.probe, at=BEGAN + at, state=Presence.BYE if bye else Presence.ALIVE,
                country=home.country, asn=home.asn, prefix=f"prefix of {home.probe}",
            )
            for home in EVERYBODY
            for at, bye in beats(home, MINUTES, SILENT.get(home.probe, ()))
        ),
        key=lambda seen: seen.at,
    )  # fmt: skip


BEATS = heartbeats()


def first_of(heard: Sequence[Seen]) -> float:
    """When the first of them came."""
    return min((seen.at for seen in heard), default=inf)


def listening(watchers: Watchers, heard: Sequence[Seen], minutes: range) -> None:
    """Everything comes when it was sent; the detector looks every ten seconds."""
    for ten in range(minutes.start * 6, minutes.stop * 6):
        since, watchers.clock.at = watchers.clock.at, BEGAN + (ten + 1) * 10
        now = [seen for seen in heard if since <= seen.at < watchers.clock.at]
        watchers.store.see(now)
        watchers.detector.heard(first_of(now))
        watchers.detector.detect()


def silence_in_order(url: str) -> bytes:
    with watching(url, Clock(BEGAN - 1800)) as watchers:
        listening(watchers, BEATS, range(-30, MINUTES))
        return watchers.final


def test_a_silence_is_published_by_the_minute_and_not_by_the_round(url: str) -> None:
    with watching(url, Clock(BEGAN - 1800)) as watchers:
        listening(watchers, BEATS, range(-30, MINUTES))
        revisions = watchers.store.revisions()
    assert {one.incident.id for one in revisions} == {"pk-20231217T1020Z"}
    sure = next(one for one in revisions if one.incident.phase is Phase.CONFIRMED)
    assert (sure.at - BEGAN) / 60 - 20 <= 4
    assert sure.incident.cause is Cause.SHUTDOWN
    assert sure.incident.scope is Scope.NATION
    over = next(one for one in revisions if one.incident.phase is Phase.ENDED)
    assert (over.at - BEGAN) / 60 - 60 <= 5


@pytest.mark.parametrize("seed", [1, 2])
def test_shuffled_repeated_and_late_heartbeats_are_told_the_same(url: str, tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    mixed = [*BEATS, *chance.sample(BEATS, 500)]
    chance.shuffle(mixed)
    with watching(url, Clock(BEGAN + 3000)) as watchers:
        for at in range(0, len(mixed), 2000):
            some = mixed[at : at + 2000]
            watchers.store.see(some)
            watchers.detector.heard(first_of(some))
            watchers.clock.at += 60
            watchers.detector.detect()
        watchers.clock.at = BEGAN + MINUTES * 60
        watchers.detector._late_at = 0
        watchers.detector.detect()
        assert watchers.final == silence_in_order(f"sqlite://{tmp_path / 'other'}")


def test_a_restart_in_the_middle_of_a_silence_changes_nothing(tmp_path: Path) -> None:
    url, clock = f"sqlite://{tmp_path / 'store'}", Clock(BEGAN - 1800)
    with watching(url, clock) as watchers:
        listening(watchers, BEATS, range(-30, 33))
    with watching(url, clock) as watchers:
        listening(watchers, BEATS, range(33, MINUTES))
        final = watchers.final
        numbers = [one.number for one in watchers.store.revisions()]
    assert final == silence_in_order(f"sqlite://{tmp_path / 'other'}")
    assert numbers == list(range(1, len(numbers) + 1)), "nothing is told twice"


def of_a_line(home: Home, number: int) -> Ingest:
    """What a home without a line measures in a round of the story."""
    item = said(home, number)
    ((key, cell),) = item.cells.items()
    vote = cell.votes[home.probe]._replace(status="unreachable", broke="gate offline", proven=())
    line = Cell(statuses={"offline": 1}, votes={home.probe: vote})
    return replace(item, cells={key._replace(platform=CONNECTIVITY): line})


def test_what_was_measured_in_the_dark_keeps_a_shutdown_one(url: str) -> None:
    with watching(url, Clock(BEGAN - 1800)) as watchers:
        listening(watchers, BEATS, range(-30, 66))
        silent = [home for home in PAKISTAN if home.probe in SILENT]
        watchers.take([of_a_line(home, number) for home in silent for number in range(5, 12)])
        listening(watchers, BEATS, range(66, MINUTES))
        watchers.clock.at = BEGAN + 130 * 60
        watchers.detector.detect()
        (incident,) = watchers.detector.findings.book
        assert (incident.cause, incident.phase) == (Cause.SHUTDOWN, Phase.ENDED)


def test_of_machines_that_were_off_no_shutdown_is_claimed_in_the_end(url: str) -> None:
    with watching(url, Clock(BEGAN - 1800)) as watchers:
        listening(watchers, BEATS, range(-30, MINUTES))
        watchers.clock.at = BEGAN + 130 * 60
        watchers.detector.detect()
        reasons = [one.reason for one in watchers.store.revisions()]
    assert reasons[-1] == "cause connectivity disruption"


def test_rounds_of_another_length_are_refused_in_a_folder_that_has_told_some(url: str) -> None:
    with watching(url) as watchers:
        limits = replace(DEFAULT, round_s=60)
        other = Detector(watchers.store, limits, wall=watchers.clock, monotonic=watchers.clock)
        with pytest.raises(StoreError, match=r"round_s is 60, and .* rounds of 300 s"):
            other.start()


def test_as_much_is_folded_again_as_ingest_lets_in() -> None:
    assert DEFAULT.late_s == SPOOLED_S


def test_where_no_round_is_complete_nothing_is_said(url: str) -> None:
    with watching(url) as watchers:
        before = watchers.detector.findings
        watchers.clock.at -= 5 * 86_400
        watchers.detector.detect()
        assert watchers.detector.findings is before


def put_aside(watchers: Watchers, homes: Sequence[Home], since: float, until: float | None = None) -> None:
    """Order a quarantine of each home's key, as an operator does."""
    for home in homes:
        watchers.store.order(
            Quarantine(subject=home.probe, ordered_at=START, since=since, by="me", until=until)
        )
    watchers.detector.ordered(since if until is None else until)


def test_a_quarantine_takes_back_at_once_what_it_covers_as_if_it_had_been_there_all_along(
    url: str, tmp_path: Path
) -> None:
    with watching(url) as watchers:
        in_order(watchers)
        assert watchers.detector.findings.book
        watchers.take([replace(said(PAKISTAN[0], 0), batch=replace(WHOLE[0][0].batch, sequence=9000))])
        watchers.detector.detect()  # late data were answered just now, and an order does not wait
        put_aside(watchers, PAKISTAN, START)
        watchers.detector.detect()
        assert watchers.detector.findings.book == ()
        last = watchers.store.revisions()[-1]
        assert (last.withdrawn, last.reason) == (True, "nothing quarantine")
        with watching(f"sqlite://{tmp_path / 'other'}") as others:
            put_aside(others, PAKISTAN, START)
            in_order(others)
            assert others.store.revisions() == []
            assert watchers.final == others.final


def test_what_was_told_of_a_country_nobody_speaks_for_any_more_is_taken_back(url: str) -> None:
    with watching(url) as watchers:
        in_order(watchers)
        chronicle = watchers.store.chronicle
        assert all(one.networks for one in chronicle("PK", FIRST, FIRST + 5))
        put_aside(watchers, PAKISTAN, START)
        watchers.detector.detect()
        assert chronicle("PK", FIRST, FIRST + 5) == []


def test_a_release_from_a_moment_on_is_the_same_over_a_restart(tmp_path: Path) -> None:
    url, clock = f"sqlite://{tmp_path / 'store'}", Clock()
    with watching(url, clock) as watchers:
        put_aside(watchers, PAKISTAN[:12], START)
        in_order(watchers)
        put_aside(watchers, PAKISTAN[:12], START, until=(FIRST - 30) * ROUND_S)
        watchers.detector.detect()
        final = watchers.final
    with watching(url, clock) as watchers:
        watchers.detector.detect()
        assert watchers.final == final
    with watching(f"sqlite://{tmp_path / 'other'}") as others:
        put_aside(others, PAKISTAN[:12], START, until=(FIRST - 30) * ROUND_S)
        in_order(others)
        assert others.final == final


def test_a_prefix_in_quarantine_is_not_heard_whoever_stands_in_it(url: str) -> None:
    with watching(url) as watchers:
        for home in PAKISTAN:
            watchers.store.order(
                Quarantine(subject=f"prefix of {home.probe}", ordered_at=START, since=START, by="me")
            )
        in_order(watchers)
        assert watchers.detector.findings.book == ()


def test_a_release_that_cannot_read_the_old_states_takes_back_nothing_that_goes_on(url: str) -> None:
    """As far back as anything can still come nobody has a past: who has lived through that much of a block
    would say that nothing was wrong."""
    limits = replace(DEFAULT, late_s=14 * ROUND_S)
    with watching(url) as watchers:
        in_order(watchers, WHOLE[: WARM + 8])
        watchers.store.settle({}, ())
        again = Detector(watchers.store, limits, wall=watchers.clock, monotonic=watchers.clock)
        again.start()
        again.detect()
        (told,) = again.published.values()
    assert (told.incident.id, told.withdrawn, told.incident.is_open) == ("pk-20231217T1010Z", False, True)
