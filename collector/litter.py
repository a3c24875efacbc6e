"""How often the interpreter looks for garbage that counting references does not find."""

from __future__ import annotations

import gc

# CPython's own are 700, 10, 10: a search for every seventh batch, and now and then through all that a hundred
# thousand homes said, which took a third of judging and of a round's detection. Hardly anything here is made
# in circles; what is waits for the next search, some megabytes of it.
SEARCHES = (50_000, 20, 100)


def seldom() -> None:
    """From here on seldom, and never among what is there already."""
    gc.freeze()
    gc.set_threshold(*SEARCHES)
