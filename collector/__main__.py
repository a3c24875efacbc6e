"""``python -m collector`` is ``reachwatch-collector``."""

import sys


def main() -> int:
    """Run one command; whoever installed the agent alone is told what is missing."""
    try:
        from .cli import main as run
    except ModuleNotFoundError as error:
        if error.name and error.name.partition(".")[0] in ("collector", "probe"):
            raise
        needed = "needs more than the agent does: pip install 'reachwatch[collector]'"
        print(f"reachwatch-collector: {needed}", file=sys.stderr)  # noqa: T201
        return 1
    return run()


if __name__ == "__main__":
    sys.exit(main())
