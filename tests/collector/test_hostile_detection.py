"""Liars, forgers and a flood against a whole collector: no nation's event is made up, and none hidden."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from collector.config import Config
from collector.detect.incidents import Phase, Scope
from collector.detect.network import Condition
from collector.detector import GRACE_S
from tests.batches import NOW, someone
from tests.collector.conftest import Running, collecting
from tests.nation.drive import Post
from tests.nation.files import load
from tests.nation.population import Probe
from tests.nation.recount import Recount, batch
from tests.nation.story import Story, read
from tests.nation.timeline import Route, Sending
from tests.nation.world import World

ROUND_S = 300.0
START = NOW // ROUND_S * ROUND_S
WARM = 26
FLOODER, FLOOD_HOME, FLOOD_CONNECTIONS = 4711, "127.0.77.1", 200

NETWORKS = """
[[country]]
code = "PK"
name = "Pakistan"
utc_offset = "+5h"
network = [
    { asn = 17557, name = "PTCL", share = 0.25, probes = 6 },
    { asn = 45669, name = "Jazz", share = 0.25, probes = 6 },
    { asn = 59257, name = "Zong", share = 0.25, probes = 6 },
    { asn = 23674, name = "Nayatel", share = 0.25, probes = 6 },
]
""" + "".join(
    f'[[country]]\ncode = "{code}"\nname = "{code}"\nutc_offset = "+0h"\n'
    f'network = [{{ asn = {asn}, name = "one", share = 0.5, probes = 4 }}]\n'
    for asn, code in enumerate(("DE", "TR", "IN", "BR", "FR", "US"), 64_500)
)
BLOCK = '[[event]]\nwhat = "tls_reset"\nbegins = "+0s"\nends = "+1h"\ncountries = ["PK"]\nplatforms = ["x"]\n'
EXACT = "[probes]\nnoise = 0.0\nflaky_share = 0.0\nbroken_controls_share = 0.0\nspeed_every = 0\n"


def a_world(event: str = "") -> World:
    head = 'title = "Here"\nstart = 2026-11-24T00:00:00Z\nlength = "+2h"\nplatforms = ["x", "youtube"]\n'
    story = read("\n".join((head, EXACT, event, NETWORKS)), "hostile.toml")
    return World.of(replace(story, start=datetime.fromtimestamp(START, UTC)), 7)


@dataclass
class Play:
    """A collector whom everybody has told for two hours that all is well, and the nation around it."""

    running: Running
    world: World
    post: Post

    @property
    def conditions(self) -> dict[str, Condition]:
        """Of each platform in Pakistan."""
        nations = self.running.service.detector.findings.state.nations
        return {platform: nations["PK", platform].condition for platform in self.world.story.platforms}

    def sending(self, probe: Probe, number: int) -> Sending:
        """A probe's round, as it sends it."""
        began = number * ROUND_S + probe.phase_s * 0.9
        sequence = max(number + WARM + 1, 1)
        pack = partial(self.world.body, probe, began, number, sequence)
        return Sending(began + 3, probe, Route.BATCH, pack, number, began, sequence)

    async def everybody(self, number: int) -> Counter[str]:
        """All send their round; how they were answered."""
        self.running.clock.now = START + (number + 1) * ROUND_S - 1
        return await self.send([self.sending(probe, number) for probe in self.world.probes])

    async def send(self, some: Sequence[Sending]) -> Counter[str]:
        return Counter(await asyncio.gather(*(self.post.send(one) for one in some)))

    async def over(self, number: int) -> None:
        """The round is over, and the detector looks."""
        self.running.clock.now = START + (number + 1) * ROUND_S + GRACE_S + 1
        await self.running.service.detect()

    async def count(self, metric: str) -> float:
        """A counter's value; 0 where it was never counted."""
        lines = (await self.running.get("/metrics")).splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith(metric + " ")), 0.0)

    async def refused(self, reason: str) -> float:
        return await self.count(f'reachwatch_ingest_refusals_total{{reason="{reason}"}}')


@asynccontextmanager
async def playing(folder: Path, event: str = "") -> AsyncIterator[Play]:
    world = a_world(event)
    async with collecting(Config(data_dir=str(folder / "data"))) as running:
        service = running.service
        store, call = service.committer.store, service.committer.call
        keys = {one.probe_id: one.identity.public_key for one in world.probes}
        keys[someone(FLOODER).probe_id] = someone(FLOODER).public_key
        for name, key in keys.items():
            await call(store.enrol, name, key, START - 8 * 86_400)
        service.intake.keys.update(keys)
        play = Play(running, world, Post(running.url))
        running.clock.now = START - WARM * ROUND_S
        await service.detector.start()
        for number in range(-WARM, 0):
            items = [batch(world, play.sending(probe, number)) for probe in world.probes]
            group = [item for item in items if item is not None]
            service.detector.committed(group, await call(store.ingest, group))
        await play.over(-1)
        assert play.conditions == {"x": Condition.OK, "youtube": Condition.OK}
        yield play


