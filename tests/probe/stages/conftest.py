"""A turn on a line of loopback servers, with short deadlines."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from probe.config import Timeouts
from probe.stages.line import Line, Turn
from probe.trust import Trust
from probe.wire.observation import Observation
from probe.wire.platform import Endpoint
from tests.authority import Authority
from tests.loopback import LoopbackNet

MakeTurn = Callable[..., Turn]


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority("test CA")


@pytest.fixture
def make_turn(authority: Authority, tmp_path: Path) -> MakeTurn:
    """``make_turn(net, url)`` gives a turn whose bundle is the test CA's."""
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(authority.pem())

    def make(net: LoopbackNet, url: str = "https://x.com/robots.txt", timeout_s: float = 0.3) -> Turn:
        seen: list[Observation] = []
        timeouts = Timeouts(dns_s=timeout_s, tcp_s=timeout_s, tls_s=timeout_s, http_s=timeout_s)
        line = Line(net, time.monotonic, time.monotonic(), timeouts, Trust(str(ca_file)), seen.append)
        return Turn(line, "x/web", Endpoint(url=url))

    return make
