"""``reachwatch-collector``: the commands, their flags and their exit statuses.

0 done, or stopped as asked; 2 usage or configuration; 1 anything else, bad lines in an import included.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from probe.wire.settings import ConfigError
from probe.wire.version import __version__

from . import log
from .app import CannotListen, serve
from .config import Config, load
from .foreign import importing
from .foreign.suppose import Reading
from .foreign.written import document, line
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
    _add_import(commands.add_parser("import", help="read measurements that others made"))
    config = commands.add_parser("config", help="look at the configuration")
    check = config.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "check", help="say whether the configuration can be used"
    )
    _takes_config(check)
    check.set_defaults(run=_check)
    return parser


def _add_import(parser: argparse.ArgumentParser) -> None:
    ooni = parser.add_subparsers(required=True, metavar="SOURCE").add_parser(
        "ooni", help="OONI's web_connectivity: JSON or JSONL, plain or gzipped"
    )
    ooni.add_argument("files", nargs="+", type=Path, metavar="FILE")
    ooni.add_argument("--any-host", action="store_true", help="hosts of no platform of ours too")
    ooni.add_argument("--json", action="store_true", help="one JSON document a line")
    ooni.add_argument("--output", type=Path, metavar="FILE", help="write the JSON documents to a new file")
    ooni.add_argument("--platforms", type=Path, metavar="DIR", help="platform files, if not the shipped ones")
    ooni.set_defaults(run=_import_ooni)


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


def _import_ooni(arguments: argparse.Namespace) -> int:
    platforms = importing.load_platforms(arguments.platforms)
    try:
        with ExitStack() as stack:
            kept = stack.enter_context(_new_file(arguments.output)) if arguments.output else None
            tally = importing.run(
                arguments.files,
                platforms,
                any_host=arguments.any_host,
                show=lambda reading: _show(reading, kept, as_json=arguments.json),
            )
            sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to be flushed
        if not isinstance(error, BrokenPipeError):  # whose reader, head(1) say, has seen enough
            print(f"reachwatch-collector: cannot write: {error.strerror or error}", file=sys.stderr)
        return OTHER
    for text in tally.lines():
        print(text, file=sys.stderr)
    return FINE if tally.is_clean else OTHER


def _show(reading: Reading, kept: TextIO | None, *, as_json: bool) -> None:
    print(document(reading) if as_json else line(reading))
    if kept is not None:
        print(document(reading), file=kept)


def _new_file(path: Path) -> TextIO:
    """Open a file that must not be there yet: what was imported before is not overwritten."""
    try:
        return path.open("x", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--output {path}: {error.strerror or error}") from None
