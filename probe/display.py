"""What a volunteer reads: a live table while a round runs, then one plain sentence per platform.

Readable without colour, by a screen reader, and on a terminal that is not UTF-8: every state is a
word. Off a terminal there is no table, only the sentences. rich is imported only for the table.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from .outcome import Outcome
from .spool import SpoolFigures
from .verdict import Scope, Status, Verdict
from .wire.observation import Observation, Phase
from .wire.platform import Platform
from .wire.stage import Stage

if TYPE_CHECKING:
    from rich.table import Table

_STAGES = (Stage.DNS, Stage.TCP, Stage.TLS, Stage.HTTP)

# A minute is more than any network's delay, and far less than the ten the collector forgives.
CLOCK_SKEW_S = 60

_OPENING = {
    Status.OK: "reachable.",
    Status.BLOCKED: "blocked{part}.",
    Status.THROTTLED: "slowed down{part}.",
    Status.UNREACHABLE: "not reachable from here; this line alone cannot tell a block from an outage.",
    Status.INSUFFICIENT: "could not be judged.",
}
_COLOURS = {
    Status.OK: "green",
    Status.BLOCKED: "red",
    Status.THROTTLED: "red",
    Status.UNREACHABLE: "yellow",
    Status.INSUFFICIENT: "dim",
}


def sentence(title: str, verdict: Verdict) -> str:
    """One platform in plain words: what it is, and of each kind of reason the first."""
    part = " in part" if verdict.scope is Scope.PARTIAL else ""
    opening = _OPENING.get(verdict.status, f"{verdict.status}.").format(part=part)
    first_of_kind: dict[str, str] = {}
    for reason in () if verdict.status is Status.OK else verdict.reasons:
        first_of_kind.setdefault(reason.rule.partition(".")[0], reason.text)
    return " ".join([f"{title}: {opening}", *first_of_kind.values()])


def sentences(outcome: Outcome) -> list[str]:
    """Every platform's sentence."""
    return [sentence(outcome.title(verdict), verdict) for verdict in outcome.verdicts]


class Progress:
    """Counts of what has been seen so far, by platform and stage."""

    def __init__(self, platforms: Sequence[Platform]) -> None:
        self._titles = {platform.name: platform.title for platform in platforms}
        self._done: Counter[tuple[str, Stage, bool]] = Counter()
        self._phase = Phase.BEFORE

    def see(self, observation: Observation) -> None:
        """Count one observation."""
        self._phase = observation.phase
        name = observation.target.partition("/")[0]
        self._done[name, observation.stage, observation.failure is None] += 1

    def phase(self) -> str:
        """What the round is doing, in words."""
        return {
            Phase.BEFORE: "checking this line against unrelated sites",
            Phase.MAIN: "measuring the platforms",
            Phase.AFTER: "checking this line once more",
        }.get(self._phase, "measuring")

    def rows(self) -> Iterator[tuple[str, list[str]]]:
        """Each platform's title and its cells, one per stage."""
        for name, title in self._titles.items():
            yield title, [self._cell(name, stage) for stage in _STAGES]

    def _cell(self, name: str, stage: Stage) -> str:
        good, bad = self._done[name, stage, True], self._done[name, stage, False]
        if not good + bad:
            return "-"
        return f"{good} ok" + (f", {bad} failed" if bad else "")


@contextmanager
def live(
    platforms: Sequence[Platform], stream: TextIO, environ: Mapping[str, str] = os.environ
) -> Iterator[Callable[[Observation], None]]:
    """A table on a terminal that fills in as observations come; nothing elsewhere."""
    progress = Progress(platforms)
    if not stream.isatty():
        yield progress.see
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(file=stream, no_color=bool(environ.get("NO_COLOR")) or None)
    with Live(_table(progress), console=console, refresh_per_second=8, transient=False) as view:

        def see(observation: Observation) -> None:
            progress.see(observation)
            view.update(_table(progress))

        yield see


def _table(progress: Progress) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.ASCII2, title=progress.phase(), title_justify="left", title_style="")
    table.add_column("platform")
    for stage in _STAGES:
        table.add_column(stage.upper())
    for title, cells in progress.rows():
        table.add_row(title, *cells)
    return table


def show(outcome: Outcome, stream: TextIO, environ: Mapping[str, str] = os.environ) -> None:
    """The sentences, the verdict's word coloured where the terminal wants colour."""
    from rich.console import Console
    from rich.text import Text

    console = Console(
        file=stream,
        no_color=bool(environ.get("NO_COLOR")) or None,
        highlight=False,
        soft_wrap=not stream.isatty(),
    )
    for verdict, line in zip(outcome.verdicts, sentences(outcome), strict=True):
        title = outcome.title(verdict)
        text = Text(line)
        text.stylize("bold", 0, len(title))
        text.stylize(_COLOURS.get(verdict.status, ""), len(title) + 2, len(line.split(".")[0]) + 1)
        console.print(text)


def status(
    running: bool,
    figures: SpoolFigures,
    notes: Mapping[str, str],
    rounds: Sequence[Mapping[str, Any]],
    now: float,
) -> list[str]:
    """What ``status`` prints; `now` is Unix seconds."""
    lines = [f"agent        {'running' if running else 'not running'}"]
    lines += [f"last round   {line}" for line in history(rounds)] if rounds else ["last round   none yet"]
    waiting = f"{figures.pending} rounds, {figures.size_bytes / 1024:.0f} KiB"
    if figures.oldest_at is not None:
        waiting += f", the oldest from {_ago(now - figures.oldest_at)}"
    lines.append(f"waiting      {waiting}")
    uploaded = notes.get("last_upload_at")
    if uploaded:
        lines.append(f"last upload  {_ago(now - float(uploaded))}, to {notes.get('last_route', '?')}")
    if notes.get("elsewhere"):
        lines.append(f"elsewhere    {notes['elsewhere']}")
    skew_s = float(notes.get("clock_skew_s", 0))
    if abs(skew_s) > CLOCK_SKEW_S:
        way = "ahead of" if skew_s > 0 else "behind"
        lines.append(f"clock        {abs(skew_s):.0f} s {way} the collector's: set it, or turn on NTP")
    if notes.get("last_obstacle"):
        lines.append(f"obstacle     {notes['last_obstacle']}")
    if figures.dropped:
        lines.append(
            f"dropped      {figures.dropped} rounds, because the spool was full or they were too old"
        )
    for code, count in figures.refused.items():
        lines.append(f"refused      {count} rounds, by the collector: {code}")
    return lines


def history(rounds: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line a round, newest first."""
    return [
        f"{entry['started_at']}  {entry['gate']:<8} "
        + "  ".join(f"{name} {_in_short(seen)}" for name, seen in entry["platforms"].items())
        for entry in rounds
    ] or ["no rounds yet"]


def _in_short(seen: Mapping[str, Any]) -> str:
    how = ",".join(seen["mechanisms"])
    return f"{seen['status']}({how})" if how else str(seen["status"])


def _ago(seconds: float) -> str:
    if seconds < 120:
        return f"{max(0, seconds):.0f} s ago"
    return f"{seconds / 60:.0f} min ago" if seconds < 7200 else f"{seconds / 3600:.0f} h ago"
