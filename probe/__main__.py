"""``python -m probe`` is ``reachwatch-probe``."""

import sys

from .cli import main

sys.exit(main())
