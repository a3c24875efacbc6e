"""A nation by hand: a story told to a collector whose page can be watched meanwhile.

python -m tests.nation STORY [--speed 60] [--hurry +2h] [--seed 1] [--scale 1] [--collector URL]
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from collector.beside import Gone
from collector.config import Config, Display
from collector.listening import CannotListen
from collector.store.base import StoreError
from probe.wire.settings import ConfigError

from .drive import Post, recite, replay
from .files import load, names
from .narrator import Report, marks, summary
from .story import Story, seconds
from .world import World

EVERY_S = 1800.0  # how often progress is said, in the story's time
# A second of a fast story is over before a request is answered: what is due within five goes side by side.
FAST, FINE_TICK_S, COARSE_TICK_S = 20.0, 1.0, 5.0


def main() -> int:
    """0 once the story is told; 2 if what was asked for is not there or cannot be."""
    arguments = _parser().parse_args()
    try:
        world = World.of(load(arguments.story), arguments.seed, arguments.scale)
        _check(arguments)
    except FileNotFoundError:
        print(f"no story {arguments.story!r}; there are: {' '.join(names())}", file=sys.stderr)
        return 2
    except (ConfigError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    try:
        with tempfile.TemporaryDirectory(prefix="nation-") as folder:
            report = asyncio.run(_told(world, arguments, folder))
    except ExceptionGroup as several:
        known, other = several.split((CannotListen, Gone, StoreError))
        if other or not known:
            raise
        print(*known.exceptions, sep="\n", file=sys.stderr)
        return 2
    print(summary(report))
    return 0


def _check(arguments: argparse.Namespace) -> None:
    """Raise `ValueError` for what does not go together."""
    if arguments.collector:
        Post(arguments.collector)
        if arguments.speed not in (None, 1.0) or arguments.hurry or arguments.stay:
            raise ValueError("--collector: one that is there already lives in the present, at speed 1")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.nation", description="A simulated nation.")
    parser.add_argument("story", help=f"one of tests/stories/, or a .toml file: {' '.join(names())}")
    parser.add_argument("--speed", type=float, metavar="N", help="times real time (60); 0: all it can")
    parser.add_argument("--hurry", type=_span, default=0.0, metavar="+2h", help="as fast as it can so far")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other probes")
    parser.add_argument("--scale", type=float, default=1.0, metavar="N", help="times as many probes")
    parser.add_argument("--collector", metavar="URL", help="one that runs already, at speed 1, from now")
    parser.add_argument("--listen", default="127.0.0.1:8460", metavar="HOST:PORT")
    parser.add_argument("--metrics-listen", default="127.0.0.1:8461", metavar="HOST:PORT")
    parser.add_argument("--data-dir", metavar="DIR", help="kept afterwards; a temporary one otherwise")
    parser.add_argument("--stay", action="store_true", help="leave the page up at the end, until Ctrl-C")
    return parser


def _span(text: str) -> float:
    try:
        return seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


class _Spoken(logging.Handler):
    """What the detector publishes, at the moment of the story."""

    def emit(self, record: logging.LogRecord) -> None:
        print(f"    the collector: {record.getMessage()}", flush=True)


async def _told(world: World, arguments: argparse.Namespace, folder: str) -> Report:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    logging.getLogger("reachwatch.detector").addHandler(_Spoken())
    print(f"{world.story.title}: {len(world.probes)} probes in {len(world.story.country)} countries")
    if arguments.collector:
        return await recite(world, arguments.collector, stop=stop, progress=_progress(world.story))
    config = Config(
        listen=arguments.listen,
        metrics_listen=arguments.metrics_listen,
        data_dir=arguments.data_dir or str(Path(folder) / "data"),
        display=Display(replay=f"{world.story.title}, told by simulated probes."),
        mobile_networks=tuple(sorted(world.story.mobile)),
    )
    speed = 60.0 if arguments.speed is None else arguments.speed
    return await replay(
        world,
        config,
        speed=speed,
        hurry_s=arguments.hurry,
        tick_s=FINE_TICK_S if 0 < speed <= FAST and not arguments.hurry else COARSE_TICK_S,
        stop=stop,
        stay=arguments.stay,
        listening=lambda url: print(f"page     {url}/", flush=True),
        progress=_progress(world.story),
    )


def _progress(story: Story) -> Callable[[float, Report], None]:
    """Says what happens when it happens, and now and then how far it is."""
    left, next_at = marks(story), 0.0

    def progress(at: float, report: Report) -> None:
        nonlocal next_at
        while left and left[0][0] <= at:
            print(f"{_clock(story, left[0][0])}  {left.pop(0)[1]}", flush=True)
        if at >= next_at:
            next_at = at - at % EVERY_S + EVERY_S
            print(f"{_clock(story, at)}  {summary(report)}", flush=True)

    return progress


def _clock(story: Story, at: float) -> str:
    return datetime.fromtimestamp(story.began + at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


if __name__ == "__main__":
    sys.exit(main())
