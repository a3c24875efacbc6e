"""What a volunteer decides about this agent, as commands: ``consent``, ``pause``, ``resume``, ``forget``."""

from __future__ import annotations

import argparse
import fcntl
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from math import inf
from pathlib import Path

from . import budget, quiet, whereabouts
from .config import Config, load, load_platforms
from .consent import (
    TEXT,
    VERSION,
    Answer,
    ConsentError,
    Standing,
    in_words,
    read_answer,
    remaining,
    standing,
    write_answer,
)
from .ending import MEASURED, USAGE, Trouble
from .screen import Screen
from .spool import Spool
from .wire.settings import ConfigError


@contextmanager
def alone(state_dir: Path) -> Iterator[None]:
    """Hold the folder's lock: two agents on one key would double every vote."""
    with (state_dir / "agent.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Trouble(f"another agent is running on {state_dir}") from None
        yield


@contextmanager
def opened(config: Config) -> Iterator[Spool]:
    """The spool of this configuration. Raises `SpoolError`."""
    limits = config.spool
    spool = Spool.open(
        config.state_path / "spool.sqlite", max_bytes=limits.max_bytes, max_age_s=limits.max_age_s
    )
    try:
        yield spool
    finally:
        spool.close()


HOW = "`reachwatch-probe consent` or REACHWATCH_CONSENT=yes"


def standing_of(config: Config) -> Standing:
    """How it stands with sending. Raises `ConsentError`."""
    return standing(read_answer(config.state_path), config.consent)


def agrees(config: Config) -> bool:
    """Whether sending is agreed to at this moment: asked before each request, so that a no holds at once
    for an agent that runs."""
    try:
        return standing_of(config) is Standing.GIVEN
    except ConsentError:
        return False


def may_send(config: Config, *, ask: bool) -> bool:
    """Whether an agent that starts may send. Where it was never said, a person at the terminal is asked,
    and a program that nobody watches is not started under a guess."""
    if not config.collector.ways:
        return False
    how = standing_of(config)
    if how is Standing.UNDECIDED and ask:
        if not _is_somebody_there():
            raise Trouble(f"nobody has agreed to sending yet: {HOW}", USAGE)
        how = Standing.GIVEN if _ask_and_keep(config, ()).given else Standing.REFUSED
    if how is not Standing.GIVEN:
        print(_NOT_SENT[how], file=sys.stderr)
    return how is Standing.GIVEN


_NOT_SENT = {
    Standing.REFUSED: "sending was refused (`reachwatch-probe consent`): rounds stay on this machine",
    Standing.UNDECIDED: f"nothing was sent, the round waits on this machine; to agree to sending: {HOW}",
}


def without_left_out(config: Config) -> tuple[str, ...]:
    """The platforms to measure. Raises `ConfigError` where the volunteer left out all of them."""
    platforms = remaining(config.platforms, read_answer(config.state_path))
    if not platforms:
        names = ", ".join(config.platforms)
        raise ConfigError(f"platforms: {names}: left out by your consent (`reachwatch-probe consent`)")
    return platforms


def consent(arguments: argparse.Namespace) -> int:
    """Show the text and take the answer; or show the answer."""
    config = load(arguments.config, {})
    without = tuple(dict.fromkeys(arguments.without or ()))
    _check_left_out(config, without)
    if arguments.show:
        print(in_one_line(config))
    elif arguments.given is not None:
        _keep(config, given=arguments.given, without=without)
    elif _is_somebody_there():
        _ask_and_keep(config, without)
    else:
        print(TEXT)
        raise Trouble("no terminal to ask on: consent --yes or --no", USAGE)
    return MEASURED


def _check_left_out(config: Config, without: Sequence[str]) -> None:
    known = {platform.name for platform in load_platforms(config)}
    for name in without:
        if name not in known:
            raise ConfigError(f"--without: {name!r} is not measured (there: {', '.join(sorted(known))})")
    if known <= set(without):
        raise ConfigError("--without: leaves nothing to measure; to stop, do not start the agent")


def in_one_line(config: Config) -> str:
    """How it stands, and since when."""
    answer = read_answer(config.state_path)
    when = "by the configuration" if config.consent or answer is None else _day(answer.at)
    return in_words(answer, standing(answer, config.consent), when)


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}Z"


