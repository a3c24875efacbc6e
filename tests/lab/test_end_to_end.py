"""From a censor's switch to a newsroom's webhook and back, with real agents, by the clock on the wall."""

from __future__ import annotations

from pathlib import Path

import pytest

from .end_to_end import Missed, Row, page
from .nation import ROUND_S, Event, Measured, Word, nation
from .network import Lab

# What the clock of the rounds alone costs where all homes fail: what is left of one round and two whole
# ones, and what a machine with other work adds.
CONFIRMED_WITHIN_S = 4 * ROUND_S
ENDED_WITHIN_S = 5 * ROUND_S


@pytest.mark.lab
@pytest.mark.slow
def test_a_censor_is_told_of_as_suspected_or_sure_and_his_end_too(lab: Lab, tmp_path: Path) -> None:
    with nation(lab, tmp_path) as homes:
        event = homes.event("sni_reset", ("x", "youtube"))
    assert event.suspected.published <= event.confirmed.published <= event.on[0] + CONFIRMED_WITHIN_S
    assert event.ended.published <= event.off[0] + ENDED_WITHIN_S
    for word in (event.confirmed, event.ended):
        assert 0 <= word.received - word.published < ROUND_S / 2
    assert event.page_bad is not None
    assert event.page_bad <= event.confirmed.received
    said = event.confirmed.said
    assert (said["country"], said["scope"], said["cause"]) == ("PK", "nation", "blocking_confirmed")
    assert {part["platform"] for part in said["parts"]} <= {"x", "youtube"}
    networks = {network["asn"] for part in said["parts"] for network in part["networks"]}
    assert networks <= {17557, 23674}
    agents = {one.probe for one in homes.rounds() if event.on[1] <= one.began < event.off[0]}
    assert len(agents) >= 8


def word(published: float, phase: str) -> Word:
    part = {"platform": "x", "phase": phase, "confirmed_at": "2026-11-25T16:44:00.000Z"}
    return Word(published, published + 0.5, {"parts": [part]})


def test_the_page_says_how_long_each_step_took() -> None:
    on = 1_795_624_950.0  # 16:42:30
    event = Event(
        scenario="sni_reset", platforms=("x",), on=(on, on + 1), off=(on + 100, on + 101),
        first=word(on + 90, "confirmed"), suspected=word(on + 80, "suspected"),
        confirmed=word(on + 85, "confirmed"), ended=word(on + 300, "ended"), page_bad=on + 40,
    )  # fmt: skip
    rounds = [Measured("p", on + 10, 6.0, on + 16.5), Measured("q", on + 20, 8.0, on + 28.1)]
    text = page([Row(event, rounds, 3.2), Missed("sni_drop", ("x",), "what is true was not said")])
    assert "| 1 | `sni_reset` x | 30 | 40 | 80 | 85 | 86 | 200 | 200 | 3 |" in text
    assert "median of 1 with fast failing (`sni_reset`): **85 s**" in text
    assert "| 1 | 7.0, 8.0 | 0.3, 0.5 | 5 | 0.5 |" in text
    assert "| 2 | `sni_drop` x | | | | **missed** | | | | |" in text
    assert "2: what is true was not said." in text
    assert max(map(len, text.splitlines())) < 200
