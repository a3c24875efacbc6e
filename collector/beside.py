"""A process of this collector's own beside it, for work that one interpreter has no time for.

See `piped` for what goes through the pipes, and for the other end.

No `ProcessPoolExecutor`: it imports the whole collector into its worker, takes two more threads of this
interpreter for each call, and its workers outlive a collector that is killed.
"""

from __future__ import annotations

import asyncio
import pickle
import signal
import sys
from asyncio.subprocess import PIPE, Process
from typing import Any

from .piped import LENGTH_BYTES, framed

LEAVE_S = 1.0  # a process that is at work may take longer than anybody waits for at a stop


class Gone(Exception):
    """It could not be started, or has ended, or says nothing; the message tells which."""


class Beside:
    """One such process, begun anew with the first word after it has ended. `command` is what runs it."""

    def __init__(self, *command: str) -> None:
        self._command = command
        self._process: Process | None = None

    @classmethod
    def of(cls, module: str) -> Beside:
        """A module of ours."""
        return cls(sys.executable, "-m", module)

    @property
    def pid(self) -> int | None:
        """Its number, while it is there."""
        return self._process.pid if self._process else None

    async def say(self, thing: object) -> None:
        """Hand it something; raises `Gone`."""
        try:
            if self._process is None:
                self._process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, stdout=PIPE)
            if self._process.stdin is not None:
                self._process.stdin.write(framed(thing))
                await self._process.stdin.drain()
        except OSError as error:
            await self.end()
            raise self._gone(error.strerror or type(error).__name__) from None

    async def hear(self, within_s: float | None = None) -> Any:
        """What it says next; raises `Gone`."""
        process = self._process
        if process is None or process.stdout is None:
            raise self._gone("nobody is there")
        try:
            async with asyncio.timeout(within_s):
                length = int.from_bytes(await process.stdout.readexactly(LENGTH_BYTES))
                return pickle.loads(await process.stdout.readexactly(length))  # noqa: S301
        except TimeoutError:
            await self.end()
            raise self._gone(f"no answer within {within_s:g} s") from None
        except (EOFError, OSError):
            await self.end()
            raise self._gone(_ending(process.returncode)) from None

    def _gone(self, why: str) -> Gone:
        return Gone(f"{self._command[-1]}: {why}")

    async def end(self) -> None:
        """Be done with it. It keeps nothing, and is given a moment to end by itself."""
        process, self._process = self._process, None
        if process is None:
            return
        async with asyncio.TaskGroup() as group:
            ending = group.create_task(process.communicate())  # which closes the pipes
            await asyncio.wait([ending], timeout=LEAVE_S)
            if process.returncode is None:
                process.kill()


def _ending(status: int | None) -> str:
    if status is not None and status < 0 and status != -signal.SIGKILL:
        return f"ended by {signal.Signals(-status).name}"
    return "ended"
