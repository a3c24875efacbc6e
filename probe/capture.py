"""The packets of a broken connection, where this machine may see them: whose are the resets?

They come from a short-lived helper (`probe/capture_helper.py`), which needs CAP_NET_RAW and scapy.
Without either, and when the helper crashes, hangs or talks nonsense, there is no such evidence and
nothing else changes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from .net import Dial, TlsStream
from .packets import MAX_LINE_BYTES, MAX_LINES, Nonsense, read_evidence, read_lines
from .stages.line import Turn
from .wire.observation import Observation
from .wire.stage import PacketsDetail, Stage

T = TypeVar("T")

log = logging.getLogger("reachwatch.capture")

# By file and not by name (-m), and without the script's folder on the path (-P): nothing that lies
# where the agent was started, or beside the helper, is imported in its place.
HELPER = (sys.executable, "-P", str(Path(__file__).with_name("capture_helper.py")))


@dataclass(frozen=True, slots=True)
class PacketLimits:
    """How long each part of watching one handshake may take. `linger_s` is for what comes after a
    reset: the rest of a triple, and the host's own answer."""

    ready_s: float = 3.0
    connect_s: float = 2.0
    hello_s: float = 2.0
    linger_s: float = 0.5
    end_s: float = 1.0


def why_not() -> str | None:
    """Why packets cannot be watched on this machine, in words; None where they can. Imports no scapy."""
    if not hasattr(socket, "AF_PACKET"):
        return "only Linux shows a program its packets"
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0).close()
    except PermissionError:
        return "not permitted (CAP_NET_RAW)"
    except OSError as error:
        return f"no packet sockets ({error.strerror})"
    if find_spec("scapy") is None:
        return "scapy is not installed (reachwatch[capture])"
    return None


async def packets(
    turn: Turn, address: str, limits: PacketLimits | None = None, command: Sequence[str] = HELPER
) -> Observation | None:
    """One handshake for this name under watch; None where the machine or the helper does not let it
    be watched, whatever the reason. Never raises, and takes no longer than its limits together."""
    if reason := why_not():
        _leave_out(reason)
        return None
    began = turn.line.clock()
    try:
        detail = await _watched(turn, address, limits or PacketLimits(), command)
    except TimeoutError:
        _leave_out("the helper was late")
    except Nonsense as error:
        _leave_out(f"the helper said {error}")
    except OSError as error:
        _leave_out(f"the helper cannot be run ({error.strerror})")
    else:
        return turn.observe(Stage.PACKETS, began, address=address, detail=detail)
    return None


@cache
def _leave_out(reason: str) -> None:
    """Say once, not every round."""
    log.info("packets_left_out reason=%r", reason)


async def _watched(turn: Turn, address: str, limits: PacketLimits, command: Sequence[str]) -> PacketsDetail:
    port = turn.endpoint.port
    await turn.come()
    dial = turn.line.net.dial(address, port)
    try:
        async with watch(address, port, dial.own_port, limits, command) as watching:
            with contextlib.suppress(OSError):  # how it fails is what the packets tell
                await _shake(turn, dial, limits)
            await asyncio.sleep(limits.linger_s)
            return await watching.end()
    finally:
        dial.close()


async def _shake(turn: Turn, dial: Dial, limits: PacketLimits) -> None:
    """Connect and shake hands, as far as it goes."""
    async with asyncio.timeout(limits.connect_s):
        stream = await dial.connect()
    async with asyncio.timeout(limits.hello_s):
        await TlsStream(stream, turn.line.trust.bundle, turn.endpoint.host).handshake()


class Watch:
    """A helper that is listening."""

    def __init__(self, process: asyncio.subprocess.Process, end_s: float) -> None:
        self._process, self._end_s = process, end_s

    async def end(self) -> PacketsDetail:
        """Stop listening and read what was heard; raises `Nonsense`, `TimeoutError` or `OSError`."""
        async with asyncio.timeout(self._end_s):
            _pipe(self._process.stdin).close()
            said = await _all_of(_pipe(self._process.stdout))
            if await self._process.wait() != 0:
                raise Nonsense("nothing more, and broke off")
        return read_evidence(read_lines(said))


@asynccontextmanager
async def watch(
    address: str,
    port: int,
    own_port: int,
    limits: PacketLimits | None = None,
    command: Sequence[str] = HELPER,
) -> AsyncIterator[Watch]:
    """Listen to the connection from `own_port` to `port` at `address`, which must not have begun
    yet. Whatever happens, no helper is left behind. Raises `OSError` or `Nonsense`."""
    limits = limits or PacketLimits()
    process = await asyncio.create_subprocess_exec(
        *command,
        address,
        str(port),
        str(own_port),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=MAX_LINE_BYTES,
    )
    try:
        async with asyncio.timeout(limits.ready_s):
            if await _first_line(_pipe(process.stdout)) != b"ready\n":
                raise Nonsense("no word of being ready")
        yield Watch(process, limits.end_s)
    finally:
        await _kill(process, limits.end_s)


def _pipe(pipe: T | None) -> T:
    if pipe is None:
        raise Nonsense("nothing: it has no pipes")
    return pipe


async def _first_line(stdout: asyncio.StreamReader) -> bytes:
    try:
        return await stdout.readline()
    except ValueError:  # longer than the limit
        raise Nonsense("too much") from None


async def _all_of(stdout: asyncio.StreamReader) -> bytes:
    """Everything until the end, as far as a helper of ours would go."""
    said = bytearray()
    while piece := await stdout.read(MAX_LINE_BYTES):
        said += piece
        if len(said) > MAX_LINES * MAX_LINE_BYTES:
            raise Nonsense("too much")
    return bytes(said)


async def _kill(process: asyncio.subprocess.Process, end_s: float) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(end_s):
            await process.communicate()  # what is left in the pipes, which closes them
