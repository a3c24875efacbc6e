"""Rounds one after another in one process, as ``start`` makes them: rounds_in_one_process.py CONFIG N.

Whichever revision's `probe` is on PYTHONPATH is measured; this uses only what every revision has. Each
round is kept as it would be for a collector, so encoding, signing and the disk are in it.
"""

import asyncio
import json
import sqlite3
import sys
import time
import zlib
from contextlib import closing
from pathlib import Path

from probe.cli import _desk
from probe.config import load


async def measure(config: Path, rounds: int) -> dict[str, object]:
    """CPU per round, the process's size after the last, and the size of one batch."""
    cpu_s = []
    with _desk(load(config, {})) as desk:
        for _ in range(rounds):
            before_s = time.process_time()
            await desk.keep(await desk.take(), upload=True)
            cpu_s.append(time.process_time() - before_s)
    with closing(sqlite3.connect(load(config, {}).state_path / "spool.sqlite")) as spool:
        (packed,) = spool.execute("SELECT body FROM spool ORDER BY sequence LIMIT 1").fetchone()
    return {
        "cpu_s": cpu_s,
        "resident_mib": _resident_mib(),
        "batch_kb": len(zlib.decompress(packed)) / 1000,
        "packed_kb": len(packed) / 1000,
    }


def _resident_mib() -> float:
    """Now, not at the most (proc_pid_status(5))."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(Path(sys.argv[1]), int(sys.argv[2])))))
