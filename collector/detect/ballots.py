"""Who said what in one round of the detector, and how much of it counts.

One home is one witness however many probes it runs, one person's token speaks for few homes, and a
key that was made this morning is heard and does not decide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .cells import FAILING, Cell, CellKey, Vote
from .thresholds import Thresholds


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """One network's view of one platform."""

    country: str
    asn: int
    platform: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """A probe's newest conclusive word on one platform in one round. `at` is Unix seconds, `prefix`
    the tag of where it stands. `broke` is how it failed, as ``stage failure``; `artefacts` are the
    mechanisms shown beyond doubt."""

    probe: str
    at: float
    prefix: str
    failed: bool
    broke: str = ""
    artefacts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a probe beside its measurements. `since` is when its key came, in Unix seconds;
    `token` is the enrolment token it came with, if any."""

    since: float
    token: str | None = None
    quarantined: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """The armed votes of one network on one platform in one round. `votes` and `failing` are weights;
    `prefixes` and `failing_prefixes` whole homes."""

    votes: float = 0.0
    failing: float = 0.0
    prefixes: int = 0
    failing_prefixes: int = 0
    broke: Mapping[str, int] = field(default_factory=dict)
    artefacts: Mapping[str, int] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """The failing share; 0 where nobody voted."""
        return self.failing / self.votes if self.votes else 0.0


def by_round(
    cells: Iterable[tuple[CellKey, Cell]], limits: Thresholds
) -> dict[int, dict[Place, list[Ballot]]]:
    """The ballots in some cells, by round (counted from the Unix epoch) and place: of each probe's votes
    in a round the newest. Both ends of the cells should be whole rounds."""
    newest: dict[int, dict[Place, dict[str, Vote]]] = {}
    for key, cell in cells:
        place = Place(key.country, key.asn, key.platform)
        said = newest.setdefault(int(key.minute * 60 // limits.round_s), {}).setdefault(place, {})
        for probe, vote in cell.votes.items():
            said[probe] = max(vote, said.get(probe, vote))
    return {
        number: {
            place: [_ballot(probe, vote) for probe, vote in sorted(said.items())]
            for place, said in sorted(places.items())
        }
        for number, places in newest.items()
    }


def _ballot(probe: str, vote: Vote) -> Ballot:
    return Ballot(
        probe=probe,
        at=vote.at,
        prefix=vote.prefix,
        failed=vote.status in FAILING,
        broke=vote.broke,
        artefacts=vote.proven,
    )


def counted(
    armed: Mapping[Place, Sequence[Ballot]], standings: Mapping[str, Standing], limits: Thresholds
) -> dict[Place, Count]:
    """Count the armed ballots of each place. The order they come in changes nothing."""
    heard: dict[Place, list[tuple[Ballot, float]]] = {place: [] for place in armed}
    for place, ballot, weight in _one_a_home(armed, standings, limits):
        heard[place].append((ballot, weight))
    return {place: _count(_few_a_token(said, standings, limits)) for place, said in heard.items()}


def _count(said: Iterable[tuple[Ballot, float]]) -> Count:
    votes = failing = 0.0
    broke: Counter[str] = Counter()
    artefacts: Counter[str] = Counter()
    prefixes = failing_prefixes = 0
    for ballot, weight in said:
        prefixes += 1
        votes += weight
        if ballot.failed:
            failing += weight
            failing_prefixes += 1
            broke[ballot.broke] += 1
            artefacts.update(ballot.artefacts)
    return Count(
        votes=round(votes, 6),
        failing=round(failing, 6),
        prefixes=prefixes,
        failing_prefixes=failing_prefixes,
        broke=dict(sorted(broke.items())),
        artefacts=dict(sorted(artefacts.items())),
    )


def _one_a_home(
    armed: Mapping[Place, Sequence[Ballot]], standings: Mapping[str, Standing], limits: Thresholds
) -> Iterable[tuple[Place, Ballot, float]]:
    """Of each probe's ballots in a country the newest, then of each prefix's the weightiest, of those the
    newest. In a country and not in a network: where no database tells networks apart a probe says which it
    is in, and one home could be as many networks as it likes. And who weighs nothing takes nobody's place:
    a key made this morning beside an old one would silence it."""
    probes: dict[tuple[str, str, str], tuple[Place, Ballot]] = {}
    for place, said in armed.items():
        for ballot in said:
            its = (place.country, place.platform, ballot.probe)
            other = probes.get(its)
            if other is None or (ballot.at, place.asn) > (other[1].at, other[0].asn):
                probes[its] = place, ballot
    homes: dict[tuple[str, str, str], tuple[Place, Ballot, float]] = {}
    for place, ballot in probes.values():
        weight = weight_of(standings.get(ballot.probe), ballot.at, limits)
        if not weight:
            continue
        home = (place.country, place.platform, ballot.prefix)
        known = homes.get(home)
        if known is None or (weight, ballot.at, ballot.probe) > (known[2], known[1].at, known[1].probe):
            homes[home] = place, ballot, weight
    return homes.values()


def _few_a_token(
    said: Iterable[tuple[Ballot, float]], standings: Mapping[str, Standing], limits: Thresholds
) -> Iterator[tuple[Ballot, float]]:
    """Of one token's prefixes no more than it may have."""
    of_token: Counter[str] = Counter()
    for ballot, weight in sorted(said, key=lambda one: one[0].probe):
        token = standings[ballot.probe].token
        if token is not None:
            of_token[token] += 1
            if of_token[token] > limits.votes_a_token:
                continue
        yield ballot, weight


def weight_of(standing: Standing | None, at: float, limits: Thresholds) -> float:
    """How much a probe's vote weighs at `at` (Unix seconds), from 0 to 1; nothing where the probe is not
    known or is quarantined."""
    if standing is None or standing.quarantined:
        return 0.0
    # To the minute: evidence is published without the second of anybody's round.
    age_s = at // 60 * 60 - standing.since
    return 0.0 if age_s < limits.mute_s else min(1.0, age_s / limits.grown_s)


def agreement(counts: Collection[Count]) -> tuple[str, float]:
    """How most failing votes failed, and which share of them did; ``("", 0.0)`` where none failed."""
    together: Counter[str] = Counter()
    for one in counts:
        together.update(one.broke)
    if not together:
        return "", 0.0
    broke, most = max(together.items(), key=lambda item: (item[1], item[0]))
    return broke, most / together.total()
