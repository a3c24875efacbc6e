"""Every number that detection turns on, with its unit and where it comes from.

Starting values studied by simulation before any code was written; `make bench-detect` shows what
they give. Nothing else in `detect` holds a number that a verdict could be tuned with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

YEAR_S = 365.25 * 86_400

# A heartbeat comes every so many seconds, and three missed are no chance of the line. Not among the numbers
# below: what is stored is cut by it.
PAUSE_S = 180.0


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
    # The most that one round adds to a score, or takes, as a share of that threshold: less than half, so
    # that no single round makes even a suspicion. At a third the nation's confirmation within two rounds
    # hung on 62 % of the homes of each network failing in the round in which the event begins; now on half.
    step_share: float = 0.4

    # A network: fewest votes for any word at all, to suspect, to confirm; failing shares; rounds.
    least_votes: float = 3.0
    suspect_failing: float = 3.0
    suspect_share: float = 0.3
    confirm_votes: float = 8.0
    confirm_share: float = 0.5
    confirm_rounds: int = 3
    # A network counts as one of `confirm_votes` for so many seconds (a day) after it last had them.
    large_s: float = 86_400.0
    # Of a round's homes, the part that measured last: a trouble of six minutes that two rounds share is over
    # by then. Without it 27 % of such troubles of a nation were confirmed, with it 13 % (docs/detection.md).
    late_part: float = 1 / 3
    # Exit differs from entry: 943 flaps in the study where it did not. A tenth and three rounds took 4.2
    # rounds to say that it is over (7.1 where seven networks of ten homes had to be quiet), because of ten
    # homes one that fails by itself is a tenth; these take 2.4 and notify of no event twice.
    end_share: float = 0.2
    end_rounds: int = 2

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
    # A world in which this share fails is not well. Homes of 11 quiet countries fail at a fifth of it.
    trouble_rate: float = 0.1
    # The homes' pasts stand still in a world in trouble for so many seconds (a day) at the most. The longest
    # outage of a large platform that is remembered, Facebook's of 13 March 2019, took about 14 hours.
    trouble_s: float = 86_400.0

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

    # Speed. A home's word on it stands for so many rounds: agents compare one round in twelve
    # (configs/probe.toml), all of them where slowness is suspected.
    speed_rounds: int = 12
    # How many times as fast unrelated objects must come, and in bits a second what the platform must come
    # below: above it probe.verdict.speed trusts no ratio. Extreme is OONI's word (dd-007).
    slow_ratio: float = 3.0
    extreme_ratio: float = 10.0
    slow_bps: float = 1_500_000.0
    # And above this share of what this home measured in a week, of which at least so many words are
    # known: at one an hour that is within the day in which a new key is mute. Ratios are kept in
    # steps of a third, up to three hundred times `slow_ratio`.
    usual_share: float = 0.99
    usual_words: float = 5.0
    usual_s: float = 7 * 86_400.0
    usual_step: float = 4 / 3
    usual_steps: int = 20
    # Silence, which goes by the minute: of those who were there, with this correlation within a network,
    # each minute so large a share falls silent without a word on any day. Learnt by hour of the week, over
    # two weeks of that hour, and over a day of all hours where that hour is not known yet.
    rho_silence: float = 0.02
    hazard_least: float = 5e-4
    hazard_most: float = 0.02
    hazard_hour_minutes: float = 120.0
    hazard_day_minutes: float = 1440.0
    # Who has been there for so many seconds counts: someone who comes and goes tells nothing by going.
    steady_s: float = 600.0
    # Fewest homes there before, of a country or of a network on its own, and the share of a network that
    # makes it dark. It is dark until so large a share of those lost have been back for so many minutes, or
    # after a week, when nobody can say any more that they are the same.
    silent_homes: float = 10.0
    dark_share: float = 0.5
    back_share: float = 0.5
    back_minutes: int = 3
    forget_minutes: int = 7 * 1440
    # Networks that go dark within so many minutes are one event, in which none counts for more than this
    # share of the threshold: two at least must agree.
    dark_together_minutes: int = 60
    dark_most: float = 0.6
    # That we can hear at all: so large a share of somebody else was heard in the last so many seconds.
    heard_share: float = 0.7
    heard_s: float = 90.0
    # So long after its end, in minutes, those who were silent have told what they measured; homes that must
    # have measured well for it to be only we who were cut off.
    told_minutes: int = 30
    told_homes: int = 3

    # How long after it was measured a round may come, in seconds: what `ingest.admit` takes.
    late_s: float = 72 * 3600.0

    # Failing votes that agree on stage and failure, for blocking to be likely.
    agreement: float = 0.7

    # An incident's last word, with all who came late counted, is said so many rounds before nothing can
    # change it: more than are ever folded at once while a collector runs.
    last_word_rounds: int = 12

    @property
    def h(self) -> float:
        """CUSUM's threshold in nats: the log of rounds a year, times networks, per false alarm."""
        return math.log(YEAR_S / self.round_s * self.networks / self.false_alarms_a_year)

    @property
    def silence_h(self) -> float:
        """The same for silence, which is asked about every minute."""
        return math.log(YEAR_S / 60 * self.networks / self.false_alarms_a_year)

    @property
    def late_rounds(self) -> int:
        """In how many rounds something may still come."""
        return math.ceil(self.late_s / self.round_s)

    @property
    def lost_rounds(self) -> int:
        """After so many rounds without a vote nobody can say that an event goes on: all that can still come
        of them has come. A little sooner, so that its end is told while it can still be told anew."""
        return max(self.late_rounds // 2, self.late_rounds - 2 * self.last_word_rounds)

    @property
    def step(self) -> float:
        """The most that one round adds or takes, in nats: no single one can suspect."""
        return self.h * self.step_share


DEFAULT = Thresholds()
