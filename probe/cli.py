"""``reachwatch-probe``: the commands, their flags and their exit statuses.

0 a round was measured, whatever it found; 3 this machine could not judge; 2 usage or
configuration; 1 anything else. With ``--json`` standard output carries one JSON document and
nothing else; whatever is for a person goes to standard error.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from . import budget, display, doctor, household, log, volunteer, whereabouts
from .agent import Agent, Desk
from .config import Config, load, load_platforms, system_resolvers
from .consent import ConsentError, Standing
from .dial import Dialler, trusted_of
from .ending import CANNOT_JUDGE, MEASURED, OTHER, USAGE, Trouble
from .identity import Identity, IdentityError, Installation
from .live import Progress, live
from .net import AsyncioNet
from .outcome import document
from .plan import Plan
from .routes import Routes
from .schedule import Schedule
from .screen import Screen
from .spool import Spool, SpoolError
from .stages.dns import DohResolver, PlainResolver
from .targets import Targets
from .trust import Trust
from .upload import Courier, Uploader
from .wire.settings import ConfigError
from .wire.version import __version__

SHELLS = ("bash", "zsh", "fish")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the return value is the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        run: Callable[[argparse.Namespace], int] = arguments.run
        return run(arguments)
    except ConfigError as error:
        print(f"reachwatch-probe: {error}", file=sys.stderr)
        return USAGE
    except (Trouble, ConsentError, IdentityError, SpoolError) as error:
        print(f"reachwatch-probe: {error}", file=sys.stderr)
        return error.status if isinstance(error, Trouble) else OTHER
    except KeyboardInterrupt:
        return 130  # 128 + SIGINT, as shells count it
    except BrokenPipeError:
        return OTHER


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reachwatch-probe",
        description="Measure whether X, Facebook, Instagram and YouTube can be reached from this line.",
    )
    parser.add_argument("--version", action="version", version=f"reachwatch {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.add_argument("--config", type=Path, metavar="FILE", help="a TOML file; defaults otherwise")
        added.set_defaults(run=run)
        return added

    one = command("run", _run, "measure one round now")
    one.add_argument("--json", action="store_true", help="one JSON document on standard output")
    one.add_argument(
        "--platform", action="append", metavar="NAME", help="only this platform; may be repeated"
    )
    one.add_argument("--transfers", action="store_true", help="ask how fast things come, too")
    one.add_argument("--no-upload", action="store_true", help="keep the round on this machine")
    start = command("start", _start, "measure round after round until stopped")
    start.add_argument("--interval", type=float, metavar="SECONDS", help="from one round to the next")
    start.add_argument("--collector", action="append", metavar="URL", help="where to push; may be repeated")
    agree = command("consent", volunteer.consent, "what is measured and sent, the risk, and your answer")
    answer = agree.add_mutually_exclusive_group()
    answer.add_argument("--yes", dest="given", action="store_true", default=None, help="agree to sending")
    answer.add_argument("--no", dest="given", action="store_false", help="measure for this machine alone")
    answer.add_argument("--show", action="store_true", help="what was answered")
    agree.add_argument("--without", action="append", metavar="PLATFORM", help="leave it out; may be repeated")
    pause = command("pause", volunteer.pause, "keep still, until resumed or for a time")
    pause.add_argument("--for", dest="duration", metavar="DURATION", help="such as 30m, 2h or 1d")
    command("resume", volunteer.resume, "go on after a pause")
    gone = command("forget", volunteer.forget, "delete what is kept on this machine, and the seed")
    gone.add_argument("--yes", action="store_true", help="without asking")
    command("status", _status, "what the agent is doing and what waits to be sent")
    history = command("history", _history, "the last rounds on this machine")
    history.add_argument("--limit", type=int, default=20, metavar="N", help="how many (default 20)")
    command("doctor", _doctor, "what this machine can measure, and what to do where it cannot")
    completion = commands.add_parser("completion", help="what a shell needs to complete these commands")
    completion.add_argument("shell", choices=SHELLS, help="for example: completion bash > FILE")
    completion.set_defaults(run=lambda arguments: _completion(parser, arguments.shell))
    config = commands.add_parser("config", help="look at the configuration").add_subparsers(
        required=True, metavar="COMMAND"
    )
    check = config.add_parser("check", help="say whether the configuration can be used")
    check.add_argument("--config", type=Path, metavar="FILE", help="a TOML file; defaults otherwise")
    check.set_defaults(run=_config_check)
    return parser


def _completion(parser: argparse.ArgumentParser, shell: str) -> int:
    import shtab

    print(shtab.complete(parser, shell))
    return MEASURED


def _load(arguments: argparse.Namespace, **flags: object) -> Config:
    return load(arguments.config, flags)


def _plan(config: Config) -> Plan:
    system = PlainResolver(system_resolvers(config))
    trusted = DohResolver(config.resolvers.doh_url, config.resolvers.doh_addresses)
    trust = Trust(config.tls.ca_file)
    try:
        trust.bundle  # noqa: B018 - built here, so that an unusable file is said before any round
    except OSError as error:
        raise ConfigError(f"tls.ca_file: {error.strerror or error}") from None
    measured = replace(config, platforms=volunteer.without_left_out(config))
    return Plan(config, load_platforms(measured), system, trusted, AsyncioNet(), trust, time.monotonic)


@contextmanager
def _desk(config: Config) -> Iterator[Desk]:
    plan = _plan(config)
    installation = Installation.load_or_create(config.state_path)
    with volunteer.opened(config) as spool:
        yield Desk(plan, installation, spool, _targets(config))


def _targets(config: Config) -> Targets:
    return Targets(config.state_path / "targets.json", config.targets.keys, time.time)


def _uploader(config: Config, desk: Desk, who: Identity) -> Uploader:
    plan = desk.plan
    return Uploader(
        dial=Dialler(plan.net, plan.trust, _addresses, trusted_of(plan)),
        routes=_routes(config, desk.spool),
        identity=who,
        network=config.network,
        wall=time.time,
        token=config.collector.enrolment_token,
        is_here=lambda: desk.speaks_as(who) and volunteer.agrees(config),
    )


def _routes(config: Config, spool: Spool) -> Routes:
    kept = spool.notes().get("routes", "")
    return Routes(config.collector.ways, kept=kept, network=lambda: whereabouts.here() or "")


async def _addresses(host: str) -> list[str]:
    """The system's own way to an address: the collector is reached as any program would."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _run(arguments: argparse.Namespace) -> int:
    config = _load(arguments, platforms=arguments.platform)
    with _desk(config) as desk:
        try:
            return asyncio.run(_one_round(desk, config, arguments))
        finally:
            purse = budget.Purse(config.state_path)
            purse.pay(desk.plan.net.carried_bytes, time.time(), all_of_it=True)


