"""The interpreter of the rule table. The first rule that speaks decides the status; every rule of
that status that speaks adds its mechanism and its reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from probe.wire.observation import Round

from .evidence import Evidence, evidence_of
from .record import Finding, Level, Mechanism, Reason, Scope, Status, Verdict
from .rules import RULES, Fact, Rule


def judge(rnd: Round, rules: Sequence[Rule] = RULES) -> tuple[Verdict, ...]:
    """The verdict on every platform the round measured. Pure: the same round, the same verdicts."""
    return tuple(_judge_platform(evidence_of(rnd, platform), rules) for platform in rnd.targets)


def _judge_platform(evidence: Evidence, rules: Sequence[Rule]) -> Verdict:
    spoke: list[tuple[Rule, list[Fact]]] = []
    for rule in rules:
        if spoke and rule.status != spoke[0][0].status:
            continue
        facts = list(rule.finds(evidence))
        if facts:
            spoke.append((rule, facts))
    status = spoke[0][0].status if spoke else Status.INSUFFICIENT
    return Verdict(
        platform=evidence.platform.name,
        status=status,
        scope=_scope(evidence, status),
        mechanisms=tuple(_findings(spoke)),
        reasons=tuple(Reason(rule=rule.id, text=_text(facts)) for rule, facts in spoke),
    )


def _scope(evidence: Evidence, status: Status) -> Scope | None:
    """Full when no required role answered (or, for `ok`, when all did)."""
    if status is Status.INSUFFICIENT:
        return None
    if status is Status.OK:
        return Scope.FULL
    return Scope.PARTIAL if any(role.is_answered for role in evidence.required()) else Scope.FULL


def _findings(spoke: Iterable[tuple[Rule, list[Fact]]]) -> list[Finding]:
    """One finding per mechanism and level, with all whom its rules touched."""
    touched: dict[tuple[Mechanism, Level], list[Fact]] = {}
    for rule, facts in spoke:
        if rule.mechanism is not None and rule.level is not None:
            touched.setdefault((rule.mechanism, rule.level), []).extend(facts)
    return [
        Finding(
            mechanism=mechanism,
            level=level,
            families=tuple(sorted({fact.family for fact in facts if fact.family})),
            roles=tuple(sorted({fact.target for fact in facts if fact.target})),
        )
        for (mechanism, level), facts in touched.items()
    ]


def _text(facts: Sequence[Fact]) -> str:
    more = len(facts) - 1
    return facts[0].text + (f" ({more} more like it.)" if more else "")
