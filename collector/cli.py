"""``reachwatch-collector``: the commands, their flags and their exit statuses.

0 stopped as asked; 2 usage or configuration; 1 anything else.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from probe.wire.settings import ConfigError
from probe.wire.version import __version__

from . import log
from .app import CannotListen, serve
from .config import Config, load
from .ingest.netinfo import open_netinfo
from .store.base import StoreError

FINE, OTHER, USAGE = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the return value is the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        run: Callable[[argparse.Namespace], int] = arguments.run
        return run(arguments)
    except ConfigError as error:
        print(f"reachwatch-collector: {error}", file=sys.stderr)
        return USAGE
    except (StoreError, CannotListen) as error:
        print(f"reachwatch-collector: {error}", file=sys.stderr)
        return OTHER


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reachwatch-collector", description="Collect what agents measure, and show it."
    )
    parser.add_argument("--version", action="version", version=f"reachwatch {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serving = commands.add_parser("serve", help="take batches, show the page, expose metrics")
    _takes_config(serving)
    serving.add_argument("--listen", metavar="HOST:PORT", help="for agents and readers")
    serving.add_argument("--metrics-listen", metavar="HOST:PORT", help="for Prometheus")
    serving.add_argument("--data-dir", metavar="DIR", help="where everything is kept")
    serving.set_defaults(run=_serve)
    config = commands.add_parser("config", help="look at the configuration")
    check = config.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "check", help="say whether the configuration can be used"
    )
    _takes_config(check)
    check.set_defaults(run=_check)
    return parser


def _takes_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="a TOML file; defaults otherwise")


def _serve(arguments: argparse.Namespace) -> int:
    flags = {
        "listen": arguments.listen,
        "metrics_listen": arguments.metrics_listen,
        "data_dir": arguments.data_dir,
    }
    config = load(arguments.config, flags)
    log.start()
    asyncio.run(_until_stopped(config))
    return FINE


async def _until_stopped(config: Config) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    def listening(main: str, metrics: str) -> None:
        print(f"page     {main}/\nmetrics  {metrics}/metrics", flush=True)

    await serve(config, stop, listening)


def _check(arguments: argparse.Namespace) -> int:
    config = load(arguments.config, {})
    open_netinfo(config.geo)
    print(f"{arguments.config or 'defaults'}: usable; {len(config.platforms)} platforms")
    return FINE
