"""``reachwatch-collector``: the commands, their flags and their exit statuses.

0 done, or stopped as asked; 2 usage or configuration; 1 anything else, bad lines in an import, bad batches
in an export and evidence that does not hold included.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from probe.wire.settings import ConfigError
from probe.wire.version import __version__

from . import litter, log
from .admin import cli as admin_cli
from .admin.desk import CannotDo
from .alerts.webhooks import open_hooks
from .app import DAY_S, serve
from .beside import Gone
from .certificate import opened_where_set
from .config import Config, load, moment_of
from .detect.evidence import NoEvidence, read
from .detect.verifying import checked, headline
from .foreign import cli as foreign_cli
from .foreign.cli import CannotWrite
from .ingest.netinfo import open_netinfo
from .listening import CannotListen
from .rejudge import MINUTE_S, CannotRejudge, Rejudged, rejudge
from .store import stored
from .store.base import StoreError
from .targets import cli as targets_cli
from .targets.offer import Offer

FINE, OTHER, USAGE = 0, 1, 2
SHELLS = ("bash", "zsh", "fish")
# How long a thread that computes may keep the interpreter from the others, in seconds. Each request gives it
# away at every system call; with Python's own 5 ms it took seven times as long while detection ran beside it.
SWITCH_S = 0.0001


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the return value is the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        run: Callable[[argparse.Namespace], int] = arguments.run
        return run(arguments)
    except ConfigError as error:
        print(f"reachwatch-collector: {error}", file=sys.stderr)
        return USAGE
    except (StoreError, Gone, CannotListen, CannotRejudge, CannotDo) as error:
        print(f"reachwatch-collector: {error}", file=sys.stderr)
        return OTHER
    except CannotWrite as error:
        for text in error.args:
            print(text, file=sys.stderr)
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
    foreign_cli.add_commands(commands)
    targets_cli.add_commands(commands)
    verifying = commands.add_parser(
        "verify", help="make a claim again from its evidence bundle, offline, and say whether it holds"
    )
    verifying.add_argument("bundle", type=Path, metavar="BUNDLE", help="the file; - reads standard input")
    verifying.set_defaults(run=_verify)
    completion = commands.add_parser("completion", help="what a shell needs to complete these commands")
    completion.add_argument("shell", choices=SHELLS, help="for example: completion bash > FILE")
    completion.set_defaults(run=lambda arguments: _completion(parser, arguments.shell))
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


def _completion(parser: argparse.ArgumentParser, shell: str) -> int:
    import shtab

    print(shtab.complete(parser, shell))
    return FINE


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
    litter.seldom()
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
    Offer(config.targets_path)
    certificate = opened_where_set(config.tls)
    until = f"; certificate until {_minute(certificate.not_after)}" if certificate else ""
    print(f"{arguments.config or 'defaults'}: usable; {len(config.platforms)} platforms{until}")
    return FINE


def _minute(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%MZ")


def _rejudge(arguments: argparse.Namespace) -> int:
    config = load(arguments.config, {"data_dir": arguments.data_dir})
    # Cells that retention has let go, or will within the hour, are not brought back.
    since = time.time() - config.retention.cells_days * DAY_S
    if arguments.since is not None:
        since = max(since, moment_of(arguments.since, "--since"))
    with stored(config.data_path) as store:
        done = rejudge(store, config.platforms, since)
    print("\n".join(_told(done)))
    return FINE


def _told(done: Rejudged) -> Iterator[str]:
    began = _minute(done.first_minute * MINUTE_S)
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
