"""A collector as an operator starts it, on one folder and one port for all its lives."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@dataclass
class Lives:
    """The folder, the port, and the process of now."""

    folder: Path
    port: int
    settings: Mapping[str, str] = field(default_factory=dict)
    process: Process | None = None

    @property
    def url(self) -> str:
        """Where agents send to."""
        return f"http://127.0.0.1:{self.port}"

    async def begin(self) -> str:
        """Start it, and wait until it listens; where its metrics are."""
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "collector", "serve", "--data-dir", str(self.folder)),
            *("--listen", f"127.0.0.1:{self.port}", "--metrics-listen", "127.0.0.1:0"),
            stdout=PIPE,
            stderr=DEVNULL,
            env={**os.environ, **self.settings},
        )
        assert self.process.stdout is not None
        async with asyncio.timeout(120):
            lines = [await self.process.stdout.readline() for _ in range(2)]
        assert lines[1], "the collector did not start"
        return lines[1].split()[1].decode().removesuffix("/metrics")

    async def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send the signal, and wait until it is gone."""
        assert self.process is not None
        os.kill(self.process.pid, number)
        await self.process.communicate()
