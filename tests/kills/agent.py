"""The agent's own ``start``, with rounds that are made up at once and follow each other without a pause.

    python -m tests.kills.agent ROUNDS PROBE-ARGUMENTS…

Says each round's id once it is kept. After so many rounds it measures no more, and goes on sending.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from datetime import datetime
from typing import Any
from unittest.mock import patch

from probe import agent, cli
from probe.agent import Desk
from probe.outcome import Outcome
from probe.schedule import Schedule
from probe.wire.observation import Round
from tests.batches import CLEAN


async def _at_once(_plan: object, *, round_id: str, started_at: datetime, **_: object) -> Round:
    return replace(CLEAN, round_id=round_id, started_at=started_at)


def main(rounds: int, arguments: list[str]) -> int:
    """The agent's exit status."""
    keep, left = Desk.keep, rounds

    async def kept(desk: Desk, outcome: Outcome, **flags: Any) -> None:
        nonlocal left
        if left <= 0:
            await asyncio.Event().wait()
        left -= 1
        await keep(desk, outcome, **flags)
        print(outcome.round.round_id, flush=True)

    patch.object(agent, "measure", _at_once).start()
    patch.object(Desk, "keep", kept).start()
    patch.object(Schedule, "after", lambda self, now, _changed, _rng: (now, self)).start()
    return cli.main(arguments)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
