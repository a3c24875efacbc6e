"""The engine on what the real agent measured in the lab: every scenario, every rule where it is needed."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from ipaddress import ip_address

import pytest

from probe.verdict import Verdict, judge
from probe.verdict.rules import RULES, Rule
from probe.wire.codec import encode
from tests import golden
from tests.lab import world
from tests.lab.compare import Ruling, ruling
from tests.lab.scenarios import SCENARIOS

MOST_BYTES = 1_500_000  # of a repository's history, each time they are renewed
NEEDED = [pytest.param(rule, name, id=f"{rule.id}-{name}") for rule in RULES for name in rule.scenarios]


@cache
def alone(name: str) -> tuple[Verdict, ...]:
    """What the line says that knows nothing but itself."""
    return judge(golden.read(name))


@cache
def with_peers(name: str) -> tuple[Verdict, ...]:
    return judge(golden.read(name), peers=golden.peers(name))


def spoke(name: str) -> set[str]:
    """The rules that speak in a golden round, peers known or not."""
    return {reason.rule for said in (alone, with_peers) for v in said(name) for reason in v.reasons}


def test_every_scenario_has_its_round_and_every_round_its_scenario() -> None:
    assert golden.names() == set(SCENARIOS)


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_engine_says_what_is_true_and_of_the_untouched_that_they_are_reached(name: str) -> None:
    truths = golden.truths(name)
    assert {v.platform: ruling(truths[v.platform], v) for v in alone(name)} == dict.fromkeys(
        truths, Ruling.TRUE
    )


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_peers_see_decides_what_one_line_cannot(name: str) -> None:
    truths = golden.truths(name)
    told = {v.platform: ruling(truths[v.platform].told_by_peers, v) for v in with_peers(name)}
    assert told == dict.fromkeys(truths, Ruling.TRUE)


@pytest.mark.parametrize(("rule", "name"), NEEDED)
def test_a_rule_speaks_in_each_scenario_it_names(rule: Rule, name: str) -> None:
    assert rule.id in spoke(name)


@pytest.mark.parametrize("rule", [rule for rule in RULES if not rule.scenarios], ids=lambda rule: rule.id)
def test_a_rule_that_names_no_scenario_speaks_in_none(rule: Rule) -> None:
    assert [name for name in SCENARIOS if rule.id in spoke(name)] == []


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_was_not_asked_because_nothing_failed_had_nothing_to_say(name: str) -> None:
    all_asked = [replace(rule, of_failure=False) for rule in RULES]
    rnd, views = golden.read(name), golden.peers(name)
    fine = replace(rnd, observations=tuple(o for o in rnd.observations if o.failure is None))
    for one in (rnd, fine):
        assert judge(one, peers=views) == judge(one, all_asked, peers=views)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.scenarios], ids=lambda rule: rule.id)
def test_no_rule_can_be_taken_away_without_a_golden_round_noticing(rule: Rule) -> None:
    rest = [other for other in RULES if other is not rule]
    assert any(
        judge(golden.read(name), rest, peers=golden.peers(name)) != with_peers(name)
        or judge(golden.read(name), rest) != alone(name)
        for name in rule.scenarios
    )


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_order_of_what_was_seen_changes_nothing(name: str) -> None:
    rnd = golden.read(name)
    shuffled = random.Random(name).sample(rnd.observations, len(rnd.observations))
    assert judge(replace(rnd, observations=tuple(shuffled))) == alone(name)


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_golden_round_holds_an_address_of_the_home(name: str) -> None:
    text = encode(golden.read(name)).decode()
    text = text.replace(f"http://{world.ROUTER}/login", "")  # where a portal leads is what shows it
    for isp in world.ISPS.values():
        assert f"{isp.lan6}10" not in text
        assert str(ip_address(isp.line[0]) + 1) not in text
    assert world.HOME not in text
    assert world.ROUTER not in text


def test_all_of_them_together_are_small() -> None:
    assert sum(file.stat().st_size for file in golden.FOLDER.glob("*.gz")) < MOST_BYTES
