"""A story small enough for a test, and places in it to change a line."""

from __future__ import annotations

from tests.nation.story import Story, read

COUNTRIES = """
[[country]]
code = "PK"
name = "Pakistan"
utc_offset = "+5h"
network = [
    { asn = 17557, name = "PTCL", share = 0.4, probes = 12 },
    { asn = 45669, name = "Jazz", share = 0.5, probes = 8, mobile = true },
]

[[country]]
code = "DE"
name = "Germany"
utc_offset = "+1h"
network = [{ asn = 3320, name = "Deutsche Telekom", share = 0.3, probes = 10 }]
"""

HEAD = """
title = "A small one"
start = 2023-12-17T12:00:00Z
length = "+20m"
"""

EXACT = """
[probes]
noise = 0.0
flaky_share = 0.0
broken_controls_share = 0.0
"""


def story(*tables: str, probes: str = EXACT, head: str = HEAD) -> Story:
    """The small story with these tables in it."""
    return read("\n".join((head, probes, *tables, COUNTRIES)), "small.toml")


def event(what: str, begins: str = "+5m", ends: str = "+15m", **more: str) -> str:
    """An event's table; `more` are TOML values."""
    lines = [f'what = "{what}"', f'begins = "{begins}"', f'ends = "{ends}"']
    lines += [f"{key} = {value}" for key, value in more.items()]
    return "\n".join(("[[event]]", *lines))
