"""The pages in a real Chromium: wide and narrow, light and dark, with and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from .conftest import TELLING
from .evening import INCIDENT, Stage, staged

CHROMIUM = Path("/usr/bin/chromium")
MOST_BYTES = 150_000
WIDE, PHONE = (1280, 900), (390, 844)
WAIT_MS = 15_000
BEFORE = 7  # the last round of the evening in which all is well
# A refusal is an error for the console, and so is a stream that is not there.
EXPECTED = re.compile("status of (400|503)|/live")
Scheme = Literal["light", "dark"]

PAGES = {
    "world": "/",
    "country": "/country/PK",
    "day": "/country/PK?window=24h",
    "week": "/country/PK?window=7d",
    "few": "/country/EE",
    "incident": f"/incident/{INCIDENT}",
    "ledger": "/ledger",
    "method": "/method",
    "take part": "/take-part",
    "refused": "/country/xx",
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}: Debian's chromium is not installed"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def opened(
    browser: Browser, url: str, size: tuple[int, int] = WIDE, scheme: Scheme = "light", *, script: bool = True
) -> Iterator[Page]:
    """A page, loaded; whatever the browser complains of fails the test that opened it."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, java_script_enabled=script
    )
    page, complaints = context.new_page(), list[str]()
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(f"{request.url}: {request.failure}"))
    page.goto(url)
    yield page
    context.close()
    # Going to another page ends what was being fetched.
    assert [one for one in complaints if "ERR_ABORTED" not in one and not EXPECTED.search(one)] == []


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_every_page_is_readable_and_nothing_is_complained_of(
    told: Stage, browser: Browser, size: tuple[int, int], scheme: Scheme, script: bool
) -> None:
    with opened(browser, "about:blank", size, scheme, script=script) as page:
        for name, path in PAGES.items():
            page.goto(told.url + path)
            expect(page.get_by_role("heading", level=1)).to_have_count(1)
            expect(page.get_by_text(TELLING)).to_be_visible()
            width = page.locator("html").evaluate("() => document.scrollingElement.scrollWidth")
            assert width <= size[0], f"{name} scrolls sideways: {width}"


@pytest.mark.parametrize(
    ("size", "scheme"), [(WIDE, "light"), (PHONE, "light"), (PHONE, "dark")], ids=["wide", "phone", "dark"]
)
def test_every_page_is_clean_of_what_shuts_readers_out(
    told: Stage, browser: Browser, size: tuple[int, int], scheme: Scheme
) -> None:
    found = []
    with opened(browser, "about:blank", size, scheme) as page:
        for name, path in PAGES.items():
            page.goto(told.url + path)
            for summary in page.locator("summary").all():
                summary.click()
            for one in Axe().run(page).response["violations"]:
                targets = [node["target"] for node in one["nodes"][:3]]
                found.append(f"{name}: {one['id']} {one['help']} {targets}")
    assert found == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_with_all_that_belongs_to_it_is_small(told: Stage, browser: Browser, name: str) -> None:
    with opened(browser, "about:blank") as page:
        sizes: dict[str, int] = {}

        def weighed(asked: Request) -> None:
            answer = asked.response()
            sizes[asked.url] = len(answer.body()) if answer else 0

        page.on("requestfinished", weighed)
        page.goto(told.url + PAGES[name])
        page.wait_for_timeout(200)  # the icon comes when everything else is there
    assert any(url.endswith(PAGES[name]) for url in sizes)
    assert len(sizes) >= 3
    assert sum(sizes.values()) < MOST_BYTES, sizes


def test_nothing_is_fetched_from_anywhere_else(told: Stage, browser: Browser) -> None:
    with opened(browser, "about:blank") as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        for path in PAGES.values():
            page.goto(told.url + path)
    assert asked
    assert [url for url in asked if not url.startswith(told.url + "/")] == []


def test_a_reader_at_the_keyboard_reaches_everything_and_sees_where(told: Stage, browser: Browser) -> None:
    with opened(browser, told.url + PAGES["country"]) as page:
        page.keyboard.press("Tab")
        skip = page.locator(".skip")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        assert page.evaluate("document.querySelector('main').contains(document.activeElement)")
        summary = page.locator("summary").first
        summary.focus()
        page.keyboard.press("Enter")
        expect(page.locator("#c-table")).to_have_attribute("open", "")
        expect(page.locator("#c-table table")).to_be_visible()


def test_the_table_holds_what_the_chart_shows_without_script(told: Stage, browser: Browser) -> None:
    with opened(browser, told.url + PAGES["country"], script=False) as page:
        page.locator("summary").first.click()
        rows = page.locator("#c-table tbody tr")
        expect(rows).to_have_count(72)
        expect(rows.first).to_contain_text("31/38")
        expect(page.locator("#live")).to_be_hidden()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path, last=BEFORE) as stage:
        yield stage


