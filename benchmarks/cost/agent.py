"""Rounds when they are asked for, in one process and as ``start`` makes them: agent.py CONFIG.

For each line on standard input one round is measured, scrubbed, judged, spooled and pushed, and a line of
JSON says what it took; where the line is ``weigh``, what is sent of it, too. Of the agent's own it uses
only what its commands use.
"""

import asyncio
import gzip
import json
import random
import sys
import time
from pathlib import Path

from probe.agent import Desk
from probe.cli import _desk, _uploader
from probe.config import load
from probe.outcome import Outcome
from probe.upload import Courier
from probe.wire.observation import Phase
from probe.wire.stage import Stage


async def one(desk: Desk, courier: Courier, *, weigh: bool) -> dict[str, object]:
    """A round's times in seconds: of the whole until it is judged, of the endpoints between the two looks
    at the gate, and of each handshake."""
    began_s = time.monotonic()
    outcome = await desk.take()
    wall_s = time.monotonic() - began_s
    if not outcome.could_judge:
        raise RuntimeError(f"could not judge: {outcome.round.gate}")
    await desk.keep(outcome, upload=True)
    item = desk.spool.peek(courier.uploader.probe_id) if weigh else None
    if await courier.push() is not None:
        raise RuntimeError("the collector took nothing")
    pushed_bytes = len(gzip.compress(item.body, compresslevel=6)) if item else None
    return {"wall_s": wall_s, **_times(outcome), "pushed_bytes": pushed_bytes}


def _times(outcome: Outcome) -> dict[str, object]:
    seen = outcome.round.observations
    if any(o.failure for o in seen):
        raise RuntimeError(f"no clean round: {[o for o in seen if o.failure]}")
    main = [o for o in seen if o.phase is Phase.MAIN]
    endpoints_s = max(o.start_s + o.duration_s for o in main) - min(o.start_s for o in main)
    tls_s = [o.duration_s for o in main if o.stage is Stage.TLS]
    return {"endpoints_s": endpoints_s, "tls_s": tls_s, "observations": len(seen)}


async def main(path: Path) -> None:
    """Until standard input ends."""
    config = load(path, {})
    with _desk(config) as desk:
        who = desk.identity()
        if who is None or not config.collector.ways:
            raise RuntimeError("no collector is configured, or no network is known")
        courier = Courier(
            _uploader(config, desk, who), desk.spool, desk.lock, random.SystemRandom(), time.time
        )
        for order in sys.stdin:
            print(json.dumps(await one(desk, courier, weigh=order == "weigh\n")), flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
