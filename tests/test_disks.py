"""A disk that is full, and one that may only be read, under either program: one clear line, and no traceback.

Root writes past permissions, so the folders are small file systems of their own, in a mount namespace.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.lab,
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root"),
]

ROOT = Path(__file__).parent.parent
READ_ONLY = "mount -o remount,ro {folder}"
FULL = "head -c 1M /dev/zero > {folder}/filler || true"
COLLECTOR = ("collector", "serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")


def on(disk: str, folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run a program whose folder is such a disk."""
    spoil = disk.format(folder=folder)
    script = f'mount -t tmpfs -o size=64k tmpfs {folder} && {{ {spoil}; }} 2>/dev/null; exec timeout 60 "$@"'
    command = ["unshare", "--mount", "bash", "-c", script, "_", sys.executable, "-W", "error", "-m", *argv]
    where = {"probe": "REACHWATCH_STATE_DIR", "collector": "REACHWATCH_DATA_DIR"}[argv[0]]
    environ = {**os.environ, where: str(folder)}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(
    ("disk", "said"), [(READ_ONLY, "Read-only file system"), (FULL, "No space left on device")]
)
@pytest.mark.parametrize("argv", [("probe", "run"), ("probe", "start"), COLLECTOR])
def test_it_is_one_line_that_names_the_place_and_status_1(
    tmp_path: Path, disk: str, said: str, argv: tuple[str, ...]
) -> None:
    done = on(disk, tmp_path, *argv)
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 1, done
    assert len(lines) == 1, lines
    assert str(tmp_path) in lines[0]
    assert said.lower() in lines[0].lower() or "full" in lines[0] or "readonly" in lines[0]
