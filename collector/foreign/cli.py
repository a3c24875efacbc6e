"""``reachwatch-collector import`` and ``export``: flags become what is wanted, and files. What is asked for
goes to standard output or into a file, the summary to standard error."""

from __future__ import annotations

import argparse
import errno
import math
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

from collector.config import Config, load, moment_of
from collector.store import stored
from probe.wire.settings import ConfigError

from . import exporting, importing
from .suppose import Reading
from .written import document, line

FINE, OTHER = 0, 1


class CannotWrite(Exception):
    """The output cannot be written; without a message where nobody is left to read it."""


def add_commands(commands: Any) -> None:
    """Add `import` and `export` to the subcommands (argparse has no public name for their type)."""
    _add_import(commands.add_parser("import", help="read measurements that others made"))
    _add_export(commands.add_parser("export", help="write what is stored in others' words"))


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
    ooni.add_argument("--config", type=Path, metavar="FILE", help="a TOML file; defaults otherwise")
    ooni.add_argument("--data-dir", metavar="DIR", help="where everything is kept")
    ooni.add_argument("--since", metavar="TIME", help="no round measured before (RFC 3339)")
    ooni.add_argument("--until", metavar="TIME", help="none measured then or later (RFC 3339)")
    ooni.add_argument("--country", metavar="CC", help="of this country alone; ZZ is unknown")
    ooni.add_argument("--platform", action="append", metavar="NAME", help="of this one; may be repeated")
    ooni.add_argument(
        "--out", type=Path, metavar="FILE", help="in place of standard output: all of it, or nothing"
    )
    ooni.set_defaults(run=_export_ooni)


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
        store = stack.enter_context(stored(config.data_path))
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
