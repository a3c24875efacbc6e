"""What the real agent measured in each scenario of the lab, kept to test the engine without a lab.

A file is a round as the agent sends it, scrubbed, compressed. It measured two platforms: the first was
touched, the second was not. ``make golden`` renews them all, ``python -m tests.lab.golden NAME…`` some.
"""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

from probe.wire.codec import decode, encode
from probe.wire.exchange import PeerView
from probe.wire.observation import Round
from tests.lab.measured import view
from tests.lab.scenarios import OK, SCENARIOS, Truth

FOLDER = Path(__file__).parent
_SUFFIX = ".json.gz"


def names() -> set[str]:
    """The scenarios that have a file."""
    return {file.name.removesuffix(_SUFFIX) for file in FOLDER.glob(f"*{_SUFFIX}")}


@cache
def read(name: str) -> Round:
    """The golden round of a scenario."""
    return decode(Round, gzip.decompress((FOLDER / f"{name}{_SUFFIX}").read_bytes()))


def write(name: str, rnd: Round) -> None:
    """Keep a round; the same round gives the same file."""
    (FOLDER / f"{name}{_SUFFIX}").write_bytes(gzip.compress(encode(rnd), 9, mtime=0))


def truths(name: str) -> dict[str, Truth]:
    """What was so of each platform of the golden round."""
    scenario = SCENARIOS[name]
    touched, other = (platform.name for platform in read(name).targets)
    return {touched: scenario.truth, other: scenario.truth if scenario.whole_line else OK}


def peers(name: str) -> list[PeerView]:
    """What people elsewhere would have seen at the time."""
    return [view(platform, reached=truth.abroad) for platform, truth in truths(name).items()]
