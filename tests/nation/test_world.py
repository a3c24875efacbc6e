"""Who sees what and when, as the story says; and the bytes are those of the records."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from probe.verdict import Status, judge
from probe.wire.codec import encode
from tests.nation.files import load, names
from tests.nation.population import Probe
from tests.nation.small import EXACT, HEAD, event, story
from tests.nation.story import What
from tests.nation.world import World


def share_hit(world: World, at: float, platform: str = "x", asn: int | None = None) -> float:
    """The share of Pakistan's probes whose round fails for the platform."""
    theirs = [p for p in world.probes if p.country == "PK" and asn in (None, p.network.asn)]
    hit = [p for p in theirs if sees(world, p, at, platform) is not What.OK]
    return len(hit) / len(theirs)


def sees(world: World, probe: Probe, at: float, platform: str = "x", number: int = 1) -> What:
    return dict(world.sees(probe, at, number).platforms)[platform]


@pytest.mark.parametrize("name", names())
def test_the_bytes_are_those_of_the_record(name: str) -> None:
    world = World.of(load(name), seed=3)
    for number in (1, 37, 49, 60):
        for probe in world.probes[::9]:
            at = number * 300.0
            batch = world.batch(probe, at, number, number)
            if batch is not None:
                assert world.body(probe, at, number, number) == encode(batch)


def test_an_event_touches_its_platforms_its_country_and_its_time() -> None:
    world = World.of(story(event("dns_lie", countries='["PK"]', platforms='["x"]')), 1)
    pakistani, german = world.probes[0], world.probes[-1]
    assert [sees(world, pakistani, at) for at in (299, 300, 899, 900)] == ["ok", "dns_lie", "dns_lie", "ok"]
    assert sees(world, pakistani, 600, "youtube") is What.OK
    assert sees(world, german, 600) is What.OK


def test_efficacy_is_a_share_of_probes_that_are_the_same_throughout() -> None:
    told = story(event("tls_reset", countries='["PK"]', efficacy="0.6"))
    world = World.of(told, 1, scale=50)
    assert share_hit(world, 600) == pytest.approx(0.6, abs=0.05)
    hit = [{p.name for p in world.probes if sees(world, p, at) is not What.OK} for at in (300, 600, 899)]
    assert hit[0] == hit[1] == hit[2]


def test_a_leak_lets_some_rounds_of_those_probes_pass() -> None:
    world = World.of(story(event("tls_reset", leaks="0.2")), 1, scale=10)
    seen = Counter(sees(world, p, 600, number=number) for p in world.probes for number in range(10))
    assert seen[What.OK] / seen.total() == pytest.approx(0.2, abs=0.03)


def test_a_stagger_rolls_out_network_by_network() -> None:
    world = World.of(story(event("tls_reset", networks="[45669, 17557]", stagger='"+3m"')), 1)
    by_minute = [(share_hit(world, at, asn=45669), share_hit(world, at, asn=17557)) for at in (300, 479, 480)]
    assert by_minute == [(1, 0), (1, 0), (1, 1)]


def test_a_mobile_silence_is_heard_of_nobody_on_mobile_and_told_afterwards() -> None:
    world = World.of(story(event("silence", countries='["PK"]', mobile_only="true")), 1)
    for probe in world.probes:
        cut = probe.network.mobile
        assert world.is_heard(probe, 600) is not cut
        assert world.heard_again(probe, 600) == (900 if cut else 600)
        rnd = world.round(probe, 600, 2)
        assert rnd is not None
        assert {v.status for v in judge(rnd)} == {Status.INSUFFICIENT if cut else Status.OK}


def test_a_blocked_collector_is_no_dead_line() -> None:
    world = World.of(story(event("collector_blocked")), 1)
    probe = world.probes[0]
    rnd = world.round(probe, 600, 2)
    assert rnd is not None
    assert not world.is_heard(probe, 600)
    assert {v.status for v in judge(rnd)} == {Status.OK}


def test_a_liar_claims_what_it_likes_in_its_time() -> None:
    lie = '[[hostile]]\nshare = 1.0\nclaims = "ok"\nbegins = "+6m"\nends = "+9m"\nenrolled = "-1d"\n'
    world = World.of(story(lie, event("tls_reset")), 1)
    assert [sees(world, world.probes[0], at) for at in (350, 400, 550)] == ["tls_reset", "ok", "tls_reset"]


def test_broken_controls_never_say_ok() -> None:
    ways = "[probes]\nbroken_controls_share = 1.0\n"
    world = World.of(story(event("tls_reset"), probes=ways), 1)
    rnd = world.round(world.probes[0], 600, 2)
    assert rnd is not None
    assert {v.status for v in judge(rnd)} == {Status.INSUFFICIENT}


def test_flaky_probes_fail_now_and_then_and_others_hardly_ever() -> None:
    ways = "[probes]\nflaky_share = 0.5\nflaky_rate = 0.2\nnoise = 0.003\n"
    world = World.of(story(probes=ways), 1, scale=4)
    seen = Counter(
        (p.is_flaky, sees(world, p, 600, number=number)) for p in world.probes for number in range(50)
    )
    assert seen[True, What.GLITCH] / 3000 == pytest.approx(0.2, abs=0.03)
    assert seen[False, What.GLITCH] / 3000 < 0.01


def test_a_round_is_dated_by_the_probes_own_clock() -> None:
    ways = EXACT + "skew_share = 1.0\nskew_s = [90.0, 90.0]\n"
    world = World.of(story(probes=ways), 1)
    rnd = world.round(world.probes[0], 60.0, 1)
    assert rnd is not None
    assert rnd.started_at == world.story.start + timedelta(seconds=150)


def test_people_sleep_by_the_clock_of_their_country_and_not_all_at_once() -> None:
    day = [0.5] * 6 + [1.0] * 18
    told = story(probes=f"{EXACT}\nonline = {day}", head=HEAD.replace("+20m", "+24h"))
    world = World.of(told, 1, scale=20)

    def up(country: str, at: float) -> float:
        theirs = [p for p in world.probes if p.country == country]
        return sum(world.is_up(p, at) for p in theirs) / len(theirs)

    # 12:00 UTC is 17:00 in Pakistan and 13:00 in Germany.
    assert up("PK", 0) == up("DE", 0) == 1
    assert up("PK", 9 * 3600) == pytest.approx(0.5, abs=0.08)
    assert up("DE", 9 * 3600) == 1
    most = max(abs(up("PK", minute * 60) - up("PK", minute * 60 + 60)) for minute in range(24 * 60))
    assert most < 0.05
