"""Run one command to its end and write down what it spent: spend.py FILE COMMAND…

A process of its own, and a small one, because Linux counts into a program's greatest size the moment
before it became that program, when it was still a copy of whoever started it: a large caller would
find its own size in place of the command's.
"""

import json
import os
import sys
import time
from pathlib import Path


def main() -> None:
    """The command's output goes where this one's goes."""
    file, *command = sys.argv[1:]
    began = time.monotonic()
    pid = os.posix_spawn(command[0], command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    spent = {
        "wall_s": time.monotonic() - began,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "resident_mib": usage.ru_maxrss / 1024,
        "status": os.waitstatus_to_exitcode(status),
    }
    Path(file).write_text(json.dumps(spent))


if __name__ == "__main__":
    main()
