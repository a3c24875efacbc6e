"""The thin loop around detection: read cells and heartbeats, fold, publish what changed. It has a process of
its own (see `lookout`), and takes its time.

States are kept of a few rounds back, because some of what was measured comes late. What is late by
seconds is folded again at once. What is late by hours is caught up with beside the new rounds, a
little at each look, on states of its own that take the others' place when they have come as far: a
flood of old uploads keeps nobody waiting for what happens now. A restart goes on from the newest
state and catches up with everything that can still come. Silence goes by the minute, ahead of the rounds.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from .detect import early, saved
from .detect.ballots import at_home, by_round
from .detect.bundling import start_of
from .detect.chronicle import silent, told
from .detect.early import Said
from .detect.fold import Setting, State, advance, listen
from .detect.incidents import Cause, Incident, record
from .detect.kept import Kept
from .detect.quarantine import by_subject, heard
from .detect.revisions import LATE, QUARANTINED, Revision, revised
from .detect.saved import Settled
from .detect.silence import heard_between
from .detect.spans import Span
from .detect.thresholds import PAUSE_S, Thresholds
from .store.base import Records, StoreError

log = logging.getLogger("reachwatch.detector")

# A round is begun before its last second and told within so many seconds; who is later is late.
GRACE_S = 15.0
# A heartbeat is stored within so many seconds of its arrival.
HEARTBEAT_GRACE_S = 5.0
# Old rounds are folded again no more often than this, in seconds: late uploads come one by one.
LATE_S = 300.0
# What catching up may take of each look, in seconds.
CATCH_UP_S = 0.5
# How often, in a round, the running one is looked at where it may make something sure.
EARLY_LOOKS = 12
# Rounds that no collector was away for, three years of five minutes each: a machine without a clock of
# its own began in 1970 and was set right since.
ABSURD = 315_000
# Rounds from before an incident that its evidence shows at least: how it was when all was well.
QUIET = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What detection says now. `until` is the end of the last round folded, in Unix seconds; `took_s` how
    long the last fold took."""

    state: State
    book: tuple[Incident, ...]
    until: float
    took_s: float = 0.0


