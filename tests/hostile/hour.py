"""One hostile hour, as long as one likes: what honest homes met, what the collector did, what was counted."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from benchmarks.freshness.spent import spent
from tests.batches import enrolment, someone
from tests.kills.collector import Lives, free_port

from .attacks import KNOWN, fresh, post

HONEST = 40
EVERY_S = 4.0
# Before and after, honest homes alone: for what memory is at rest, and what it takes to come back to it. A
# first attack comes before that, because much is loaded only when it is first asked for.
FIRST_S, CALM_S = 20.0, 12.0
AGAIN_S = 1.0


@dataclass
class Hour:
    """What was found. `took` are seconds from an honest home's first asking to its receipt; `first` how many
    were taken at once. `attacks` are answers by attack and status; `refused` what the collector counted, by
    reason; `before_mib`, `after_mib` and `most_mib` its resident memory."""

    seconds: float
    took: list[float] = field(default_factory=list)
    first: int = 0
    unanswered: int = 0
    rate: float = 0.0
    attacks: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    api: str = ""
    refused: Counter[str] = field(default_factory=Counter)
    before_mib: float = 0.0
    after_mib: float = 0.0
    most_mib: float = 0.0
    is_alive: bool = False

    def quantile(self, share: float) -> float:
        """Seconds that this share of the honest batches took at most."""
        ordered = sorted(self.took)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def hour(folder: Path, seconds: float) -> Hour:
    """Begin a collector, attack it for so many seconds, and let it rest."""
    found, lives = Hour(seconds), Lives(folder, free_port(), {"REACHWATCH_API__REQUESTS_A_MINUTE": "0"})
    metrics = await lives.begin()
    pid = lives.process.pid if lives.process else 0
    async with aiohttp.ClientSession() as client:
        for seed in (*range(1, HONEST + 1), *range(KNOWN, KNOWN + 6)):
            await _post(client, lives.url, "enrol", seed, enrolment(someone(seed)))
        found.rate = 2 * await _capacity(client, lives.url)
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for n in range(HONEST):
                group.create_task(_honest(lives.url, n, found, over))
            before, _ = await _everything(lives, FIRST_S, found.rate)
            await asyncio.sleep(CALM_S)
            found.before_mib = spent(pid).resident_mib
            group.create_task(_watch(pid, found, over))
            after, found.api = await _everything(lives, seconds, found.rate)
            found.attacks = {
                name: Counter(before.get(name)) + Counter(after.get(name)) for name in {*before, *after}
            }
            await asyncio.sleep(CALM_S)
            over.set()
        found.after_mib = spent(pid).resident_mib
        async with client.get(f"{metrics}/metrics") as answer:
            found.refused = _refusals(await answer.text())
        async with client.get(f"{lives.url}/readyz") as answer:
            found.is_alive = answer.status == 200 and spent(pid).resident_mib > 0
    await lives.end()
    return found


async def _capacity(client: aiohttp.ClientSession, url: str) -> float:
    """Batches a second that it takes now, from one home that asks thirty at once."""
    until, count = time.monotonic() + 3.0, 0

    async def again(seed: int) -> None:
        nonlocal count
        body = fresh(seed)
        while time.monotonic() < until:
            count += await _post(client, url, "batch", seed, body) == 200

    await asyncio.gather(*(again(KNOWN) for _ in range(30)))
    return count / 3.0


async def _honest(url: str, n: int, found: Hour, over: asyncio.Event) -> None:
    """One home: a round every few seconds, and each is sent until it is taken."""
    connector = aiohttp.TCPConnector(local_addr=(f"127.100.{n}.1", 0))
    async with aiohttp.ClientSession(connector=connector) as client:
        await asyncio.sleep(n * EVERY_S / HONEST)
        sequence = 0
        while not over.is_set():
            sequence, began, tries = sequence + 1, time.monotonic(), 1
            body = fresh(n + 1, sequence)
            while await _post(client, url, "batch", n + 1, body) != 200:
                tries += 1
                await asyncio.sleep(AGAIN_S)
            found.took.append(time.monotonic() - began)
            found.first += tries == 1
            await asyncio.sleep(max(0.0, EVERY_S - (time.monotonic() - began)))


async def _post(client: aiohttp.ClientSession, url: str, what: str, seed: int, body: bytes) -> int:
    head, _, packed = post(seed, body).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")[2:]
    headers = dict(line.split(": ", 1) for line in lines)
    try:
        async with client.post(f"{url}/v1/{what}", data=packed, headers=headers) as answer:
            await answer.read()
            return answer.status
    except (aiohttp.ClientError, OSError):
        return 0


async def _watch(pid: int, found: Hour, over: asyncio.Event) -> None:
    while not over.is_set():
        found.most_mib = max(found.most_mib, spent(pid).resident_mib)
        await asyncio.sleep(1.0)


async def _everything(
    lives: Lives, seconds: float, rate: float
) -> tuple[Mapping[str, Mapping[str, int]], str]:
    return await asyncio.gather(_attack(lives.port, seconds, rate), _ask_the_api(lives.url, seconds))


async def _attack(port: int, seconds: float, rate: float) -> Mapping[str, Mapping[str, int]]:
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.hostile.attacks", f"127.0.0.1:{port}", str(seconds), str(rate)),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await child.communicate()
    answers: Mapping[str, Mapping[str, int]] = json.loads(out)
    return answers


async def _ask_the_api(url: str, seconds: float) -> str:
    """Schemathesis, over what the API says of itself; its last line."""
    child = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/api/v1/openapi.json"),
        *("--checks", "not_a_server_error", "--max-time", str(int(seconds)), "--no-color"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(seconds + 60):
            out, _ = await child.communicate()
    except TimeoutError:
        child.kill()
        out, _ = await child.communicate()
    return out.decode(errors="replace")[-2000:]


def _refusals(text: str) -> Counter[str]:
    found = re.findall(r'(?m)^reachwatch_ingest_refusals_total\{reason="(\w+)"\} (\S+)', text)
    return Counter({reason: int(float(count)) for reason, count in found if float(count)})
