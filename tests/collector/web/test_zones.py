"""A country's own time: only where it has one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from collector.web.zones import local

SUMMER = datetime(2023, 7, 1, 12, tzinfo=UTC).timestamp()
WINTER = datetime(2023, 12, 17, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("country", "at", "clock"),
    [
        ("PK", WINTER, "17:00"),
        ("DE", SUMMER, "14:00"),  # two zones that agree
        ("DE", WINTER, "13:00"),
        ("NP", WINTER, "17:45"),
        ("US", WINTER, None),
        ("RU", WINTER, None),
        ("ZZ", WINTER, None),
        ("*", WINTER, None),
    ],
)
def test_a_country_has_a_time_where_all_its_zones_agree(country: str, at: float, clock: str | None) -> None:
    here = local(country, at)
    assert (f"{here:%H:%M}" if here else None) == clock
