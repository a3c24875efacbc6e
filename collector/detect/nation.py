"""One country and one platform: the networks' words put together. PURE.

A single network is a single operator's affair, however many homes it has; a nation is spoken of only
where networks that have nothing to do with each other fail together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from .ballots import Count
from .network import ALARMED, Condition, Watch, is_lost
from .thresholds import Thresholds


@dataclass(frozen=True, slots=True)
class Seen:
    """One network in one round: its watch after it, and the votes."""

    watch: Watch
    votes: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class NationWatch:
    """`share` is the failing share of the country, each network by its weight; `networks` how many
    had votes enough, and `heard_at` the newest round in which any had."""

    condition: Condition = Condition.INSUFFICIENT
    score: float = 0.0
    share: float = 0.0
    networks: int = 0
    good_rounds: int = 0
    since: int | None = None
    heard_at: int | None = None

    @property
    def is_alarmed(self) -> bool:
        """Whether something is suspected or confirmed."""
        return self.condition in ALARMED


def watch(
    before: NationWatch,
    number: int,
    seen: Mapping[int, Seen],
    weights: Mapping[int, float],
    limits: Thresholds,
) -> NationWatch:
    """The country after round `number`. `seen` is by ASN; `weights` are users' shares by ASN, where
    known, of any scale: a network that is not among them weighs as the mean of those that are."""
    heard = {asn: one for asn, one in seen.items() if one.votes.votes >= limits.least_votes}
    if not heard and before.is_alarmed and is_lost(before.heard_at, number, limits):
        return NationWatch(heard_at=before.heard_at)
    if not heard:
        quiet = before.condition if before.is_alarmed else Condition.INSUFFICIENT
        return replace(before, condition=quiet, networks=0)
    weighed = capped_weights({asn: weights.get(asn) for asn in heard}, limits.network_cap)
    share = round(sum(weighed[asn] * one.votes.share for asn, one in heard.items()), 6)
    late = round(sum(weighed[asn] * one.votes.late_share for asn, one in heard.items()), 6)
    most = 2 * limits.step / len(heard)
    added = sum(max(-most, min(most, one.watch.added)) for one in heard.values())
    score = max(0.0, min(2 * limits.h, before.score + added))
    after = NationWatch(
        condition=before.condition,
        score=score,
        share=share,
        networks=len(heard),
        good_rounds=before.good_rounds + 1 if share < limits.end_share else 0,
        since=None if score == 0 else number if before.since is None else before.since,
        heard_at=number,
    )
    # What has gone on for as long as confirms a network is over two rounds, whoever measured last.
    is_new = after.since is None or number - after.since < limits.confirm_rounds - 1
    condition = _condition(after, min(share, late) if is_new else share, heard, limits)
    if before.is_alarmed and condition not in ALARMED:
        return replace(after, condition=condition, score=0.0, since=None)
    return replace(after, condition=condition)


def _condition(
    after: NationWatch, lasting: float, heard: Mapping[int, Seen], limits: Thresholds
) -> Condition:
    """`lasting` is the failing share that confirms: of who measured last, too, while it may be over."""
    if after.condition is Condition.CONFIRMED:
        return after.condition if after.good_rounds < limits.end_rounds else Condition.OK
    bad = [one for one in heard.values() if _joins(one, limits)]
    if len(bad) < limits.nation_networks or after.share < limits.suspect_share:
        keeps = (
            after.condition is Condition.SUSPECTED
            and after.good_rounds < limits.end_rounds
            and after.score > 0
        )
        return Condition.SUSPECTED if keeps else Condition.OK
    many = len(heard) >= limits.many_networks
    homes = sum(one.votes.failing_prefixes for one in bad)
    confirms = (
        after.score >= limits.h
        and homes >= limits.nation_prefixes
        and lasting >= (limits.many_share if many else limits.nation_share)
    )
    return Condition.CONFIRMED if confirms else Condition.SUSPECTED


def _joins(one: Seen, limits: Thresholds) -> bool:
    """Whether a network counts among those that fail together."""
    return one.watch.is_alarmed and one.votes.share >= limits.end_share


def capped_weights(shares: Mapping[int, float | None], cap: float) -> dict[int, float]:
    """Weights that sum to 1, none above `cap` where there are enough networks for that. What is cut off
    one is given to the others in proportion."""
    known = [share for share in shares.values() if share]
    mean = sum(known) / len(known) if known else 1.0
    left = {asn: share or mean for asn, share in shares.items()}
    found: dict[int, float] = {}
    cap = max(cap, 1 / len(left)) if left else cap
    room = 1.0
    while left:
        total = sum(left.values())
        over = [asn for asn, share in left.items() if share / total * room > cap]
        if not over:
            return found | {asn: share / total * room for asn, share in left.items()}
        for asn in over:
            found[asn] = cap
            room -= cap
            del left[asn]
    return found  # nobody is left to give it to
