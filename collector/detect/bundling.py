"""Facts into a bundle in which nobody can be found. PURE.

Probes, prefixes and tokens are numbered anew in each bundle, and no moment is told closer than its
minute: a provider that keeps logs could look for the second.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from typing import Any

from probe.wire.version import __version__

from .ballots import Ballot, Place, Standing
from .chronicle import CountryRound, NetworkRound, SpeedRound
from .evidence import Evidence, Facts, NoEvidence, Sample
from .fold import Setting, State
from .incidents import WORLD, Incident
from .revisions import Revision
from .saved import Settled, pack
from .thresholds import Thresholds
from .verifying import folded
from .world import Rates

# Of what goes on for longer the first so many rounds are shown: a week of them.
MOST_ROUNDS = 2016
_NOBODY = "0" * 32


def start_of(settled: Settled, country: str) -> Settled:
    """What of a state concerns one country."""
    state = settled.state
    return Settled(
        state=State(
            number=state.number,
            networks={place: one for place, one in state.networks.items() if place.country == country},
            nations={key: one for key, one in state.nations.items() if key[0] == country},
            worlds=state.worlds,
            speeds={place: one for place, one in state.speeds.items() if place.country == country},
            slow={key: one for key, one in state.slow.items() if key[0] == country},
            elsewhere={key: watch for key, watch in state.elsewhere.items() if key[0] == country},
        ),
        book=tuple(one for one in settled.book if one.country in (country, WORLD)),
    )


def facts_of(
    country: str,
    number: int,
    ballots: Mapping[Place, Sequence[Ballot]],
    rounds: Iterable[CountryRound],
    limits: Thresholds,
) -> Facts:
    """One round's facts, of everybody's ballots and of what detection saw in all countries."""
    others = [one for one in rounds if one.country != country]
    here = ((place, tuple(said)) for place, said in ballots.items() if place.country == country)
    return Facts(
        number=number,
        ballots=tuple(sorted(here, key=lambda item: item[0])),
        abroad=_shares(((one.country, one.networks) for one in others), limits.least_votes),
        slow_abroad=_shares(((one.country, one.speeds) for one in others), limits.least_votes),
    )


def _shares(told: Iterable[tuple[str, Sequence[NetworkRound] | Sequence[SpeedRound]]], least: float) -> Rates:
    sums: dict[str, dict[str, tuple[float, float]]] = {}
    for country, networks in told:
        for seen in networks:
            failing, total = sums.setdefault(seen.platform, {}).get(country, (0.0, 0.0))
            sums[seen.platform][country] = (failing + seen.failing, total + seen.votes)
    return {
        platform: {
            country: failing / total for country, (failing, total) in sorted(found.items()) if total >= least
        }
        for platform, found in sorted(sums.items())
    }


def last_round(incident: Incident, head: int, limits: Thresholds) -> int:
    """The last round that an incident's evidence needs, given the last that was folded."""
    over = head if incident.ended is None else incident.ended + limits.end_rounds
    return min(head, over, incident.since + MOST_ROUNDS)


def made(
    *,
    revision: Revision,
    start: Settled,
    rounds: Sequence[Facts],
    samples: Sequence[Sample],
    setting: Setting,
) -> Evidence:
    """The evidence for the incident of a revision. Raises `NoEvidence` where the facts at hand do not give
    it, because some of them have been dropped."""
    country = revision.incident.country
    probes = _probes(start, rounds)
    whole = Evidence(
        release=__version__,
        limits=setting.limits,
        shares=dict(setting.shares.get(country, {})),
        standings=_standings(probes, setting, rounds),
        start=json.loads(pack(start)),
        rounds=tuple(rounds),
        samples=tuple(samples),
        revision=revision,
        claim=revision.incident,
    )
    whole = _unnamed(whole, probes)
    claim = next((one for one in folded(whole) if one.id == revision.incident.id), None)
    if claim is None:
        raise NoEvidence("what is still stored does not give this incident any more")
    return replace(whole, claim=claim)


def _probes(start: Settled, rounds: Iterable[Facts]) -> list[str]:
    known = {probe for one in start.state.networks.values() for probe in one.pasts}
    known |= {probe for one in start.state.speeds.values() for probe in one.paces}
    spoke = {ballot.probe for facts in rounds for _, said in facts.ballots for ballot in said}
    return sorted(known | spoke)


def _standings(probes: Iterable[str], setting: Setting, rounds: Sequence[Facts]) -> dict[str, Standing]:
    """What is known of them. When the key of a grown probe came is nobody's business: it came early."""
    limits = setting.limits
    grown = rounds[0].number * limits.round_s - limits.grown_s if rounds else 0.0
    known = {probe: setting.standings[probe] for probe in probes if probe in setting.standings}
    return {
        probe: replace(one, since=0.0) if one.since <= grown else one for probe, one in sorted(known.items())
    }


def _unnamed(whole: Evidence, probes: Sequence[str]) -> Evidence:
    """The same with everybody numbered. Numbers keep the order of names, on which ties turn."""
    start = dict(whole.start)
    words = [p["word"] for _, one in start["speeds"] for p in one["paces"].values() if p["word"]]
    spoke = {ballot.prefix for facts in whole.rounds for _, said in facts.ballots for ballot in said}
    prefixes = sorted(spoke | {word["prefix"] for word in words})
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
    return replace(
        whole,
        standings=standings,
        start=start,
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


def _moments(told: Iterable[float]) -> dict[float, float]:
    """Moments to the minute; within it they keep their order, ten microseconds apart: there may be more of
    them than a minute has milliseconds."""
    return {at: at // 60 * 60 + rank / 100_000 for rank, at in enumerate(sorted(set(told)))}


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
