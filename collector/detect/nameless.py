"""Everybody numbered anew, and every moment blurred, so that nobody can be found by a bundle. PURE.

No measurement is dated closer than its minute and no heartbeat than half of one: a provider that keeps logs
could look for the second. What was told of them is told again: names and moments keep their order, on which
ties turn.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from typing import Any

from .ballots import Ballot, Place
from .evidence import Evidence, Sample
from .spans import Span
from .thresholds import PAUSE_S, Thresholds

_NOBODY = "0" * 32
HALF_MINUTE_S = 30


def clipped(spans: Iterable[Span], first: int, last: int, limits: Thresholds) -> list[Span]:
    """Spans as far as minutes `first` to `last` (of the Unix epoch) ask for them, to half a minute: every
    moment that silence compares with is a whole half minute, so that nothing is told otherwise."""
    began, over = (first + 1) * 60 - 2 * PAUSE_S - limits.steady_s, (last + 1) * 60.0
    ends = _ends(min(span.last_at, over) for span in spans)
    return [
        replace(
            span,
            first_at=max(began, math.ceil(span.first_at / HALF_MINUTE_S) * HALF_MINUTE_S),
            last_at=ends[min(span.last_at, over)],
            said_bye=span.said_bye and span.last_at <= over,
        )
        for span in spans
    ]


def unnamed(whole: Evidence, probes: Sequence[str]) -> Evidence:
    """The same with everybody numbered."""
    start = dict(whole.start)
    words = [p["word"] for _, one in start["speeds"] for p in one["paces"].values() if p["word"]]
    spoke = {ballot.prefix for facts in whole.rounds for _, said in facts.ballots for ballot in said}
    there = {span.prefix for span in whole.spans}
    prefixes = sorted(spoke | there | {word["prefix"] for word in words})
    tokens = sorted({one.token for one in whole.standings.values() if one.token is not None})
    name, home, token = _numbers("p", probes), _numbers("h", prefixes), _numbers("t", tokens)
    standings = {
        name[probe]: replace(one, token=token[one.token] if one.token else None)
        for probe, one in whole.standings.items()
    }
    blurred = _moments(word["at"] for word in words)
    start["speeds"] = [
        [
            place,
            one
            | {"paces": {name[who]: _pace(its, name, home, blurred) for who, its in one["paces"].items()}},
        ]
        for place, one in start["speeds"]
    ]
    start["networks"] = [
        [place, one | {"pasts": {name[probe]: past for probe, past in one["pasts"].items()}}]
        for place, one in start["networks"]
    ]
    start["silences"] = [[where, _silent(watch, name)] for where, watch in start["silences"]]
    return replace(
        whole,
        standings=standings,
        start=start,
        spans=tuple(
            sorted(
                (replace(one, probe=name[one.probe], prefix=home[one.prefix]) for one in whole.spans),
                key=lambda span: (span.probe, span.first_at),
            )
        ),
        orders=tuple(replace(one, subject=(name | home)[one.subject]) for one in whole.orders),
        rounds=tuple(
            replace(facts, ballots=tuple(_blurred(facts.ballots, name, home))) for facts in whole.rounds
        ),
        samples=tuple(_scrubbed(sample, name) for sample in whole.samples),
    )


def _numbers(letter: str, names: Sequence[str]) -> dict[str, str]:
    digits = len(str(len(names)))
    return {name: f"{letter}{number:0{digits}}" for number, name in enumerate(names, 1)}


def _pace(
    pace: dict[str, Any], name: Mapping[str, str], home: Mapping[str, str], blurred: Mapping[float, float]
) -> dict[str, Any]:
    word = pace["word"]
    if word is None:
        return pace
    unnamed = {"probe": name[word["probe"]], "prefix": home[word["prefix"]], "at": blurred[word["at"]]}
    return pace | {"word": word | unnamed}


def _silent(watch: dict[str, Any], name: Mapping[str, str]) -> dict[str, Any]:
    networks = {
        asn: dark | {"silent": [name[probe] for probe in dark["silent"]]}
        for asn, dark in watch["networks"].items()
    }
    event = watch["event"]
    if event is not None:
        event = event | {"told": {name[probe]: well for probe, well in event["told"].items()}}
    return watch | {"networks": networks, "event": event}


def _moments(told: Iterable[float]) -> dict[float, float]:
    """Moments to the minute; within it they keep their order, ten microseconds apart: there may be more of
    them than a minute has milliseconds."""
    return {at: at // 60 * 60 + rank / 100_000 for rank, at in enumerate(sorted(set(told)))}


def _ends(told: Iterable[float]) -> dict[float, float]:
    """Moments to the end of their half minute, before which they keep their order."""
    return {
        at: math.ceil(at / HALF_MINUTE_S) * HALF_MINUTE_S - rank / 100_000
        for rank, at in enumerate(sorted(set(told), reverse=True))
    }


def _blurred(
    ballots: Sequence[tuple[Place, Sequence[Ballot]]], name: Mapping[str, str], home: Mapping[str, str]
) -> Iterator[tuple[Place, tuple[Ballot, ...]]]:
    blurred = _moments(ballot.at for _, said in ballots for ballot in said)
    for place, said in ballots:
        renamed = (
            replace(one, probe=name[one.probe], prefix=home[one.prefix], at=blurred[one.at]) for one in said
        )
        yield place, tuple(sorted(renamed, key=lambda ballot: ballot.probe))


def _scrubbed(sample: Sample, name: Mapping[str, str]) -> Sample:
    at = sample.round.started_at.astimezone(UTC).replace(second=0, microsecond=0)
    return replace(
        sample, probe=name[sample.probe], round=replace(sample.round, round_id=_NOBODY, started_at=at)
    )
