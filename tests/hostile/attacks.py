"""The attacks, each from addresses of its own, until they are over.

    python -m tests.hostile.attacks HOST:PORT SECONDS RATE

Answers go to standard output: a JSON object by attack and status, when all is over.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from probe.wire.exchange import PROBE_HEADER, SIGNATURE_HEADER
from tests.batches import CLEAN, batch, signed, someone

SLOW = 500
FORGERS, REPLAYERS, BOMBERS = 8, 8, 4
FLOODERS = 200
KNOWN = 9_000  # seeds of the keys that attackers have enrolled

Answers = defaultdict[str, Counter[str]]
Ask = Callable[[bytes], Awaitable[str]]


def fresh(seed: int, sequence: int = 1) -> bytes:
    """A batch that was measured now."""
    return batch(someone(seed), replace(CLEAN, started_at=datetime.now(UTC)), sequence=sequence)


def post(seed: int, body: bytes, *, path: str = "/v1/batch", encoding: str = "gzip", by: int = 0) -> bytes:
    """A request in the name of one key, signed with it or with another's."""
    who = someone(seed)
    made = signed(who, body, by=someone(by) if by else None)
    packed = gzip.compress(body, 1, mtime=0) if encoding == "gzip" else body
    return raw(packed, path, who.probe_id, made.signature, encoding)


def raw(packed: bytes, path: str, probe: str, signature: str, encoding: str = "gzip") -> bytes:
    """A request with any body."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: collector\r\nContent-Type: application/json\r\n"
        f"Content-Encoding: {encoding}\r\nContent-Length: {len(packed)}\r\n"
        f"{PROBE_HEADER}: {probe}\r\n{SIGNATURE_HEADER}: {signature}\r\n\r\n"
    )
    return head.encode() + packed


class Attackers:
    """What they share: whom they attack, until when, and what they were answered."""

    def __init__(self, host: str, port: int, seconds: float) -> None:
        self.host, self.port = host, port
        self.until = time.monotonic() + seconds
        self.answers: Answers = defaultdict(Counter)

    @property
    def is_over(self) -> bool:
        """Whether time is up."""
        return time.monotonic() >= self.until

    async def keep(self, name: str, home: str, requests: Iterator[bytes], pause_s: float) -> None:
        """Ask from one address, again and again."""
        while not self.is_over:
            try:
                reader, writer = await asyncio.open_connection(self.host, self.port, local_addr=(home, 0))
            except OSError:
                await asyncio.sleep(0.5)
                continue
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                while not self.is_over:
                    self.answers[name][await _asked(reader, writer, next(requests))] += 1
                    await asyncio.sleep(pause_s)
            writer.close()

    async def drip(self, home: str) -> None:
        """A head, and then a byte a second: cut off, one comes again."""
        while not self.is_over:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection(self.host, self.port, local_addr=(home, 0))
                writer.write(b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n")
                while not self.is_over and not reader.at_eof():
                    writer.write(b"{")
                    await writer.drain()
                    with suppress(TimeoutError):
                        head = await asyncio.wait_for(reader.read(256), 1.0)
                        self.answers["slow senders"][head[9:12].decode(errors="replace") or "hung up"] += 1
                        break
                writer.close()
            await asyncio.sleep(0.2)


async def _asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> str:
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r")[0]
    await reader.readexactly(int(length or 0))
    return head[9:12].decode()


def bombs() -> Iterator[bytes]:
    """Forty megabytes of zeros in forty kilobytes, and brotli that nobody asked for."""
    body = gzip.compress(bytes(40 << 20), 9, mtime=0)
    nested = gzip.compress(b"[" * 900_000, 9, mtime=0)
    while True:
        yield raw(body, "/v1/batch", someone(KNOWN).probe_id, "A" * 88)
        yield raw(nested, "/v1/batch", someone(KNOWN).probe_id, "A" * 88)
        yield raw(b"\x8b" * 809, "/v1/batch", someone(KNOWN).probe_id, "A" * 88, "br")


def forgeries(rng: Random) -> Iterator[bytes]:
    """Others' names, wrong keys, changed bytes, other times."""
    good = fresh(KNOWN + 1)
    early = batch(someone(KNOWN + 1), replace(CLEAN, started_at=datetime.now(UTC) + timedelta(days=9)))
    while True:
        yield post(KNOWN + 1, good, by=KNOWN + 2)
        yield post(KNOWN + 2, good)
        yield post(rng.randrange(1 << 30, 1 << 31), good)
        yield post(KNOWN + 1, early)
        yield post(KNOWN + 1, good[: rng.randrange(len(good))])
        yield post(KNOWN + 1, good.replace(b"null", b"1e999").replace(b"PK", b"\x00K"))
        yield post(KNOWN + 1, good, path="/v1/heartbeat")


def again(request: bytes) -> Iterator[bytes]:
    """The same, for ever."""
    while True:
        yield request


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=12), inner, max_size=5),
    max_leaves=30,
)
KEYS = ("schema", "probe", "sequence", "agent", "rounds", "observations", "gate", "targets")


def odd(seed: int, count: int = 300) -> list[bytes]:
    """Bodies of any shape, of half a shape, and of the right one with something wrong in it, as hypothesis
    thinks of them; each signed."""
    good = json.loads(fresh(seed))
    made: list[bytes] = []

    @settings(
        max_examples=count, phases=[Phase.generate], deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(JSON, st.sampled_from(KEYS), st.binary(max_size=40))
    def think(thing: object, key: str, noise: bytes) -> None:
        spoilt = {**good, key: thing}
        made.extend(json.dumps(shape).encode("utf-8", "surrogatepass") for shape in (thing, spoilt))
        made.append(noise)

    think()
    return [post(seed, body) for body in made]


def round_and_round(requests: list[bytes]) -> Iterator[bytes]:
    """Each in turn, for ever."""
    while True:
        yield from requests


async def main(where: str, seconds: float, rate: float) -> None:
    """All of them, and then what they were answered. `rate` is what the flood sends each second."""
    host, _, port = where.partition(":")
    attackers = Attackers(host, int(port), seconds)
    replay = post(KNOWN + 3, fresh(KNOWN + 3))
    flood = post(KNOWN + 4, fresh(KNOWN + 4))
    thought = odd(KNOWN + 5)
    async with asyncio.TaskGroup() as group:
        for n in range(SLOW):
            group.create_task(attackers.drip(f"127.200.{n % 250}.{1 + n // 250}"))
        for n in range(BOMBERS):
            group.create_task(attackers.keep("bombs", f"127.201.{n}.1", bombs(), 0.5))
        for n in range(FORGERS):
            rng = Random(n)
            group.create_task(attackers.keep("forgeries", f"127.202.{n}.1", forgeries(rng), 0.1))
        for n in range(REPLAYERS):
            group.create_task(attackers.keep("replays", f"127.203.{n}.1", again(replay), 0.05))
        group.create_task(attackers.keep("odd bodies", "127.204.0.1", round_and_round(thought), 0.02))
        for n in range(FLOODERS):
            home = f"127.{210 + n // 250}.{n % 250}.1"
            group.create_task(attackers.keep("flood", home, again(flood), FLOODERS / rate))
    print(json.dumps(attackers.answers), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])))
