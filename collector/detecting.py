"""``python -m collector.detecting``: the process in which the detector works.

It reads the collector's store by itself and changes nothing in it: what is to be kept is asked of the
collector, whose one connection does all the writing.
"""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Any, BinaryIO

from . import log
from .detect.ballots import Standing
from .detect.cells import Cell, CellKey
from .detect.chronicle import CountryRound
from .detect.quarantine import Quarantine
from .detect.revisions import Revision
from .detect.spans import Span
from .detector import Detector, Findings
from .notes import Begin, Done, Failed, Found, Look, Wish
from .piped import heard, pipes, said
from .store.base import Records, StoreError
from .store.sqlite import SqliteStore

NICE = 10  # pages and receipts first: what is folded is told in minutes, not in seconds


class Desk:
    """The store as the detector has it. `ask` has something kept, and says what the store said."""

    def __init__(self, store: Records, ask: Callable[[Wish], Any]) -> None:
        self._store = store
        self._ask = ask

    def standings(self) -> Mapping[str, Standing]:
        """See `base.Records`."""
        return self._store.standings()

    def quarantines(self) -> list[Quarantine]:
        """See `base.Records`."""
        return self._store.quarantines()

    def cells(self, first_minute: int, last_minute: int) -> dict[CellKey, Cell]:
        """See `base.Records`."""
        return self._store.cells(first_minute, last_minute)

    def spans(self, since: float, until: float) -> list[Span]:
        """See `base.Records`."""
        return self._store.spans(since, until)

    def settled(self) -> list[bytes]:
        """See `base.Records`."""
        return self._store.settled()

    def revisions(self, incident: str | None = None) -> list[Revision]:
        """See `base.Records`."""
        return self._store.revisions(incident)

    def rounds_of(self, seconds: float) -> float:
        """See `base.Records`."""
        return float(self._ask(Wish("rounds_of", (seconds,))))

    def settle(self, states: Mapping[int, bytes], keep: Collection[int]) -> None:
        """See `base.Records`."""
        self._ask(Wish("settle", (dict(states), list(keep))))

    def tell(self, rounds: Iterable[CountryRound], empty: Iterable[tuple[str, int]] = ()) -> None:
        """See `base.Records`."""
        self._ask(Wish("tell", (list(rounds), list(empty))))

    def ground(self, starts: Mapping[str, bytes]) -> None:
        """See `base.Records`."""
        self._ask(Wish("ground", (dict(starts),)))

    def publish(self, revisions: Iterable[Revision]) -> None:
        """See `base.Records`."""
        self._ask(Wish("publish", (list(revisions),)))


@dataclass
class Clock:
    """The collector's time, as of its last word."""

    now: float

    def __call__(self) -> float:
        """In Unix seconds."""
        return self.now


@dataclass
class Told:
    """A detector, and what of its words is known outside."""

    detector: Detector
    clock: Clock
    known: Mapping[str, Revision] = field(default_factory=dict)

    def begun(self) -> Found:
        """It takes up where the last process stopped."""
        self.detector.start()
        return self._found(None)

    def looked(self, look: Look) -> Found:
        """It looks."""
        detector, self.clock.now = self.detector, look.now
        detector.noted(look.minutes)
        detector.heard(look.heard_since)
        if look.ordered_since < inf:
            detector.ordered(look.ordered_since)
        before = detector.findings
        detector.detect()
        return self._found(None if detector.findings is before else bare(detector.findings))

    def _found(self, findings: Findings | None) -> Found:
        detector, known = self.detector, self.known
        self.known = detector.published
        return Found(
            findings=findings,
            published={name: one for name, one in self.known.items() if known.get(name) is not one},
            confirmed=detector.confirmed,
        )


def bare(findings: Findings) -> Findings:
    """The same without what each home did: nearly all of it, and nobody's business but detection's."""
    state = findings.state
    without = replace(
        state,
        networks={place: replace(one, pasts={}) for place, one in state.networks.items()},
        speeds={place: replace(one, paces={}) for place, one in state.speeds.items()},
        silences={country: replace(one, hazards={}) for country, one in state.silences.items()},
    )
    return replace(findings, state=without)


def main(source: BinaryIO, sink: BinaryIO) -> None:
    """Look as often as told to, until the other end is closed."""
    words = heard(source)
    begin: Begin | None = next(words, None)
    if begin is None:
        return
    try:
        for found in _worked(begin, words, sink):
            said(sink, found)
    except Exception as error:  # noqa: BLE001  the collector says it, in its log
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}:{last.lineno}"
        said(sink, Failed(f"{type(error).__name__}: {error} ({where})", is_over=True))


def _worked(begin: Begin, words: Iterator[Any], sink: BinaryIO) -> Iterator[Found | Failed]:
    def ask(wish: Wish) -> Any:
        said(sink, wish)
        answer: Done | Failed | None = next(words, None)
        if answer is None:
            raise SystemExit(0)
        if isinstance(answer, Failed):
            raise StoreError(answer.error)
        return answer.value

    try:
        clock, desk = Clock(begin.now), Desk(SqliteStore.read(begin.folder), ask)
        detector = Detector(
            desk, begin.limits, wall=clock, monotonic=time.monotonic, shares=begin.shares, mobile=begin.mobile
        )
        told = Told(detector, clock)
        yield told.begun()
    except StoreError as error:
        yield Failed(str(error))
        return
    for look in words:
        try:
            yield told.looked(look)
        except StoreError as error:
            yield Failed(str(error))


if __name__ == "__main__":
    os.nice(NICE)
    log.start()
    main(*pipes())
