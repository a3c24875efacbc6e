"""Where everything that is shown here comes from: handed over once, by the wiring.

Nothing but `evidence` and `rounds` asks the store for what was measured: snapshot and findings are in memory,
and revisions and chronicle are rows of what was concluded already.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from collector.config import Api, Display
from collector.detect.chronicle import CountryRound
from collector.detect.revisions import Revision
from collector.detect.thresholds import Thresholds
from collector.detect.words import Voice
from collector.detector import Findings
from collector.rounds import Wanted
from collector.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """`wall` is Unix seconds. `published` is each incident's last revision, by its id. `revisions` takes an
    incident's id, or None for all; `chronicle` a country and the first and last round, counted from the Unix
    epoch; `evidence` makes an incident's bundle and raises `NoEvidence`; `rounds` gives raw
    rounds, a line each."""

    snapshot: Callable[[], Snapshot]
    findings: Callable[[], Findings]
    published: Callable[[], Mapping[str, Revision]]
    revisions: Callable[[str | None], Awaitable[list[Revision]]]
    chronicle: Callable[[str, int, int], Awaitable[list[CountryRound]]]
    evidence: Callable[[str], Awaitable[bytes]]
    rounds: Callable[[Wanted], Awaitable[list[str]]]
    limits: Thresholds
    voice: Voice
    display: Display
    api: Api
    wall: Callable[[], float]