async def _one_round(desk: Desk, config: Config, arguments: argparse.Namespace) -> int:
    screen = Screen(sys.stderr if arguments.json else sys.stdout)
    progress = Progress(desk.plan.platforms, config.round_deadline_s)
    with live(progress, screen):
        outcome = await desk.take(progress.see, progress.enter, transfers=arguments.transfers)
    wanted = bool(config.collector.ways) and not arguments.no_upload
    sends = wanted and volunteer.may_send(config, ask=False)
    await desk.keep(outcome, upload=wanted and volunteer.standing_of(config) is not Standing.REFUSED)
    if arguments.json:
        json.dump(document(outcome), sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    else:
        display.show(outcome, screen)
    if sends and (who := desk.identity()) is not None:
        uploader = _uploader(config, desk, who)
        courier = Courier(uploader, desk.spool, desk.lock, random.SystemRandom(), time.time)
        if await courier.push() is not None:
            said, gate = desk.spool.notes()["last_obstacle"], str(outcome.round.gate.state)
            obstacle = display.obstacle(uploader.routes.seen(time.time()), said, gate)
            print(f"{obstacle}; the round waits on this machine", file=sys.stderr)
    return MEASURED if outcome.could_judge else CANNOT_JUDGE


def _start(arguments: argparse.Namespace) -> int:
    flags = {"interval_s": arguments.interval, "collector.urls": arguments.collector}
    config = load(arguments.config, flags)
    with _desk(config) as desk, volunteer.alone(config.state_path):
        sends = volunteer.may_send(config, ask=True)
        log.start()
        asyncio.run(_agent(desk, config, sends=sends))
    return MEASURED


async def _agent(desk: Desk, config: Config, *, sends: bool) -> None:
    rng = random.SystemRandom()
    schedule = Schedule(interval_s=config.interval_s, phase_s=rng.uniform(0, config.interval_s))
    speaking = partial(_uploader, config, desk) if sends else None
    purse, net = budget.Purse(config.state_path), desk.plan.net

    def pulse() -> None:
        _touch(config.state_path)
        purse.pay(net.carried_bytes, time.time())

    agent = Agent(desk, schedule, speaking, rng, pulse, partial(volunteer.why_quiet, config))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, agent.stop.set)
    await agent.run()
    purse.pay(net.carried_bytes, time.time(), all_of_it=True)


