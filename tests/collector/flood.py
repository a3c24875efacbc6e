"""A flood: one home that sends all it can, over many connections at once, until it is ended.

    python -m tests.collector.flood URL HOME SEED CONNECTIONS

What it sends is a signed batch of a known key, the same each time: it costs the collector everything that
an honest one costs but the disk. How it was answered goes to standard output, a JSON object by status.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import json
import signal
import sys
from collections import Counter
from urllib.parse import urlsplit

from probe.wire.exchange import PROBE_HEADER, SIGNATURE_HEADER
from tests.batches import batch, someone


def request(seed: int) -> bytes:
    """The one request."""
    who = someone(seed)
    body = batch(who)
    packed = gzip.compress(body, mtime=0)
    signature = base64.b64encode(who.sign(body)).decode()
    head = (
        f"POST /v1/batch HTTP/1.1\r\nHost: collector\r\nContent-Type: application/json\r\n"
        f"Content-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n"
        f"{PROBE_HEADER}: {who.probe_id}\r\n{SIGNATURE_HEADER}: {signature}\r\n\r\n"
    )
    return head.encode() + packed


async def _again_and_again(host: str, port: int, home: str, sent: bytes, answers: Counter[str]) -> None:
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection(host, port, local_addr=(home, 0))
            try:
                while True:
                    writer.write(sent)
                    head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
                    fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
                    await reader.readexactly(int(fields["Content-Length"]))
                    answers[head[9:12]] += 1
            finally:
                writer.close()


async def main(url: str, home: str, seed: str, connections: str) -> None:
    """Until SIGTERM."""
    parts, sent, answers = urlsplit(url), request(int(seed)), Counter[str]()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    host, port = parts.hostname or "", parts.port or 80
    tasks = [
        asyncio.create_task(_again_and_again(host, port, home, sent, answers))
        for _ in range(int(connections))
    ]
    await stop.wait()
    for task in tasks:
        task.cancel()
    print(json.dumps(answers), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
