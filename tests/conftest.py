"""House rules of the whole suite."""

from __future__ import annotations

import os

from hypothesis import settings

from collector.litter import seldom

# No deadlines: a slow machine is no failure. In CI the same commit gives the same result; everywhere
# else each run looks at new examples.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

# Stories are told in this process, and the collector does not tell them with the interpreter's own habits.
seldom()
