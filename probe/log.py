"""Log lines: one per event, ``time level event key=value``, on standard error, never an address."""

from __future__ import annotations

import logging
import sys


def start() -> None:
    """Send the agent's own log lines to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
    logging.getLogger("reachwatch").addHandler(handler)
    logging.getLogger("reachwatch").setLevel(logging.INFO)
