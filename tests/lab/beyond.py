"""The rest of the world, beside the lab's collector: who was there before, who goes on, and who listens.

Run in the collector's namespace. First everybody's clean rounds of the last half hour, signed, through
the real way in: a home that nobody knows has no say. Then the homes of other countries go on, a round a
minute. Meanwhile a receiver takes the collector's webhooks, and the state behind the page is looked at
four times a second. What happens when goes to standard output, a JSON object a line.

    python -m tests.lab.beyond STORY SEED COLLECTOR METRICS RECEIVER-PORT
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import aiohttp
from aiohttp import web

from probe.wire.codec import encode
from probe.wire.observation import SCHEMA, Batch
from tests.nation.drive import Post, recite
from tests.nation.files import load
from tests.nation.timeline import Route, Sending
from tests.nation.world import AGENT, World

HOME = "PK"  # whose homes are real
MINUTES, A_BATCH = 30, 10
# Over all sequence numbers of those who go on: nothing may be taken for a repetition.
FIRST_SEQUENCE = 10**6
LOOK_S = 0.25
NEARLY = 0.9  # of all homes: a round's jitter takes one or the other into the minute beside
BAD = 0.5  # the share from which the page has its strongest sign
_VOTES = re.compile(r'reachwatch_nation_votes\{country="(\w+)",platform="(\w+)"\} (\d+)')


def note(what: str, **more: Any) -> None:
    """Say that something happened, now."""
    print(json.dumps({"at": round(time.time(), 3), "what": what, **more}), flush=True)


def history(world: World) -> Iterator[Sending]:
    """A clean round of everybody in each of the last minutes, in batches."""
    for probe in world.probes:
        for first in range(MINUTES, 0, -A_BATCH):
            numbers = range(-first, A_BATCH - first)
            found = (world.round(probe, probe.phase_s + 60.0 * number, number) for number in numbers)
            rounds = tuple(rnd for rnd in found if rnd is not None)
            sequence = FIRST_SEQUENCE + MINUTES - first
            batch = Batch(schema=SCHEMA, probe=probe.probe_id, sequence=sequence, agent=AGENT, rounds=rounds)
            yield Sending(0.0, probe, Route.BATCH, partial(encode, batch))


async def main(story: str, seed: str, url: str, metrics_url: str, port: str) -> None:
    """Until it is killed."""
    world = World.of(load(story), int(seed))
    async with asyncio.TaskGroup() as group, aiohttp.ClientSession() as client:
        await _receive(int(port))
        post, this_minute = Post(url), int(time.time()) // 60 * 60
        past = replace(world, story=replace(world.story, start=datetime.fromtimestamp(this_minute, UTC)))
        sent = [group.create_task(post.send(sending)) for sending in history(past)]
        answers = set(await asyncio.gather(*sent))
        note("history", answers=sorted(answers))
        group.create_task(_watch(client, url, metrics_url, len(world.probes)))
        others = tuple(probe for probe in world.probes if probe.country != HOME)
        await recite(replace(world, probes=others), url)


async def _receive(port: int) -> None:
    async def take(request: web.Request) -> web.Response:
        note("webhook", said=(await request.json())["data"])
        return web.Response()

    app = web.Application()
    app.add_routes([web.post("/", take)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()


async def _watch(client: aiohttp.ClientSession, url: str, metrics_url: str, everybody: int) -> None:
    """Notes when nearly everybody has a say for the first time, and each time the page turns bad or good."""
    armed, bad = False, set[str]()
    while True:
        if not armed:
            async with client.get(f"{metrics_url}/metrics") as answer:
                votes = _VOTES.findall(await answer.text())
            of_x = sum(int(count) for _, platform, count in votes if platform == "x")
            if armed := of_x >= NEARLY * everybody:
                note("armed", homes=of_x)
        async with client.get(f"{url}/api/v1/state/{HOME}") as answer:
            state = await answer.json()
        tallies = state["countries"][HOME]["platforms"]
        # The ratio is of those that reach it.
        now = {name for name, tally in tallies.items() if tally["votes"] and tally["ratio"] <= 1 - BAD}
        for platform in sorted(now ^ bad):
            note("page", platform=platform, bad=platform in now)
        bad = now
        await asyncio.sleep(LOOK_S)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
