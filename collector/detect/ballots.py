"""Who said what in one round of the detector, and how much of it counts.

One home is one witness however many probes it runs, one person's token speaks for few homes, and a
key that was made this morning is heard and does not decide.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from probe.verdict import Compared

from .cells import FAILING, HELD_BACK, Cell, CellKey, Vote
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
    mechanisms shown beyond doubt. `speed` is the newest in the round, empty where none was measured."""

    probe: str
    at: float
    prefix: str
    failed: bool
    broke: str = ""
    artefacts: tuple[str, ...] = ()
    speed: Compared | tuple[()] = ()

    @property
    def is_witness(self) -> bool:
        """Whether its round shows that something is wrong: it failed, or was held back."""
        return self.failed or self.broke == HELD_BACK


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a probe beside its measurements. `since` is when its key came, in Unix seconds;
    `token` is the enrolment token it came with, if any."""

    since: float
    token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """The armed votes of one network on one platform in one round. `votes` and `failing` are weights;
    `prefixes` and `failing_prefixes` whole homes. `late_votes` and `late_failing` are of those homes that
    measured last in the round: what they see goes on, what only the others saw may be over. `speeds` are
    those of the failing homes that measured theirs, in order."""

    votes: float = 0.0
    failing: float = 0.0
    prefixes: int = 0
    failing_prefixes: int = 0
    broke: Mapping[str, int] = field(default_factory=dict)
    artefacts: Mapping[str, int] = field(default_factory=dict)
    late_votes: float = 0.0
    late_failing: float = 0.0
    speeds: tuple[Compared, ...] = ()

    @property
    def share(self) -> float:
        """The failing share; 0 where nobody voted."""
        return self.failing / self.votes if self.votes else 0.0

    @property
    def late_share(self) -> float:
        """The failing share of those who measured last; of all, where those have no weight."""
        return self.late_failing / self.late_votes if self.late_votes else self.share


def by_round(
    cells: Iterable[tuple[CellKey, Cell]], limits: Thresholds
) -> dict[int, dict[Place, list[Ballot]]]:
    """The ballots in some cells, by round (counted from the Unix epoch) and place: of each probe's votes
    in a round the newest. Both ends of the cells should be whole rounds."""
    votes: dict[int, dict[Place, dict[str, list[Vote]]]] = {}
    for key, cell in cells:
        place = Place(key.country, key.asn, key.platform)
        said = votes.setdefault(int(key.minute * 60 // limits.round_s), {}).setdefault(place, {})
        for probe, vote in cell.votes.items():
            said.setdefault(probe, []).append(vote)
    return {
        number: {
            place: [_ballot(probe, some, limits) for probe, some in sorted(said.items())]
            for place, said in sorted(places.items())
        }
        for number, places in votes.items()
    }


def _ballot(probe: str, votes: Collection[Vote], limits: Thresholds) -> Ballot:
    """One probe's ballot. Who is held back has reached the platform: what its speed shows is for the watch
    on speeds to judge, and one event must not be counted in both. A handshake that is held back has no
    speed and stays a failure."""
    vote = max(votes)
    speed = max((one for one in votes if one.speed), default=vote).speed
    ratio = speed.ratio if speed else 0.0
    is_slow = vote.broke == HELD_BACK and ratio >= limits.slow_ratio
    return Ballot(
        probe=probe,
        at=vote.at,
        prefix=vote.prefix,
        failed=vote.status in FAILING and not is_slow,
        broke=vote.broke,
        artefacts=vote.proven,
        speed=speed,
    )


def counted(
    armed: Mapping[Place, Sequence[Ballot]], standings: Mapping[str, Standing], limits: Thresholds
) -> dict[Place, Count]:
    """Count the armed ballots of each place. The order they come in changes nothing."""
    said = homes(armed, standings, limits)
    return {place: counted_homes(some, limits) for place, some in said.items()}


def homes(
    said: Mapping[Place, Sequence[Ballot]], standings: Mapping[str, Standing], limits: Thresholds
) -> dict[Place, list[tuple[Ballot, float]]]:
    """The ballot of each home that counts, with its weight, by place. A home has one, however many probes
    stand in it, and is in one network of a country."""
    heard: dict[Place, list[tuple[Ballot, float]]] = {place: [] for place in said}
    for place, ballot, weight in _one_a_home(said, standings, limits):
        heard[place].append((ballot, weight))
    return {place: list(_few_a_token(some, standings, limits)) for place, some in heard.items()}


def at_home(
    said: Mapping[Place, Sequence[Ballot]], standings: Mapping[str, Standing], limits: Thresholds
) -> Mapping[Place, Sequence[Ballot]]:
    """The ballots without those of homes that speak in another country too, and with more weight there:
    where no database tells countries apart a probe says which it is in, and one home could be a world."""
    countries: dict[str, str] = {}
    both = set()
    for place, ballots in said.items():
        for ballot in ballots:
            if countries.setdefault(ballot.prefix, place.country) != place.country:
                both.add(ballot.prefix)
    if not both:
        return said
    stands: dict[str, tuple[float, float, str]] = {}
    for place, ballots in said.items():
        for ballot in ballots:
            if ballot.prefix in both:
                weight = weight_of(standings.get(ballot.probe), ballot.at, limits)
                its = (weight, ballot.at, place.country)
                stands[ballot.prefix] = max(its, stands.get(ballot.prefix, its))
    return {
        place: [one for one in ballots if one.prefix not in both or stands[one.prefix][2] == place.country]
        for place, ballots in said.items()
    }


def count(ballots: Iterable[Ballot], standings: Mapping[str, Standing], limits: Thresholds) -> Count:
    """Count the ballots of one place, whatever is said in others."""
    return counted({_SOMEWHERE: tuple(ballots)}, standings, limits)[_SOMEWHERE]


_SOMEWHERE = Place("", 0, "")


def counted_homes(said: Iterable[tuple[Ballot, float]], limits: Thresholds) -> Count:
    """The count of some homes of one place."""
    votes = failing = 0.0
    broke: Counter[str] = Counter()
    artefacts: Counter[str] = Counter()
    speeds = []
    late_votes = late_failing = 0.0
    failing_prefixes = 0
    homes = list(said)
    late_at = _late_at([ballot for ballot, _ in homes], limits)
    for ballot, weight in homes:
        late_weight = weight if _minute(ballot) >= late_at else 0.0
        votes += weight
        late_votes += late_weight
        if ballot.failed:
            failing += weight
            late_failing += late_weight
            failing_prefixes += 1
            broke[ballot.broke] += 1
            artefacts.update(ballot.artefacts)
            if ballot.speed:
                speeds.append(ballot.speed)
    return Count(
        votes=round(votes, 6),
        failing=round(failing, 6),
        prefixes=len(homes),
        failing_prefixes=failing_prefixes,
        broke=dict(sorted(broke.items())),
        artefacts=dict(sorted(artefacts.items())),
        late_votes=round(late_votes, 6),
        late_failing=round(late_failing, 6),
        speeds=tuple(sorted(speeds)),
    )


def _late_at(homes: Sequence[Ballot], limits: Thresholds) -> float:
    """The minute (of Unix time) from which on homes measured last: a share of them, and who measured in the
    same minute."""
    minutes = sorted((_minute(one) for one in homes), reverse=True)
    return minutes[math.ceil(len(minutes) * limits.late_part) - 1] if minutes else math.inf


def _minute(ballot: Ballot) -> float:
    """As fine as evidence tells the moments of homes."""
    return ballot.at // 60


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
    known."""
    if standing is None:
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
