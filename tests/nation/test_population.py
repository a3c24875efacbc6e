"""The same story and seed make the same people; shares are kept; every home is a prefix of its own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from collector.config import Geo
from collector.ingest.netinfo import open_netinfo
from collector.ingest.prefix import Tagger
from probe.wire.address import prefix_of
from tests.nation.files import load
from tests.nation.population import MOST_HOMES, populate
from tests.nation.small import EXACT, story


def test_the_same_seed_makes_the_same_people_and_another_makes_others() -> None:
    told = load("skewed-clocks")
    first, again, others = populate(told, 7), populate(told, 7), populate(told, 8)
    assert [(p.probe_id, p.home, p.skew_s, p.phase_s) for p in first] == [
        (p.probe_id, p.home, p.skew_s, p.phase_s) for p in again
    ]
    assert not {p.probe_id for p in first} & {p.probe_id for p in others}


def test_networks_have_the_probes_the_story_gives_them() -> None:
    told = load("pakistan-2023-12-17")
    for scale in (1.0, 2.0):
        found = Counter(probe.network.asn for probe in populate(told, 1, scale))
        wanted = {n.asn: n.probes * scale for country in told.country for n in country.network}
        assert found == wanted


def test_traits_fall_to_exact_shares() -> None:
    ways = "[probes]\nflaky_share = 0.1\nbroken_controls_share = 0.2\nlate_share = 0.5\n"
    ways += 'late = ["+1m", "+9m"]\nskew_share = 0.3\nskew_s = [-600.0, 600.0]\n'
    people = populate(story(probes=ways), 1)
    assert sum(p.is_flaky for p in people) == 3
    assert sum(p.has_broken_controls for p in people) == 6
    assert sum(60 <= p.late_s <= 540 for p in people) == 15
    assert sum(0 < abs(p.skew_s) <= 600 for p in people) == 9


def test_every_home_is_a_prefix_of_its_own_to_the_collector(tmp_path: Path) -> None:
    people = populate(load("pakistan-2023-12-17"), 1, scale=10)
    tagger = Tagger(tmp_path / "key", lambda: 0.0)
    assert len(people) > 4000
    assert (
        len({prefix_of(p.home) for p in people}) == len({tagger.tag(p.home) for p in people}) == len(people)
    )
    assert not any(p.home.startswith("127.0.") for p in people)


def test_the_collector_places_a_home_where_its_probe_says_it_is() -> None:
    one = populate(story(), 1)[0]
    place = open_netinfo(Geo()).find(one.home).place(one.place)
    assert (place.country, place.asn, place.located_by) == ("PK", 17557, "declared")


def test_more_homes_than_this_machine_has_addresses_are_refused() -> None:
    with pytest.raises(ValueError, match="homes, and only"):
        populate(story(), 1, scale=MOST_HOMES / 30)


def test_liars_are_a_share_of_whom_the_story_names_and_share_their_homes() -> None:
    lie = '[[hostile]]\nshare = 0.5\nclaims = "tls_reset"\nbegins = "+1m"\nends = "+2m"\nenrolled = "-1h"\n'
    people = populate(story(lie + 'countries = ["PK"]\nhomes = 3', probes=EXACT), 1)
    liars = [p for p in people if p.lie]
    assert len(liars) == 10
    assert {p.country for p in liars} == {"PK"}
    assert len({prefix_of(p.home) for p in liars}) == 3
    assert {p.enrolled for p in liars} == {-3600.0}
    assert {p.enrolled for p in people if not p.lie} == {-8 * 86_400.0}
