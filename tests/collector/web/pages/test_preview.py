"""Pictures for previews of links: of one size, whatever they say, and none with boxes for letters."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from PIL import Image

from collector.web.pages.history import History
from collector.web.pages.now import Kind
from collector.web.pages.plot import plot
from collector.web.pages.preview import HIGH, SOFT, TONES, WIDE, Mark, Preview, drawn, is_drawable

PLATFORMS = ("x", "facebook", "instagram", "youtube", "another", "and-another")
SAID = Preview(
    title="Nation-scale disruption of X in Pakistan",
    state="confirmed",
    tone=TONES[Kind.CONFIRMED],
    since="Began between 14:15 and 14:25 UTC on 2023-12-17",
    marks=[
        Mark(name, kind.value, "31 of 35 at worst", kind) for name, kind in zip(PLATFORMS, Kind, strict=False)
    ],
    plot=plot(History(0, 9), PLATFORMS, 300.0),
    caption="Share of homes that reach each platform",
    foot="reachwatch: measured from volunteers' lines",
)


def size_of(preview: Preview) -> tuple[int, int]:
    with Image.open(io.BytesIO(drawn(preview))) as image:
        assert image.format == "PNG"
        image.load()
        return image.size


@pytest.mark.parametrize(
    "changed",
    [
        SAID,
        replace(SAID, plot=None, marks=[], tone=SOFT, since=""),
        replace(SAID, title="word " * 60, since="since " * 60, replay="This is a replay."),
        replace(SAID, title="unbroken" * 30, marks=[Mark("a very long name of a platform " * 3)]),
        replace(SAID, title=""),
        *(replace(SAID, marks=[Mark("X", kind.value, "", kind)]) for kind in Kind),
    ],
)
def test_a_picture_has_its_size_whatever_it_says(changed: Preview) -> None:
    assert size_of(changed) == (WIDE, HIGH)


def test_the_same_is_drawn_the_same() -> None:
    assert drawn(SAID) == drawn(SAID)
    assert drawn(SAID) != drawn(replace(SAID, state="possible"))


@pytest.mark.parametrize("words", ["\u067e\u0627\u06a9\u0633\u062a\u0627\u0646", "C\u00f4te d'Ivoire"])
def test_what_the_font_cannot_say_is_not_drawn(words: str) -> None:
    assert is_drawable(SAID)
    assert not is_drawable(replace(SAID, title=words))
    assert not is_drawable(replace(SAID, marks=[Mark(words)]))
