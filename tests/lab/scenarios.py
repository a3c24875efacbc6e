"""What the lab's censor and its mishaps can do, as data: actions applied to named parts.

A scenario changes what the ISP does and nothing else; the internet behind it stays the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Cut(StrEnum):
    """Which way is cut, by packets dropped at the ISP."""

    UPLINK = "uplink"
    COLLECTOR = "collector"


@dataclass(frozen=True, slots=True)
class Scenario:
    """`answers` is what the ISP's resolver says for a domain and all below it: an address, or
    ``nxdomain``, ``nodata``, ``refuse``. `cuts` are the ways that are cut."""

    name: str
    answers: dict[str, str] = field(default_factory=dict)
    cuts: tuple[Cut, ...] = ()


X_DOMAINS = ("x.com", "twitter.com", "twimg.com", "t.co")


def _x(answer: str) -> dict[str, str]:
    return dict.fromkeys(X_DOMAINS, answer)


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("clean"),
        Scenario("x_bogon", answers=_x("10.10.34.35")),
        Scenario("x_nxdomain", answers=_x("nxdomain")),
        Scenario("x_refused", answers=_x("refuse")),
        Scenario("x_nodata", answers=_x("nodata")),
        # A redirect to a host that is real, answers on 443, and cannot show X's certificate.
        Scenario("x_impostor", answers=_x("130.89.148.77")),
        Scenario("uplink_down", cuts=(Cut.UPLINK,)),
        Scenario("collector_cut", cuts=(Cut.COLLECTOR,)),
    )
}
