"""What the agent's imports weigh, one after the other in a process of its own: imports.py writes JSON,
the process's size in MiB before all of them and after each."""

import importlib
import json
from pathlib import Path

# What weighs most, outer ones after what they are made of; the last is all that is left.
IMPORTED = (
    "asyncio",
    "sqlite3",
    "cryptography.hazmat.primitives.asymmetric.ed25519",
    "cryptography.x509",
    "h11",
    "argparse",
    "probe.wire.observation",
    "probe.verdict",
    "probe.cli",
)


def resident_mib() -> float:
    """Now (proc_pid_status(5))."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


if __name__ == "__main__":
    sizes = {"Python": resident_mib()}
    for name in IMPORTED:
        importlib.import_module(name)
        sizes[name] = resident_mib()
    print(json.dumps(sizes))
