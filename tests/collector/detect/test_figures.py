"""What Prometheus is shown is what was found: each network's and nation's word, incidents by cause."""

from __future__ import annotations

from collector.detect.figures import DetectorFigures, PlaceFigure, WorldFigure, figures_of
from collector.detect.incidents import WORLD, Cause
from collector.detect.network import Condition

from .homes import Story, Told, hit, homes, world

HERE = homes("PK", 4, 6)


def shown(told: Told) -> DetectorFigures:
    return figures_of(
        told.states[-1], told.last, {Cause.THROTTLING: 2}, until=told.states[-1].number * 300.0, took_s=0.25
    )


def test_a_nations_event_is_shown_with_the_votes_it_rests_on() -> None:
    some = [home for home in HERE if home.asn != 4]
    figures = shown(Story([*HERE, *world()]).told(6, hit(some, 0, 6)))
    nation = figures.nations["PK", "x"]
    assert (nation.condition, nation.votes, nation.failing) == (Condition.CONFIRMED, 24, 18)
    assert nation.failing_ratio == 0.75
    network = figures.networks["PK", 1, "x"]
    assert (network.condition, network.votes, network.failing) == (Condition.SUSPECTED, 6, 6)
    quiet = figures.networks["PK", 4, "x"]
    assert quiet == PlaceFigure(condition=Condition.OK, score=0.0, votes=6, failing=0)
    assert figures.worlds == {"x": WorldFigure(failing_ratio=0.0, is_out=False)}
    assert figures.incidents_open == {("PK", Cause.LIKELY_BLOCKING): 1}
    assert figures.incidents_confirmed == {Cause.THROTTLING: 2}
    assert figures.alarmed() == {"PK"}
    assert figures.duration_s == 0.25


def test_what_is_over_is_not_open() -> None:
    figures = shown(Story([*HERE, *world()]).told(12, hit(HERE, 0, 6)))
    assert figures.incidents_open == {}


def test_a_platform_out_everywhere_is_the_worlds_incident() -> None:
    everybody = [*HERE, *world()]
    figures = shown(Story(everybody).told(6, hit(everybody, 0, 6)))
    assert figures.worlds["x"].is_out
    assert figures.incidents_open == {(WORLD, Cause.PLATFORM_OUTAGE): 1}
