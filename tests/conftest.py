"""House rules of the whole suite."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadlines: a slow machine is no failure. In CI the same commit gives the same result; everywhere
# else each run looks at new examples.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")
