"""Times, numbers and standings as they are written."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from collector.config import Display
from collector.detect.fold import State
from collector.detect.nation import NationWatch
from collector.detect.network import Condition
from collector.detect.thresholds import DEFAULT
from collector.detector import Findings
from collector.snapshot import Snapshot
from collector.web.pages.answer import ASSETS
from collector.web.pages.embed import LINE_CHARACTERS, MOST_LINES, wrapped
from collector.web.pages.now import Kind, Standing, now
from collector.web.pages.render import SIGNS, Renderer, breaks, number, opening, percent
from collector.web.pulse import Notice
from tests.collector.voices import ENGLISH

RENDER = Renderer(ENGLISH, Display(), {name: f"/static/{name}?12345678" for name in ASSETS})
AT = datetime(2023, 12, 17, 20, 30, tzinfo=UTC).timestamp()


def test_a_moment_is_in_utc_and_by_the_countrys_clocks() -> None:
    element = '<time datetime="2023-12-17T20:30:00Z">2023-12-17 20:30 UTC</time>'
    assert RENDER.when(AT) == element
    assert RENDER.when(AT, "US") == element
    assert RENDER.when(AT, "PK") == f'{element} <span class="there">(2023-12-18 01:30 there)</span>'
    assert RENDER.when(AT - 7200, "PK").endswith("(23:30 there)</span>")


def test_an_interval_is_too() -> None:
    assert RENDER.between(AT, AT + 600) == "between 2023-12-17 20:30 and 20:40 UTC"
    assert "(01:30\u201301:40 there)" not in RENDER.between(AT, AT + 600, "PK"), "the day differs"
    assert "(2023-12-18 01:30\u201301:40 there)" in RENDER.between(AT, AT + 600, "PK")
    midnight = AT + 12_600
    assert RENDER.between(midnight - 300, midnight + 300) == (
        "between 2023-12-17 23:55 and 2023-12-18 00:05 UTC"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 min"), (3599, "1 h 0 min"), (300, "5 min"), (25_500, "7 h 5 min"), (200_000, "2 d 7 h")],
)
def test_a_duration_has_two_units_at_most(seconds: float, text: str) -> None:
    assert RENDER.duration(seconds) == text


@pytest.mark.parametrize(
    ("say", "value", "text"),
    [
        (percent, 0, "0\u00a0%"),
        (percent, 0.006, "0.6\u00a0%"),
        (percent, 0.85, "85\u00a0%"),
        (percent, 1, "100\u00a0%"),
        (number, 13.86, "13.9"),
        (number, 24.0, "24"),
        (number, 12_345.6, "12346"),
    ],
)
def test_figures_are_short(say: Callable[[float], str], value: float, text: str) -> None:
    assert say(value) == text


@pytest.mark.parametrize(
    ("kind", "failing", "of", "text"),
    [
        (Kind.OK, 0, 9, "all 9 reach it"),
        (Kind.OK, 1, 9, "1 of 9 fail"),
        (Kind.CONFIRMED, 8, 9, "8 of 9 fail"),
        (Kind.CONFIRMED, 0, 0, "nobody voted"),
        (Kind.FEW, 1, 2, "1 of 2 reached it lately"),
        (Kind.FEW, 0, 0, "cannot judge now"),
        (Kind.NONE, 0, 0, ""),
    ],
)
def test_a_standing_has_its_counts(kind: Kind, failing: int, of: int, text: str) -> None:
    assert RENDER.counts(Standing(platform="x", kind=kind, failing=failing, of=of)) == text


def test_signs_differ_so_that_colour_is_never_the_only_one() -> None:
    assert set(SIGNS) == set(Kind)
    assert len(set(SIGNS.values())) == len(SIGNS)


def test_a_sentence_that_stands_alone_begins_with_a_capital() -> None:
    assert opening("nation-scale disruption of X") == "Nation-scale disruption of X"
    assert opening("") == ""


def test_a_failures_name_breaks_between_its_words_and_is_no_markup() -> None:
    assert breaks("tls_reset_error") == "tls_<wbr>reset_<wbr>error"
    assert breaks("<b>_x") == "&lt;b&gt;_<wbr>x"


def test_a_claim_fits_its_picture_however_long_it_is() -> None:
    lines = wrapped("word " * 300)
    assert len(lines) == MOST_LINES
    assert all(len(line) <= LINE_CHARACTERS for line in lines)
    assert lines[-1].endswith("…")


def test_a_world_of_every_country_is_still_a_small_page() -> None:
    countries = [key.removeprefix("name.") for key in ENGLISH.words.keys if key.startswith("name.")]
    platforms = ("x", "facebook", "instagram", "youtube")
    nations = {(c, p): NationWatch(condition=Condition.OK) for c in countries for p in platforms}
    probes = dict.fromkeys(countries, 40)
    snapshot = Snapshot(at=AT, window_s=600, platforms=platforms, countries={}, networks={}, probes=probes)
    findings = Findings(state=State(number=1, nations=nations), book=(), until=AT)
    text = RENDER(
        "world.html",
        notice=Notice(1, AT, snapshot, findings),
        now=now(findings, snapshot, AT, DEFAULT),
        open=[],
        recent=[],
        platforms=platforms,
        kinds=list(Kind),
    )
    with_assets = len(text.encode()) + sum(len(leaf.body) for leaf in ASSETS.values())
    assert len(countries) > 240
    assert with_assets < 150_000, with_assets
