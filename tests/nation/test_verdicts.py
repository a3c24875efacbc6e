"""What the rounds of a nation are called by the rules that judge real ones, and that they are well-formed."""

from __future__ import annotations

import pytest

from probe.verdict import Status, judge
from probe.wire.codec import decode, encode
from probe.wire.observation import SCHEMA, Batch, GateState
from tests.nation.story import OF_A_PLATFORM, OF_THE_LINE, PLATFORMS, What
from tests.nation.templates import Seen, template

NONE: set[tuple[str, str]] = set()
# What a round must be called for each thing that can happen to one platform, and its mechanism. One line
# cannot tell a dropped address or a platform that is down from an outage: that takes peers.
CALLED = {
    What.OK: (Status.OK, NONE),
    What.TLS_RESET: (Status.BLOCKED, {("tls", "proven")}),
    What.TLS_TIMEOUT: (Status.BLOCKED, {("tls", "proven")}),
    What.DNS_LIE: (Status.BLOCKED, {("dns", "proven")}),
    What.IP_DROP: (Status.UNREACHABLE, {("ip", "weak")}),
    What.THROTTLE: (Status.THROTTLED, {("throttle", "likely")}),
    What.PLATFORM_DOWN: (Status.UNREACHABLE, NONE),
    What.GLITCH: (Status.UNREACHABLE, NONE),
}
GATES = {
    What.CONTROLS_FAIL: GateState.OFFLINE,
    What.PORTAL: GateState.PORTAL,
    What.ABROAD_CUT: GateState.DOMESTIC_ONLY,
}


def seen(what: What, platform: str, *, with_speed: bool = False) -> Seen:
    rest = ((name, what if name == platform else What.OK) for name in PLATFORMS)
    return Seen(tuple(rest), with_speed=with_speed, rate_kbps=140.0)


@pytest.mark.parametrize("with_speed", [False, True])
@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("what", sorted(OF_A_PLATFORM))
def test_a_platform_is_called_what_the_story_means_and_the_others_are_fine(
    what: What, platform: str, with_speed: bool
) -> None:
    for verdict in judge(template(seen(what, platform, with_speed=with_speed)).rnd):
        status, mechanisms = CALLED[what] if verdict.platform == platform else CALLED[What.OK]
        assert verdict.status is status
        assert {(m.mechanism.value, m.level.value) for m in verdict.mechanisms} == mechanisms


@pytest.mark.parametrize("what", sorted(OF_A_PLATFORM - {What.OK}))
def test_all_four_at_once_are_called_the_same(what: What) -> None:
    rnd = template(Seen(tuple((name, what) for name in PLATFORMS), rate_kbps=140.0)).rnd
    assert {verdict.status for verdict in judge(rnd)} == {CALLED[what][0]}


@pytest.mark.parametrize("what", sorted(OF_THE_LINE - {What.SILENCE}))
def test_a_line_that_cannot_judge_says_so_of_every_platform(what: What) -> None:
    rnd = template(Seen(tuple((name, What.OK) for name in PLATFORMS), what)).rnd
    assert rnd.gate.state is GATES[what]
    assert {verdict.status for verdict in judge(rnd)} == {Status.INSUFFICIENT}


@pytest.mark.parametrize("rate_kbps", [130.0, 140.0, 150.0, 400.0])
def test_throttling_is_seen_at_every_rate_that_was_on_record(rate_kbps: float) -> None:
    rnd = template(Seen((("x", What.THROTTLE), ("youtube", What.OK)), rate_kbps=rate_kbps)).rnd
    assert [verdict.status for verdict in judge(rnd)] == [Status.THROTTLED, Status.OK]


@pytest.mark.parametrize("what", sorted(OF_A_PLATFORM))
def test_a_round_is_one_that_a_collector_takes(what: What) -> None:
    rnd = template(seen(what, "x", with_speed=True)).rnd
    batch = Batch(schema=SCHEMA, probe="0" * 32, sequence=1, agent="nation", rounds=(rnd,))
    assert decode(Batch, encode(batch)) == batch
