"""What a picture needs that a browser does for a page: its text broken into lines. PURE."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

LINE_CHARACTERS = 80  # of the font's size that fit, in a font as wide as Verdana
MOST_LINES = 6


def wrapped(text: str) -> Sequence[str]:
    """The text in lines that fit a picture; what does not fit ends in an ellipsis."""
    return textwrap.wrap(text, LINE_CHARACTERS, max_lines=MOST_LINES, placeholder=" …")
