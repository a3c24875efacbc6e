"""Nobody is sent what they said they cannot read."""

from __future__ import annotations

import pytest

from collector.web.coding import takes_gzip

ACCEPTS = [
    ("gzip, deflate, br", True),
    ("GZIP", True),
    ("br;q=1.0, gzip;q=0.2", True),
    ("*", True),
    ("gzip;q=0", False),
    ("gzip; q=0.000, *", False),
    ("br, *;q=0", False),
    ("deflate", False),
    ("x-gzip-like", False),
    ("gzip;q=nonsense", False),
    (";;,=;q", False),
    ("", False),
]


@pytest.mark.parametrize(("accept", "takes"), ACCEPTS)
def test_gzip_is_taken_where_it_is_named_and_not_ruled_out(accept: str, takes: bool) -> None:
    assert takes_gzip(accept) == takes
