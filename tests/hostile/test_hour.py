"""Half a minute of it: nothing breaks, memory comes back, and honest homes are served throughout."""

from __future__ import annotations

from pathlib import Path

import pytest

from .hour import HONEST, hour

pytestmark = pytest.mark.slow

# Which reasons each attack is refused for, at least.
REASONS = {
    "bombs": {"unknown_probe", "too_large", "unsupported_encoding"},
    "forgeries": {"bad_signature", "wrong_probe", "malformed"},
}


async def test_a_hostile_hour_in_half_a_minute(tmp_path: Path) -> None:
    found = await hour(tmp_path, 20.0)
    assert found.is_alive
    assert len(found.took) > HONEST * 10
    assert found.quantile(1.0) < 20.0
    assert found.after_mib < found.before_mib * 1.1
    assert "server error" not in found.api.lower()
    assert "Test cases" in found.api
    for name in ("slow senders", "bombs", "forgeries", "replays", "odd bodies", "flood"):
        assert sum(found.attacks[name].values()) > 20, name
        assert not any(status.startswith("5") for status in found.attacks[name]), name
    refused = sum(n for answers in found.attacks.values() for s, n in answers.items() if s[:1] == "4")
    assert sum(found.refused.values()) >= refused
    assert REASONS["bombs"] | REASONS["forgeries"] <= found.refused.keys()
