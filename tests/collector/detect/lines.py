"""Homes whose probes say every minute that they are there, in relative time: the stories of silence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from collector.detect.ballots import Ballot, Place, Standing
from collector.detect.cells import CONNECTIVITY
from collector.detect.fold import Setting, State, advance, listen
from collector.detect.incidents import Incident, record
from collector.detect.quarantine import Orders
from collector.detect.silence import Watch
from collector.detect.spans import Span, is_near, union
from collector.detect.thresholds import DEFAULT
from tests.collector.detect.homes import FIRST, Home

# Minute 0 of a story is the first of its round 0; half an hour before it everybody is there.
BEGAN = FIRST * DEFAULT.round_s
WARM_MINUTES = 30
BEAT_S = 60.0


@dataclass(frozen=True)
class Cut:
    """From and until which minute a home is not heard; it says goodbye or does not."""

    since: float
    until: float = 1e9
    says_bye: bool = False


def beats(home: Home, minutes: int, cuts: Iterable[Cut] = (), seed: int = 0) -> list[tuple[float, bool]]:
    """When a home's heartbeats are heard, in seconds of the story, and which are goodbyes."""
    chance = Random(f"{seed} {home.probe}")
    phase, found = chance.random() * BEAT_S, []
    for number in range(-WARM_MINUTES, minutes):
        at = number * BEAT_S + phase + chance.uniform(0, 1)
        cut = next((cut for cut in cuts if cut.since * 60 <= at < cut.until * 60), None)
        if cut is None:
            found.append((at, False))
        elif cut.says_bye and at - BEAT_S < cut.since * 60:
            found.append((at, True))
    return found


def spans_of(home: Home, heard: Iterable[tuple[float, bool]], prefix: str = "") -> list[Span]:
    """What a store makes of a home's heartbeats."""
    found: list[Span] = []
    for at, said_bye in heard:
        span = Span(
            probe=home.probe, country=home.country, asn=home.asn, first_at=BEGAN + at, last_at=BEGAN + at,
            said_bye=said_bye, prefix=prefix or f"prefix of {home.probe}",
        )  # fmt: skip
        near = [one for one in found if is_near(one, span)]
        found = [*(one for one in found if one not in near), union((span, *near))]
    return found


@dataclass
class Telling:
    """A story of `minutes`. `cuts` by probe; `lines` says of rounds what late or other ways bring: by probe,
    whether the controls failed, in which round of the story."""

    homes: Sequence[Home]
    minutes: int
    cuts: Mapping[str, Sequence[Cut]] = field(default_factory=dict)
    mobile: frozenset[int] = frozenset()
    standings: Mapping[str, Standing] = field(default_factory=dict)
    prefixes: Mapping[str, str] = field(default_factory=dict)
    lines: Mapping[int, Mapping[str, bool]] = field(default_factory=dict)
    away: tuple[float, float] | None = None
    orders: Orders = field(default_factory=dict)
    seed: int = 0

    def spans(self) -> list[Span]:
        """All of it."""
        found = []
        for home in self.homes:
            cuts = [*self.cuts.get(home.probe, ())]
            if self.away:
                cuts.insert(0, Cut(*self.away))
            heard = beats(home, self.minutes, cuts, self.seed)
            found += spans_of(home, heard, self.prefixes.get(home.probe, ""))
        return found

    def told(self) -> Heard:
        """The state and the incidents after each minute."""
        known = {home.probe: Standing(0.0) for home in self.homes}
        setting = Setting(
            limits=DEFAULT,
            standings={**known, **self.standings},
            mobile=self.mobile,
            orders=self.orders,
        )
        spans, per_round = self.spans(), int(DEFAULT.round_s // 60)
        state, book, heard = State(number=FIRST - 1), tuple[Incident, ...](), Heard([], [])
        for minute in range(self.minutes):
            # What is known at that moment: nobody knows yet who will go on.
            at = BEGAN + (minute + 1) * 60
            until = [replace(one, last_at=min(one.last_at, at)) for one in spans if one.first_at <= at]
            state = listen(state, FIRST * per_round + minute, until, setting)
            book = record(book, state, DEFAULT)
            heard.states.append(state)
            heard.books.append(book)
            if minute % per_round == per_round - 1:
                number = minute // per_round
                state = advance(state, FIRST + number, self._ballots(number), setting)
                book = record(book, state, DEFAULT)
        return heard

    def _ballots(self, number: int) -> dict[Place, list[Ballot]]:
        found: dict[Place, list[Ballot]] = {}
        for home in self.homes:
            failed = self.lines.get(number, {}).get(home.probe)
            if failed is not None:
                ballot = Ballot(
                    probe=home.probe, at=BEGAN + number * DEFAULT.round_s + 270,
                    prefix=f"prefix of {home.probe}", failed=failed,
                )  # fmt: skip
                found.setdefault(Place(home.country, home.asn, CONNECTIVITY), []).append(ballot)
        return found


@dataclass(frozen=True)
class Heard:
    """What was known after each minute."""

    states: list[State]
    books: list[tuple[Incident, ...]]

    def watch(self, country: str = "PK", minute: int = -1) -> Watch:
        """A country's watch after a minute."""
        return self.states[minute].silences[country]

    @property
    def last(self) -> tuple[Incident, ...]:
        """The incidents in the end."""
        return self.books[-1]

    def confirmed(self) -> int | None:
        """After how many minutes of the story anything was sure."""
        return next((n for n, book in enumerate(self.books, 1) if any(one.is_sure for one in book)), None)


def cut(homes: Iterable[Home], since: float, until: float = 1e9) -> dict[str, list[Cut]]:
    """All of them in one stroke, without a word."""
    return {home.probe: [Cut(since, until)] for home in homes}
