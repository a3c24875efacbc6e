"""The first page, whole without JavaScript. PURE: a snapshot becomes HTML.

What it may not do: show green where data are too few, show `blocked` where a line could not judge,
or tell states apart by colour alone. So each state is a word and a sign of its own, and under
`FEW` vantage points the word says how few.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from collector.snapshot import Snapshot, Tally

FEW = 3  # below this many prefixes one home's trouble and a country's look alike

_NB = "\u00a0"  # keeps a count with its word when a narrow column wraps

_TITLES = {"x": "X", "facebook": "Facebook", "instagram": "Instagram", "youtube": "YouTube"}


@dataclass(frozen=True, slots=True)
class State:
    """What a row says: a class for its colour, a sign, and the words."""

    kind: str
    sign: str
    words: str


def state_of(tally: Tally) -> State:
    """A platform's state in one country, in words."""
    if not tally.votes:
        if tally.statuses:
            return State("none", "?", "these lines cannot judge now: offline, behind a portal, or cut off")
        return State("none", "?", "no data")
    points = "vantage point" if tally.votes == 1 else "vantage points"
    if tally.votes < FEW:
        kind = "few"
        said = {0: "reached", tally.votes: "not reached"}.get(tally.failing, "reached by some")
        return State(kind, "~", f"{said} from {tally.votes} {points}: too few to speak for a country")
    if not tally.failing:
        return State("ok", "+", f"reachable from all {tally.votes} {points}")
    share = tally.failing / tally.votes
    words = f"fails from {tally.failing} of {tally.votes} {points}"
    return State("bad", "!", words) if share >= 0.5 else State("some", "-", words)


def render(snapshot: Snapshot) -> str:
    """The whole page."""
    countries = sorted(
        {country for country, _ in snapshot.countries} | set(snapshot.probes),
        key=lambda country: (-_worst(snapshot, country), country),
    )
    main = "".join(_country(snapshot, country) for country in countries) or _EMPTY
    return _PAGE.format(at=_time(snapshot.at), minutes=f"{snapshot.window_s / 60:.0f}", main=main)


def _worst(snapshot: Snapshot, country: str) -> float:
    """The largest share of failing votes, which orders the countries; too few votes count as none."""
    tallies = (snapshot.countries.get((country, p), Tally()) for p in snapshot.platforms)
    return max((t.failing / t.votes for t in tallies if t.votes >= FEW), default=0.0)


def _country(snapshot: Snapshot, country: str) -> str:
    rows = "".join(_row(p, snapshot.countries.get((country, p), Tally())) for p in snapshot.platforms)
    probes = snapshot.probes.get(country, 0)
    reporting = "1 probe reporting" if probes == 1 else f"{probes} probes reporting"
    name = "Country not known" if country == "ZZ" else country
    return _SECTION.format(name=escape(name), reporting=reporting, columns=_COLUMNS, rows=rows)


def _row(platform: str, tally: Tally) -> str:
    state = state_of(tally)
    return _ROW.format(
        title=escape(_TITLES.get(platform, platform)),
        kind=state.kind,
        sign=state.sign,
        words=escape(state.words),
        stages=_stages(tally) or "none tried",
        mechanisms=escape(_counted(tally.mechanisms.items())) or "none seen",
        statuses=escape(_counted(tally.statuses.items())) or "none",
        newest=_time(tally.newest_at) if tally.newest_at is not None else "none",
    )


def _stages(tally: Tally) -> str:
    """Each stage in causal order: the first that fails is where the way ends."""
    return ", ".join(
        f"{stage.upper()}{_NB}{good}{_NB}of{_NB}{good + bad}" for stage, (good, bad) in tally.stages.items()
    )


def _counted(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{word}{_NB}{count}" for word, count in counts)


def _time(at: float) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    return f'<time datetime="{moment:%Y-%m-%dT%H:%M:%SZ}">{moment:%d %b %H:%M:%S} UTC</time>'


_PAGE = """<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="30">
<meta name="color-scheme" content="light dark">
<title>reachwatch: which platforms can be reached, and from where</title>
<link rel="stylesheet" href="/static/style.css">
</head>
<body>
<header>
<h1>reachwatch</h1>
<p>Whether X, Facebook, Instagram and YouTube can be reached, measured stage by stage from volunteers'
lines.</p>
<p class="at">As of {at}, over the last {minutes} minutes. A vote is one home network's newest round.</p>
</header>
<main>
{main}</main>
<footer>
<p>The same as <a href="/api/v1/state">JSON</a>. What this page cannot see: countries without probes,
and lines that are cut off entirely.</p>
</footer>
</body>
</html>
"""

# The roles keep it a table for screen readers where a narrow screen lays it out as blocks.
_COLUMNS = "".join(
    f'<th role="columnheader" scope="col">{name}</th>'
    for name in (
        "Platform",
        "State",
        "Stages that succeeded",
        "Mechanisms, in rounds",
        "Verdicts, in rounds",
        "Newest",
    )
)

_SECTION = """<section>
<h2>{name}</h2>
<p class="probes">{reporting}</p>
<table role="table">
<caption>{name}: platforms now</caption>
<thead role="rowgroup"><tr role="row">{columns}</tr></thead>
<tbody role="rowgroup">
{rows}</tbody>
</table>
</section>
"""

_ROW = """<tr role="row" class="{kind}"><th role="rowheader" scope="row">{title}</th>
<td role="cell" data-label="State"><span class="sign" aria-hidden="true">{sign}</span> {words}</td>
<td role="cell" data-label="Stages that succeeded">{stages}</td>
<td role="cell" data-label="Mechanisms">{mechanisms}</td>
<td role="cell" data-label="Verdicts">{statuses}</td><td role="cell" data-label="Newest">{newest}</td></tr>
"""

_EMPTY = """<section class="empty">
<h2>No probe has reported yet</h2>
<p>Start one on any machine with <code>reachwatch-probe start --collector URL</code>, where URL is this
page's address. Its first round shows here within a minute.</p>
</section>
"""
