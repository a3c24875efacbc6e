"""Facts into a bundle. PURE.

The claim in a bundle is made again from it before it is handed out: what would not hold is not called
evidence.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from probe.wire.version import __version__

from . import nameless, small
from .ballots import Ballot, Place, Standing
from .cells import CONNECTIVITY
from .chronicle import CountryRound, NetworkRound, SpeedRound
from .evidence import Evidence, Facts, NoEvidence, Sample
from .fold import Setting, State
from .incidents import WORLD, Incident
from .quarantine import Quarantine
from .revisions import Revision
from .saved import Settled, pack
from .spans import Span
from .thresholds import Thresholds
from .verifying import folded
from .world import Rates

# Of what goes on for longer the first so many rounds are shown: a week of them.
MOST_ROUNDS = 2016


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
            minute=state.minute,
            silences={where: watch for where, watch in state.silences.items() if where == country},
        ),
        book=tuple(one for one in settled.book if one.country in (country, WORLD)),
    )


def facts_of(
    country: str,
    number: int,
    ballots: Mapping[Place, Sequence[Ballot]],
    rounds: Iterable[CountryRound],
    heard: Iterable[Mapping[str, float]],
    limits: Thresholds,
) -> Facts:
    """One round's facts, of everybody's ballots, of what detection saw in all countries and of what
    `silence.heard` gives of each of its minutes; nothing where the claim is not about silence."""
    others = [one for one in rounds if one.country != country]
    here = ((place, tuple(said)) for place, said in ballots.items() if place.country == country)
    return Facts(
        number=number,
        ballots=tuple(sorted(here, key=lambda item: item[0])),
        abroad=_shares(((one.country, one.networks) for one in others), limits.least_votes),
        slow_abroad=_shares(((one.country, one.speeds) for one in others), limits.least_votes),
        heard_abroad=tuple(
            tuple(share for where, share in shares.items() if where != country) for shares in heard
        ),
    )


def is_of_silence(incident: Incident) -> bool:
    """Whether when probes were there is part of what the claim rests on."""
    return any(part.platform == CONNECTIVITY for part in incident.parts)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is stored of an incident, of one country alone: the state before its first round, its rounds, when
    its probes were there, whole rounds, and the last that was said."""

    revision: Revision
    start: Settled
    rounds: Sequence[Facts]
    spans: Sequence[Span]
    samples: Sequence[Sample]


def made(case: Case, setting: Setting, min_prefixes: int) -> Evidence:
    """The evidence for an incident, with networks of fewer than `min_prefixes` homes under other numbers.
    Raises `NoEvidence` where the facts at hand do not give it: some of them have been dropped, or its first
    round is not over."""
    said = [item for facts in case.rounds for item in facts.ballots]
    names = small.aliases(case.start, said, case.spans, case.revision.incident, min_prefixes)
    shares = setting.shares.get(case.revision.incident.country, {})
    known = {place.asn for place, _ in said} | {span.asn for span in case.spans}
    case = _renumbered(case, names)
    probes = _probes(case)
    whole = Evidence(
        release=__version__,
        limits=setting.limits,
        shares=small.shares_of(shares, known, names),
        mobile=tuple(sorted(names.get(asn, asn) for asn in setting.mobile & known)),
        standings=_standings(probes, setting, case.rounds),
        start=json.loads(pack(case.start)),
        rounds=tuple(case.rounds),
        spans=tuple(case.spans),
        orders=_orders(case.spans, setting),
        samples=tuple(case.samples),
        revision=case.revision,
        claim=case.revision.incident,
    )
    whole = nameless.unnamed(whole, probes)
    claim = next((one for one in folded(whole) if one.id == whole.claim.id), None)
    if claim is None:
        raise NoEvidence(
            "what is stored does not give this incident: its first round is not over yet, or it is so old"
            " that some of what was measured has been dropped"
        )
    return replace(whole, claim=claim)


def _renumbered(case: Case, names: small.Aliases) -> Case:
    """The same with small networks under other numbers."""
    start = case.start
    if not is_of_silence(case.revision.incident):  # another incident's, of which nothing more is told here
        start = replace(start, state=replace(start.state, silences={}))
    rounds = (
        replace(facts, ballots=tuple((small.placed(place, names), said) for place, said in facts.ballots))
        for facts in case.rounds
    )
    return replace(
        case,
        start=small.renamed(start, names),
        rounds=tuple(rounds),
        spans=tuple(replace(span, asn=names.get(span.asn, span.asn)) for span in case.spans),
        revision=replace(case.revision, incident=small.told(case.revision.incident, names)),
    )


def _orders(spans: Iterable[Span], setting: Setting) -> tuple[Quarantine, ...]:
    """Whom detection does not listen to. Who ordered it and why is for the record."""
    subjects = {subject for span in spans for subject in (span.probe, span.prefix)}
    return tuple(
        replace(order, ordered_at=0.0, by="", reason="", released_at=None, released_by="")
        for subject in sorted(subjects & setting.orders.keys())
        for order in setting.orders[subject]
    )


def _probes(case: Case) -> list[str]:
    state = case.start.state
    known = {probe for one in state.networks.values() for probe in one.pasts}
    known |= {probe for one in state.speeds.values() for probe in one.paces}
    for watch in state.silences.values():
        known |= {probe for dark in watch.networks.values() for probe in dark.silent}
        known |= watch.event.told.keys() if watch.event else set()
    spoke = {ballot.probe for facts in case.rounds for _, said in facts.ballots for ballot in said}
    return sorted(known | spoke | {span.probe for span in case.spans})


def _standings(probes: Iterable[str], setting: Setting, rounds: Sequence[Facts]) -> dict[str, Standing]:
    """What is known of them. When the key of a grown probe came is nobody's business: it came early."""
    limits = setting.limits
    grown = rounds[0].number * limits.round_s - limits.grown_s if rounds else 0.0
    known = {probe: setting.standings[probe] for probe in probes if probe in setting.standings}
    return {
        probe: replace(one, since=0.0) if one.since <= grown else one for probe, one in sorted(known.items())
    }
