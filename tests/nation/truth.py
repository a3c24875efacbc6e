"""What was published of a story, held against what is true of it. PURE."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from collector.detect.incidents import WORLD, Incident, Scope
from collector.detect.revisions import Revision
from collector.detect.thresholds import DEFAULT

from .story import Certainty, Story
from .story import Incident as Truth


def complaints(story: Story, revisions: Iterable[Revision]) -> Iterator[str]:
    """Everything that was said and is not so, or is so and was not said, or was said twice."""
    last: dict[str, Revision] = {}
    for revision in revisions:
        last[revision.incident.id] = revision
    said = [revision.incident for revision in last.values() if not revision.withdrawn]
    for truth in story.expect.incident:
        about = [one for one in said if _is_of(one, truth)]
        if not about:
            yield f"nothing was said of {truth.cause} in {truth.country or 'the world'}"
        yield from (f"{one.id}: {what}" for one in about for what in _wrong(one, truth, story))
        sure = [one.id for one in about if _was_sure(one)]
        if len(sure) > 1:
            yield f"{truth.cause} in {truth.country or 'the world'} was told of more than once: {sure}"
    left_open = [*story.expect.incident, *story.expect.may]
    for one in said:
        if not any(_may_be_said(one, truth) for truth in left_open):
            yield f"{one.id}: {_words(one)}, of which nobody knows"


def _is_of(one: Incident, truth: Truth) -> bool:
    """Whether it speaks of the same place; a platform of it is enough."""
    named = {part.platform for part in one.parts}
    return one.country == (truth.country or WORLD) and (
        not truth.platforms or bool(named & set(truth.platforms))
    )


def _wrong(one: Incident, truth: Truth, story: Story) -> Iterator[str]:
    if truth.certainty is Certainty.CONFIRMED and not _was_sure(one):
        yield f"only {one.phase}"
    causes = {part.cause for part in one.parts}
    if causes != {truth.cause}:
        yield f"called {', '.join(sorted(causes))}, and is {truth.cause}"
    missing = set(truth.platforms) - {part.platform for part in one.parts}
    if missing:
        yield f"nothing of {', '.join(sorted(missing))}"
    begins = one.since * DEFAULT.round_s - story.began
    # A round is a span: it began somewhere within.
    if not truth.onset[0] - DEFAULT.round_s <= begins <= truth.onset[1]:
        yield f"began at {_span(begins)}, and did between {_span(truth.onset[0])} and {_span(truth.onset[1])}"
    if truth.end is not None:
        over = None if one.ended is None else one.ended * DEFAULT.round_s - story.began
        if over is None or not truth.end[0] - DEFAULT.round_s <= over <= truth.end[1]:
            ended = "has not ended" if over is None else f"ended at {_span(over)}"
            yield f"{ended}, and did between {_span(truth.end[0])} and {_span(truth.end[1])}"


def _may_be_said(one: Incident, truth: Truth) -> bool:
    return (
        _is_of(one, truth)
        and (truth.certainty is Certainty.CONFIRMED or not _was_sure(one))
        and (not truth.networks or one.scope is Scope.NETWORK)
        and (not truth.platforms or {part.platform for part in one.parts} <= set(truth.platforms))
    )


def _was_sure(one: Incident) -> bool:
    return any(part.confirmed is not None for part in one.parts)


def _words(one: Incident) -> str:
    sure = "confirmed" if _was_sure(one) else "suspected"
    platforms: Sequence[str] = [part.platform for part in one.parts]
    return f"{one.scope}-wide {', '.join(sorted({part.cause for part in one.parts}))} {sure} of {platforms}"


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60}h{abs(minutes) % 60:02}m"
