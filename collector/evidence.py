"""The thin part of evidence: take from the store what an incident rests on, and hand over the bundle."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from probe.verdict import judge
from probe.wire.codec import DecodeError, decode
from probe.wire.observation import Batch, Round

from .detect import saved
from .detect.ballots import Ballot, at_home, by_round
from .detect.bundling import Case, facts_of, is_of_silence, last_round, made
from .detect.cells import UNKNOWN_ASN, UNKNOWN_COUNTRY, Cell, CellKey, cells_of
from .detect.evidence import Facts, NoEvidence, Sample, written
from .detect.fold import Setting, heard_in
from .detect.incidents import WORLD
from .detect.nameless import clipped
from .detect.quarantine import heard
from .detect.revisions import Revision
from .detect.silence import heard_between
from .detect.spans import Span
from .foreign.blurred import blurred
from .ingest.admit import LIVE_S, SPOOLED_S
from .ingest.commit import Committer
from .store.base import SignedBatch, Store

# Whole rounds shown: of each network one that failed, and a few that did not.
FAILED, WELL = 6, 2


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A round to look for: its probe, and when it began, in Unix seconds."""

    probe: str
    at: float

    @property
    def since(self) -> float:
        """Before then, in Unix seconds, it was not received: the agent's clock may have been so far ahead."""
        return self.at - LIVE_S

    @property
    def until(self) -> float:
        """Nor from then on: so long its agent may have kept it. As much again as a clock may be wrong is for
        the way into the store."""
        return self.at + SPOOLED_S + LIVE_S


async def bundle(
    committer: Committer, setting: Setting, head: int, incident: str, min_prefixes: int
) -> bytes:
    """The evidence bundle of an incident's last revision; raises `NoEvidence` where there is none, and
    `StoreError`. `head` is the last round that was folded. Whole rounds are shown of networks of
    `min_prefixes` prefixes or more, and blurred. It is made on the store's own thread, round by round, so
    that ingest goes on meanwhile."""
    call, store = committer.call, committer.store
    revisions = await call(store.revisions, incident)
    kept = await call(store.grounds, incident)
    start = saved.unpack(kept) if kept else None
    if not revisions or start is None:
        raise NoEvidence("nothing is stored of such an incident")
    revision = revisions[-1]
    first = start.state.number + 1
    last = last_round(revision.incident, head, setting.limits)
    rounds = [await call(_facts, store, revision, number, setting) for number in range(first, last + 1)]
    spans = await call(_spans, store, revision, first, last, setting)
    samples = await _samples(committer, revision, rounds, min_prefixes)

    case = Case(revision=revision, start=start, rounds=rounds, spans=spans, samples=samples)
    return await asyncio.to_thread(lambda: written(made(case, setting, min_prefixes)))


