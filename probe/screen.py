"""A stream as a person sees it: how wide, in which letters, with colour or without.

What a probe prints comes in part from strangers: a redirect's address, a certificate's issuer, a
collector's words. So whatever is shown goes through `plain`, which lets no control character pass to
a terminal and no letter that it cannot show.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO
from unicodedata import combining, east_asian_width

# Where a terminal does not say (a serial line, some containers): that of the DEC VT100.
_USUAL_SIZE = 80, 24
_BOLD, _RESET = "1", "0"


class Screen:
    """One stream, which may be a terminal, and may be one that can do no more than print."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str] = os.environ) -> None:
        self.stream = stream
        self.is_terminal = stream.isatty()
        # A terminal type that is unknown can be trusted with lines alone; Emacs and people who
        # listen rather than look set "dumb".
        self.can_redraw = self.is_terminal and environ.get("TERM", "") not in ("", "dumb", "unknown")
        self.has_colour = self.can_redraw and not environ.get("NO_COLOR")  # no-color.org
        self.dots = "…" if self._can_show("…") else "..."

    def size(self) -> tuple[int, int]:
        """Columns and rows, now: a window's may change while it is looked at."""
        try:
            columns, rows = os.get_terminal_size(self.stream.fileno())
        except OSError:
            columns, rows = 0, 0
        return columns or _USUAL_SIZE[0], rows or _USUAL_SIZE[1]

    @property
    def width(self) -> int | None:
        """How long a line may be; None off a terminal, where no line is cut or folded."""
        return self.size()[0] if self.is_terminal else None

    def plain(self, text: str) -> str:
        """The text without what would not be shown as it is."""
        printable = "".join(letter if letter.isprintable() else "?" for letter in text)
        encoding = self.stream.encoding or "utf-8"
        return printable.encode(encoding, "replace").decode(encoding)

    def _can_show(self, text: str) -> bool:
        return self.plain(text) == text

    def print(self, text: str, *, indent: int = 0, bold: str = "", colour: str = "", word: str = "") -> None:
        """A line, folded to the terminal's width, later lines indented. Where there is colour, `bold`
        at its beginning and `word` right after it stand out."""
        width = self.width
        lines = list(wrap(self.plain(text), width, indent)) if width else [self.plain(text)]
        start = self.plain(f"{bold}{word}")
        if self.has_colour and start and lines[0].startswith(start):
            rest = lines[0].removeprefix(start)
            lines[0] = _styled(self.plain(bold), _BOLD) + _styled(self.plain(word), colour) + rest
        self.stream.write("\n".join(lines) + "\n")
        self.stream.flush()


def _styled(text: str, style: str) -> str:
    return f"\x1b[{style}m{text}\x1b[{_RESET}m"


class Drawing:
    """Lines on a terminal that are drawn again in the same place.

    Each line is written over the old one, without wiping it first, and all of them at once: nothing
    flickers. The cursor is left visible below them, so that whatever ends the program, the terminal
    is as it was.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._drawn: Sequence[str] = ()
        self._size = screen.size()
        self._lock = threading.Lock()

    def draw(self, lines: Sequence[str]) -> None:
        """Replace what is drawn, if it is other than that."""
        with self._lock:
            size = self._screen.size()
            if (list(lines), size) == (self._drawn, self._size):
                return
            whole = "".join(f"\r{line}\x1b[K\n" for line in lines)
            self._screen.stream.write(f"{self._back(size)}{whole}\x1b[J")
            self._screen.stream.flush()
            self._drawn, self._size = list(lines), size

    def _back(self, size: tuple[int, int]) -> str:
        """To where the first line was. In a window made too small for what is drawn nobody knows where
        that is, because some terminals fold lines then and others cut them: there it is wiped."""
        columns, rows = size
        is_lost = size != self._size and (
            rows <= len(self._drawn) or any(columns < cells(line) for line in self._drawn)
        )
        if is_lost:
            return "\x1b[H\x1b[2J"
        return f"\x1b[{len(self._drawn)}A" if self._drawn else ""


def cells(text: str) -> int:
    """How many columns a text takes: Chinese letters two, accents of their own none (Unicode UAX 11)."""
    return sum(_width(letter) for letter in text)


def _width(letter: str) -> int:
    if combining(letter):
        return 0
    return 2 if east_asian_width(letter) in "WF" else 1


def clip(text: str, width: int, dots: str) -> str:
    """As much of a text as fits, and dots where some is missing."""
    if cells(text) <= width:
        return text
    return _head(text, max(width - cells(dots), 0)) + dots[:width]


def _head(text: str, width: int) -> str:
    """As many letters as fit."""
    taken = 0
    for index, letter in enumerate(text):
        taken += _width(letter)
        if taken > width:
            return text[:index]
    return text


def wrap(text: str, width: int, indent: int = 0) -> Iterator[str]:
    """A text in lines no longer than that, all but the first indented; a word too long for a line is
    broken."""
    indent = indent if indent < width // 2 else 0
    line = ""
    for word in text.split(" "):
        if cells(line) + 1 + cells(word) <= width and line.strip():
            line += f" {word}"
            continue
        if line.strip():
            yield line
            line = " " * indent
        line += word
        while cells(line) > width:
            head = _head(line, width) or line[:1]
            yield head
            line = " " * indent + line[len(head) :]
    yield line
