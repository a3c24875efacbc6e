"""A picture for services that show no SVG, as previews of links: drawn with Pillow and its own font. PURE.

That font has the letters of plain English and few others. What has to say anything else is not drawn at all:
a name with boxes in it is worse than no picture.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from PIL import Image, ImageDraw, ImageFont

from .history import LEAST_HOMES, Bin
from .now import Kind
from .plot import Plot

WIDE, HIGH = 1200, 630  # what services cut previews to
_EDGE, _LINE_WIDE = 40, 1120
_TOP, _TALL = 440, 92  # of the chart
_PAPER, _INK, SOFT, _GRID = "#fcfcfa", "#1b1b1b", "#5c5c58", "#d9d9d2"
# As in the SVG pictures: colour is never alone, a line under others is the wider one.
_COLOURS = ("#0060a8", "#b84a00", "#a3317f", "#00755a", "#6a5a00", "#444444")
_WIDTHS = (9, 7, 5, 3, 3, 3)
_SOME = "#8a5a00"
TONES = {Kind.CONFIRMED: "#b03a00", Kind.OK: "#00755a"} | dict.fromkeys(
    (Kind.SUSPECTED, Kind.PART, Kind.OUTAGE, Kind.UNSETTLED), _SOME
)
_LETTERS = {Kind.SUSPECTED: "?", Kind.UNSETTLED: "!"}
_MOST_MARKS = 4  # columns that there is room for
_MARK = 26
_FINE = 4  # marks are drawn so many times as large, for smooth edges
_UNKNOWN = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Mark:
    """One platform: its name, the word for how it stands, its counts, and the sign beside them."""

    name: str
    said: str = ""
    counts: str = ""
    kind: Kind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What one picture says. A mark for each platform of the plot, in its order."""

    title: str
    state: str
    tone: str
    since: str
    marks: Sequence[Mark]
    plot: Plot | None
    caption: str
    foot: str
    replay: str = ""

    def texts(self) -> Iterator[str]:
        """Everything that is written in it."""
        yield from (self.title, self.state, self.since, self.caption, self.foot, self.replay)
        for mark in self.marks:
            yield from (mark.name, mark.said, mark.counts)
        if self.plot is not None:
            yield from (tick.label for tick in self.plot.ticks)


def is_drawable(preview: Preview) -> bool:
    """Whether the font has every letter of it."""
    return all(_has(letter) for letter in set("".join(preview.texts())) if not letter.isspace())


def drawn(preview: Preview) -> bytes:
    """The picture as PNG."""
    image = Image.new("RGB", (WIDE, HIGH), _PAPER)
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, WIDE, 14), fill=preview.tone)
    _head(pen, preview)
    _marks(image, pen, preview.marks)
    if preview.plot is not None:
        _chart(pen, preview.plot)
        pen.text((WIDE - _EDGE, _TOP - 9), preview.caption, SOFT, _font(18), anchor="rs")
    pen.text((_EDGE, 588), preview.foot, SOFT, _font(22))
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


@cache
def _has(letter: str) -> bool:
    """Whether the font draws it as itself, and not as the box for what it does not know."""
    box, mask = (_font(40).getmask(one) for one in (_UNKNOWN, letter))
    return (mask.size, bytes(mask)) != (box.size, bytes(box))


def _head(pen: ImageDraw.ImageDraw, preview: Preview) -> None:
    wide = _font(28).getlength(preview.state)
    pen.rounded_rectangle((_EDGE, 44, _EDGE + wide + 36, 88), 8, fill=preview.tone)
    pen.text((_EDGE + 18, 66), preview.state, "white", _font(28), anchor="lm", stroke_width=0.4)
    if preview.replay:
        far = _font(26).getlength(preview.replay)
        pen.rectangle((WIDE - far - 60, 14, WIDE, 60), fill="#ffe08a")
        pen.text((WIDE - 30, 37), preview.replay, "#2b2000", _font(26), anchor="rm", stroke_width=0.4)
    size, lines = _broken(preview.title)
    for at, line in enumerate(lines):
        pen.text((_EDGE, 112 + at * size * 1.16), line, _INK, _font(size), stroke_width=1)
    pen.text((_EDGE, 124 + len(lines) * size * 1.16), preview.since, SOFT, _fitting(preview.since, 28, 1120))


