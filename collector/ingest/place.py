"""Where a probe is, and who says so. PURE."""

from __future__ import annotations

from dataclasses import dataclass

from collector.detect.cells import UNKNOWN_ASN, UNKNOWN_COUNTRY
from probe.wire.observation import Network

DATABASE, DECLARED = "database", "declared"


# Without slots, which dataclasses pickle slowly: it goes from the judge to the collector.
@dataclass(frozen=True)
class Place:
    """Country and AS of a probe; `located_by` is who said the country."""

    country: str
    asn: int
    located_by: str


@dataclass(frozen=True, slots=True)
class Found:
    """What the operator's databases say of an address, as far as they say anything."""

    country: str | None = None
    asn: int | None = None

    def place(self, declared: Network) -> Place:
        """Where the probe is: the databases' word where they have one, else its own."""
        return Place(
            country=self.country or declared.country or UNKNOWN_COUNTRY,
            asn=self.asn or declared.asn or UNKNOWN_ASN,
            located_by=DATABASE if self.country else DECLARED,
        )
