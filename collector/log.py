"""Log lines: one per event, ``time level event key=value``, on standard error, never an address."""

from __future__ import annotations

import logging
import sys

HTTP = logging.getLogger("reachwatch.http")


def start() -> None:
    """Send the collector's log lines to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
    logging.getLogger("reachwatch").addHandler(handler)
    logging.getLogger("reachwatch").setLevel(logging.INFO)
    HTTP.addFilter(_plain)


def _plain(record: logging.LogRecord) -> bool:
    """aiohttp logs each malformed request with a traceback and the client's address. What is left
    of it here is that it happened, and of which kind."""
    kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else "none"
    record.msg, record.args = f"bad_request error={kind}", ()
    record.exc_info = record.exc_text = None
    return True
