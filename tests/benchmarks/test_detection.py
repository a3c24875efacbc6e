"""The simulation is its seed's, leaves out nothing that matters, and its report says what is missed."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from benchmarks.detection.events import Case, Kind, Trial, trials
from benchmarks.detection.figures import mean, proportion, quantile, rate
from benchmarks.detection.noise import QUIET, ROUNDS_A_YEAR, STUDIED, cumulative, failing, troubles, twice
from benchmarks.detection.peer import Counts, Medians
from benchmarks.detection.report import Run, targets, throttling, written
from benchmarks.detection.silence import Quiet, Shutdown, delays, quiet
from benchmarks.detection.speeds import Slow, SlowYear, slow_year, slowed
from benchmarks.detection.years import FOUR, SEVEN, Land, Year, lands, lived
from collector.detect import likelihood
from collector.detect.thresholds import DEFAULT

# So much goes wrong that every state is met within a few hundred rounds.
STORM = replace(
    STUDIED, name="storm", p0=0.06, network_glitches=2000.0, nation_glitches=2000.0, hiccups=2000.0
)
SOME = (
    Land("4 x 8", (8,) * 4, FOUR),
    Land("7 x 10", (10,) * 7, SEVEN),
    *(Land(f"4 x 5, {n}", (5,) * 4, FOUR) for n in range(4)),
    Land("mixed", (3, 20, 8), {1: 0.5, 2: 0.3, 3: 0.2}),
)


@pytest.mark.parametrize("seed", [1, 2])
def test_rounds_that_are_left_out_change_no_alarm(seed: int) -> None:
    fast = lived(SOME, 1500, STORM, Random(seed))
    slow = lived(SOME, 1500, STORM, Random(seed), skip=False)
    assert fast.asked < slow.asked == 1500 * len(SOME)
    assert fast.alarms
    assert replace(fast, asked=0) == replace(slow, asked=0)


def test_on_ordinary_days_nearly_everything_is_left_out_and_still_nothing_changes() -> None:
    fast = lived(lands(), 1000, twice(STUDIED), Random(3))
    slow = lived(lands(), 1000, twice(STUDIED), Random(3), skip=False)
    assert fast.asked < slow.asked / 2
    assert replace(fast, asked=0) == replace(slow, asked=0)


def test_a_count_that_raises_no_score_while_the_world_is_well_never_raises_one() -> None:
    """What leaving rounds out rests on."""
    for n in (3, 5, 8, 10, 20):
        for k in range(n + 1):
            steps = [likelihood.step(k, n, world / 50, DEFAULT) for world in range(51)]
            assert max(steps) <= max(0.0, steps[0])


def test_the_same_seed_lives_the_same_year_and_another_does_not() -> None:
    first, again, other = (lived(SOME, 600, STORM, Random(seed)) for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_the_same_seed_makes_the_same_events() -> None:
    case = Case(Kind.NETWORK, 8, 0.9, lasts=6.0)
    first, again = (list(trials(case, 3, QUIET, Random(7))) for _ in range(2))
    assert first == again


def test_a_block_of_every_home_is_confirmed_within_the_targets_whenever_it_begins() -> None:
    for trial in trials(Case(Kind.NATION_4, 8, 1.0, lasts=8.0), 6, replace(QUIET, p0=1e-9), Random(8)):
        assert trial.nation_confirmed is not None
        assert 1 < trial.nation_confirmed <= 3
        assert trial.over is not None
        assert 1.8 < trial.over <= 3
        assert (trial.incidents, trial.dated in (0, 1)) == (1, True)


def test_one_networks_event_is_no_nations_and_few_homes_confirm_nothing() -> None:
    for trial in trials(Case(Kind.NETWORK, 8, 1.0, lasts=8.0), 4, QUIET, Random(9)):
        assert trial.confirmed is not None
        assert trial.nation_confirmed is None
    for trial in trials(Case(Kind.NETWORK, 5, 1.0, lasts=8.0), 4, QUIET, Random(9)):
        assert trial.confirmed is None


def test_the_noise_has_the_mean_that_it_is_said_to_have() -> None:
    chance, table = Random(10), cumulative(10, STUDIED)
    drawn = [failing(10, table, chance) for _ in range(40_000)]
    assert sum(drawn) / len(drawn) / 10 == pytest.approx(STUDIED.p0, rel=0.1)
    assert len(table) == 10
    assert table[-1] < 1


def test_glitches_come_as_often_and_last_as_long_as_they_are_said_to() -> None:
    found = list(troubles([(8,) * 4] * 20, ROUNDS_A_YEAR, STUDIED, Random(11)))
    kinds = [one.kind for one in found]
    assert kinds.count("network") == pytest.approx(80 * STUDIED.network_glitches, rel=0.15)
    assert kinds.count("nation") == pytest.approx(20 * STUDIED.nation_glitches, rel=0.4)
    for one in found:
        assert sum(until - since for _, since, until in one.parts()) == pytest.approx(one.until - one.since)
        if one.kind != "world":
            assert one.until - one.since <= STUDIED.glitch_most_s / 300
    assert not list(troubles([(8,)], ROUNDS_A_YEAR, QUIET, Random(1)))


def test_onis_medians_speak_after_six_full_hours_and_its_counts_after_the_first() -> None:
    """S grows by 1 - 0.35 an hour until it exceeds 3.5; 14 failures are 14 log 10 > 30."""
    medians, counts = Medians(), Counts()
    assert [medians.alarms(96, 96) for _ in range(7)] == [False] * 5 + [True, False]
    assert not counts.alarms(13, 13)
    assert counts.alarms(1, 1)
    assert not Medians().alarms(0, 96)
    assert not any(Counts().alarms(19, 96) for _ in range(50)), "a fifth is under the log-ratio's zero"


def test_figures_have_intervals() -> None:
    assert rate(0, 10).low == 0
    assert rate(0, 10).high == pytest.approx(0.369, abs=0.001)
    assert (rate(10, 1).low, rate(10, 1).high) == pytest.approx((4.795, 18.39), abs=0.01)
    assert rate(1000, 1).low == pytest.approx(938, abs=1)
    middle = quantile([*range(1, 100), None], 0.5)
    assert (middle.value, middle.low, middle.high) == (50, 41, 61)
    assert quantile([1.0, None, None], 0.5).shown(2) == "never (1.00 to never)"
    assert quantile([], 0.5).shown(1) == "never (never to never)"
    share = proportion(0, 100)
    assert share.low == 0
    assert share.high == pytest.approx(0.037, abs=0.001)
    assert mean([1.0, 1.0, 1.0]).shown(1) == "1.0 (1.0 to 1.0)"


GOOD = Trial(
    suspected=1.0, confirmed=2.5, nation_suspected=1.0, nation_confirmed=1.5, was_open=True,
    over=2.9, dated=0, incidents=1, called_blocking=False, medians_h=6.5, counts_h=1.2,
)  # fmt: skip


def run_of(nation: Trial, outage: Trial) -> Run:
    year = Year(
        noise="as studied",
        rounds=ROUNDS_A_YEAR,
        asked=1,
        alarms=(),
        told={land.name: 0 for land in lands()},
        outages=0,
        medians={},
        counts={},
    )
    found = {
        Case(Kind.NATION_4, 8, 1.0): [nation] * 20,
        Case(Kind.NETWORK, 8, 0.9): [replace(GOOD, nation_suspected=None, nation_confirmed=None)] * 20,
        Case(Kind.NATION_7, 8, 0.5): [replace(GOOD, nation_confirmed=None)] * 20,
        Case(Kind.OUTAGE, 8, 0.7): [outage] * 20,
        Case(Kind.NATION_4, 8, 1.0, lasts=1.2): [replace(GOOD, nation_confirmed=None)] * 20,
    }
    return Run(
        years={"as studied": [year] * 40},
        trials=found,
        noises={"as studied": STUDIED},
        seed=1,
        took_s=1.0,
        nights=[Quiet(40, {})] * 20,
        shutdowns={Shutdown(4, 5, 0.9): [3.0] * 20},
    )


def test_a_shutdown_takes_minutes_and_a_year_is_its_seeds() -> None:
    found = list(delays(Shutdown(4, 5, 1.0), 20, Random(1)))
    assert all(one is not None and 2 < one <= 4.1 for one in found)
    assert found == list(delays(Shutdown(4, 5, 1.0), 20, Random(1)))
    assert list(delays(Shutdown(1, 20, 1.0), 2, Random(1))) == [None, None], "one network is no nation"
    land = Land("4 x 5", (5,) * 4, FOUR)
    assert quiet(land, STUDIED, Random(1)) == quiet(land, STUDIED, Random(1))


def test_whom_an_exchange_takes_for_minutes_is_told_of_and_blamed_on_it() -> None:
    stormy = replace(STUDIED, network_glitches=0.0001, nation_glitches=20.0, least_efficacy=0.95)
    found = quiet(Land("4 x 5", (5,) * 4, FOUR), stormy, Random(1)).alarms
    assert {cause for cause, _ in found} == {"nation"}


def test_what_meets_every_target_is_reported_so() -> None:
    fine = run_of(GOOD, replace(GOOD, incidents=0))
    assert all(row.is_met for row in targets(fine))
    text = written(fine)
    assert "**no**" not in text
    assert "480 country-platform-years" in text


def test_what_misses_a_target_is_said_plainly() -> None:
    bad = run_of(replace(GOOD, nation_confirmed=2.4, incidents=2), replace(GOOD, called_blocking=True))
    missed = [row.target for row in targets(bad) if not row.is_met]
    assert len(missed) == 3
    assert "## What is missed, and why" in written(bad)
    assert "What is missed" not in written(run_of(GOOD, GOOD))


def test_a_delay_of_an_efficacy_below_the_target_is_shown_and_not_judged() -> None:
    text = written(run_of(GOOD, GOOD))
    assert "| 8 | 0.5 | as studied | 1.00 | never" in text


def test_throttling_is_confirmed_sooner_the_oftener_homes_compare() -> None:
    found = {
        every: list(slowed(Slow(4, 8, every, 1.0), 3, replace(QUIET, p0=0.0), Random(12)))
        for every in (1, 12)
    }
    assert all(one.confirmed and 1 < one.confirmed <= 3 and one.incidents == 1 for one in found[1])
    assert all(one.confirmed and 3 < one.confirmed <= 12 and one.incidents == 1 for one in found[12])
    assert found[1] == list(slowed(Slow(4, 8, 1, 1.0), 3, replace(QUIET, p0=0.0), Random(12)))


@pytest.mark.parametrize("every", [1, 12])
def test_rounds_without_a_slow_word_may_be_left_out_of_a_year_of_speeds(every: int) -> None:
    fast = slow_year(SOME, 1500, every, STORM, Random(13))
    assert fast == slow_year(SOME, 1500, every, STORM, Random(13), skip=False)
    assert every > 1 or fast.network_confirmed > 0, "where all is storm something is said"


def test_throttling_has_its_part_of_the_report() -> None:
    case = Slow(4, 8, 12)
    found = list(slowed(case, 2, QUIET, Random(14)))
    years = {12: [SlowYear(12, ROUNDS_A_YEAR, 12, 66, 0, 3)]}
    run = Run(years={}, trials={}, noises={}, seed=1, took_s=1.0, throttled={case: found}, slow_years=years)
    text = throttling(run)
    assert "| 4 x 8 | 12 |" in text
    assert "| 12 | 12 | 0: 0.000 (0.000 to 0.307) | 3: 0.045 (0.009 to 0.133) |" in text
