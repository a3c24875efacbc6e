"""The thin part of evidence: take from the store what an incident rests on, and hand over the bundle."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from probe.wire.codec import DecodeError, decode
from probe.wire.observation import Batch

from .detect import saved
from .detect.ballots import Ballot, by_round
from .detect.bundling import facts_of, last_round, made
from .detect.evidence import Facts, NoEvidence, Sample, written
from .detect.fold import Setting
from .detect.incidents import WORLD
from .detect.quarantine import heard
from .detect.revisions import Revision
from .detect.saved import Settled
from .detector import Detector
from .ingest.admit import LIVE_S
from .store.base import Store

# Whole rounds shown: of each network one that failed, and a few that did not.
FAILED, WELL = 6, 2


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A round to look for: its probe, and when it began, in Unix seconds."""

    probe: str
    at: float


async def bundle(detector: Detector, incident: str) -> bytes:
    """The evidence bundle of an incident's last revision; raises `NoEvidence` where there is none, and
    `StoreError`. It is made on the store's own thread, round by round, so that ingest goes on meanwhile."""
    call, store = detector.committer.call, detector.committer.store
    revisions = await call(store.revisions, incident)
    kept = await call(store.grounds, incident)
    start = saved.unpack(kept) if kept else None
    if not revisions or start is None:
        raise NoEvidence("nothing is stored of such an incident")
    revision, setting = revisions[-1], await detector.setting()
    first = start.state.number + 1
    last = last_round(revision.incident, detector.head, detector.limits)
    rounds = [await call(_facts, store, revision, number, setting) for number in range(first, last + 1)]
    samples = await call(_samples, store, revision, rounds)
    return await asyncio.to_thread(_made, revision, start, rounds, samples, setting)


def _made(
    revision: Revision, start: Settled, rounds: Sequence[Facts], samples: Sequence[Sample], setting: Setting
) -> bytes:
    evidence = made(revision=revision, start=start, rounds=rounds, samples=samples, setting=setting)
    return written(evidence)


def _facts(store: Store, revision: Revision, number: int, setting: Setting) -> Facts:
    per_round = int(setting.limits.round_s // 60)
    country, first = revision.incident.country, number * per_round
    cells = heard(store.cells(first, first + per_round - 1), setting.orders)
    here = [(key, cell) for key, cell in cells.items() if key.country == country]
    ballots = by_round(here, setting.limits).get(number, {})
    return facts_of(country, number, ballots, store.chronicle(None, number, number), setting.limits)


def _samples(store: Store, revision: Revision, rounds: Sequence[Facts]) -> list[Sample]:
    """Whole rounds from the one in which most failed."""
    worst = max(rounds, key=_failing, default=None)
    if worst is None or revision.incident.country == WORLD:
        return []
    return [sample for wanted in _witnesses(worst) for sample in _found(store, wanted)]


def _failing(facts: Facts) -> int:
    return sum(ballot.is_witness for _, said in facts.ballots for ballot in said)


def _witnesses(facts: Facts) -> Iterator[_Wanted]:
    """Of each network one, first those that failed; nobody twice."""
    failed: dict[int, Ballot] = {}
    well: dict[int, Ballot] = {}
    for place, said in facts.ballots:
        for ballot in said:
            (failed if ballot.is_witness else well).setdefault(place.asn, ballot)
    chosen = [*list(failed.values())[:FAILED], *list(well.values())[:WELL]]
    for probe, at in dict.fromkeys((ballot.probe, ballot.at) for ballot in chosen):
        yield _Wanted(probe, at)


def _found(store: Store, wanted: _Wanted) -> Iterable[Sample]:
    """The round as it was signed, where it is still stored and can be read."""
    for signed in store.batches(wanted.probe, wanted.at - LIVE_S):  # its clock may have been ahead of ours
        try:
            batch = decode(Batch, signed.body)
        except DecodeError:  # written by a release that knew other words
            continue
        for rnd in batch.rounds:
            if rnd.started_at.timestamp() == wanted.at:
                digest = hashlib.sha256(signed.body).hexdigest()
                return [
                    Sample(
                        probe=wanted.probe,
                        country=signed.country,
                        asn=signed.asn,
                        signed_sha256=digest,
                        round=rnd,
                    )
                ]
    return []
