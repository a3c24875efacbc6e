"""A round with what it means, and its two written forms: the document of ``run --json`` and the
line of ``history``. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .verdict import Status, Verdict, judge
from .wire.codec import plain
from .wire.observation import SCHEMA, Observation, Round
from .wire.platform import Platform

# A stage's detail is absent from the document where the stage had none; everything else is said.
_DETAILS = ("dns", "tcp", "tls", "http", "transfer", "path", "packets")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One round, judged. `place` is the network it was measured on, None where that was not one."""

    round: Round
    verdicts: tuple[Verdict, ...]
    place: str | None = None

    @property
    def could_judge(self) -> bool:
        """Whether the machine could judge any platform at all."""
        return any(verdict.status is not Status.INSUFFICIENT for verdict in self.verdicts)

    def platform(self, verdict: Verdict) -> Platform:
        """What the verdict is on."""
        return next(p for p in self.round.targets if p.name == verdict.platform)


def outcome_of(rnd: Round, place: str | None = None) -> Outcome:
    """Judge a round."""
    return Outcome(rnd, judge(rnd), place)


def document(outcome: Outcome) -> dict[str, Any]:
    """The one JSON document ``run --json`` writes; its keys are a contract."""
    rnd = outcome.round
    return {
        "schema": SCHEMA,
        "round_id": rnd.round_id,
        "started_at": plain(rnd.started_at),
        "duration_s": rnd.duration_s,
        "network": plain(rnd.network, whole=True),
        "gate": plain(rnd.gate, whole=True),
        "platforms": [plain(verdict, whole=True) for verdict in outcome.verdicts],
        "observations": [_observed(observation) for observation in rnd.observations],
    }


def _observed(observation: Observation) -> dict[str, Any]:
    whole: dict[str, Any] = plain(observation, whole=True)
    return {key: value for key, value in whole.items() if value is not None or key not in _DETAILS}


def summary(outcome: Outcome) -> dict[str, Any]:
    """What ``history`` keeps of a round."""
    return {
        "started_at": plain(outcome.round.started_at),
        "round_id": outcome.round.round_id,
        "gate": str(outcome.round.gate.state),
        "platforms": {v.platform: _in_short(v) for v in outcome.verdicts},
    }


def _in_short(verdict: Verdict) -> dict[str, Any]:
    return {"status": str(verdict.status), "mechanisms": _mechanisms(verdict)}


def _mechanisms(verdict: Verdict) -> list[str]:
    return sorted({str(finding.mechanism) for finding in verdict.mechanisms})


def statuses(verdicts: Iterable[Verdict]) -> Mapping[str, str]:
    """Status by platform: what a change is told by."""
    return {verdict.platform: verdict.status for verdict in verdicts}
