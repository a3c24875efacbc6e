"""``reachwatch-collector admin``: flags become an order, and its answer lines. What is asked for goes to
standard output, what is said beside it to standard error."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from collector.config import load, moment_of
from collector.store import upkeep
from probe.wire.settings import ConfigError

from . import asking, orders
from .operations import progress
from .orders import Order


def add_commands(commands: Any) -> None:
    """Add every operation to the subcommands of `admin` (argparse has no public name for their type)."""
    keys = _command(commands, "keys", "list the enrolled keys", _keys)
    keys.add_argument("--country", metavar="CC", help="heard from last in this country; ZZ is unknown")
    _takes_json(keys)
    aside = _command(commands, "quarantine", "let what a key or a prefix measures weigh nothing", _put_aside)
    aside.add_argument("subject", metavar="KEY|TAG", help="32 hex digits, or a prefix's tag of 16: see keys")
    aside.add_argument("--reason", metavar="TEXT", default="", help="for the record")
    aside.add_argument(
        "--since", metavar="TIME", help="of what was measured from then on (RFC 3339); else of 72 hours back"
    )
    release = _command(commands, "release", "let it weigh again", _release)
    release.add_argument("subject", metavar="KEY|TAG")
    release.add_argument("--since", metavar="TIME", help="in what was measured from then on; else now")
    held = _command(commands, "quarantined", "list quarantines: what, when, by whom and why", _quarantined)
    held.add_argument("--all", action="store_true", help="released ones too")
    _takes_json(held)
    _add_tokens(commands.add_parser("tokens", help="who may enrol where enrolment is not open"))
    _command(commands, "compact", "drop what retention says may go, and give the room back", _compact)
    copy = _command(commands, "backup", "copy the store into one file; ingest goes on meanwhile", _back_up)
    copy.add_argument("file", type=Path, metavar="FILE", help="replaced once the copy is whole")
    back = _command(commands, "restore", "make a store of a backup; the collector must be stopped", _restore)
    back.add_argument("file", type=Path, metavar="FILE")
    back.add_argument("--force", action="store_true", help="put the store that is there aside")
    _command(commands, "check", "look whether the store is whole; status 1 where it is not", _check)
    _add_letters(commands.add_parser("dead-letters", help="what was published and could not be delivered"))


def _add_tokens(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    issue = _command(commands, "issue", "make a token, and show it this once", _issue)
    issue.add_argument("--label", metavar="TEXT", default="", help="whom it is for")
    issue.add_argument(
        "--uses", type=int, metavar="N", default=1,
        help="how many keys may come with it (1); in one network two homes of a token have a vote",
    )  # fmt: skip
    issue.add_argument("--days", type=float, metavar="D", help="how long it is good; for ever otherwise")
    _takes_json(_command(commands, "list", "list tokens by name; what was shown is not kept", _tokens))
    revoke = _command(commands, "revoke", "let nobody else in with it; who came with it stays", _revoke)
    revoke.add_argument("name", metavar="NAME", help="12 hex digits: see tokens list")


def _add_letters(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _command(commands, "list", "show them", _dead_letters)
    for name, does, order in (
        ("retry", "deliver them again", orders.RetryLetters),
        ("drop", "forget them", orders.DropLetters),
    ):
        doing = _command(commands, name, does, partial(_with_letters, order))
        doing.add_argument("letters", nargs="*", metavar="LETTER", help="as list names it")
        doing.add_argument("--all", action="store_true", help="every one")


def _command(
    commands: Any, name: str, does: str, order: Callable[[argparse.Namespace], Order | int]
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=does, description=does)
    parser.add_argument("--config", type=Path, metavar="FILE", help="a TOML file; defaults otherwise")
    parser.add_argument("--data-dir", metavar="DIR", help="where everything is kept")
    parser.set_defaults(run=_run, order=order)
    return parser


def _takes_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def _run(arguments: argparse.Namespace) -> int:
    try:
        order = arguments.order(arguments)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    if isinstance(order, int):
        return order
    config = load(arguments.config, {"data_dir": arguments.data_dir})
    return asking.ask(config, order, _out, _note)


def _out(text: str) -> None:
    print(text)


def _note(text: str) -> None:
    print(text, file=sys.stderr)


def _since(arguments: argparse.Namespace) -> float | None:
    return None if arguments.since is None else moment_of(arguments.since, "--since")


def _keys(arguments: argparse.Namespace) -> Order:
    country = arguments.country and arguments.country.upper()
    return orders.Keys(country=country, json=arguments.json)


def _put_aside(arguments: argparse.Namespace) -> Order:
    return orders.PutAside(
        subject=arguments.subject.lower(), since=_since(arguments), reason=arguments.reason
    )


def _release(arguments: argparse.Namespace) -> Order:
    return orders.Release(subject=arguments.subject.lower(), since=_since(arguments))


def _quarantined(arguments: argparse.Namespace) -> Order:
    return orders.Quarantined(every=arguments.all, json=arguments.json)


def _issue(arguments: argparse.Namespace) -> Order:
    return orders.Issue(label=arguments.label, uses=arguments.uses, days=arguments.days)


def _tokens(arguments: argparse.Namespace) -> Order:
    return orders.Tokens(json=arguments.json)


def _revoke(arguments: argparse.Namespace) -> Order:
    return orders.Revoke(name=arguments.name.lower())


def _compact(_arguments: argparse.Namespace) -> Order:
    return orders.Compact()


def _back_up(arguments: argparse.Namespace) -> Order:
    return orders.BackUp(file=str(arguments.file.absolute()))


def _check(_arguments: argparse.Namespace) -> Order:
    return orders.Check()


def _dead_letters(_arguments: argparse.Namespace) -> Order:
    return orders.DeadLetters()


def _with_letters(
    order: type[orders.RetryLetters | orders.DropLetters], arguments: argparse.Namespace
) -> Order:
    return order(letters=tuple(arguments.letters), every=arguments.all)


def _restore(arguments: argparse.Namespace) -> int:
    """No order: a collector that runs cannot have its store exchanged."""
    config = load(arguments.config, {"data_dir": arguments.data_dir})
    aside = f"before-{datetime.fromtimestamp(time.time(), UTC):%Y%m%dT%H%M%SZ}" if arguments.force else None
    put = upkeep.restore(config.data_path, arguments.file, progress(_note, lambda: False), aside)
    if put is not None:
        _note(f"the store that was there is in {put}")
    _out(f"restored into {config.data_path}")
    return 0
