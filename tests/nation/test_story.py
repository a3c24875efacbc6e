"""A story says what it means or is refused with the place; the stories there are can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from probe.wire.settings import ConfigError
from tests.nation.files import load, names
from tests.nation.narrator import marks
from tests.nation.small import COUNTRIES, EXACT, HEAD, event, story
from tests.nation.story import read, seconds

# What DETECTION.md lists at its end, and a quiet day.
WANTED = {
    "cdn-glitch-6min",
    "collector-restart",
    "late-uploads",
    "mobile-shutdown",
    "one-network-faked",
    "pakistan-2023-12-17",
    "quiet",
    "rollout-one-hour",
    "skewed-clocks",
    "sybils-30-percent",
    "throttle-140kbit",
    "worldwide-outage-2021-10",
}

HOSTILE = '[[hostile]]\nshare = 0.5\nbegins = "+1m"\nends = "+2m"\nenrolled = "-1d"\n'

REFUSED = [
    ("[probes]\nsleep = 1", "", "bad.toml: probes.sleep: unknown key"),
    (EXACT, event("tls_reset", colour='"red"'), "bad.toml: event[0].colour: unknown key"),
    (EXACT, event("tls_rest"), "bad.toml: event[0].what: not a word"),
    (EXACT, event("tls_reset", begins="2h"), "bad.toml: event[0].begins: '2h' is no relative time"),
    (EXACT, event("tls_reset", begins="-5m"), "bad.toml: event[0].begins: "),
    (EXACT, event("tls_reset", efficacy="1.5"), "bad.toml: event[0].efficacy: "),
    (EXACT, event("tls_reset", efficacy="true"), "bad.toml: event[0].efficacy: "),
    (EXACT, event("tls_reset", "+9m", "+8m"), "bad.toml: event[0]: ends before it begins"),
    (EXACT, event("tls_reset", ends="+21m"), "bad.toml: event[0]: ends after the story does"),
    (EXACT, event("throttle"), "bad.toml: event[0]: rate_kbps: goes with throttle"),
    (EXACT, event("tls_reset", rate_kbps="140"), "bad.toml: event[0]: rate_kbps: goes with throttle"),
    (EXACT, event("silence", platforms='["x"]'), "bad.toml: event[0]: platforms: silence touches all"),
    (EXACT, event("ok"), "bad.toml: event[0]: what: ok is no event"),
    (EXACT, event("tls_reset", countries='["FR"]'), "bad.toml: event[0].countries: no such country: FR"),
    (EXACT, event("tls_reset", networks="[1]"), "bad.toml: event[0].networks: no such network: 1"),
    (EXACT, event("tls_reset", platforms='["m"]'), "bad.toml: event[0].platforms: no such platform: m"),
    (EXACT, HOSTILE + 'claims = "silence"', "bad.toml: hostile[0]: claims: silence cannot be claimed"),
    (EXACT, HOSTILE + 'claims = "ok"\nnetworks = [1]', "bad.toml: hostile[0].networks: no such network: 1"),
    (EXACT, '[[restart]]\nat = "+30m"', "bad.toml: restart[0]: ends after the story does"),
    (EXACT, "[expect]\nincidents = 3", "bad.toml: expect.incidents: unknown key"),
    ("[probes]\nonline = [0.5]", "", "bad.toml: probes.online: "),
    ("[probes]\nskew_s = [3.0, -3.0]", "", "bad.toml: probes: skew_s: from the least to the most"),
    ("[probes", "", "bad.toml: not TOML: "),
]


@pytest.mark.parametrize(("probes", "table", "said"), REFUSED, ids=[row[2] for row in REFUSED])
def test_what_cannot_be_told_is_refused_with_its_place(probes: str, table: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read("\n".join((HEAD, probes, table, COUNTRIES)), "bad.toml")
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("+00Z", "+00", "start"),
        ("asn = 3320", "asn = 17557", "country: one asn twice"),
        ('code = "DE"', 'code = "PK"', "country: one code twice"),
        ("share = 0.5", "share = 0.9", "country[0]: the shares of its networks are over 1 together"),
        ("mobile = true", "mobil = true", "country[0].network[1].mobil: unknown key"),
    ],
)
def test_a_country_is_checked_as_well(old: str, new: str, said: str) -> None:
    text = (HEAD + COUNTRIES).replace("00:00Z", "00:00") if old == "+00Z" else HEAD + COUNTRIES
    with pytest.raises(ConfigError, match=r"^bad\.toml: ") as refused:
        read(text.replace(old, new), "bad.toml")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "length_s"), [("+2h10m", 7800), ("-8d", -691_200), ("+0m", 0), ("+1m30s", 90), ("+1d1s", 86_401)]
)
def test_relative_times(text: str, length_s: float) -> None:
    assert seconds(text) == length_s


@pytest.mark.parametrize("text", ["", "+", "10m", "+10", "+1m2h", "+1.5h", 5, None])
def test_what_is_no_relative_time(text: object) -> None:
    with pytest.raises(ValueError, match="no relative time"):
        seconds(text)


def test_every_story_that_detection_must_tell_is_there() -> None:
    assert set(names()) >= WANTED


@pytest.mark.parametrize("name", names())
def test_a_story_can_be_read_and_takes_place_in_enough_countries(name: str) -> None:
    told = load(name)
    # r_t is a mean over five other countries at least (DETECTION.md).
    assert len(told.country) == 12
    assert all(mark[0] <= told.length for mark in marks(told))
    pakistan = next(country for country in told.country if country.code == "PK")
    assert sum(network.probes >= 5 for network in pakistan.network) >= 4


@pytest.mark.parametrize("name", names())
def test_a_story_in_which_something_happens_says_what_is_true(name: str) -> None:
    told = load(name)
    assert bool(told.event or told.hostile) == bool(told.expect.incident or told.expect.may)
    # The armed set is settled over 27 rounds (DETECTION.md, votes): a story must leave time for it.
    begins = [*(e.begins for e in told.event), *(lie.begins for lie in told.hostile)]
    assert all(at >= 27 * told.probes.interval_s for at in begins)


def test_a_story_of_ones_own_is_read_from_its_path(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(HEAD)
    assert len(load(str(mine)).country) == 12
    mine.write_text(HEAD + COUNTRIES)
    assert load(str(mine)).size() == 30


def test_marks_tell_what_happens_in_order() -> None:
    told = story(event("tls_reset", platforms='["x"]', networks="[17557]"), '[[restart]]\nat = "+6m"')
    assert [text for _, text in marks(told)] == [
        "begins: tls_reset x in listed networks (AS17557), 100% of probes",
        "the collector is back",
        "the collector stops",
        "ends: tls_reset x in listed networks (AS17557), 100% of probes",
    ]
