"""What detection saw round by round, for charts, pages and evidence. PURE.

The same counts that a claim rests on: armed votes, not whoever happened to report. A round that is not
there, and a network that is not in one, had no votes; it is drawn as a gap and never as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from pydantic import TypeAdapter

from .fold import State
from .network import Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRound:
    """One network's armed votes on one platform in one round, and what was said after it. `score` is in
    nats; `votes` and `failing` are weights, `prefixes` and `failing_prefixes` homes; `broke` counts the
    homes that failed by ``stage failure``."""

    asn: int
    platform: str
    condition: Condition
    score: float
    votes: float
    failing: float
    prefixes: int
    failing_prefixes: int
    broke: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedRound:
    """One network's homes by how fast a platform comes: each home's newest word, which stands for an hour
    of rounds. Of `votes`, a weight, `failing` are held back; `ratio` is how many times as fast unrelated
    objects come to those, the median, None where there are none."""

    asn: int
    platform: str
    condition: Condition
    votes: float
    failing: float
    prefixes: int
    ratio: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NationRound:
    """One platform in the country as a whole: `share` is the failing share with each network at its
    weight, `networks` how many had votes enough, `world` the failing share over all countries, None
    where they are too few."""

    platform: str
    condition: Condition
    score: float
    share: float
    networks: int
    world: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CountryRound:
    """One country in round `number`, counted from the Unix epoch."""

    number: int
    country: str
    networks: tuple[NetworkRound, ...] = ()
    speeds: tuple[SpeedRound, ...] = ()
    nations: tuple[NationRound, ...] = ()


_COUNTRY_ROUND = TypeAdapter(CountryRound)


def told(state: State) -> list[CountryRound]:
    """What the last round of a state was, by country."""
    return [_country(state, country) for country in _speaking(state)]


def silent(state: State) -> list[tuple[str, int]]:
    """The countries of which there was nothing to tell in the last round of a state, each with its number:
    where the round is told again, what it had to tell before goes."""
    known = {place.country for place in state.networks}
    return [(country, state.number) for country in sorted(known - set(_speaking(state)))]


def _speaking(state: State) -> list[str]:
    countries = {place.country for place, one in state.networks.items() if one.votes.prefixes}
    countries |= {place.country for place, one in state.speeds.items() if one.votes.prefixes}
    return sorted(countries)


def _country(state: State, country: str) -> CountryRound:
    networks = tuple(
        NetworkRound(
            asn=place.asn,
            platform=place.platform,
            condition=one.watch.condition,
            score=round(one.watch.score, 3),
            votes=one.votes.votes,
            failing=one.votes.failing,
            prefixes=one.votes.prefixes,
            failing_prefixes=one.votes.failing_prefixes,
            broke=one.votes.broke,
        )
        for place, one in sorted(state.networks.items(), key=lambda item: item[0])
        if place.country == country and one.votes.prefixes
    )
    speeds = tuple(
        SpeedRound(
            asn=place.asn,
            platform=place.platform,
            condition=one.watch.condition,
            votes=one.votes.votes,
            failing=one.votes.failing,
            prefixes=one.votes.prefixes,
            ratio=median(speed.ratio for speed in one.votes.speeds) if one.votes.speeds else None,
        )
        for place, one in sorted(state.speeds.items(), key=lambda item: item[0])
        if place.country == country and one.votes.prefixes
    )
    nations = tuple(
        NationRound(
            platform=platform,
            condition=watch.condition,
            score=round(watch.score, 3),
            share=watch.share,
            networks=watch.networks,
            world=state.worlds[platform].rate,
        )
        for (where, platform), watch in sorted(state.nations.items())
        if where == country
    )
    return CountryRound(
        number=state.number, country=country, networks=networks, speeds=speeds, nations=nations
    )


def pack_round(one: CountryRound) -> bytes:
    """The same round, the same bytes."""
    value = _COUNTRY_ROUND.dump_python(one, mode="json")
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def unpack_round(data: bytes) -> CountryRound:
    """The round; raises `ValueError` for bytes that are none."""
    return _COUNTRY_ROUND.validate_json(data)
