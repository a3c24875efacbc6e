"""``python -m collector`` is ``reachwatch-collector``."""

import sys

from .cli import main

sys.exit(main())
