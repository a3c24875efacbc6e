"""The truth of a scenario beside what was said: pure, and the only judge of the engine in the lab."""

from __future__ import annotations

from enum import StrEnum

from probe.verdict import Level, Mechanism, Scope, Status, Verdict

from .scenarios import Truth

ACCUSATIONS = (Status.BLOCKED, Status.THROTTLED)


class Ruling(StrEnum):
    """How a verdict stands to the truth, worst first."""

    ACCUSED = "false accusation"
    MISSED = "interference missed"
    NOTHING = "no verdict"
    OTHER = "another status"
    MECHANISM = "another mechanism"
    SCOPE = "another scope"
    TRUE = "true"


def ruling(truth: Truth, verdict: Verdict | None) -> Ruling:
    """Whether what was said is what an honest line may say."""
    if verdict is None:
        return Ruling.NOTHING
    accuses = verdict.status in ACCUSATIONS
    if accuses and not truth.interfered:
        return Ruling.ACCUSED
    if verdict.status is Status.OK and truth.interfered and Status.OK not in truth.statuses:
        return Ruling.MISSED
    if verdict.status not in truth.statuses:
        return Ruling.OTHER
    if accuses and not truth.mechanisms <= named(verdict) <= truth.mechanisms | truth.perhaps:
        return Ruling.MECHANISM
    if accuses and (verdict.scope is Scope.PARTIAL) != truth.partial:
        return Ruling.SCOPE
    return Ruling.TRUE


def named(verdict: Verdict) -> frozenset[Mechanism]:
    """The mechanisms a verdict names."""
    return frozenset(finding.mechanism for finding in verdict.mechanisms)


def levels(verdict: Verdict) -> frozenset[Level]:
    """How well they are shown."""
    return frozenset(finding.level for finding in verdict.mechanisms)


def word(verdict: Verdict) -> str:
    """The verdict as a table's cell has it: ``blocked dns``. Where nobody is accused, what is merely
    suspected is left out."""
    return in_words(verdict.status, named(verdict))


def in_words(status: Status, mechanisms: frozenset[Mechanism]) -> str:
    """A status with its mechanisms; that what is throttled is so by throttling goes without saying."""
    if status not in ACCUSATIONS or (status is Status.THROTTLED and mechanisms == {Mechanism.THROTTLE}):
        return str(status)
    return f"{status} {'+'.join(sorted(mechanisms))}".rstrip()


def in_full(verdict: Verdict) -> str:
    """The same, with how well it is shown: ``blocked dns (proven)``."""
    shown = sorted(levels(verdict)) if verdict.status in ACCUSATIONS else []
    return word(verdict) + (f" ({', '.join(shown)})" if shown else "")
