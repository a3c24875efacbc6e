"""What works beside a collector looks for garbage as seldom as the collector does."""

from __future__ import annotations

import subprocess
import sys

from collector.litter import SEARCHES

LOOK = "import gc; from collector.{}; print(gc.get_threshold(), gc.get_freeze_count() > 0)"


def test_it_is_searched_for_seldom_and_not_among_what_was_there() -> None:
    for begun in ("litter import seldom; seldom()", "piped import pipes; pipes()"):
        told = subprocess.run(
            [sys.executable, "-c", LOOK.format(begun)], capture_output=True, text=True, check=True
        )
        assert told.stdout == f"{SEARCHES} True\n", begun
