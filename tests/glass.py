"""Terminals for tests: one of a given size, and the glass on which what was written is read."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping

from probe.screen import Screen

VT100 = {"TERM": "xterm-256color", "NO_COLOR": "1"}


class Tty(io.StringIO):
    """What is written to a terminal, kept."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return True


class Window(Screen):
    """A screen whose size is set here, and changed."""

    def __init__(
        self,
        columns: int = 80,
        rows: int = 24,
        environ: Mapping[str, str] = VT100,
        encoding: str = "utf-8",
    ) -> None:
        self.tty = Tty(encoding)
        self.columns, self.rows = columns, rows
        super().__init__(self.tty, environ)

    def size(self) -> tuple[int, int]:
        return self.columns, self.rows

    def text(self) -> str:
        """All that was written, as it was."""
        return self.tty.getvalue()


def seen(written: str) -> list[str]:
    """What stands on the glass after that was written: ECMA-48's cursor up, erase in line, erase
    below and home, which is all that may be used."""
    rows, row, column = [""], 0, 0
    for sequence, letter in re.findall(r"\x1b\[([0-9;?]*[A-Za-z])|(.|\n)", written):
        if sequence.endswith("A"):
            row = max(row - int(sequence[:-1]), 0)
        elif sequence == "K":
            rows[row] = rows[row][:column]
        elif sequence in ("J", "2J"):
            rows[row:] = [rows[row][:column]]
        elif sequence == "H":
            row = column = 0
        elif letter == "\n":
            row, column = row + 1, 0
            rows += [""] * (row + 1 - len(rows))
        elif letter == "\r":
            column = 0
        elif letter:
            rows[row] = rows[row][:column].ljust(column) + letter + rows[row][column + 1 :]
            column += 1
        elif not sequence.endswith("m"):
            raise AssertionError(f"written to a terminal: ESC [ {sequence}")
    return rows
