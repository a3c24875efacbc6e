"""The interpreter of the rule table. The first rule that speaks decides the status; every rule of
that status that speaks adds its mechanism and its reason. Beside a block, what else shows is named
too: throttling, and what would by itself be too weak to say blocked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from probe.wire.exchange import PeerView
from probe.wire.observation import Round

from .evidence import Evidence, evidence_of
from .record import Fact, Finding, Level, Mechanism, Reason, Scope, Status, Verdict
from .rules import RULES, Rule
from .speed import spares

# Whose mechanisms a verdict of this status names beside its own: several at once are all named.
_STRENGTH = (Level.PROVEN, Level.LIKELY, Level.WEAK, None)
_ALSO = {Status.BLOCKED: (Status.THROTTLED, Status.UNREACHABLE)}


def judge(
    rnd: Round, rules: Sequence[Rule] = RULES, *, peers: Iterable[PeerView] = ()
) -> tuple[Verdict, ...]:
    """The verdict on every platform the round measured, given what peers elsewhere see now. Pure:
    the same round and peers, the same verdicts."""
    where_nothing_failed = [rule for rule in rules if not rule.of_failure]
    return tuple(
        _judge_platform(evidence, rules if evidence.failed else where_nothing_failed)
        for evidence in evidence_of(rnd, peers)
    )


def _judge_platform(evidence: Evidence, rules: Sequence[Rule]) -> Verdict:
    spoke: list[tuple[Rule, list[Fact]]] = []
    for rule in rules:
        if spoke and not _may_speak(rule, [other for other, _ in spoke]):
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
        reasons=tuple(Reason(rule=rule.id, text=facts[0].text) for rule, facts in spoke),
    )


def _who(fact: Fact) -> tuple[str | None, int | None]:
    return fact.target, fact.family


def _may_speak(rule: Rule, spoke: Sequence[Rule]) -> bool:
    """Whether a rule has something to add to what has been said."""
    first = spoke[0].status
    if rule.status == first:
        return True
    named = {other.mechanism for other in spoke}
    return rule.status in _ALSO.get(first, ()) and rule.mechanism is not None and rule.mechanism not in named


def _scope(evidence: Evidence, status: Status) -> Scope | None:
    """Full when no required role answered; for `ok`, when all did; for `throttled`, when no role whose
    speed was compared was fast."""
    if status is Status.INSUFFICIENT:
        return None
    if status is Status.OK:
        return Scope.FULL
    if status is Status.THROTTLED:
        spared = spares(evidence)
    else:
        spared = any(role.is_answered for role in evidence.required())
    return Scope.PARTIAL if spared else Scope.FULL


def _findings(spoke: Iterable[tuple[Rule, list[Fact]]]) -> list[Finding]:
    """One finding per mechanism and level, with all whom its rules touched and no stronger evidence
    did."""
    touched: dict[tuple[Mechanism, Level], list[Fact]] = {}
    for rule, facts in sorted(spoke, key=lambda said: _STRENGTH.index(said[0].level)):
        if rule.mechanism is not None and rule.level is not None:
            stronger = {_who(f) for (m, _), facts in touched.items() if m is rule.mechanism for f in facts}
            new = [fact for fact in facts if _who(fact) not in stronger]
            if new:
                touched.setdefault((rule.mechanism, rule.level), []).extend(new)
    return [
        Finding(
            mechanism=mechanism,
            level=level,
            families=tuple(sorted({fact.family for fact in facts if fact.family})),
            roles=tuple(sorted({fact.target for fact in facts if fact.target})),
        )
        for (mechanism, level), facts in touched.items()
    ]
