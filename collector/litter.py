"""How often the interpreter looks for garbage that counting references does not find."""

from __future__ import annotations

import gc

# CPython's own are 700, 10, 10: a search after every 700 things made and kept, and now and then through all
# that a hundred thousand homes said, which took a fifth of judging and a third of a round's detection. Hardly
# anything here is made in circles; what is waits for the next search.
SEARCHES = (50_000, 20, 100)


def seldom() -> None:
    """From here on seldom, and never among what is there already."""
    gc.freeze()
    gc.set_threshold(*SEARCHES)