def _is_somebody_there() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()


def _ask_and_keep(config: Config, without: tuple[str, ...]) -> Answer:
    screen = Screen(sys.stdout)
    for line in TEXT.splitlines():
        screen.print(line)
    given = _asked("Do you agree to sending what is measured? (yes/no) ")
    return _keep(config, given=given, without=without)


def _asked(question: str) -> bool:
    try:
        while (word := input(question).strip().lower()) not in _WORDS:
            print("Please write yes or no.")
    except EOFError:
        raise Trouble("no answer was given", USAGE) from None
    return _WORDS[word]


# A single letter is too easily hit for what may be dangerous.
_WORDS = {"yes": True, "no": False}


def forget(arguments: argparse.Namespace) -> int:
    """Delete what is kept on this machine, and the seed of its pseudonyms; no answer is deleted."""
    state_dir = load(arguments.config, {}).state_path
    if not arguments.yes:
        if not _is_somebody_there():
            raise Trouble("no terminal to ask on: forget --yes", USAGE)
        print(f"This deletes rounds, history and seed in {state_dir}. {_STAYS}")
        if not _asked("Delete them? (yes/no) "):
            raise Trouble("nothing was deleted")
    if not state_dir.is_dir():
        raise Trouble(f"{state_dir}: nothing is kept there")
    try:
        with alone(state_dir):  # an agent that runs would write it all again
            for name in KEPT:
                (state_dir / name).unlink(missing_ok=True)
    except OSError as error:
        raise Trouble(f"{error.filename or state_dir}: {error.strerror or error}; run it again") from None
    print(f"deleted. {_STAYS}")
    return MEASURED


# The rounds before the seed: who is interrupted in between still has the name to ask in.
KEPT = ("spool.sqlite", "spool.sqlite-journal", "targets.json", "alive", "spent.json", "identity.key")
_STAYS = "What collectors have stays with them until their operators' time for it is over."


def why_quiet(config: Config) -> str:
    """Why the agent keeps still now, empty where it does not."""
    paused, now = quiet.paused_until(config.state_path), time.time()
    still = quiet.reason(paused, now, whereabouts.interface(), config.metered_interfaces)
    return still or budget.reason(budget.read(config.state_path), config.budget, now)


def pause(arguments: argparse.Namespace) -> int:
    """Keep still from now on."""
    config = load(arguments.config, {})
    try:
        until = time.time() + quiet.duration_s(arguments.duration) if arguments.duration else inf
        quiet.pause(config.state_path, until)
    except ValueError as error:
        raise ConfigError(f"--for: {error}") from None
    except OSError as error:
        raise Trouble(f"{config.state_path}: {error.strerror or error}") from None
    print(f"{why_quiet(config)}; to go on: `reachwatch-probe resume`")
    return MEASURED


def resume(arguments: argparse.Namespace) -> int:
    """End a pause."""
    config = load(arguments.config, {})
    try:
        was_paused = quiet.resume(config.state_path)
    except OSError as error:
        raise Trouble(f"{config.state_path}: {error.strerror or error}") from None
    print("resumed" if was_paused else "was not paused")
    return MEASURED


def _keep(config: Config, *, given: bool, without: tuple[str, ...]) -> Answer:
    answer = Answer(VERSION, given, round(time.time(), 3), without)
    write_answer(config.state_path, answer)
    if not given and (config.state_path / "spool.sqlite").exists():
        with opened(config) as spool:
            spool.empty()
    print(in_one_line(config))
    return answer