@pytest.mark.slow
async def test_what_is_forged_or_said_again_moves_nothing_and_is_counted(tmp_path: Path) -> None:
    async with playing(tmp_path, BLOCK.replace('begins = "+0s"', 'begins = "+1h"')) as play:
        here = [probe for probe in play.world.probes if probe.country == "PK"]
        liar = replace(here[0], identity=someone(99), probe_id=someone(99).probe_id)
        for number in range(3):
            # What the event of an hour later looks like, under the times of now.
            claims = [
                replace(sending, pack=partial(_dated, play.sending(probe, 12 + number).body, sending.body))
                for probe in here
                for sending in [play.sending(probe, number)]
            ]
            honest = await play.everybody(number)
            assert honest == {"200": len(play.world.probes)}
            wrong_key = [replace(one, probe=replace(one.probe, identity=someone(98))) for one in claims]
            anothers = [replace(one, probe=here[0]) for one in claims[1:]]
            unknown = [replace(one, probe=liar) for one in claims]
            again = [play.sending(probe, number) for probe in here]
            old = [play.sending(probe, number - 12 * 80) for probe in here]
            answers = await play.send([*wrong_key, *anothers, *unknown, *again])
            assert answers == {
                "bad_signature": len(wrong_key), "wrong_probe": len(anothers),
                "unknown_probe": len(unknown), "200 duplicate": len(again),
            }  # fmt: skip
            assert await play.send(old) == {"too_old": len(old)}
            await play.over(number)
            assert play.conditions == {"x": Condition.OK, "youtube": Condition.OK}
        for reason, each in (
            ("bad_signature", 24),
            ("wrong_probe", 23),
            ("unknown_probe", 24),
            ("too_old", 24),
        ):
            assert await play.refused(reason) == 3 * each
        assert await play.count('reachwatch_ingest_batches_total{result="duplicate"}') == 3 * 24
        assert play.running.service.detector.published == {}


def _dated(claim: bytes, honest: bytes) -> bytes:
    """A round's observations under another's name, number and time."""
    return honest[: honest.index(b'"gate":')] + claim[claim.index(b'"gate":') :]


@pytest.mark.slow
async def test_while_one_home_floods_everybody_is_heard_and_a_block_is_told_within_three_rounds(
    tmp_path: Path,
) -> None:
    async with playing(tmp_path, BLOCK) as play, flood(play.running.url) as answers:
        for number in range(3):
            assert await play.everybody(number) == {"200": len(play.world.probes)}
            await play.over(number)
        assert play.conditions == {"x": Condition.CONFIRMED, "youtube": Condition.OK}
        (told,) = play.running.service.detector.published.values()
        assert (told.incident.phase, told.incident.scope) == (Phase.CONFIRMED, Scope.NATION)
        crowded = await play.refused("crowded")
    assert answers["429"] >= crowded > answers["200"] > 0, "twice as much was sent as was taken"


@asynccontextmanager
async def flood(url: str) -> AsyncIterator[Counter[str]]:
    """From a process of its own; its answers by status when the block has ended."""
    words = (url, FLOOD_HOME, str(FLOODER), str(FLOOD_CONNECTIONS))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.collector.flood", *words, stdout=asyncio.subprocess.PIPE
    )
    answers = Counter[str]()
    try:
        await asyncio.sleep(2)  # until it is in full flow; what is measured is another process
        yield answers
    finally:
        process.send_signal(signal.SIGTERM)
        out, _ = await process.communicate()
        answers.update(json.loads(out))


@pytest.mark.slow
def test_three_in_ten_who_deny_a_block_delay_it_by_no_more_than_three_rounds(tmp_path: Path) -> None:
    story: Story = load("sybils-hide-a-block")
    revisions = Recount(World.of(story, 1), f"sqlite://{tmp_path / 'store'}").told()
    sure = next(one for one in revisions if one.incident.is_sure)
    began = story.began + story.event[0].begins
    assert sure.incident.scope is Scope.NATION
    # The detector of a story is asked once a minute.
    assert began < sure.at <= began + 3 * ROUND_S + GRACE_S + 60
