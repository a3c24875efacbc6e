"""``reachwatch-collector``: the commands, their flags and their exit statuses.

0 done, or stopped as asked; 2 usage or configuration; 1 anything else, bad lines in an import, bad batches
in an export and evidence that does not hold included.
"""

from __future__ import annotations

import argparse
import asyncio
import errno
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from probe.wire.settings import ConfigError
from probe.wire.version import __version__

from . import log
from .admin import cli as admin_cli
from .admin.desk import CannotDo
from .alerts.webhooks import open_hooks
from .app import DAY_S, CannotListen, serve
from .config import Config, load, moment_of
from .detect.evidence import NoEvidence, read
from .detect.verifying import checked, headline
from .foreign import exporting, importing
from .foreign.suppose import Reading
from .foreign.written import document, line
from .ingest.netinfo import open_netinfo
from .rejudge import MINUTE_S, CannotRejudge, Rejudged, rejudge
from .store import open_store
from .store.base import Store, StoreError
from .store.sqlite import DATABASE

FINE, OTHER, USAGE = 0, 1, 2
# How long a thread that computes may keep the interpreter from the others, in seconds. Each request gives it
# away at every system call; with Python's own 5 ms it took seven times as long while detection ran beside it.
SWITCH_S = 0.001


class CannotWrite(Exception):
    """The output cannot be written; without a message where nobody is left to read it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the return value is the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        run: Callable[[argparse.Namespace], int] = arguments.run
        return run(arguments)
    except ConfigError as error:
        print(f"reachwatch-collector: {error}", file=sys.stderr)
        return USAGE
    except (StoreError, CannotListen, CannotRejudge, CannotDo) as error:
        print(f"reachwatch-collector: {error}", file=sys.stderr)
        return OTHER
    except CannotWrite as error:
        _sum_up(error.args)
        return OTHER
    except KeyboardInterrupt:
        return 130  # 128 + SIGINT, as shells count it


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
    _add_export(commands.add_parser("export", help="write what is stored in others' words"))
    verifying = commands.add_parser(
        "verify", help="make a claim again from its evidence bundle, offline, and say whether it holds"
    )
    verifying.add_argument("bundle", type=Path, metavar="BUNDLE", help="the file; - reads standard input")
    verifying.set_defaults(run=_verify)
    config = commands.add_parser("config", help="look at the configuration")
    check = config.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "check", help="say whether the configuration can be used"
    )
    _takes_config(check)
    check.set_defaults(run=_check)
    admin = commands.add_parser("admin", help="look after keys, tokens and the store")
    admins = admin.add_subparsers(required=True, metavar="COMMAND")
    admin_cli.add_commands(admins)
    judging = admins.add_parser(
        "rejudge",
        help="judge the stored rounds again, by the rules of now; the collector must be stopped",
    )
    _takes_config(judging)
    judging.add_argument("--data-dir", metavar="DIR", help="where everything is kept")
    judging.add_argument("--since", metavar="TIME", help="no minute before this one (RFC 3339)")
    judging.set_defaults(run=_rejudge)
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


def _add_export(parser: argparse.ArgumentParser) -> None:
    ooni = parser.add_subparsers(required=True, metavar="FORMAT").add_parser(
        "ooni", help="OONI's web_connectivity (data format 0.2.0), one JSON document a line"
    )
    _takes_config(ooni)
    ooni.add_argument("--data-dir", metavar="DIR", help="where everything is kept")
    ooni.add_argument("--since", metavar="TIME", help="no round measured before (RFC 3339)")
    ooni.add_argument("--until", metavar="TIME", help="none measured then or later (RFC 3339)")
    ooni.add_argument("--country", metavar="CC", help="of this country alone; ZZ is unknown")
    ooni.add_argument("--platform", action="append", metavar="NAME", help="of this one; may be repeated")
    ooni.add_argument(
        "--out", type=Path, metavar="FILE", help="in place of standard output: all of it, or nothing"
    )
    ooni.set_defaults(run=_export_ooni)


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
    sys.setswitchinterval(SWITCH_S)
    asyncio.run(_until_stopped(config))
    return FINE


async def _until_stopped(config: Config) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    def listening(main: str, metrics: str) -> None:
        print(f"page     {main}/\nmetrics  {metrics}/metrics", flush=True)

    await serve(config, stop, listening)


def _verify(arguments: argparse.Namespace) -> int:
    name = "standard input" if str(arguments.bundle) == "-" else str(arguments.bundle)
    try:
        with sys.stdin.buffer if str(arguments.bundle) == "-" else arguments.bundle.open("rb") as source:
            evidence = read(source.read())
    except OSError as error:
        print(f"reachwatch-collector: {name}: {error.strerror or error}", file=sys.stderr)
        return USAGE
    except NoEvidence as error:
        print(f"reachwatch-collector: {name}: {error}", file=sys.stderr)
        return OTHER
    print(headline(evidence))
    findings = list(checked(evidence))
    for finding in findings:
        print(f"{'holds' if finding.holds else 'FAILS'}  {finding.text}")
    return FINE if all(finding.holds for finding in findings) else OTHER


def _check(arguments: argparse.Namespace) -> int:
    config = load(arguments.config, {})
    open_netinfo(config.geo)
    open_hooks(config.webhooks)
    print(f"{arguments.config or 'defaults'}: usable; {len(config.platforms)} platforms")
    return FINE


def _rejudge(arguments: argparse.Namespace) -> int:
    config = load(arguments.config, {"data_dir": arguments.data_dir})
    # Cells that retention has let go, or will within the hour, are not brought back.
    since = time.time() - config.retention.cells_days * DAY_S
    if arguments.since is not None:
        since = max(since, moment_of(arguments.since, "--since"))
    with _stored(config) as store:
        done = rejudge(store, config.platforms, since)
    print("\n".join(_told(done)))
    return FINE


@contextmanager
def _stored(config: Config) -> Iterator[Store]:
    """The store that is there; raises `StoreError` where somebody uses it."""
    try:
        (config.data_path / DATABASE).stat()
    except OSError as error:  # opening would make a new store of a mistyped folder
        raise ConfigError(f"data_dir: {error.filename}: {error.strerror}") from None
    with closing(open_store(f"sqlite://{config.data_path}")) as store:
        yield store


def _told(done: Rejudged) -> Iterator[str]:
    began = datetime.fromtimestamp(done.first_minute * MINUTE_S, UTC).strftime("%Y-%m-%dT%H:%MZ")
    yield f"rounds: {done.rounds} judged, measured from {began} on"
    yield f"cells: {done.before.cells} -> {done.after.cells}, {done.changed} changed"
    before, after = done.before.statuses, done.after.statuses
    for platform in sorted(before.keys() | after.keys()):
        old, new = before.get(platform, {}), after.get(platform, {})
        counts = (
            f"{word} {old.get(word, 0)} -> {new.get(word, 0)}" for word in sorted(old.keys() | new.keys())
        )
        yield f"{platform}: {', '.join(counts)}"
    if done.is_cut:
        yield f"cells before {began} stay as they are: signed rounds that they count may have expired"


def _import_ooni(arguments: argparse.Namespace) -> int:
    platforms = importing.load_platforms(arguments.platforms)
    with _writing(), ExitStack() as stack:
        kept = stack.enter_context(_new_file(arguments.output)) if arguments.output else None
        tally = importing.run(
            arguments.files,
            platforms,
            any_host=arguments.any_host,
            show=lambda reading: _show(reading, kept, as_json=arguments.json),
        )
    _sum_up(tally.lines())
    return FINE if tally.is_clean else OTHER


def _export_ooni(arguments: argparse.Namespace) -> int:
    config = load(arguments.config, {"data_dir": arguments.data_dir})
    wanted = _wanted(arguments, config)
    with _writing(), ExitStack() as stack:
        file = stack.enter_context(_whole_file(arguments.out)) if arguments.out else None
        store = stack.enter_context(_stored(config))
        tally = exporting.run(store, wanted, show=lambda document: print(document, file=file))
    _sum_up(tally.lines())
    return FINE if tally.is_clean else OTHER


def _wanted(arguments: argparse.Namespace, config: Config) -> exporting.Wanted:
    """Raises `ConfigError` for what could only ever find nothing."""
    country: str | None = arguments.country
    if country is not None and not (len(country) == 2 and country.isascii() and country.isalpha()):
        raise ConfigError(f"--country: {country!r} is not a country of two letters, such as PK")
    platforms: Sequence[str] = arguments.platform or config.platforms
    for name in platforms:
        if name not in config.platforms:
            raise ConfigError(f"--platform: {name!r} is none of {', '.join(config.platforms)}")
    since = 0.0 if arguments.since is None else moment_of(arguments.since, "--since")
    until = math.inf if arguments.until is None else moment_of(arguments.until, "--until")
    if until <= since:
        raise ConfigError(f"--until: {arguments.until} is not after --since")
    return exporting.Wanted(
        platforms=platforms, since=since, until=until, country=country and country.upper()
    )


def _sum_up(lines: Iterable[str]) -> None:
    for text in lines:
        print(text, file=sys.stderr)


@contextmanager
def _writing() -> Iterator[None]:
    """Whatever is written, standard output included; raises `CannotWrite`."""
    try:
        yield
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing is left to be flushed
        if isinstance(error, BrokenPipeError):  # whose reader, head(1) say, has seen enough
            raise CannotWrite from None
        raise CannotWrite(f"reachwatch-collector: cannot write: {error.strerror or error}") from None


@contextmanager
def _whole_file(path: Path) -> Iterator[TextIO]:
    """A file that takes its name, whoever bore it before, once all of it is on the disk; what fails on
    the way leaves the one that was there."""
    part = path.with_name(f"{path.name}.part")
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        file = part.open("w", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--out {path}: {error.strerror or error}") from None
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


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
