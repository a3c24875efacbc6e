"""The report shows what is false in plain sight, and a campaign is what it says."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

from probe.wire.failure import Failure
from probe.wire.observation import Round
from tests.rounds import X_ADDRESS, a_round, dns, fine, reached, twice

from .campaign import RUNS, tasks
from .measured import Measured
from .report import page, rows_of
from .scenarios import SCENARIOS
from .world import PLATFORMS

ROLES = ("x/web", "x/media")
CLEAN = a_round(*(seen for role in ROLES for seen in fine(role)))
LIES = [
    seen
    for role in ROLES
    for seen in (
        dns(role, "system", failure=Failure.DNS_NXDOMAIN),
        dns(role, "doh", X_ADDRESS),
        *reached(role, X_ADDRESS),
    )
]
LIED_TO = a_round(*twice(LIES))


def run(scenario: str, number: int, rnd: Round | None, **more: object) -> Measured:
    made = Measured(
        scenario=scenario, number=number, dialled="a", touched=("x",), bytes=1000 * number, round=rnd
    )
    return replace(made, **more)  # type: ignore[arg-type]


def written(*runs: Measured) -> str:
    """The page on a world that has one platform."""
    return page(runs, "Today.")


def line(text: str, begins: str) -> str:
    (found,) = [line for line in text.splitlines() if line.startswith(f"| {begins} |")]
    return found


def test_what_is_true_is_folded_to_one_cell_and_counted() -> None:
    text = written(*(run("dns_nxdomain", number, LIED_TO) for number in (1, 2, 3)))
    assert "## What is not true\n\nNothing." in text
    assert line(text, "`dns_nxdomain`").startswith(
        "| `dns_nxdomain` | blocked dns | blocked dns (proven) | 3/3 | "
    )
    assert line(text, "largest round") == "| largest round | 3 KB, dns_nxdomain |"
    assert line(text, "not the same each time") == "| not the same each time | none |"


def test_a_false_accusation_is_counted_on_top_and_shown_with_its_run_and_rules() -> None:
    text = written(run("clean", 1, CLEAN), run("clean", 2, LIED_TO))
    assert line(text, "false accusations") == "| false accusations | **1** |"
    assert "| clean | 2 | x | false accusation | blocked dns | ok | dns.nxdomain |" in text
    assert "| ok: 1x x; blocked dns (proven): 1x x | 1/2 |" in line(text, "`clean`")
    assert line(text, "not the same each time").endswith("| clean |")


def test_interference_that_is_missed_a_round_that_never_came_and_trouble_are_shown() -> None:
    text = written(run("sni_reset", 1, CLEAN), run("sni_reset", 2, None, trouble="no end after 150 s"))
    assert line(text, "interference missed") == "| interference missed | **1** |"
    assert line(text, "otherwise not what is true") == "| otherwise not what is true | **4** |"
    assert "| sni_reset | 2 |  | trouble | no end after 150 s |" in text


def test_a_round_that_costs_what_it_may_not_in_time_or_in_bytes_is_counted() -> None:
    costly = (
        run("clean", 1, CLEAN, bytes=1_999_999),
        run("clean", 2, CLEAN, bytes=2_000_000),
        run("clean", 3, replace(CLEAN, duration_s=59.9)),
        run("clean", 4, replace(CLEAN, duration_s=60.0)),
        run("clean", 5, None, bytes=3_000_000, trouble="no end after 150 s"),
    )
    assert [one.is_within for one in costly] == [True, False, True, False, False]
    assert line(written(*costly), "rounds over 60 s or 2 MB") == "| rounds over 60 s or 2 MB | 3 |"


def test_an_untouched_platform_that_is_accused_makes_the_run_untrue() -> None:
    text = written(run("dns_bogon", 1, LIED_TO, touched=("youtube",)))
    assert "| dns_bogon | 1 | x | false accusation | blocked dns | ok |" in text
    assert "untouched: blocked dns" in line(text, "`dns_bogon`")


def test_peers_who_reach_it_are_shown_in_a_column_of_their_own() -> None:
    text = written(run("down_5xx", 1, CLEAN, abroad=CLEAN))
    assert "another status, with peers" in text
    assert line(text, "verdicts") == "| verdicts | 1, and 1 with peers |"


def test_the_other_line_has_a_row_of_its_own() -> None:
    both = [run("one_isp", 1, LIED_TO), run("one_isp", 1, CLEAN, dialled="b")]
    assert [row.name for row in rows_of(both)] == ["one_isp", "one_isp, other line"]


def test_every_scenario_is_run_so_often_with_each_platform_touched_and_untouched() -> None:
    wanted = tasks(SCENARIOS.values(), RUNS, random.Random(1))
    assert Counter(task.scenario for task in wanted if task.scenario != "one_isp") == dict.fromkeys(
        set(SCENARIOS) - {"one_isp"}, RUNS
    )
    assert {task.dialled for task in wanted if task.scenario == "one_isp"} == {"a", "b"}
    assert len({task.name for task in wanted}) == len(wanted)
    for scenario in SCENARIOS.values():
        runs = [task for task in wanted if task.scenario == scenario.name]
        assert all(set(task.touched) <= set(scenario.only) and task.touched for task in runs)
        assert all(set(task.platforms) == set(PLATFORMS) for task in runs)
        if len(scenario.only) > 1:
            for platform in scenario.only:
                assert {platform in task.touched for task in runs} == {True, False}
