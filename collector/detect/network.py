"""One network and one platform, round by round: score and condition. PURE.

CUSUM says when so many failures can no longer be chance; thresholds on counts and shares say what
they are worth; leaving takes other thresholds than entering, so that nothing flaps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

from . import likelihood
from .ballots import Count
from .thresholds import Thresholds


class Condition(StrEnum):
    """What may be said. `INSUFFICIENT` is never shown as `OK`."""

    INSUFFICIENT = "insufficient"
    OK = "ok"
    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"

    @property
    def rank(self) -> int:
        """From 0 for the least that may be said: a number that an alerting rule can compare."""
        return list(Condition).index(self)


ALARMED = frozenset({Condition.SUSPECTED, Condition.CONFIRMED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """`score` in nats; `added` is what the last round added. `since` is the first round of the present
    climb, None at rest; `heard_at` the newest round with any votes, `large_at` that with votes enough to
    confirm. `lived` counts the
    rounds in which nothing was alarmed: the clock of the probes' pasts, which stands still meanwhile, so
    that nobody is disarmed by what they bear witness to."""

    condition: Condition = Condition.INSUFFICIENT
    score: float = 0.0
    added: float = 0.0
    bad_rounds: int = 0
    good_rounds: int = 0
    since: int | None = None
    heard_at: int | None = None
    large_at: int | None = None
    lived: int = 0

    @property
    def is_alarmed(self) -> bool:
        """Whether something is suspected or confirmed."""
        return self.condition in ALARMED

    @property
    def is_sure(self) -> bool:
        """Whether something is confirmed."""
        return self.condition is Condition.CONFIRMED


REST = Watch()


def watch(
    before: Watch,
    number: int,
    votes: Count,
    world: float | None,
    limits: Thresholds,
    fresh: Count | None = None,
) -> Watch:
    """The network after round `number`; `world` is the failing share elsewhere, None where unknown. A
    round without votes is a round of which nothing is known: it leaves the score as it is. Where `votes`
    stand for several rounds, `fresh` are this one's: what was scored once is not scored again."""
    if not votes.votes and before.is_alarmed and is_lost(before.heard_at, number, limits):
        return Watch(lived=before.lived, heard_at=before.heard_at)
    if not votes.votes:
        silent = Condition.INSUFFICIENT if not before.is_alarmed else before.condition
        return replace(before, condition=silent, added=0.0)
    new = votes if fresh is None else fresh
    added = likelihood.step(new.failing, new.votes, world, limits)
    score = max(0.0, min(2 * limits.h, before.score + added))
    after = Watch(
        condition=before.condition,
        score=score,
        added=added,
        bad_rounds=before.bad_rounds + 1 if votes.share >= limits.confirm_share else 0,
        good_rounds=before.good_rounds + 1 if votes.share < limits.end_share else 0,
        since=None if score == 0 else number if before.since is None else before.since,
        heard_at=number,
        large_at=number if votes.votes >= limits.confirm_votes else before.large_at,
        lived=before.lived,
    )
    condition = _condition(after, number, votes, limits)
    if before.is_alarmed and condition not in ALARMED:
        # What ended is over: left standing, its score would make an event of the next small thing.
        return replace(after, condition=condition, score=0.0, since=None)
    return replace(after, condition=condition)


def is_lost(heard_at: int | None, number: int, limits: Thresholds) -> bool:
    """Whether nobody who could tell has been heard for so long that nobody can say any more that something
    still goes on. Its witnesses are gone, and who came since has no past to be judged by."""
    return heard_at is not None and number - heard_at > limits.lost_rounds


def _condition(after: Watch, number: int, votes: Count, limits: Thresholds) -> Condition:
    if after.is_alarmed and after.good_rounds < limits.end_rounds and after.score > 0:
        confirms = _confirms(after, number, votes, limits)
        return Condition.CONFIRMED if confirms else after.condition
    if votes.votes < limits.least_votes:
        return Condition.INSUFFICIENT
    suspects = (
        not after.good_rounds
        and after.score >= limits.h / 2
        and votes.failing >= limits.suspect_failing
        and votes.share >= limits.suspect_share
    )
    return Condition.SUSPECTED if suspects else Condition.OK


def _confirms(after: Watch, number: int, votes: Count, limits: Thresholds) -> bool:
    """Whether it is sure. The network must be large, not whole: of eight homes one is away now and then, or
    disarmed, and where as many fail as it takes of eight the evidence is no less. Who measured last must
    see it too, or it may be over; what goes on in one more round is not."""
    large_at = -math.inf if after.large_at is None else after.large_at
    goes_on = after.bad_rounds > limits.confirm_rounds or votes.late_share >= limits.suspect_share
    return (
        (number - large_at) * limits.round_s < limits.large_s
        and after.score >= limits.h
        and after.bad_rounds >= limits.confirm_rounds
        and votes.failing >= limits.confirm_share * limits.confirm_votes
        and goes_on
    )
