"""What the preview of a link to a page says: of an incident, of a country."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from collector.detect.revisions import Revision
from collector.detect.sentences import began
from collector.web.pulse import Notice
from collector.web.shelf import Leaf
from collector.web.sources import Sources

from .now import Kind, Land, Now
from .plot import Plot
from .preview import SOFT, TONES, Mark, Preview, drawn
from .render import Renderer, clock, opening

_KINDS = {"confirmed": Kind.CONFIRMED, "suspected": Kind.SUSPECTED}


def of_incident(
    said: Revision, told: dict[str, Any], notice: Notice, now: Now, plot: Plot | None, sources: Sources
) -> Preview:
    """An incident's: `told` is its card."""
    words, kind = sources.voice.words, _kind(told["phase"], told["scope"])
    parts = {part["platform"]: part for part in told["parts"]}
    return Preview(
        title=told["title"],
        state=words.name("phase", told["phase"]),
        tone=SOFT if kind is None else TONES[kind],
        since=opening(began(said.incident, sources.limits.round_s, words)),
        marks=[
            _part(one, parts[one], sources) if one in parts else Mark(words.name("platform", one))
            for one in notice.snapshot.platforms
        ],
        plot=plot,
        caption=words("country.chart"),
        foot=_foot(now.until or notice.at, sources),
        replay=_replay(sources),
    )


def _kind(phase: str, scope: str) -> Kind | None:
    kind = _KINDS.get(phase)
    return Kind.PART if kind is Kind.CONFIRMED and scope == "network" else kind


def _part(platform: str, part: dict[str, Any], sources: Sources) -> Mark:
    words, counts = sources.voice.words, ""
    if part["prefixes"]:
        counts = words("embed.worst", failing=part["failing"], of=part["prefixes"])
    kind, name = _kind(part["phase"], part["scope"]), words.name("platform", platform)
    return Mark(name, words.name("phase", part["phase"]), counts, kind)


def of_country(land: Land, now: Now, notice: Notice, plot: Plot, say: Renderer, sources: Sources) -> Preview:
    """A country's."""
    words = sources.voice.words
    until = words("time.utc", at=clock(now.until))
    fresh = words("site.stale" if now.is_stale else "site.newest", until=until) if now.until else ""
    return Preview(
        title=words.name("name", land.country),
        state=words.name("state", land.kind),
        tone=TONES.get(land.kind, SOFT),
        since=fresh or words("site.never"),
        marks=[
            Mark(
                words.name("platform", one.platform), words.name("state", one.kind), say.counts(one), one.kind
            )
            for one in land.standings
        ],
        plot=plot,
        caption=words("country.chart"),
        foot=_foot(now.until or notice.at, sources),
        replay=_replay(sources),
    )


def _foot(at: float, sources: Sources) -> str:
    """Whose it is, and up to when anything was examined."""
    words = sources.voice.words
    return f"{words('embed.source')} · {words('embed.of', at=clock(at))}"


def _replay(sources: Sources) -> str:
    return sources.voice.words("site.replay") if sources.display.replay else ""


async def painted(preview: Preview) -> Leaf:
    """The picture, kept as it is sent: it is compressed already."""
    body = await asyncio.to_thread(drawn, preview)
    return Leaf(body, body, f'W/"{hashlib.sha256(body).hexdigest()[:20]}"')