@dataclass
class Detector:
    """One collector's detection. `noted` and `heard` are told what ingest has stored. `published` is each
    incident's last revision, with its counts as they are now: more homes are no news, and are shown all the
    same. `confirmed` counts incidents by the cause they had when they were first said to be sure, so that
    the counts never fall."""

    store: Records
    limits: Thresholds
    wall: Callable[[], float]
    monotonic: Callable[[], float]
    shares: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    mobile: frozenset[int] = frozenset()
    findings: Findings = field(init=False)
    published: Mapping[str, Revision] = field(default_factory=dict)
    confirmed: Counter[Cause] = field(default_factory=Counter)
    _said: dict[str, Revision] = field(default_factory=dict)
    _kept: Kept = field(init=False)
    _listened: Settled = field(init=False)
    _listened_from: Settled = field(init=False)
    _again: Kept | None = None
    _early: dict[str, Incident] = field(default_factory=dict)
    _early_at: float = -math.inf
    _near: int | None = None
    _far: int | None = None
    _late_at: float = 0.0
    _why: str = LATE
    _caught_from: int = 0
    _settled: dict[int, Settled] = field(default_factory=dict)
    _grounded: set[str] = field(default_factory=set)
    _is_unsaid: bool = False

    def __post_init__(self) -> None:
        self.findings = Findings(state=State(), book=(), until=0.0)
        self._kept = Kept.beginning_with(self.limits, self._nothing_before(self.wall()))
        self._listened = self._listened_from = self._kept.newest

    def noted(self, minutes: Iterable[int]) -> None:
        """Note which rounds are to be folded again: those with these minutes, which were added to."""
        for minute in minutes:
            self._note(self._round(minute * 60))

    def heard(self, since: float) -> None:
        """Note which minutes are to be listened to again: hardly ever any, heartbeats never come late. What
        came is of `since` or later, in Unix seconds."""
        if since < (self._listened.state.minute + 1) * 60:
            self._note(self._round(since - PAUSE_S))
            self._listened = self._listened_from

    def _note(self, number: int) -> None:
        # What is read of a round at this moment may be without it: the round after the last counts too.
        if self._kept.is_near(number):
            self._near = number if self._near is None else min(number, self._near)
        elif self._again is None or number <= self._again.number + 1:
            self._far = number if self._far is None else min(number, self._far)

    def ordered(self, since: float) -> None:
        """Fold again, from the next look on, what a quarantine or a release changes: all from `since` on, in
        Unix seconds."""
        number = self._round(since)
        # Whatever is being folded now was begun without it.
        if self._kept.is_near(number):
            number = min(number, self._kept.number + 1)
            self._near = number if self._near is None else min(number, self._near)
        else:
            self._far = number if self._far is None else min(number, self._far)
        self._late_at = -math.inf
        self._why = QUARANTINED

    def _round(self, at: float) -> int:
        return int(at // self.limits.round_s)

    def start(self) -> None:
        """Take up where the last process stopped; raises `StoreError`."""
        kept_s = self.store.rounds_of(self.limits.round_s)
        if kept_s != self.limits.round_s:
            raise StoreError(
                f"detection.round_s is {self.limits.round_s:g}, and this folder's incidents are told in"
                f" rounds of {kept_s:g} s: set that, or begin a new folder"
            )
        for revision in self.store.revisions():
            self._note_word(revision)
        self.published = dict(self._said)
        kept = [saved.unpack(data) for data in self.store.settled()]
        states = [one for one in kept if one is not None]
        self._kept = Kept.beginning_with(self.limits, *(states or [self._nothing_before_what_goes_on()]))
        if len(self._kept) > 1:  # whatever came late and was not caught up with
            self._far = self._kept.oldest.state.number + 1

    def _nothing_before(self, now: float) -> Settled:
        """An empty state from before anything that can still come."""
        return Settled(state=State(number=self._round(now) - self.limits.late_rounds - 1), book=())

    def _nothing_before_what_goes_on(self) -> Settled:
        """The same where no state can be read, as after a release that keeps another form: what goes on is
        found again only where its homes have a past, and would be taken back otherwise."""
        nothing = self._nothing_before(self.wall())
        told = (one.incident for one in self._said.values() if not one.withdrawn)
        since = [one.since - self.limits.late_rounds for one in told if one.is_open]
        return replace(nothing, state=State(number=min([nothing.state.number, *since])))

    def detect(self) -> None:
        """Fold every round that is complete, and again every one that was added to since; publish what
        is new."""
        head = self._round(self.wall() - GRACE_S) - 1
        if head - self._kept.number > ABSURD:
            self._kept = Kept.beginning_with(self.limits, self._nothing_before(self.wall()))
        began = self.monotonic()
        following = self._kept.number + 1
        first = following if self._near is None else min(following, self._near)
        if first <= head:
            self._near = None
            self._kept = self._kept.up_to(first)
            self._again = self._again and self._again.up_to(first)
            self._fold(self._kept, head)
            self._early, self._early_at = {}, -math.inf
        caught_up = self._catch_up(head)
        is_news = self._listen()
        is_news |= self._look_ahead(head)
        if first > head and caught_up is None and not is_news and not self._is_unsaid:
            return
        self._is_unsaid = True  # until the store has kept it
        self._settle()
        now = self._with_early(self._listened)
        self._ground(now.book, first if caught_up is None else min(first, caught_up))
        self._publish(now)
        self._is_unsaid = False
        book = {one.id: replace(self._said[one.id], incident=one) for one in now.book}
        self.published = self._said | book
        if not self.is_behind:
            self._why = LATE
        self.findings = Findings(
            state=now.state,
            book=now.book,
            until=(now.state.number + 1) * self.limits.round_s,
            took_s=self.monotonic() - began,
        )

    def _look_ahead(self, head: int) -> bool:
        """Look at the running round, if it may make something sure; whether it did, and had not before."""
        newest, now = self._listened, self.monotonic()
        countries = early.within_reach(newest.state, self.limits)
        if not countries or newest.state.number != head:
            return False
        if now - self._early_at < self.limits.round_s / EARLY_LOOKS:
            return False
        self._early_at = now
        number, setting = head + 1, self.setting()
        before = range(number - self.limits.expected_rounds, number)
        said = [self._said_in(one, setting) for one in (*before, number)]
        left = max(0.0, number + 1 - self.wall() / self.limits.round_s)
        found = early.sure(newest, said[-1], said[:-1], countries, setting, left)
        known, self._early = self._early, {one.id: one for one in found}
        return not self._early.keys() <= known.keys()

    def _with_early(self, now: Settled) -> Settled:
        """The same with what of the running round is sure already."""
        book = {one.id: one for one in now.book} | self._early
        return replace(now, book=tuple(sorted(book.values(), key=lambda one: (one.since, one.id))))

    def _listen(self) -> bool:
        """Listen to the minutes after the last round as well; whether there were any. Not kept: the round
        that they are of begins with them when it is folded."""
        if self._listened_from is not self._kept.newest:
            self._listened = self._listened_from = self._kept.newest
        first = max(self._listened.state.minute + 1, (self._kept.number + 1) * self._per_round)
        last = int((self.wall() - HEARTBEAT_GRACE_S) // 60) - 1
        if first > last:
            return False
        spans, setting = self._spans(first, last), self.setting()
        self._listened = self._hear(self._listened, range(first, last + 1), spans, setting)
        return True

    def _catch_up(self, head: int) -> int | None:
        """Go on with what is late by more than a few rounds; from which round on it is folded again, once
        that has come as far as the rest."""
        if self._again is None:
            if self._far is None or self.wall() - self._late_at < LATE_S:
                return None
            self._late_at = self.wall()
            self._again, self._far = self._kept.up_to(self._far), None
            self._caught_from = self._again.number + 1
        if not self._fold(self._again, head, self.monotonic() + CATCH_UP_S):
            return None
        self._kept, self._again = self._again, None
        return self._caught_from

    def _fold(self, kept: Kept, head: int, until: float = math.inf) -> bool:
        """Fold on to `head`, by one round at least; False where the time is over before."""
        setting = self.setting()
        while kept.number < head:
            kept.add(self._folded(kept.newest, kept.number + 1, setting))
            state = kept.newest.state
            self.store.tell(told(state), silent(state))
            if self.monotonic() > until:
                break
        return kept.number == head

    @property
    def is_behind(self) -> bool:
        """Whether something that came late is still to be folded in."""
        is_near = self._near is not None and self._near <= self._kept.number
        return is_near or self._far is not None or self._again is not None

    def setting(self) -> Setting:
        """What is known beside the measurements."""
        return setting_of(self.store, self.limits, self.shares, self.mobile)

    @property
    def _per_round(self) -> int:
        return int(self.limits.round_s // 60)

    def _spans(self, first: int, last: int) -> list[Span]:
        """All that minutes `first` to `last` are about."""
        return self.store.spans(*heard_between(first, last))

    def _folded(self, before: Settled, number: int, setting: Setting) -> Settled:
        first = number * self._per_round
        last = first + self._per_round - 1
        listened = self._hear(before, range(first, last + 1), self._spans(first, last), setting)
        state = advance(listened.state, number, self._said_in(number, setting), setting)
        return Settled(state=state, book=record(listened.book, state, self.limits))

    def _said_in(self, number: int, setting: Setting) -> Said:
        first = number * self._per_round
        cells = heard(self.store.cells(first, first + self._per_round - 1), setting.orders)
        ballots = by_round(cells.items(), self.limits).get(number, {})
        return at_home(ballots, setting.standings, self.limits)

    def _hear(
        self, before: Settled, minutes: Iterable[int], spans: Collection[Span], setting: Setting
    ) -> Settled:
        for minute in minutes:
            state = listen(before.state, minute, spans, setting)
            before = Settled(state=state, book=record(before.book, state, self.limits))
        return before

    def _settle(self) -> None:
        """Store the oldest and the newest state, as far as they are not stored yet."""
        both = {one.state.number: one for one in (self._kept.oldest, self._kept.newest)}
        new = {
            number: saved.pack(one) for number, one in both.items() if one is not self._settled.get(number)
        }
        if new:
            self.store.settle(new, both.keys())
            self._settled = both

    def _ground(self, book: Iterable[Incident], folded_from: int) -> None:
        """Store what each incident's evidence begins with, before it is published: the last state kept from
        well before it; and again where that state was folded again. When it is kept no more, nothing can
        change it any more."""
        starts = {}
        for incident in book:
            before = self._kept.before(incident.since - QUIET)
            if before is None or (incident.id in self._grounded and before.state.number < folded_from):
                continue
            starts[incident.id] = saved.pack(start_of(before, incident.country))
        if starts:
            self.store.ground(starts)
            self._grounded |= starts.keys()

    def _publish(self, now: Settled) -> None:
        first = now.state.number - self.limits.late_rounds
        last_word = first + self.limits.last_word_rounds
        new = list(revised(self._said, now.book, self.wall(), first, last_word, self._why))
        if not new:
            return
        self.store.publish(new)
        for revision in new:
            log.warning(
                "incident id=%s revision=%d reason=%s", revision.incident.id, revision.number, revision.reason
            )
            self._note_word(revision)

    def _note_word(self, revision: Revision) -> None:
        before, now = self._said.get(revision.incident.id), revision.incident
        if now.is_sure and not (before is not None and before.incident.is_sure):
            self.confirmed[now.cause] += 1
        self._said[now.id] = revision


def setting_of(
    store: Records, limits: Thresholds, shares: Mapping[str, Mapping[int, float]], mobile: frozenset[int]
) -> Setting:
    """What is known beside the measurements."""
    return Setting(
        limits=limits,
        standings=store.standings(),
        shares=shares,
        mobile=mobile,
        orders=by_subject(store.quarantines()),
    )
