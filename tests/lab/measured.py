"""One run of the real agent in the lab, as it is kept: the round, and all that is needed to judge it.

Only facts are kept. What the agent concluded itself is compared with what its round gives when it is
judged again, which must be the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from probe.verdict import Status, Verdict, judge
from probe.wire.codec import plain, validate
from probe.wire.exchange import PeerView
from probe.wire.observation import Round
from probe.wire.platform import Platform
from probe.wire.strict import STRICT

from .scenarios import OK, SCENARIOS, Scenario, Truth

# What the report supposes where it speaks of peers: lines in so many other countries, all of which see
# what the vantage abroad saw.
SUPPOSED_COUNTRIES = 5

# What a round may cost a line in which something is interfered with, transfers included.
MOST_S, MOST_BYTES = 60.0, 2_000_000

_OF_THE_ROUND = ("round_id", "started_at", "duration_s", "network", "gate", "observations")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run: the scenario applied to `touched` at some provider, seen from the line `dialled`.
    `bytes` crossed the home's device, both ways. `round` is None where the agent gave none, and
    `trouble` says what went wrong. `abroad` was measured at the same time without a censor."""

    __pydantic_config__ = STRICT
    scenario: str
    number: int
    dialled: str
    touched: tuple[str, ...]
    bytes: int
    round: Round | None
    abroad: Round | None = None
    trouble: str = ""

    @property
    def where(self) -> Scenario:
        """The scenario itself."""
        return SCENARIOS[self.scenario]

    def truth(self, platform: str) -> Truth:
        """What is so of a platform, on this line."""
        reached = self.dialled in self.where.isps
        touched = self.where.whole_line or platform in self.touched
        return self.where.truth if touched and reached else OK

    @property
    def is_within(self) -> bool:
        """Whether it cost no more than a round may."""
        return self.bytes < MOST_BYTES and (self.round is None or self.round.duration_s < MOST_S)

    def verdicts(self) -> dict[str, Verdict]:
        """What the round says of each platform."""
        return {verdict.platform: verdict for verdict in judge(self.round)} if self.round else {}

    def verdicts_with_peers(self) -> dict[str, Verdict]:
        """The same, known what people elsewhere see; empty where nobody was asked."""
        if self.round is None or self.abroad is None:
            return {}
        return {verdict.platform: verdict for verdict in judge(self.round, peers=views(self.abroad))}


def views(abroad: Round) -> list[PeerView]:
    """What peers elsewhere would report, if all of them saw what one did."""
    reached = {verdict.platform: verdict.status is Status.OK for verdict in judge(abroad)}
    return [view(platform, reached=is_reached) for platform, is_reached in reached.items()]


def view(platform: str, *, reached: bool) -> PeerView:
    """One platform as the supposed peers see it."""
    return PeerView(
        platform=platform,
        countries=SUPPOSED_COUNTRIES,
        votes=SUPPOSED_COUNTRIES,
        failing=0 if reached else SUPPOSED_COUNTRIES,
    )


def round_of(document: Mapping[str, Any], targets: Iterable[Platform]) -> Round:
    """The round behind a document of ``run --json``, which leaves out what was to be measured."""
    shape = {key: document[key] for key in _OF_THE_ROUND}
    return validate(Round, json.dumps({**shape, "targets": plain(tuple(targets))}).encode())


def is_recomputed(document: Mapping[str, Any], rnd: Round) -> bool:
    """Whether the round gives the very verdicts that the agent gave."""
    again = [plain(verdict, whole=True) for verdict in judge(rnd)]
    return bool(document["platforms"] == json.loads(json.dumps(again)))