def _facts(store: Store, revision: Revision, number: int, setting: Setting) -> Facts:
    per_round = int(setting.limits.round_s // 60)
    country, first = revision.incident.country, number * per_round
    minutes = range(first, first + per_round)
    cells = heard(store.cells(minutes[0], minutes[-1]), setting.orders)
    said = by_round(_of_homes_in(country, cells), setting.limits).get(number, {})
    ballots = at_home(said, setting.standings, setting.limits)
    abroad: list[Mapping[str, float]] = []
    if is_of_silence(revision.incident):
        spans = store.spans(*heard_between(minutes[0], minutes[-1]))
        abroad = [heard_in(minute, spans, setting) for minute in minutes]
    return facts_of(country, number, ballots, store.chronicle(None, number, number), abroad, setting.limits)


def _of_homes_in(country: str, cells: Mapping[CellKey, Cell]) -> Iterator[tuple[CellKey, Cell]]:
    """What homes of a country say, in whichever they say it."""
    homes = {
        vote.prefix for key, cell in cells.items() if key.country == country for vote in cell.votes.values()
    }
    for key, cell in cells.items():
        votes = {probe: vote for probe, vote in cell.votes.items() if vote.prefix in homes}
        if votes:
            yield key, Cell(votes=votes)


def _spans(store: Store, revision: Revision, first: int, last: int, setting: Setting) -> list[Span]:
    """When the country's probes were there in rounds `first` to `last`, if that matters."""
    if not is_of_silence(revision.incident):
        return []
    per_round = int(setting.limits.round_s // 60)
    first, last = first * per_round, (last + 1) * per_round - 1
    spans = store.spans(*heard_between(first, last))
    return clipped(
        [one for one in spans if one.country == revision.incident.country], first, last, setting.limits
    )


async def _samples(
    committer: Committer, revision: Revision, rounds: Sequence[Facts], min_prefixes: int
) -> list[Sample]:
    """Whole rounds from the one in which most failed, as far as they can still be there."""
    worst = max(rounds, key=_failing, default=None)
    if worst is None or revision.incident.country == WORLD:
        return []
    dropped = await committer.call(committer.store.dropped_until)
    there = [one for one in _witnesses(worst, min_prefixes) if dropped is None or one.until > dropped]
    found = [await _found(committer, wanted) for wanted in there]
    return [sample for sample in found if sample is not None]


def _failing(facts: Facts) -> int:
    return sum(ballot.is_witness for _, said in facts.ballots for ballot in said)


def _witnesses(facts: Facts, min_prefixes: int) -> Iterator[_Wanted]:
    """Of each network one, first those that failed; nobody twice, and nobody of a network of few."""
    failed: dict[int, Ballot] = {}
    well: dict[int, Ballot] = {}
    for place, said in facts.ballots:
        is_large = len({ballot.prefix for ballot in said}) >= min_prefixes
        for ballot in said if is_large else ():
            (failed if ballot.is_witness else well).setdefault(place.asn, ballot)
    chosen = [*list(failed.values())[:FAILED], *list(well.values())[:WELL]]
    for probe, at in dict.fromkeys((ballot.probe, ballot.at) for ballot in chosen):
        yield _Wanted(probe, at)


async def _found(committer: Committer, wanted: _Wanted) -> Sample | None:
    """The round, where it is still stored and can be read. One batch is taken from the store at a time: each
    may cost a whole segment, and what comes in waits meanwhile."""
    stored = iter(
        committer.store.batches(wanted.probe, wanted.since, wanted.until, torn=lambda _damage: None)
    )
    while (signed := await committer.call(lambda: next(stored, None))) is not None:
        rnd = await asyncio.to_thread(_round_of, signed, wanted.at)
        if rnd is not None:
            return await asyncio.to_thread(_shown, signed, rnd)
    return None


def _round_of(signed: SignedBatch, at: float) -> Round | None:
    try:
        batch = decode(Batch, signed.body)
    except DecodeError:  # written by a release that knew other words
        return None
    return next((rnd for rnd in batch.rounds if rnd.started_at.timestamp() == at), None)


def _shown(signed: SignedBatch, rnd: Round) -> Sample | None:
    """The round, blurred so that a provider's logs do not lead to the home; None where it would no longer
    say the same."""
    shown = blurred(rnd, at=rnd.started_at.replace(second=0, microsecond=0), name=rnd.round_id)
    if _votes(shown) != _votes(rnd):
        return None
    digest = hashlib.sha256(signed.body).hexdigest()
    return Sample(
        probe=signed.probe, country=signed.country, asn=signed.asn, signed_sha256=digest, round=shown
    )


def _votes(rnd: Round) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    """What the rules make of a round, by platform, as votes count it."""
    cells = cells_of(rnd, judge(rnd), country=UNKNOWN_COUNTRY, asn=UNKNOWN_ASN, prefix="", probe="")
    return {
        key.platform: (vote.status, vote.broke, vote.proven)
        for key, cell in cells.items()
        for vote in cell.votes.values()
    }
