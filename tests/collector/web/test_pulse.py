"""What is news: what has changed, and each minute that nothing has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from collector.detect.fold import State
from collector.detector import Findings
from collector.snapshot import Snapshot
from collector.web.pulse import Pulse
from collector.web.sources import Sources
from tests.batches import NOW


def seen(at: float, **probes: int) -> Snapshot:
    return Snapshot(at=at, window_s=600, platforms=("x",), countries={}, networks={}, probes=probes)


class Given:
    """What there is, as a test sets it."""

    def __init__(self) -> None:
        self.at = NOW // 60 * 60
        self.snapshot = seen(self.at)
        self.findings = Findings(state=State(), book=(), until=0.0)

    def sources(self) -> Sources:
        """As the wiring hands it over; nothing else is asked for."""
        unasked = cast(Callable[..., Any], None)
        return Sources(
            snapshot=lambda: self.snapshot, findings=lambda: self.findings, published=unasked,
            revisions=unasked, chronicle=unasked, evidence=unasked, rounds=unasked, limits=cast(Any, None),
            display=cast(Any, None), api=cast(Any, None), wall=lambda: self.at,
            voice=cast(Any, None),
        )  # fmt: skip


@pytest.fixture
def given() -> Given:
    return Given()


def test_within_a_minute_the_same_counts_are_no_news(given: Given) -> None:
    pulse = Pulse(given.sources())
    first = pulse.notice()
    given.at += 2
    given.snapshot = seen(given.at)
    assert pulse.notice() is first
    given.snapshot = seen(given.at, PK=1)
    assert pulse.notice() is not first


def test_where_nothing_is_looked_at_any_more_each_minute_is_news(given: Given) -> None:
    """Both clocks that detection and snapshots go by stand still; the reader's does not."""
    pulse = Pulse(given.sources())
    first = pulse.notice()
    given.at += 60
    second = pulse.notice()
    assert (second.at, second.snapshot, second.findings) == (given.at, first.snapshot, first.findings)
    assert second is not first
    given.at += 6 * 3600
    assert pulse.notice().at == given.at
