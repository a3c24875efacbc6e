"""The trusted resolver at the line's far end, behind nginx: ``python -m benchmarks.cost.trusted ZONE``."""

import asyncio
import sys
from pathlib import Path

from tests.lab.names import Server, ZoneFile, serve_doh
from tests.lab.world import DOH_EGRESS


async def main(zone: Path) -> None:
    """Until killed."""
    await serve_doh(Server(ZoneFile(zone), DOH_EGRESS).answer)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
