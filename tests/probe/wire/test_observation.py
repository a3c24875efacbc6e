"""Observations and rounds: what a record may not contradict, and what follows from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from probe.wire.failure import Failure, Owner
from probe.wire.observation import Observation
from probe.wire.stage import Stage
from tests.rounds import X_ADDRESS, a_round, dns, fine, observed


@pytest.mark.parametrize(("failure", "owner"), [(Failure.TLS_RESET, None), (None, Owner.TARGET)])
def test_a_failure_and_its_owner_come_together(failure: Failure | None, owner: Owner | None) -> None:
    with pytest.raises(ValueError, match="owner goes with failure"):
        replace(observed(Stage.TLS, "x/web"), failure=failure, owner=owner)


def test_a_round_whose_time_has_no_zone_is_none() -> None:
    with pytest.raises(ValueError, match="zone"):
        replace(a_round(*fine("x/web")), started_at=datetime(2026, 11, 24))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("seen", "family"),
    [
        (observed(Stage.TCP, "x/web", address=X_ADDRESS), 4),
        (observed(Stage.TCP, "x/web", address="2606:4700::1"), 6),
        (dns("x/web", "system", kind="A"), 4),
        (dns("x/web", "system", kind="AAAA"), 6),
        (dns("x/web", "system", kind="HTTPS"), None),
        (observed(Stage.HTTP, "x/web"), None),
    ],
)
def test_the_address_family_follows_from_address_or_question(seen: Observation, family: int | None) -> None:
    assert seen.family == family
