"""Homes that vote, round by round, in relative time: what the stories of detection are told with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from collector.detect.ballots import Ballot, Place, Standing
from collector.detect.fold import Setting, State, advance
from collector.detect.incidents import Incident, record
from collector.detect.thresholds import DEFAULT
from probe.verdict import Compared

# Rounds until everybody is armed.
WARM = 26
# And until everybody's usual speed is known, of homes that measure it once in twelve rounds.
WARM_SPEEDS = 84
# The first round of every story: 10:00 UTC on 17 December 2023.
FIRST = 1_702_807_200 // 300

ABROAD = ("DE", "TR", "IN", "BR", "ZA", "JP", "US", "MX", "EG", "KE", "AU")


@dataclass(frozen=True)
class Home:
    """One home with its probe."""

    country: str
    asn: int
    probe: str
    token: str | None = None


@dataclass
class Story:
    """Homes, and what each says: `fails(home, round, platform)`, rounds counted from the warm-up's end;
    None where it says nothing. Every platform is one of `platforms`; `moment` is when in a round a home
    measures, from 0 to 1. `told` may be given speeds as well: what a home measured in a round, None where
    it measured none; in `warm` rounds before the story too."""

    homes: Sequence[Home]
    platforms: Sequence[str] = ("x",)
    standings: Mapping[str, Standing] = field(default_factory=dict)
    shares: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    noise: float = 0.0
    seed: int = 1
    moment: Callable[[Home], float] = lambda _home: 0.2
    broke: str = "tls tls_reset_error"
    artefacts: tuple[str, ...] = ()
    warm: int = WARM

    def __post_init__(self) -> None:
        old = Standing(since=0.0)
        known = {home.probe: Standing(0.0, home.token) if home.token else old for home in self.homes}
        self._setting = Setting(limits=DEFAULT, standings={**known, **self.standings}, shares=self.shares)

    def told(
        self,
        rounds: int,
        fails: Callable[[Home, int, str], bool | None],
        speeds: Callable[[Home, int, str], Compared | None] = lambda _home, _number, _platform: None,
    ) -> Told:
        """The states and incidents after each of `rounds` rounds."""
        chance = Random(self.seed)
        state, states = State(number=FIRST - self.warm - 1), list[State]()
        book: tuple[Incident, ...] = ()
        books: list[tuple[Incident, ...]] = []
        for number in range(-self.warm, rounds):
            said = self._said(number, fails if number >= 0 else _well, speeds, chance)
            state = advance(state, FIRST + number, said, self._setting)
            book = record(book, state, DEFAULT)
            if number >= 0:
                states.append(state)
                books.append(book)
        return Told(states, books)

    def _said(
        self,
        number: int,
        fails: Callable[[Home, int, str], bool | None],
        speeds: Callable[[Home, int, str], Compared | None],
        chance: Random,
    ) -> dict[Place, list[Ballot]]:
        found: dict[Place, list[Ballot]] = {}
        for home in self.homes:
            for platform in self.platforms:
                failed = fails(home, number, platform)
                noise = chance.random() < self.noise
                if failed is None:
                    continue
                ballot = Ballot(
                    probe=home.probe,
                    at=(FIRST + number + self.moment(home)) * DEFAULT.round_s,
                    prefix=f"prefix of {home.probe}",
                    failed=failed or noise,
                    broke=self.broke if failed else "tcp generic_timeout_error" if noise else "",
                    artefacts=self.artefacts if failed else (),
                    speed=speeds(home, number, platform) or (),
                )
                found.setdefault(Place(home.country, home.asn, platform), []).append(ballot)
        return found


@dataclass(frozen=True)
class Told:
    """What was known after each round of a story."""

    states: Sequence[State]
    books: Sequence[tuple[Incident, ...]]

    @property
    def last(self) -> tuple[Incident, ...]:
        """The incidents in the end."""
        return self.books[-1]

    def first(self, is_so: Callable[[State], bool]) -> int | None:
        """After how many rounds something was so for the first time, counted from 1."""
        return next((number for number, state in enumerate(self.states, 1) if is_so(state)), None)


def _well(_home: Home, _number: int, _platform: str) -> bool | None:
    return False


def homes(country: str, networks: int, each: int, first_asn: int = 1) -> list[Home]:
    """So many homes on each of so many networks."""
    return [
        Home(country, first_asn + asn, f"{country}-{first_asn + asn}-{n}")
        for asn in range(networks)
        for n in range(each)
    ]


def world(each: int = 5) -> list[Home]:
    """Homes in eleven other countries."""
    return [home for country in ABROAD for home in homes(country, 1, each)]


def hit(some: Iterable[Home], since: int, until: int) -> Callable[[Home, int, str], bool | None]:
    """Those homes fail on every platform, from round `since` until before `until`."""
    names = {home.probe for home in some}
    return lambda home, number, _: home.probe in names and since <= number < until