def test_news_arrives_without_a_reload_and_leaves_the_reader_where_they_were(
    stage: Stage, browser: Browser
) -> None:
    with opened(browser, f"{stage.url}/country/TR") as page:
        expect(page.locator("#live")).to_have_text("live")
        expect(page.locator("#news")).to_have_text("No incident is open in Turkey.")
        page.evaluate("window.wasHere = true")
        page.evaluate("document.querySelector('#news').dataset.same = 'yes'")
        page.locator("#c-table summary").click()
        link = page.locator(".windows a").nth(1)
        link.focus()
        for number in range(BEFORE + 1, BEFORE + 5):
            stage.go_on(number)
        expect(page.locator("#news")).to_contain_text("1 incident is open", timeout=WAIT_MS)
        expect(page.locator("#summary")).to_contain_text(
            "isruption of YouTube on one network in Turkey", timeout=WAIT_MS
        )
        assert page.evaluate("window.wasHere"), "the page was not loaded again"
        expect(page.locator("#c-table")).to_have_attribute("open", "")
        expect(link).to_be_focused()
        same = page.locator("#news").get_attribute("data-same")
        assert same == "yes", "what is read aloud stays the same element"


def test_a_page_that_is_not_looked_at_gives_its_stream_back(told: Stage, browser: Browser) -> None:
    look = "hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });"
    look += " document.dispatchEvent(new Event('visibilitychange')); }"
    with opened(browser, "about:blank") as page:
        ended, begun = list[str](), list[str]()
        page.on("requestfailed", lambda asked: ended.append(asked.url))
        page.on("request", lambda asked: begun.append(asked.url))
        page.goto(told.url)
        expect(page.locator("#live")).to_have_text("live")
        page.evaluate(look, True)
        page.wait_for_timeout(300)
        assert [url for url in ended if url.endswith("/live")] == [told.url + "/live"]
        page.evaluate(look, False)
        page.wait_for_timeout(300)
        assert begun.count(told.url + "/live") == 2


def test_a_page_without_a_stream_says_so_looks_by_itself_and_is_live_again_when_there_is_one(
    told: Stage, browser: Browser
) -> None:
    with opened(browser, "about:blank") as page:
        fetched = list[str]()
        page.on("request", lambda asked: fetched.append(f"{asked.resource_type} {asked.url}"))
        page.clock.install()
        page.route("**/live", lambda route: route.fulfill(status=503))
        page.goto(told.url)
        expect(page.locator("#live")).to_have_text("not live: looked for once a minute")
        page.clock.run_for(90_000)
        page.wait_for_timeout(300)
        assert fetched.count(f"eventsource {told.url}/live") >= 2
        assert f"fetch {told.url}/" in fetched
        expect(page.locator("#live")).to_have_class("off")
        page.unroute("**/live")
        page.clock.run_for(90_000)
        expect(page.locator("#live")).to_have_text("live")
        page.wait_for_timeout(300)  # what it was told of is fetched
        before = len(fetched)
        page.clock.run_for(600_000)
        page.wait_for_timeout(300)
        assert fetched[before:] == [], "whoever is told need not look"


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_from_right_to_left_labels_stand_in_their_chart_and_nothing_scrolls_sideways(
    told: Stage, browser: Browser, size: tuple[int, int]
) -> None:
    """As Urdu is written."""
    with opened(browser, told.url + PAGES["country"], size) as page:
        page.evaluate("document.documentElement.dir = 'rtl'")
        chart = page.locator("figure.chart > svg")
        around = chart.bounding_box()
        assert around is not None
        for label in chart.locator("text").all():
            box = label.bounding_box()
            assert box is not None
            assert around["x"] <= box["x"], label.text_content()
            assert box["x"] + box["width"] <= around["x"] + around["width"] + 1, label.text_content()
        width = page.locator("html").evaluate("() => document.scrollingElement.scrollWidth")
        assert width <= size[0]


def test_on_a_phone_no_name_is_broken_and_nothing_stands_on_something_else(
    told: Stage, browser: Browser
) -> None:
    with opened(browser, told.url + PAGES["country"], PHONE) as page:
        for name in page.locator(".now tbody th").all():
            box = name.bounding_box()
            assert box is not None
            assert box["height"] < 30, name.text_content()
        page.goto(told.url)
        for pair in page.locator(".key div").all():
            word, claim = pair.locator("dt"), pair.locator("dd")
            text = word.evaluate(
                "e => { const r = document.createRange(); r.selectNodeContents(e);"
                " const b = r.getBoundingClientRect(); return [b.right, b.bottom]; }"
            )
            box = claim.bounding_box()
            assert box is not None
            assert text[0] <= box["x"] or text[1] <= box["y"] + 1, word.text_content()
