"""What happens in a story and what became of it: counted, and in words for who watches. PURE."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from .story import Event, Hostile, Story
from .timeline import Route


@dataclass
class Report:
    """What became of a story's requests: by route and answer, which is the status, or a refusal's code."""

    answers: Counter[tuple[Route, str]] = field(default_factory=Counter)
    told_s: float = 0.0
    took_s: float = 0.0

    def count(self, route: Route, *outcomes: str) -> int:
        """How many of a route ended so; all where no outcome is named."""
        return sum(
            n
            for (r, outcome), n in self.answers.items()
            if r is route and outcome in (outcomes or (outcome,))
        )

    @property
    def refused(self) -> int:
        """Requests that were answered with anything but a receipt, or not at all."""
        return sum(n for (_, outcome), n in self.answers.items() if not outcome.startswith("200"))


def marks(story: Story) -> list[tuple[float, str]]:
    """What happens when, in order."""
    found: list[tuple[float, str]] = []
    for event in story.event:
        what = f"{event.what} {_scope(event)}, {event.efficacy:.0%} of probes"
        found += [(event.begins, f"begins: {what}"), (event.ends, f"ends: {what}")]
    for lie in story.hostile:
        what = f"{lie.share:.0%} of probes claim {lie.claims} {_scope(lie)}"
        found += [(lie.begins, f"begins: {what}"), (lie.ends, f"ends: {what}")]
    for restart in story.restart:
        found += [(restart.at, "the collector stops"), (restart.at + restart.down, "the collector is back")]
    return sorted(found)


def summary(report: Report) -> str:
    """How far it is and how it went, in a line."""
    sent = {route: report.count(route) for route in Route}
    speed = report.told_s / report.took_s if report.took_s else 0.0
    refusals = ", ".join(
        f"{count} {route.rpartition('/')[2]} {outcome}"
        for (route, outcome), count in sorted(report.answers.items())
        if outcome != "200"
    )
    return (
        f"{sent[Route.ENROL]} enrolled, {sent[Route.HEARTBEAT]} heartbeats, {sent[Route.BATCH]} batches"
        f"; not taken: {refusals or 'none'}; {speed:.0f} times real time"
    )


def _scope(what: Event | Hostile) -> str:
    where = " ".join(what.countries) or ("listed networks" if what.networks else "everywhere")
    if what.networks:
        where += f" (AS{', AS'.join(map(str, what.networks))})"
    return f"{' '.join(what.platforms) or 'all platforms'} in {where}"
