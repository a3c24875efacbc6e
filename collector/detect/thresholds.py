"""Every number that detection turns on, with its unit and where it comes from.

Starting values studied by simulation before any code was written; `make bench-detect` shows what
they give. Nothing else in `detect` holds a number that could be tuned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

YEAR_S = 365.25 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """One set of numbers. Rounds are the detector's: `round_s` seconds of measuring time each."""

    round_s: float = 300.0

    # What an ordinary home line fails at, though nobody interferes, and how much homes fail together
    # (the intra-class correlation of a Beta-Binomial): 32 to 270 false alarms a year without it.
    p0: float = 0.02
    rho0: float = 0.10
    # What is expected under interference: Beta(8, 2), most but not all fail. Beta(3, 1) would call
    # three flaky probes of eight an event for ever.
    event_a: float = 8.0
    event_b: float = 2.0
    # A world in which more than this share fails proves nothing about one country.
    hopeless: float = 0.5
    # The false alarms wanted, a year, over so many networks of one country: CUSUM's threshold.
    networks: int = 10
    false_alarms_a_year: float = 1.0

    # A network: fewest votes for any word at all, to suspect, to confirm; failing shares; rounds.
    least_votes: float = 3.0
    suspect_failing: float = 3.0
    suspect_share: float = 0.3
    confirm_votes: float = 8.0
    confirm_share: float = 0.5
    confirm_rounds: int = 3
    # Exit differs from entry: 943 flaps in the study where it did not.
    end_share: float = 0.1
    end_rounds: int = 3

    # A nation: no network stands for more than this share of it; so many must be suspected at once;
    # and what confirms. Where many networks agree a smaller share says as much.
    network_cap: float = 0.4
    nation_networks: int = 2
    nation_prefixes: float = 5.0
    nation_share: float = 0.5
    many_networks: int = 5
    many_share: float = 0.4
    # Platforms that fail in one country within so many rounds of each other are one incident.
    together_rounds: int = 3
    # The same again so soon after its end is the same event: who was told once is not told again.
    reopen_rounds: int = 6

    # The world: so many other countries, their rates trimmed by so much at either end.
    world_countries: int = 5
    world_trim: float = 0.2
    outage_rate: float = 0.3
    outage_rounds: int = 2

    # Who votes: of the rounds in [t - 24, t - 3] that were measured so large a share was ok; at least
    # half were measured at all; and over a day it fails rarely. A frozen vote expires above the last.
    armed_from: int = 24
    armed_to: int = 3
    armed_rounds: int = 11
    armed_ok: float = 0.85
    armed_ewma: float = 0.06
    expire_ewma: float = 0.20
    ewma_s: float = 86_400.0
    # A probe not heard from for so many rounds (a week of them) begins anew.
    forget_rounds: int = 2016
    # A new key says nothing that confirms for a day, and gains its weight over a week, in seconds.
    mute_s: float = 86_400.0
    grown_s: float = 7 * 86_400.0
    # One person's enrolment token speaks for so many prefixes of a network, however many it has.
    votes_a_token: int = 2

    # Who was heard in so many rounds before is expected in the running one: each round's jitter takes some
    # into the round beside.
    expected_rounds: int = 2

    # How long after it was measured a round may come, in seconds: what `ingest.admit` takes.
    late_s: float = 72 * 3600.0

    # Failing votes that agree on stage and failure, for blocking to be likely.
    agreement: float = 0.7

    @property
    def h(self) -> float:
        """CUSUM's threshold in nats: the log of rounds a year, times networks, per false alarm."""
        return math.log(YEAR_S / self.round_s * self.networks / self.false_alarms_a_year)

    @property
    def late_rounds(self) -> int:
        """In how many rounds something may still come."""
        return math.ceil(self.late_s / self.round_s)

    @property
    def step(self) -> float:
        """The most that one round adds or takes, in nats: no single one can confirm."""
        return self.h / 3


DEFAULT = Thresholds()
