"""The claim made again from its evidence: the same rounds through the same code. PURE.

Whoever has a bundle gets the same incident as was published, or can say where not, without asking
anybody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from probe.verdict import judge
from probe.wire.version import __version__

from .ballots import Ballot, Place, by_round
from .cells import cells_of
from .evidence import Evidence, NoEvidence, Sample, canonical, configuration
from .fold import Setting, advance, listen
from .incidents import Incident, record
from .quarantine import by_subject
from .saved import unpack
from .thresholds import Thresholds

_Word = tuple[bool, str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was checked: whether it holds, and in words."""

    holds: bool
    text: str


def headline(evidence: Evidence) -> str:
    """What the bundle is of, in one line; its first and last round in UTC."""
    said, limits = evidence.revision, evidence.limits
    numbers = [facts.number for facts in evidence.rounds] or [0]
    first, last = (datetime.fromtimestamp(n * limits.round_s, UTC) for n in (numbers[0], numbers[-1] + 1))
    own = "" if evidence.release == __version__ else f", verified by {__version__}"
    return (
        f"{said.incident.id}, revision {said.number} ({said.reason}); {first:%Y-%m-%d %H:%M} to"
        f" {last:%Y-%m-%d %H:%M} UTC; made by release {evidence.release}{own},"
        f" configuration {configuration(evidence)[:16]}"
    )


def checked(evidence: Evidence) -> Iterator[Finding]:
    """Everything that can be looked at without asking anybody."""
    # How long a round is, is for the operator to set.
    own, theirs = asdict(Thresholds(round_s=evidence.limits.round_s)), asdict(evidence.limits)
    other = ", ".join(f"{name} is {theirs[name]:g}" for name in own if own[name] != theirs[name])
    yield Finding(
        holds=not other,
        text=f"thresholds are not this release's: {other}" if other else "thresholds are this release's",
    )
    try:
        book = folded(evidence)
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
    to_the_end = claim.ended is not None or said.incident.is_open
    same = _gist(said.incident, to_the_end) == _gist(claim, to_the_end)
    yield Finding(
        holds=same,
        text=f"revision {said.number} as published {'says' if same else 'does not say'} what the facts give",
    )
    told = sum(_is_told(sample, evidence) for sample in evidence.samples)
    yield Finding(
        holds=told == len(evidence.samples),
        text=f"{told} of {len(evidence.samples)} whole rounds, judged again, give the vote that was counted",
    )


def _gist(incident: Incident, to_the_end: bool) -> tuple[object, ...]:
    """What a revision is published for; how it ended only where the bundle goes so far."""
    causes = tuple((part.platform, part.cause) for part in incident.parts)
    over = (incident.phase, incident.ended) if to_the_end else ()
    return (incident.country, incident.scope, incident.since, causes, *over)


def folded(evidence: Evidence) -> tuple[Incident, ...]:
    """The incidents after the last round; raises `NoEvidence` where the rounds cannot be folded."""
    start = unpack(canonical(evidence.start))
    if start is None:
        raise NoEvidence("its state is of another release")
    country = evidence.revision.incident.country
    setting = Setting(
        limits=evidence.limits,
        standings=evidence.standings,
        shares={country: evidence.shares},
        mobile=frozenset(evidence.mobile),
        orders=by_subject(evidence.orders),
    )
    state, book = start.state, start.book
    for facts in evidence.rounds:
        if facts.number != state.number + 1:
            raise NoEvidence(f"round {state.number + 1} is missing")
        first = int(facts.number * evidence.limits.round_s // 60)
        for minute, heard in enumerate(facts.heard_abroad, first):
            state = listen(state, minute, evidence.spans, setting, heard)
            book = record(book, state, evidence.limits)
        state = advance(state, facts.number, dict(facts.ballots), setting, facts.abroad, facts.slow_abroad)
        book = record(book, state, evidence.limits)
    return book


def _is_told(sample: Sample, evidence: Evidence) -> bool:
    """Whether the rules make of the sample what the ballots say of it."""
    verdicts = judge(sample.round)
    cells = cells_of(
        sample.round, verdicts, country=sample.country, asn=sample.asn, prefix="", probe=sample.probe
    )
    for number, places in by_round(cells.items(), evidence.limits).items():
        judged = {(place, _word(one)) for place, said in places.items() for one in said}
        return bool(counted := _counted(sample, number, evidence)) and counted <= judged
    return False


def _counted(sample: Sample, number: int, evidence: Evidence) -> set[tuple[Place, _Word]]:
    """What the ballots say of the sample's round, by platform."""
    rounds = (facts.ballots for facts in evidence.rounds if facts.number == number)
    return {
        (place, _word(one))
        for ballots in rounds
        for place, said in ballots
        for one in said
        if one.probe == sample.probe
    }


def _word(ballot: Ballot) -> _Word:
    return ballot.failed, ballot.broke, ballot.artefacts
