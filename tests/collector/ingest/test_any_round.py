"""A signed batch may hold any words at all: what can be decoded can be judged, counted and shown."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.config import Display
from collector.detect.cells import cells_of
from collector.detect.fold import State
from collector.detect.thresholds import DEFAULT
from collector.detector import Findings
from collector.snapshot import Snapshot, take
from collector.web.api.state import describe
from collector.web.pages.answer import ASSETS
from collector.web.pages.archive import stages
from collector.web.pages.history import History
from collector.web.pages.now import Kind, now
from collector.web.pages.plot import plot
from collector.web.pages.render import Renderer
from collector.web.pulse import Notice
from probe.verdict import judge
from probe.wire.codec import DecodeError, decode, encode
from probe.wire.failure import Failure
from probe.wire.observation import Round
from probe.wire.scrub import scrub
from tests.collector.voices import ENGLISH
from tests.rounds import NOW, X_ADDRESS, a_round, dns, failed, fine, reached, twice

WHOLE = json.loads(
    encode(
        a_round(
            *fine("x/web"),
            *twice([dns("x/media", "system", "10.1.1.1", failure=Failure.DNS_BOGON)]),
            *failed("x/web", X_ADDRESS, Failure.TLS_UNKNOWN_AUTHORITY),
            *reached("x/plain", X_ADDRESS, status=302, location="https://block.example/"),
        )
    )
)

WORDS = [
    "",
    "http://[",
    "https://[x]/",
    "::",
    "999.1.1.1",
    "10.1.1.1",
    "x" * 255,
    "a..b",
    "/",
    "x/",
    "%",
    "tls",
]
NASTY: st.SearchStrategy[Any] = st.sampled_from(
    [*WORDS, 0, 1, 6, 599, 1e308, None, True, [], {}, ["::"], ["", "x"]]
) | st.text(max_size=9)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


PLACES = list(places(WHOLE))
RENDER = Renderer(ENGLISH, Display(), dict.fromkeys(ASSETS, ""))


def shown(snapshot: Snapshot) -> str:
    """The pages that show a snapshot."""
    findings = Findings(state=State(), book=(), until=0.0)
    standing = now(findings, snapshot, snapshot.at, DEFAULT)
    notice = Notice(0, snapshot.at, snapshot, findings)
    values = {"notice": notice, "now": standing, "platforms": snapshot.platforms, "kinds": list(Kind)}
    text = RENDER("world.html", open=[], recent=[], **values)
    for land in standing.lands:
        text += RENDER(
            "country.html",
            land=land,
            plot=plot(History(0, 3), snapshot.platforms, 300.0),
            stages=stages(notice, land.country),
            said=[],
            windows=["6h"],
            window="6h",
            networks_shown=1,
            least_homes=3,
            **values,
        )
    return text


@settings(max_examples=400)
@given(st.lists(st.tuples(st.sampled_from(PLACES), NASTY), min_size=1, max_size=4))
def test_whatever_can_be_decoded_can_be_judged_counted_and_shown(
    changes: list[tuple[tuple[Any, ...], Any]],
) -> None:
    changed = json.loads(json.dumps(WHOLE))
    for path, value in changes:
        with contextlib.suppress(KeyError, IndexError, TypeError):
            inner = changed
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = value
    try:
        rnd = decode(Round, json.dumps(changed).encode())
    except DecodeError:
        return
    verdicts = judge(rnd)
    assert len(verdicts) == len(rnd.targets)
    cells = cells_of(rnd, verdicts, country="PK", asn=1, prefix="p", probe="q")
    names = tuple({v.platform for v in verdicts})
    snapshot = take(cells, [], now=NOW.timestamp(), window_s=600, platforms=names)
    assert shown(snapshot)
    assert describe(snapshot, Findings(state=State(), book=(), until=0.0), 1)
    scrub(rnd, ["203.0.113.9"])