def _touch(state_dir: Path) -> None:
    """For whoever watches over the process: the file's age is what a health check reads."""
    with suppress(OSError):
        (state_dir / "alive").touch()


def _is_running(state_dir: Path) -> bool:
    try:
        with volunteer.alone(state_dir):
            return False
    except Trouble:
        return True


def _status(arguments: argparse.Namespace) -> int:
    config, screen = _load(arguments), Screen(sys.stdout)
    with volunteer.opened(config) as spool:
        running, rounds = _is_running(config.state_path), _rounds(spool, 1)
        seen = _routes(config, spool).seen(time.time())
        figures = spool.figures()
        away = figures.pending - _waiting_here(config, spool) if figures.pending else 0
        lines = display.status(running, figures, spool.notes(), seen, rounds, time.time(), screen.width, away)
    if why := volunteer.why_quiet(config):
        lines.insert(1, f"quiet        {why}")
    lines.append(f"consent      {volunteer.in_one_line(config)}")
    spent = budget.in_words(budget.read(config.state_path), config.budget, time.time())
    lines.append(f"line         {spent}")
    if config.targets.keys:
        lines.append(f"targets      {_targets(config).in_words()}")
    for line in lines:
        screen.print(line, indent=display.STATUS_INDENT)
    return MEASURED


def _waiting_here(config: Config, spool: Spool) -> int:
    installation, place = Installation.load_or_create(config.state_path), whereabouts.here()
    return 0 if place is None else spool.waiting(installation.at(place).probe_id)


def _rounds(spool: Spool, limit: int) -> list[dict[str, Any]]:
    return [json.loads(summary) for summary in spool.history(limit)]


def _history(arguments: argparse.Namespace) -> int:
    with volunteer.opened(_load(arguments)) as spool:
        rounds = _rounds(spool, arguments.limit)
    screen = Screen(sys.stdout)
    for line in display.history(rounds, screen.width):
        screen.print(line)
    return MEASURED


def _doctor(arguments: argparse.Namespace) -> int:
    config = _load(arguments)
    return asyncio.run(_examine(config))


async def _examine(config: Config) -> int:
    found = []
    for finding in household.findings(config):
        print(finding, flush=True)
        found.append(finding)
    async for finding in doctor.examine(_plan(config), _addresses, config.collector.ways):
        print(finding, flush=True)
        found.append(finding)
    return OTHER if any(one.health is doctor.Health.FAIL for one in found) else MEASURED


def _config_check(arguments: argparse.Namespace) -> int:
    config = _load(arguments)
    platforms = _plan(config).platforms
    endpoints = sum(len(role.endpoints) for platform in platforms for role in platform.roles)
    print(f"{arguments.config or 'defaults'}: usable; {len(platforms)} platforms, {endpoints} endpoints")
    return MEASURED
