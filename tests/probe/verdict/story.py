"""A round in a few words and what may be said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from probe.verdict import Verdict, judge
from probe.verdict.rules import RULES, Rule
from probe.wire.exchange import PeerView
from probe.wire.observation import Gate, Observation, Phase, Round
from tests.rounds import CONTROL_ADDRESS, CONTROL_SIX, a_round, controls, fine

MEDIA = fine("x/media")
BOTH_FAMILIES = (CONTROL_ADDRESS, CONTROL_SIX)


@dataclass(frozen=True, kw_only=True)
class Story:
    """`says` is a verdict in short: "blocked: dns proven, tls likely". `controls` are the addresses at
    which unrelated sites answered."""

    says: str
    seen: Sequence[Observation]
    gate: Gate | None = None
    peers: PeerView | None = None
    controls: Sequence[str] = (CONTROL_ADDRESS,)
    cleartext_is_clean: bool = True

    def round(self) -> Round:
        """The round as it was stored."""
        return a_round(
            *self.seen,
            gate=self.gate,
            cleartext_is_clean=self.cleartext_is_clean,
            before=controls(Phase.BEFORE, self.controls),
            after=controls(Phase.AFTER, self.controls),
        )

    def verdict(self, rules: Sequence[Rule] = RULES) -> Verdict:
        """What the rules say of it."""
        (verdict,) = judge(self.round(), rules, peers=[self.peers] if self.peers else [])
        return verdict


def in_short(verdict: Verdict) -> str:
    """A verdict in the words of `Story.says`."""
    how = ", ".join(f"{finding.mechanism} {finding.level}" for finding in verdict.mechanisms)
    return f"{verdict.status}: {how}" if how else str(verdict.status)
