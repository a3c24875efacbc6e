"""An incident's evidence: all that a claim rests on, in one file, and the claim made again from it. PURE.

A bundle holds the votes of one country round by round, what the rest of the world saw in the same
rounds, the state before them, every threshold, and some whole rounds. Whoever has it folds the same
rounds by the same code and gets the same incident, or can say where not. Nobody in it can be found by
it: probes and prefixes are numbered anew in each bundle, and no moment is told closer than its minute,
because a provider that keeps logs could look for the second.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC
from typing import Any, Literal, NoReturn

from pydantic import TypeAdapter, ValidationError

from probe.verdict import judge
from probe.wire.observation import Round
from probe.wire.version import __version__

from .ballots import Ballot, Place, Standing, by_round
from .cells import cells_of
from .chronicle import CountryRound
from .fold import Rates, Setting, State, advance
from .incidents import WORLD, Incident, record
from .revisions import Revision
from .saved import Settled, pack, unpack
from .thresholds import Thresholds

SCHEMA: Literal["reachwatch-evidence/1"] = "reachwatch-evidence/1"

# Of what goes on for longer the first so many rounds are shown: a week of them.
MOST_ROUNDS = 2016
_NOBODY = "0" * 32


class NoEvidence(ValueError):
    """Bytes that are no bundle; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One round: the country's ballots, and the failing shares `abroad` by platform and country."""

    number: int
    ballots: tuple[tuple[Place, tuple[Ballot, ...]], ...] = ()
    abroad: Rates = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One whole round of a probe in `place`, as measured. `signed_sha256` is the digest of the signed
    batch it came in, which the collector keeps: shown together they prove that nothing was made up."""

    probe: str
    country: str
    asn: int
    signed_sha256: str
    round: Round


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything. `release` made it; `start` is the state before the first of `rounds`, as `saved.pack`
    writes it; `revision` is what was last published, `claim` the incident as these facts give it."""

    release: str
    limits: Thresholds
    shares: Mapping[int, float]
    standings: Mapping[str, Standing]
    start: Mapping[str, Any]
    rounds: tuple[Facts, ...]
    samples: tuple[Sample, ...]
    revision: Revision
    claim: Incident


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was checked: whether it holds, and in words."""

    holds: bool
    text: str


_EVIDENCE = TypeAdapter(Evidence)


def start_of(settled: Settled, country: str) -> Settled:
    """What of a state concerns one country."""
    state = settled.state
    return Settled(
        state=State(
            number=state.number,
            networks={place: one for place, one in state.networks.items() if place.country == country},
            nations={key: one for key, one in state.nations.items() if key[0] == country},
            worlds=state.worlds,
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
    sums: dict[str, dict[str, tuple[float, float]]] = {}
    for one in rounds:
        for seen in one.networks if one.country != country else ():
            failing, total = sums.setdefault(seen.platform, {}).get(one.country, (0.0, 0.0))
            sums[seen.platform][one.country] = (failing + seen.failing, total + seen.votes)
    here = ((place, tuple(said)) for place, said in ballots.items() if place.country == country)
    return Facts(
        number=number,
        ballots=tuple(sorted(here, key=lambda item: item[0])),
        abroad=_shares(sums, limits.least_votes),
    )


def _shares(sums: Mapping[str, Mapping[str, tuple[float, float]]], least: float) -> Rates:
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
    claim = next((one for one in _folded(whole) if one.id == revision.incident.id), None)
    if claim is None:
        raise NoEvidence("what is still stored does not give this incident any more")
    return replace(whole, claim=claim)


def _probes(start: Settled, rounds: Iterable[Facts]) -> list[str]:
    known = {probe for one in start.state.networks.values() for probe in one.pasts}
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
    prefixes = sorted({b.prefix for facts in whole.rounds for _, said in facts.ballots for b in said})
    tokens = sorted({one.token for one in whole.standings.values() if one.token is not None})
    name, home, token = _numbers("p", probes), _numbers("h", prefixes), _numbers("t", tokens)
    standings = {
        name[probe]: replace(one, token=token[one.token] if one.token else None)
        for probe, one in whole.standings.items()
    }
    start = dict(whole.start)
    start["networks"] = [
        [place, one | {"pasts": {name[probe]: past for probe, past in one["pasts"].items()}}]
        for place, one in start["networks"]
    ]
    return replace(
        whole,
        standings=standings,
        start=start,
        rounds=tuple(
            replace(
                facts, ballots=tuple((place, _blurred(said, name, home)) for place, said in facts.ballots)
            )
            for facts in whole.rounds
        ),
        samples=tuple(_scrubbed(sample, name) for sample in whole.samples),
    )


def _numbers(letter: str, names: Sequence[str]) -> dict[str, str]:
    digits = len(str(len(names)))
    return {name: f"{letter}{number:0{digits}}" for number, name in enumerate(names, 1)}


def _blurred(said: Sequence[Ballot], name: Mapping[str, str], home: Mapping[str, str]) -> tuple[Ballot, ...]:
    """The ballots to the minute; within it they keep their order, a millisecond apart."""
    ordered = sorted(said, key=lambda ballot: (ballot.at, ballot.probe))
    moments = sorted({ballot.at for ballot in ordered})
    blurred = {at: at // 60 * 60 + rank / 1000 for rank, at in enumerate(moments)}
    renamed = (
        replace(one, probe=name[one.probe], prefix=home[one.prefix], at=blurred[one.at]) for one in ordered
    )
    return tuple(sorted(renamed, key=lambda ballot: ballot.probe))


def _scrubbed(sample: Sample, name: Mapping[str, str]) -> Sample:
    at = sample.round.started_at.astimezone(UTC).replace(second=0, microsecond=0)
    return replace(
        sample, probe=name[sample.probe], round=replace(sample.round, round_id=_NOBODY, started_at=at)
    )


def written(evidence: Evidence) -> bytes:
    """The bundle: canonical JSON, the digest of its content beside it."""
    content = _EVIDENCE.dump_python(evidence, mode="json")
    whole = {"schema": SCHEMA, "sha256": _digest(content), "evidence": content}
    return _canonical(whole)


def read(data: bytes) -> Evidence:
    """The evidence in a bundle; raises `NoEvidence`."""
    try:
        whole = json.loads(data, parse_constant=_no_number)
        schema, digest, content = whole["schema"], whole["sha256"], whole["evidence"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise NoEvidence("not an evidence bundle") from None
    if schema != SCHEMA:
        raise NoEvidence(f"of the form {str(schema)[:40]!r}, this release reads {SCHEMA!r}")
    if digest != _digest(content):
        raise NoEvidence("changed since it was made: its content has another SHA-256 than it says")
    try:
        return _EVIDENCE.validate_json(_canonical(content))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise NoEvidence(f"evidence.{where}: {first['msg']}") from None


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def configuration(limits: Thresholds, shares: Mapping[int, float]) -> str:
    """SHA-256 of everything that was set and not measured."""
    return _digest([asdict(limits), {str(asn): share for asn, share in sorted(shares.items())}])


def checked(evidence: Evidence) -> Iterator[Finding]:
    """Everything that can be looked at without asking anybody."""
    try:
        book = _folded(evidence)
    except NoEvidence as error:
        yield Finding(holds=False, text=str(error))
        return
    said, claim = evidence.revision, evidence.claim
    again = next((one for one in book if one.id == claim.id), None)
    rounds = len(evidence.rounds)
    yield Finding(
        holds=again == claim,
        text=f"{rounds} rounds folded again give {'the same' if again == claim else 'another'} incident",
    )
    same = _gist(said.incident, rounds) == _gist(claim, rounds)
    yield Finding(
        holds=same,
        text=f"revision {said.number} as published {'says' if same else 'does not say'} what the facts give",
    )
    told = sum(_is_told(sample, evidence) for sample in evidence.samples)
    yield Finding(
        holds=told == len(evidence.samples),
        text=f"{told} of {len(evidence.samples)} whole rounds, judged again, give the vote that was counted",
    )


def _gist(incident: Incident, rounds: int) -> tuple[object, ...]:
    """What a revision is published for; how it ended only where the bundle goes so far."""
    causes = tuple((part.platform, part.cause) for part in incident.parts)
    over = () if rounds > MOST_ROUNDS else (incident.phase, incident.ended)
    return (incident.country, incident.scope, incident.since, causes, *over)


def _folded(evidence: Evidence) -> tuple[Incident, ...]:
    start = unpack(_canonical(evidence.start))
    if start is None:
        raise NoEvidence("its state is of another release")
    country = evidence.revision.incident.country
    setting = Setting(limits=evidence.limits, standings=evidence.standings, shares={country: evidence.shares})
    state, book = start.state, start.book
    for facts in evidence.rounds:
        if facts.number != state.number + 1:
            raise NoEvidence(f"round {state.number + 1} is missing")
        state = advance(state, facts.number, dict(facts.ballots), setting, facts.abroad)
        book = record(book, state, evidence.limits)
    return book


def _is_told(sample: Sample, evidence: Evidence) -> bool:
    """Whether the rules make of the sample what the ballots say of it."""
    verdicts = judge(sample.round)
    cells = cells_of(
        sample.round, verdicts, country=sample.country, asn=sample.asn, prefix="", probe=sample.probe
    )
    found = by_round(cells.items(), evidence.limits)
    counted = {facts.number: dict(facts.ballots) for facts in evidence.rounds}
    votes = [(number, place, one) for number, places in found.items() for place, (one,) in places.items()]
    return bool(votes) and all(
        any(
            other.probe == vote.probe and _word(other) == _word(vote)
            for other in counted.get(number, {}).get(place, ())
        )
        for number, place, vote in votes
    )


def _word(ballot: Ballot) -> tuple[bool, str, tuple[str, ...]]:
    return ballot.failed, ballot.broke, ballot.artefacts


def _digest(value: object) -> str:
    return hashlib.sha256(_canonical(value)).hexdigest()


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
