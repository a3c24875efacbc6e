"""Runs in the client's namespace: one question to the agent's own code, its answer as JSON.

python -m tests.probe.hops.client QUESTION ADDRESS NAME [HELPER …]
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from dataclasses import asdict

from probe.capture import HELPER, packets, why_not
from probe.config import Timeouts
from probe.locate import locate_hello, locate_syn
from probe.net import AsyncioNet
from probe.stages.line import Line, Turn
from probe.trust import Trust
from probe.wire.observation import Observation
from probe.wire.platform import Endpoint


async def ask(question: str, address: str, name: str, helper: list[str]) -> dict[str, object]:
    line = Line(AsyncioNet(), time.monotonic, time.monotonic(), Timeouts(), Trust(), lambda _: None)
    turn = Turn(line, "x/web", Endpoint(url=f"https://{name}/"))
    seen: Observation | None
    if question == "hello":
        seen = await locate_hello(turn, address)
    elif question == "syn":
        seen = await locate_syn(turn, address)
    else:
        seen = await packets(turn, address, command=helper or HELPER)
    return {"why_not": why_not(), "seen": asdict(seen) if seen else None}


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    _, question, address, name, *helper = sys.argv
    print(json.dumps(asyncio.run(ask(question, address, name, helper))))
