"""The page of a country: what its networks' rows say where there is nothing to show."""

from __future__ import annotations

import re
from typing import Any

from collector.web.pages.now import Kind, Land, Now, Standing
from collector.web.pages.plot import plot

from .test_history import history, network
from .test_incidents import AT, NOTICE
from .test_render import RENDER


def page(land: Land, **values: Any) -> str:
    """The page of one country, alone in the world."""
    shown = plot(history((network(1, 0, 9),)), ("x",), 300.0)
    given = {"notice": NOTICE, "plot": shown, "stages": {}, "said": [], "windows": ["6h"], "window": "6h"}
    return RENDER(
        "country.html",
        land=land,
        now=Now(lands=(land,), until=AT, is_stale=False),
        networks_shown=12,
        image="",
        least_homes=3,
        **{**given, **values},
    )


def stands(kind: Kind, failing: int = 0, of: int = 0) -> Land:
    one = Standing(platform="x", kind=kind, failing=failing, of=of, networks=2)
    return Land(country="PK", probes=of, standings=(one,))


def rows(html: str) -> list[str]:
    """What each row of the networks' table says."""
    table = html.partition('<table class="heat">')[2].partition("</table>")[0]
    found = re.findall(r"<tr>(.*?)</tr>", table.partition("</thead>")[2], re.DOTALL)
    return [re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", row)).strip() for row in found]


def test_of_a_network_that_became_small_it_is_not_said_that_nobody_voted() -> None:
    """Four of its homes did: they are counted under the others."""
    told = history((network(1, 1, 5),), (network(1, 0, 4),), (network(1, 1, 5), network(2, 0, 2)), ())
    shrunk = plot(told, ("x",), 300.0)
    told.last = 1
    html = page(stands(Kind.OK, 0, 4), plot=plot(told, ("x",), 300.0))
    assert rows(html) == [
        "AS1 X fewer than 5 voted 1 of 5 fail",
        "Other networks X all 4 reach it all 4 reach it",
    ]
    assert "hatched where too few voted to be shown" in html
    nobody = rows(page(stands(Kind.OK), plot=shrunk))
    assert nobody == ["AS1 X fewer than 5 voted 1 of 5 fail", "Other networks X nobody voted all 4 reach it"]


def test_many_failing_homes_are_not_passed_over_before_there_is_a_claim() -> None:
    html = page(stands(Kind.UNSETTLED, 27, 27))
    assert "27 of 27 fail" in html
    assert "Many homes fail, and the next rounds tell what it is." in html
    assert "✓" not in html
