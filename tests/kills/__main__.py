"""``python -m tests.kills [KILLS]``: each side killed so often, into docs/kills.md."""

from __future__ import annotations

import asyncio
import platform
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from .cycles import Found, kill_agents, kill_collectors

PAGE = Path(__file__).parents[2] / "docs" / "kills.md"
KILLS = 200

HEAD = """# Killed in the middle

Written by `make kills` on {day}: {system}, Python {python}, seed 1, {took:.0f} s.
Each side was killed (SIGKILL) while it worked, and begun again on the same folder: the collector, all of it,
the moment one of many homes that send at once had a receipt; the agent when it had just kept a round, or
soon after. The agent is the real one, but for its rounds, which are made up and follow each other without a
pause, so that it is always writing.

| killed | kills | promised | lost | stored twice | cells counted wrongly |
|---|---|---|---|---|---|
"""


async def main(kills: int) -> int:
    """0 when nothing was lost or counted twice."""
    began = time.monotonic()
    rows = []
    for side, promise, kill in (
        ("collector", "receipts", kill_collectors),
        ("agent", "rounds kept", kill_agents),
    ):
        with tempfile.TemporaryDirectory(prefix="kills-") as folder:
            rows.append((side, promise, await kill(kills, Path(folder), Random(1))))
    text = HEAD.format(
        day=datetime.now(UTC).date(),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        took=time.monotonic() - began,
    )
    text += "".join(_row(*row) for row in rows)
    PAGE.write_text(text, encoding="utf-8")
    print(text)
    return int(any(found.lost or found.twice or found.miscounted for _, _, found in rows))


def _row(side: str, promise: str, found: Found) -> str:
    promised = f"{len(found.promised)} {promise}"
    return f"| {side} | {found.kills} | {promised} | {found.lost} | {found.twice} | {found.miscounted} |\n"


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else KILLS)))
