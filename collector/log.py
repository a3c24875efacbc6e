"""Log lines: one per event, ``time level event key=value``, on standard error, never an address."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from aiohttp.http_exceptions import HttpProcessingError

OURS = logging.getLogger("reachwatch")


def start() -> None:
    """Send the collector's log lines to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
    OURS.addHandler(handler)
    OURS.setLevel(logging.INFO)


def for_http(unreadable: Callable[[], None]) -> logging.Logger:
    """What aiohttp is to log to; `unreadable` is called for each request that could not be read."""
    http = logging.Logger("reachwatch.http", logging.DEBUG)  # where it tells of what is no HTTP at all
    http.parent = OURS
    http.addFilter(_Plain(unreadable))
    return http


class _Plain(logging.Filter):
    """aiohttp logs each malformed request with a traceback and the client's address. Those are counted
    instead: whoever likes could fill the disk with them. Of what failed here is left that it did, and how."""

    def __init__(self, unreadable: Callable[[], None]) -> None:
        super().__init__()
        self._unreadable = unreadable

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is a line of the log."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            self._unreadable()
            return False
        record.msg, record.args = f"request_failed error={type(error).__name__}", ()
        record.exc_info = record.exc_text = None
        return record.levelno >= logging.INFO