def _broken(title: str) -> tuple[int, Sequence[str]]:
    """The size and the lines in which a title fits: two, as large as can be."""
    for size in (60, 52, 46, 40):
        lines = [""]
        for word in title.split():
            longer = f"{lines[-1]} {word}".lstrip()
            if _font(size).getlength(longer) <= _LINE_WIDE - 10:
                lines[-1] = longer
            else:
                lines.append(word)
        if len(lines) <= 2:
            return size, lines
    return size, [lines[0], f"{lines[1]} \u2026"]


def _fitting(text: str, size: int, wide: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    while size > 14 and _font(size).getlength(text) > wide:
        size -= 1
    return _font(size)


def _marks(image: Image.Image, pen: ImageDraw.ImageDraw, marks: Sequence[Mark]) -> None:
    for at, mark in enumerate(marks[:_MOST_MARKS]):
        left, wide = _EDGE + 284 * at, 264
        pen.line((left, 322, left + 40, 322), _COLOURS[at], _WIDTHS[at])
        if mark.kind is not None:
            image.paste(_sign(mark.kind), (left + 8, 344))
        for high, text, size, tone in ((322, mark.name, 30, _INK), (357, mark.said, 25, _INK),
                                       (389, mark.counts, 22, SOFT)):  # fmt: skip
            pen.text((left + 52, high), text, tone, _fitting(text, size, wide - 52), anchor="lm")


@cache
def _sign(kind: Kind) -> Image.Image:
    """The sign of a state, as pages have it, for which the font has no letters."""
    n, tone = _MARK * _FINE, TONES.get(kind, SOFT)
    image = Image.new("RGB", (n, n), _PAPER)
    pen = ImageDraw.Draw(image)
    wide, low, high = n // 8, n // 6, n - n // 6
    if kind is Kind.CONFIRMED:
        pen.line((low, low, high, high), tone, wide)
        pen.line((low, high, high, low), tone, wide)
    elif kind in (Kind.SUSPECTED, Kind.UNSETTLED):
        pen.text(
            (n / 2, n / 2),
            "?" if kind is Kind.SUSPECTED else "!",
            tone,
            _font(n),
            anchor="mm",
            stroke_width=2,
        )
    elif kind is Kind.PART:
        pen.ellipse((low, low, high, high), outline=tone, width=wide // 2)
        pen.pieslice((low, low, high, high), 90, 270, fill=tone)
    elif kind is Kind.OUTAGE:
        pen.ellipse((low, low, high, high), outline=tone, width=wide // 2)
        pen.line((n // 4, n * 3 // 4, n * 3 // 4, n // 4), tone, wide // 2)
    elif kind is Kind.OK:
        pen.line((low, n // 2, n * 2 // 5, high, high, low), tone, wide, joint="curve")
    else:
        for across in (low, n // 2, high):
            pen.circle((across, n // 2), wide // 2, tone)
    return image.resize((_MARK, _MARK), Image.Resampling.LANCZOS)


def _chart(pen: ImageDraw.ImageDraw, plot: Plot) -> None:
    """The share of homes that reach each platform; where too few voted, a gap."""
    for share in (0, 0.5, 1):
        high = _TOP + _TALL * share
        pen.line((_EDGE, high, WIDE - _EDGE, high), _GRID, 2)
    for share, label in ((0, "100 %"), (1, "0 %")):
        pen.text((_EDGE + 4, _TOP + _TALL * share - 9), label, SOFT, _font(18), anchor="ls")
    bins = [row for _, row in reversed(plot.rows)]
    for at in range(min(len(plot.platforms), _MOST_MARKS)):
        for run in _runs([row[at] for row in bins]):
            pen.line(run, _COLOURS[at], _WIDTHS[at], joint="curve")
    for tick in plot.ticks:
        across = _EDGE + _LINE_WIDE * tick.at / 100
        pen.text((across, _TOP + _TALL + 10), tick.label, SOFT, _font(20), anchor="mt")


def _runs(bins: Sequence[Bin]) -> Iterator[list[tuple[float, float]]]:
    """The pieces of one line, each a step for every bin."""
    run: list[tuple[float, float]] = []
    across = _LINE_WIDE / len(bins)
    for at, one in enumerate(bins):
        if one.of >= LEAST_HOMES:
            high = _TOP + _TALL * one.share
            run += [(_EDGE + at * across, high), (_EDGE + (at + 1) * across, high)]
        elif run:
            yield run
            run = []
    if run:
        yield run
