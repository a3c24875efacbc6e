"""What the clocks show in a country, for a reader there: read from the time zones that the system has.

A country is said to have a time of its own only where all its zones show the same at that moment; where
they do not, or where no zones are installed, UTC stands alone.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo


def local(country: str, at: float) -> datetime | None:
    """The moment (Unix seconds) by the clocks of a country (ISO 3166); None where there is not one answer."""
    moment = datetime.fromtimestamp(at, UTC)
    here = [moment.astimezone(zone) for zone in _zones().get(country, ())]
    if not here or len({one.utcoffset() for one in here}) > 1:
        return None
    return here[0]


@cache
def _zones() -> dict[str, tuple[ZoneInfo, ...]]:
    """Every country's zones, by the table that comes with them."""
    found: dict[str, tuple[ZoneInfo, ...]] = {}
    table = next((path for folder in TZPATH if (path := Path(folder) / "zone.tab").is_file()), None)
    for line in table.read_text(encoding="utf-8").splitlines() if table else ():
        if not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            found[country] = (*found.get(country, ()), ZoneInfo(zone))
    return found
