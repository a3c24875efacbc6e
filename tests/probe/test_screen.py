"""How a text comes to a terminal: folded, cut, readable, and never with orders for the terminal in it."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.screen import Drawing, Screen, cells, clip, wrap
from tests.glass import VT100, Tty, Window, seen

# Letters of one column and of two, an accent of none, and what a line is folded at.
TEXT = st.text("abc. 微é\u0301", max_size=120)


@given(TEXT, st.integers(2, 60), st.integers(0, 13))
def test_a_folded_text_fits_and_loses_nothing(text: str, width: int, indent: int) -> None:
    lines = list(wrap(text, width, indent))
    assert all(cells(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@given(TEXT, st.integers(0, 60))
def test_a_cut_text_fits_and_says_that_it_is_cut(text: str, width: int) -> None:
    cut = clip(text, width, "...")
    assert cells(cut) <= width
    assert cut == text or cut.endswith("..."[:width])


@given(st.text(max_size=60))
def test_no_stranger_gives_orders_to_the_terminal(text: str) -> None:
    screen = Window(200)
    screen.print(text)
    assert screen.text().rstrip("\n").isprintable()


def test_a_terminal_that_knows_ascii_alone_is_given_ascii_alone() -> None:
    screen = Window(encoding="ascii")
    screen.print("微博: reachable…")
    assert screen.text() == "??: reachable?\n"
    assert (screen.dots, Window().dots) == ("...", "…")


@pytest.mark.parametrize(
    ("environ", "coloured"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": ""}, True),  # no-color.org: present and not empty
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({}, False),
    ],
)
def test_colour_is_for_terminals_that_have_it_and_people_who_want_it(
    environ: dict[str, str], coloured: bool
) -> None:
    screen = Window(environ=environ)
    screen.print("X: blocked. Here is why.", bold="X: ", word="blocked", colour="31")
    plain = "X: blocked. Here is why.\n"
    assert screen.text() == ("\x1b[1mX: \x1b[0m\x1b[31mblocked\x1b[0m. Here is why.\n" if coloured else plain)


def test_off_a_terminal_a_line_is_a_line() -> None:
    stream = io.StringIO()
    Screen(stream, VT100).print("word " * 100, bold="word", word=" word", colour="31")
    assert stream.getvalue() == "word " * 100 + "\n"


def test_a_terminal_that_does_not_tell_its_size_is_taken_for_the_usual_one() -> None:
    assert Screen(Tty(), VT100).size() == (80, 24)


def test_what_is_drawn_again_stands_where_it_stood_and_what_is_unchanged_is_not_drawn() -> None:
    screen = Window()
    screen.print("$ run")
    drawing = Drawing(screen)
    drawing.draw(["measuring: 9 s", "X  failed", "Y  ok"])
    drawing.draw(["measuring: 10 s", "X  ok"])
    before = screen.text()
    drawing.draw(["measuring: 10 s", "X  ok"])
    assert screen.text() == before
    assert seen(before) == ["$ run", "measuring: 10 s", "X  ok", ""]


@pytest.mark.parametrize(
    ("columns", "rows", "wiped"), [(20, 24, False), (12, 24, True), (20, 3, True), (20, 2, True)]
)
def test_a_window_too_small_for_what_is_drawn_is_wiped_before_it_is_drawn_anew(
    columns: int, rows: int, wiped: bool
) -> None:
    screen = Window(40, 24)
    drawing = Drawing(screen)
    drawing.draw(["measuring: 1 s", "X  ok", "Y  ok"])
    screen.columns, screen.rows = columns, rows
    drawing.draw(["measuring"])
    assert ("\x1b[2J" in screen.text()) is wiped
    assert seen(screen.text()) == ["measuring", ""]
