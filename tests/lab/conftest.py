"""One lab for all tests in this folder; they switch it to the scenario they need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .network import Lab, missing


@pytest.fixture(scope="session")
def whole_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    reason = missing()
    if reason:
        pytest.skip(reason)
    with Lab(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture
def lab(whole_lab: Lab) -> Lab:
    whole_lab.restore()
    return whole_lab
