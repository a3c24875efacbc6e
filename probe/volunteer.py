"""What a volunteer decides about this agent, as commands: ``consent``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from .config import Config, load, load_platforms
from .consent import (
    TEXT,
    VERSION,
    Answer,
    Standing,
    in_words,
    read_answer,
    remaining,
    standing,
    write_answer,
)
from .ending import MEASURED, USAGE, Trouble
from .screen import Screen
from .wire.settings import ConfigError

HOW = "`reachwatch-probe consent` or REACHWATCH_CONSENT=yes"


def standing_of(config: Config) -> Standing:
    """How it stands with sending. Raises `ConsentError`."""
    return standing(read_answer(config.state_path), config.consent)


def may_send(config: Config, *, ask: bool) -> bool:
    """Whether an agent that starts may send. Where it was never said, a person at the terminal is asked,
    and a program that nobody watches is not started under a guess."""
    if not config.collector.urls:
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
    try:
        while (word := input(_QUESTION).strip().lower()) not in _WORDS:
            screen.print("Please write yes or no.")
    except EOFError:
        raise Trouble("no answer was given: nothing is sent", USAGE) from None
    return _keep(config, given=_WORDS[word], without=without)


_QUESTION = "Do you agree to sending what is measured? (yes/no) "
# A single letter is too easily hit for what may be dangerous.
_WORDS = {"yes": True, "no": False}


def _keep(config: Config, *, given: bool, without: tuple[str, ...]) -> Answer:
    answer = Answer(VERSION, given, round(time.time(), 3), without)
    write_answer(config.state_path, answer)
    print(in_one_line(config))
    return answer
