"""Every kind of incident has its page, its card and its picture, whatever is not known of it."""

from __future__ import annotations

from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from collector.config import Display
from collector.detect.claims import describe
from collector.detect.fold import State
from collector.detect.incidents import WORLD, Cause, Incident, Part, Phase, Scope, Slowness, Witnesses
from collector.detect.revisions import Revision
from collector.detect.sentences import sentence, title
from collector.detect.thresholds import DEFAULT
from collector.detector import Findings
from collector.snapshot import Snapshot
from collector.web.pages.answer import ASSETS
from collector.web.pages.archive import networks
from collector.web.pages.embed import wrapped
from collector.web.pages.history import History
from collector.web.pages.now import Kind, now
from collector.web.pages.plot import plot
from collector.web.pages.render import Renderer
from collector.web.pulse import Notice
from tests.collector.voices import ENGLISH

RENDER = Renderer(ENGLISH, Display(), dict.fromkeys(ASSETS, ""))
SINCE = 5_676_080
AT = (SINCE + 20) * DEFAULT.round_s
SNAPSHOT = Snapshot(at=AT, window_s=600, platforms=("x",), countries={}, networks={}, probes={"PK": 3})
NOTICE = Notice(SINCE + 20, AT, SNAPSHOT, Findings(state=State(), book=(), until=AT))
PART = Part(
    platform="x",
    phase=Phase.CONFIRMED,
    since=SINCE,
    confirmed=SINCE + 2,
    scope=Scope.NATION,
    cause=Cause.LIKELY_BLOCKING,
    broke="tls tls_reset_error",
    agreeing=0.9,
    world=0.01,
    networks={17557: Witnesses(failing=9, of=9, confirmed=True), 23674: Witnesses(failing=3, of=3)},
)


def said(country: str = "PK", withdrawn: bool = False, superseded_by: str = "", **changes: Any) -> Revision:
    part = replace(PART, **changes)
    return Revision(
        number=2, at=AT, reason="x: <new>", incident=Incident(id="some-1", country=country, parts=(part,)),
        withdrawn=withdrawn, superseded_by=superseded_by,
    )  # fmt: skip


BARE: dict[str, Any] = {"broke": "", "agreeing": 0.0, "world": None, "networks": {}}
KINDS = [
    (said(), "confirmed"),
    (said(phase=Phase.SUSPECTED, confirmed=None, cause=Cause.DISRUPTION), "This is possible, not confirmed."),
    (said(phase=Phase.ENDED, ended=SINCE + 9), "45 min"),
    (said(phase=Phase.DISMISSED, confirmed=None, ended=SINCE + 4), "never confirmed"),
    (said(withdrawn=True), "This incident was withdrawn."),
    (said(withdrawn=True, superseded_by="other-1"), 'href="/incident/other-1"'),
    (said(WORLD, scope=Scope.WORLD, cause=Cause.PLATFORM_OUTAGE, networks={}), "Many countries"),
    (said(platform="connectivity", cause=Cause.SHUTDOWN, broke=""), "12 of 12 silent or cut off"),
    (said(**BARE), "too few countries to say"),
    (said(cause=Cause.BLOCKING_CONFIRMED, artefacts=("dns", "mitm")), "forged or missing names, a foreign"),
    (
        said(
            cause=Cause.THROTTLING,
            broke="throttled",
            slow=Slowness(homes=8, ratio=57.2, bps=140_000, is_extreme=True),
        ),
        "Speed: 57.2 times slower than unrelated sites, 140 kbit/s (medians of 8 probes); 90",
    ),
    (said(cause=Cause.THROTTLING, broke="throttled", slow=None), "12 of 12 slow"),
    *((said(cause=cause), ENGLISH.words.name("cause", cause)) for cause in Cause),
]


@pytest.mark.parametrize(("revision", "expected"), KINDS)
def test_each_kind_of_incident_has_its_page(revision: Revision, expected: str) -> None:
    told = {"title": title(revision, ENGLISH.words), **describe(revision, ENGLISH)}
    html = RENDER(
        "incident.html",
        notice=NOTICE,
        now=now(NOTICE.findings, SNAPSHOT, AT, DEFAULT),
        told=told,
        timeline=[(revision, describe(revision, ENGLISH))],
        networks=networks(revision, 5),
        lasted_s=2700.0,
        image="",
        plot=None if revision.incident.country == WORLD else plot(History(0, 9), ("x",), 300.0),
        least_homes=3,
    )
    assert expected in unescape(html)
    is_open = told["ended"] is None and not told["revision"]["withdrawn"]
    assert ('id="fresh"' in html) == is_open, "how old it is, where it is said to go on"
    assert "&lt;new&gt;" in html
    assert "AS23674" not in html


@pytest.mark.parametrize(("revision", "_expected"), KINDS)
def test_each_kind_has_its_card_and_its_picture(revision: Revision, _expected: str) -> None:
    told = {"title": title(revision, ENGLISH.words), **describe(revision, ENGLISH)}
    world = RENDER(
        "world.html",
        notice=NOTICE,
        now=now(NOTICE.findings, SNAPSHOT, AT, DEFAULT),
        open=[told],
        recent=[told],
        platforms=("x",),
        kinds=list(Kind),
    )
    assert world.count('href="/incident/some-1"') == 2
    picture = RENDER(
        "incident.svg", until=AT, told=told, claim_lines=wrapped(sentence(revision, ENGLISH)), plot=None
    )
    assert ENGLISH.words.name("phase", told["phase"]) in picture
