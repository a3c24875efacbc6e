"""Rows: gaps stay gaps, few homes stay together, and nobody is well for want of votes."""

from __future__ import annotations

from collector.detect.chronicle import CountryRound, NationRound, NetworkRound, SpeedRound
from collector.detect.network import Condition
from collector.web.api.models import SeriesRow
from collector.web.api.series import rows


def network(
    asn: int, prefixes: int, platform: str = "x", failing: int = 0, weight: float | None = None
) -> NetworkRound:
    votes = float(prefixes) if weight is None else weight
    return NetworkRound(
        asn=asn, platform=platform, condition=Condition.OK, score=0.5, votes=votes,
        failing=min(votes, failing), prefixes=prefixes, failing_prefixes=failing,
    )  # fmt: skip


def nation(platform: str = "x", networks: int = 1, condition: Condition = Condition.OK) -> NationRound:
    return NationRound(
        platform=platform, condition=condition, score=1.5, share=0.25, networks=networks, world=0.01
    )


def told(*networks: NetworkRound, nations: tuple[NationRound, ...] = (nation(),)) -> list[SeriesRow]:
    one = CountryRound(number=10, country="PK", networks=networks, nations=nations)
    (found,) = rows([one], 300, 5, None)
    return found


def test_a_country_is_the_sum_of_its_networks_and_each_large_one_has_its_own_row() -> None:
    country, large = told(network(1, 6, failing=3))
    assert (country["scope"], country["prefixes"], country["failing"]) == ("country", 6, 3)
    assert (country["failing_ratio"], country["networks"], country["world_failing_ratio"]) == (0.25, 1, 0.01)
    assert (large["scope"], large["asn"], large["failing_ratio"]) == ("network", 1, 0.5)
    assert {row["at"] for row in (country, large)} == {"1970-01-01T00:50:00.000Z"}


def test_networks_of_few_homes_are_one_row_without_a_number() -> None:
    country, large, other = told(network(1, 5), network(2, 4, failing=1), network(3, 1, failing=1))
    assert country["prefixes"] == 10
    assert large["asn"] == 1
    assert (other["scope"], other["asn"], other["networks"]) == ("other", None, 2)
    assert (other["prefixes"], other["failing"], other["condition"], other["score"]) == (5, 2, None, None)


def test_a_platform_without_votes_has_no_row() -> None:
    assert told(nations=(nation(networks=0, condition=Condition.CONFIRMED),)) == []
    found = told(network(1, 5), nations=(nation(), nation("youtube")))
    assert {row["platform"] for row in found} == {"x"}


def test_where_too_few_voted_the_share_of_an_earlier_round_is_not_told_again() -> None:
    country = told(network(1, 2), nations=(nation(networks=0, condition=Condition.INSUFFICIENT),))[0]
    assert (country["condition"], country["failing_ratio"]) == ("insufficient", None)


def test_votes_that_weigh_nothing_have_no_ratio() -> None:
    large = told(network(1, 5, failing=5, weight=0.0))[1]
    assert (large["prefixes"], large["failing"], large["weight"], large["failing_ratio"]) == (5, 5, 0.0, None)


def test_one_platform_can_be_asked_for() -> None:
    both = (network(1, 5), network(1, 5, "youtube"))
    one = CountryRound(number=1, country="PK", networks=both, nations=(nation(), nation("youtube")))
    (found,) = rows([one], 300, 5, "youtube")
    assert {row["platform"] for row in found} == {"youtube"}


def speed(asn: int, prefixes: int, failing: float = 0.0) -> SpeedRound:
    return SpeedRound(
        asn=asn, platform="x", condition=Condition.SUSPECTED, votes=float(prefixes), failing=failing,
        prefixes=prefixes, ratio=12.5 if failing else None,
    )  # fmt: skip


def test_how_fast_it_comes_has_rows_of_its_own() -> None:
    one = CountryRound(number=1, country="PK", speeds=(speed(1, 6, 3.0), speed(2, 4)))
    (found,) = rows([one], 300, 5, None)
    assert {row["measure"] for row in found} == {"speed"}
    assert [(row["scope"], row["asn"], row["prefixes"]) for row in found] == [
        ("country", None, 10), ("network", 1, 6), ("other", None, 4),
    ]  # fmt: skip
    country, network, other = found
    assert (country["failing_ratio"], country["condition"], country["failing"]) == (0.3, None, None)
    assert (network["condition"], network["times_slower"], network["failing_ratio"]) == (
        "suspected",
        12.5,
        0.5,
    )
    assert other["condition"] is None
    assert list(rows([one], 300, 5, "youtube")) == [[]]
