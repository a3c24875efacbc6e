"""One home's past with how fast a platform comes beside unrelated objects: whether it is slow now. PURE.

Some homes always get a platform at a fraction of what else they get: theirs is no news. So a ratio counts
only where it is above nearly all that this very home measured in a week. The newest words are left out of
that, or the first rounds of an event would make it usual.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from probe.verdict import Compared

from .ballots import Ballot
from .cells import HELD_BACK
from .thresholds import Thresholds


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """`usual` is how often each step of ratios was measured, weighed down by the week, as of `lived`, the
    watch's clock; `waiting` are the newest, by clock and step, not yet among them. `word` is the newest
    said, in round `heard`: `failed` where it is slow; None while too little is known of this home."""

    lived: int = 0
    usual: Mapping[int, float] = field(default_factory=dict)
    waiting: tuple[tuple[int, int], ...] = ()
    heard: int = 0
    word: Ballot | None = None


NEW = Pace()


def with_word(
    pace: Pace, ballot: Ballot, speed: Compared, number: int, lived: int, limits: Thresholds
) -> Pace:
    """The home after it has measured `speed` in round `number`, when its network's clock stood at `lived`."""
    pace = _aged(pace, lived, limits)
    step = _step(speed, limits)
    word = None
    if sum(pace.usual.values()) >= limits.usual_words:
        is_slow = 0 < step > _most(pace.usual, limits) and speed.bps < limits.slow_bps
        word = replace(ballot, failed=is_slow, broke=HELD_BACK if is_slow else "", artefacts=())
    return replace(pace, heard=number, word=word, waiting=(*pace.waiting, (lived, step)))


def _aged(pace: Pace, lived: int, limits: Thresholds) -> Pace:
    """With those words that have waited long enough."""
    fade = math.exp(-(lived - pace.lived) * limits.round_s / limits.usual_s)
    usual = {step: weight * fade for step, weight in pace.usual.items()}
    ripe = [step for at, step in pace.waiting if at <= lived - limits.speed_rounds]
    for step in ripe:
        usual[step] = usual.get(step, 0.0) + 1.0
    usual = {step: round(weight, 3) for step, weight in sorted(usual.items()) if weight >= 0.001}
    return replace(pace, lived=lived, usual=usual, waiting=pace.waiting[len(ripe) :])


def _step(speed: Compared, limits: Thresholds) -> int:
    """Which step of ratios it is on: 0 for what is never slow."""
    if speed.ratio < limits.slow_ratio:
        return 0
    above = math.log(speed.ratio / limits.slow_ratio) / math.log(limits.usual_step)
    return min(1 + int(above), limits.usual_steps)


def _most(usual: Mapping[int, float], limits: Thresholds) -> int:
    """The lowest step that so large a share of the measurements was not above."""
    wanted, so_far, most = limits.usual_share * sum(usual.values()), 0.0, 0
    for most, weight in sorted(usual.items()):  # noqa: B007 - the last one looked at
        so_far += weight
        if so_far >= wanted:
            break
    return most
