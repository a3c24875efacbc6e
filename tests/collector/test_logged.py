"""What a collector's process logs of a day in which everything comes: lines of one form, nobody in them."""

from __future__ import annotations

import asyncio
import base64
import gzip
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from collector.ingest.admit import Request
from probe.wire.exchange import PROBE_HEADER, SIGNATURE_HEADER
from tests.batches import batch, enrolment, heartbeat, signed, someone
from tests.collector.test_in_the_open import GARBAGE, POST

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} (INFO|WARNING|ERROR) [a-z_]+( [a-z_]+=.*)?")
# The homes: one that connects itself, one whom a proxy names; as text and as numbers.
HOME, BEHIND = "127.0.77.9", "198.51.100.23"
FORMS = ("127.0.", "7f004d09", "2130726153", "198.51.100", "c6336417", "3325256727", "Traceback")
ME = someone(1)


def as_sent(path: str, request: Request, more: Mapping[str, str]) -> bytes:
    packed = gzip.compress(request.body)
    fields = {
        "Host": "collector",
        "Content-Length": str(len(packed)),
        "Content-Encoding": "gzip",
        PROBE_HEADER: request.probe,
        SIGNATURE_HEADER: request.signature,
        "Connection": "close",
        **more,
    }
    return f"POST {path} HTTP/1.1\r\n".encode() + _fields(fields) + b"\r\n" + packed


def _fields(fields: Mapping[str, str]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode()


async def exchanged(port: int, sent: bytes, home: str, *, waits: bool = True) -> bytes:
    """The answer's first line; nothing of one who hangs up at once."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(home, 0))
    try:
        writer.write(sent)
        await writer.drain()
        return await asyncio.wait_for(reader.readline(), 20) if waits else b""
    except ConnectionError:
        return b""
    finally:
        writer.transport.abort()


@pytest.mark.slow
async def test_no_line_names_a_home_and_every_line_is_an_event(tmp_path: Path) -> None:
    argv = (
        "serve",
        "--data-dir",
        str(tmp_path),
        "--listen",
        "127.0.0.1:0",
        "--metrics-listen",
        "127.0.0.1:0",
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "collector", *argv),
        env={"REACHWATCH_TRUSTED_PROXIES": '["127.0.0.1/32"]'},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    port = urlsplit((await process.stdout.readline()).split()[1].decode()).port
    assert port is not None
    statuses = await _a_day(port)
    process.terminate()
    _, err = await process.communicate()
    lines = err.decode().splitlines()
    assert {line[9:12] for line in statuses} >= {b"200", b"400", b"401", b"404", b"503"}
    assert lines
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert [form for form in FORMS if form in err.decode()] == []


async def _a_day(port: int) -> list[bytes]:
    """Everything, from both homes: what is taken, what is refused, what is no HTTP, and who hangs up."""
    behind = {"X-Forwarded-For": BEHIND}
    good = [("/v1/enrol", enrolment(ME)), ("/v1/heartbeat", heartbeat(ME)), ("/v1/batch", batch(ME))]
    stranger = signed(someone(2), batch(someone(2)))
    unsigned = Request(b"{", ME.probe_id, base64.b64encode(b"no").decode())
    answers = []
    for home, more in ((HOME, {}), ("127.0.0.1", behind), ("127.0.0.1", {"X-Forwarded-For": "?"})):
        requests = [as_sent(path, signed(ME, body), more) for path, body in good]
        requests += [as_sent("/v1/batch", one, more) for one in (stranger, unsigned)]
        requests += [b"GET /nowhere HTTP/1.1\r\nHost: x\r\n" + _fields(more) + b"\r\n", *GARBAGE.values()]
        answers += [await exchanged(port, sent, home) for sent in requests]
        for sent in (*requests, POST + _fields(more) + b"Content-Length: 9\r\n\r\n{"):
            await exchanged(port, sent, home, waits=False)
    return answers
