"""What a person sees while a round runs: a table that fills in, a row for each platform.

Readable without colour and on any terminal: every cell is a word or a count of what a person's own
program would have met. Questions about why something failed are the agent's, and are not counted.
It never is wider or taller than the terminal: where the stages do not fit side by side, each platform
has one cell that says how far it got. A terminal that cannot draw a place again, as people use who
listen rather than look, gets a line whenever something else begins.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import inf

from .round import Activity
from .screen import Drawing, Screen, cells, clip, wrap
from .verdict.evidence import speaks
from .verdict.speed import in_words, rates
from .verdict.walk import round_trips
from .wire.observation import Observation, Purpose
from .wire.platform import Platform
from .wire.stage import Resolver, Stage

# A person sees no change faster than that as a change, and writing costs the measurement nothing.
TICK_S = 0.2
# On a terminal that only takes lines: long enough not to chatter, short enough to show life.
STILL_S = 15.0

_HEADINGS = {Stage.DNS: "name", Stage.TCP: "connection", Stage.TLS: "encryption", Stage.HTTP: "answer"}
_DOING = {
    Activity.BEFORE: "checking the line",
    Activity.MEASURING: "measuring",
    Activity.SPEED: "comparing speed",
    Activity.WHY: "asking why it failed",
    Activity.AFTER: "checking the line again",
}
_GAP = "  "


class Progress:
    """What has been seen so far, by platform and stage."""

    def __init__(
        self, platforms: Sequence[Platform], most_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._titles = {platform.name: platform.title for platform in platforms}
        self._required = {p.target(role) for p in platforms for role in p.roles if role.required}
        self.activity = Activity.BEFORE
        self._most_s = most_s
        self._clock = clock
        self._started = clock()
        self._seen: Counter[tuple[str, Stage, bool]] = Counter()
        self._heard: list[Observation] = []

    def enter(self, activity: Activity) -> None:
        """Something else begins."""
        self.activity = activity

    def see(self, observation: Observation) -> None:
        """Count one observation, if it is of what a person would miss."""
        target = observation.target
        self._heard.append(observation)
        if target in self._required and _is_of_use(observation):
            name = target.partition("/")[0]
            self._seen[name, observation.stage, observation.failure is None] += 1

    def _speeds(self) -> dict[str, float]:
        """The best rate of each role whose speed was compared, in bits a second."""
        heard = tuple(self._heard)  # who counts goes on while this is drawn
        transfers = [o for o in heard if o.purpose is Purpose.TRANSFER]
        trips = round_trips(heard) if transfers else {}
        best: dict[str, float] = {}
        for seen in transfers:
            for rate in rates([seen], trips):
                best[seen.target] = max(best.get(seen.target, 0.0), rate.bps)
        return best

    @property
    def elapsed_s(self) -> float:
        """Since the round began."""
        return self._clock() - self._started

    def doing(self) -> str:
        """What the round is at and since when, and how long it may take where that is long."""
        text = f"{_DOING[self.activity]}: {self.elapsed_s:.0f} s"
        return f"{text}, up to {self._most_s:.0f} s" if self.activity is Activity.WHY else text

    def table(self, blank: str) -> list[list[str]]:
        """The headings, and a row for each platform; `blank` stands where nothing has been seen."""
        speeds = self._speeds()
        headings = ["platform", *_HEADINGS.values(), *(["speed"] if speeds else [])]
        rows = ([title, *self._row(name, blank, speeds)] for name, title in self._titles.items())
        return [headings, *rows]

    def _row(self, name: str, blank: str, speeds: Mapping[str, float]) -> list[str]:
        row = [self._cell(name, stage) or blank for stage in _HEADINGS]
        if speeds:
            bps = [best for target, best in speeds.items() if target.startswith(f"{name}/")]
            row.append(in_words(min(bps)) if bps else blank)  # of its slowest part
        return row

    def in_short(self, blank: str) -> list[list[str]]:
        """A row for each platform, which has one cell."""
        return [[title, self._how_far(name, blank)] for name, title in self._titles.items()]

    def _how_far(self, name: str, blank: str) -> str:
        """A platform in one cell: the stage at which it begins to fail, else the last it has passed."""
        passed = blank
        for stage, heading in _HEADINGS.items():
            cell = self._cell(name, stage)
            if self._seen[name, stage, False]:
                return f"{heading}: {cell}"
            passed = f"{heading}: {cell}" if cell else passed
        return passed

    def _cell(self, name: str, stage: Stage) -> str:
        good, bad = self._seen[name, stage, True], self._seen[name, stage, False]
        if not bad:
            return "ok" if good else ""
        return f"{bad} of {good + bad} failed" if good else f"all {bad} failed"


def _is_of_use(seen: Observation) -> bool:
    """Whether a person's own program would have done that, with the resolver it was given, and met a
    failure that says something, if any."""
    asks_a_witness = seen.dns is not None and seen.dns.resolver is not Resolver.SYSTEM
    is_told = seen.failure is None or speaks(seen)
    return seen.purpose is Purpose.ENDPOINT and not asks_a_witness and is_told


def frame(progress: Progress, doing: str, blank: str, screen: Screen) -> list[str]:
    """The table as lines that fit into the terminal. One row is left for the cursor, and one column:
    a line as wide as the terminal leaves the cursor between two places."""
    columns, rows = screen.size()
    columns = max(columns - 1, 1)
    head = list(wrap(doing, columns))
    room = rows - 1 - len(head)
    table = _aligned(progress.table(blank))
    if any(cells(screen.plain(line)) > columns for line in table):
        table = _aligned(progress.in_short(blank))
    if len(table) > room:
        hidden = len(table) - room + 1
        table = [*table[: max(room - 1, 0)], f"and {hidden} more"] if room > 1 else []
    return [clip(screen.plain(line), columns, screen.dots) for line in [*head, *table][: max(rows - 1, 1)]]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(cells, column)) for column in zip(*rows, strict=True)]
    return [_GAP.join(map(_padded, row, widths)).rstrip() for row in rows]


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cells(text))


@contextmanager
def live(progress: Progress, screen: Screen) -> Iterator[None]:
    """Show the progress on a terminal, nothing elsewhere; what is left on the screen at the end is the
    whole table. A thread of its own draws, because a terminal may stop taking anything (Ctrl-S, a
    slow line to it), and what is measured must not wait for that."""
    if not screen.is_terminal:
        yield
        return
    show: _Table | _Lines = _Table(progress, screen) if screen.can_redraw else _Lines(progress, screen)
    over = threading.Event()
    thread = threading.Thread(target=_keep_showing, args=(show, over), daemon=True)
    thread.start()
    ending = "stopped after {:.0f} s: nothing is kept of this round"
    try:
        yield
        ending = "done in {:.0f} s"
    finally:
        over.set()
        thread.join()
        show.end(ending.format(progress.elapsed_s))


def _keep_showing(show: _Table | _Lines, over: threading.Event) -> None:
    try:
        show.tick()
        while not over.wait(TICK_S):
            show.tick()
    except OSError:
        pass  # the terminal is gone: what is measured is kept all the same


class _Table:
    """The table, drawn again and again in its place."""

    def __init__(self, progress: Progress, screen: Screen) -> None:
        self._progress, self._screen = progress, screen
        self._drawing = Drawing(screen)

    def tick(self) -> None:
        """Draw it as it is now."""
        blank = self._screen.dots
        self._drawing.draw(frame(self._progress, self._progress.doing(), blank, self._screen))

    def end(self, ending: str) -> None:
        """Draw it for the last time."""
        self._drawing.draw([*frame(self._progress, ending, "-", self._screen), ""])


class _Lines:
    """What the round is at, said when it changes and now and then."""

    def __init__(self, progress: Progress, screen: Screen) -> None:
        self._progress, self._screen = progress, screen
        self._said: Activity | None = None
        self._said_s = -inf

    def tick(self) -> None:
        """Say it, if there is news."""
        now_s = self._progress.elapsed_s
        if self._progress.activity is not self._said or now_s - self._said_s >= STILL_S:
            self._said, self._said_s = self._progress.activity, now_s
            self._screen.print(self._progress.doing())

    def end(self, ending: str) -> None:
        """The last line."""
        self._screen.print(ending)
