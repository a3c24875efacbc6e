"""``python -m benchmarks.detection``: simulate, count, write docs/detection.md."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from collector.detect.thresholds import DEFAULT, Thresholds

from .events import Case, Kind, Trial, trials
from .noise import QUIET, ROUNDS_A_YEAR, STUDIED, Noise, twice
from .report import Run, written
from .silence import CASES as SHUTDOWNS
from .silence import Quiet, Shutdown, delays, quiet
from .speeds import Slow, Slowed, SlowYear, slow_year, slowed
from .years import HOMES, Year, lands, lived

OUT = Path(__file__).parent.parent.parent / "docs" / "detection.md"
EFFICACIES = (1.0, 0.9, 0.7, 0.5)
NOISES = {noise.name: noise for noise in (STUDIED, twice(STUDIED))}
# Years of all lands together, by noise: twelve country-platform-years each.
YEARS = {STUDIED.name: 18, twice(STUDIED).name: 6}
# Events of each case: more where a target speaks of it.
TRIALS, TRIALS_OF_TARGETS = 120, 240
# Throttlings: of nations of 4 and of 7 networks, by how often a home compares speeds; years of all lands.
SLOW = tuple(Slow(n, homes, every) for n, homes in ((4, 8), (7, 8), (7, 20)) for every in (12, 3, 1))
SLOW_YEARS = {12: 4, 3: 2}
# Shutdowns of each case, and years of silence of all lands together.
SHUTDOWN_TRIALS, SILENT_YEARS = 240, 12
# How long a trouble lasts that one would not want to be woken by, in rounds: 3 to 15 minutes.
SHORT = (0.6, 1.2, 1.8, 2.4, 3.0)
# Chance that a home is switched off or late, in a round.
AWAY = 0.1


@dataclass(frozen=True, slots=True)
class Job:
    """A piece of work for one process, with chance of its own: a year, or trials of a case; a number for a
    case is a year of words on speed, said once in so many rounds."""

    seed: str
    noise: Noise
    case: Case | Slow | int | None = None
    trials: int = 0
    limits: Thresholds = DEFAULT


def main() -> int:
    """0 once the report is written."""
    arguments = _parser().parse_args()
    began = time.monotonic()
    years: dict[str, list[Year]] = {}
    found: dict[Case, list[Trial]] = {}
    throttled: dict[Slow, list[Slowed]] = {}
    slow_years: dict[int, list[SlowYear]] = {}
    limits = replace(DEFAULT, **dict(arguments.set))
    silences = [f"{arguments.seed} silence {n}" for n in range(max(1, round(SILENT_YEARS * arguments.scale)))]
    jobs = sorted(_jobs(arguments.seed, arguments.scale, limits), key=_heaviest_first)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        silent = [pool.submit(_silent, seed, limits) for seed in silences]
        times = max(5, round(SHUTDOWN_TRIALS * arguments.scale))
        shut = pool.submit(_shut, str(arguments.seed), times, limits)
        waiting = {pool.submit(_done, job): job for job in jobs}
        for n, future in enumerate(as_completed(waiting), 1):
            job, result = waiting[future], future.result()
            if isinstance(result, Year):
                years.setdefault(result.noise, []).append(result)
            elif isinstance(result, SlowYear):
                slow_years.setdefault(result.every, []).append(result)
            elif isinstance(job.case, Slow):
                throttled[job.case] = [one for one in result if isinstance(one, Slowed)]
            elif isinstance(job.case, Case):
                found[job.case] = [one for one in result if isinstance(one, Trial)]
            if n % 20 == 0:
                print(f"{n} of {len(jobs)}, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        nights, cuts = [one for future in silent for one in future.result()], shut.result()
    run = Run(
        years=years,
        trials=found,
        noises=NOISES,
        seed=arguments.seed,
        took_s=time.monotonic() - began,
        throttled=throttled,
        slow_years=slow_years,
        nights=nights,
        shutdowns=cuts,
        others=arguments.set,
    )
    text = written(run)
    arguments.out.write_text(text, encoding="utf-8")
    print(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="(default %(default)s)")
    parser.add_argument(
        "--scale", type=float, default=1.0, metavar="X", help="so much of the years and trials"
    )
    parser.add_argument(
        "--set", type=_threshold, action="append", default=[], metavar="NAME=X", help="another threshold"
    )
    parser.add_argument("--out", type=Path, default=OUT, metavar="FILE")
    return parser


def _threshold(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    return name, type(getattr(DEFAULT, name))(value)


def _jobs(seed: int, scale: float, limits: Thresholds) -> Iterator[Job]:
    for name, years in YEARS.items():
        for n in range(max(1, round(years * scale))):
            yield Job(f"{seed} year {name} {n}", NOISES[name], limits=limits)
    for case, number in _cases():
        yield Job(f"{seed} {case}", NOISES[case.noise], case, max(5, round(number * scale)), limits)

    for every, years in SLOW_YEARS.items():
        for n in range(max(1, round(years * scale))):
            yield Job(f"{seed} slow year {every} {n}", STUDIED, every, limits=limits)
    for slow in SLOW:
        yield Job(f"{seed} {slow}", STUDIED, slow, max(5, round(TRIALS * scale)), limits)


def _cases() -> Iterator[tuple[Case, int]]:
    for kind in (Kind.NETWORK, Kind.NATION_4, Kind.NATION_7):
        for homes in HOMES:
            for efficacy in EFFICACIES:
                yield Case(kind, homes, efficacy), TRIALS_OF_TARGETS if efficacy >= 0.9 else TRIALS
        for homes in (5, 8, 20):
            yield Case(kind, homes, 0.9, noise=twice(STUDIED).name), TRIALS
    for efficacy in (1.0, 0.9):
        yield Case(Kind.NETWORK, 8, efficacy, away=AWAY), TRIALS_OF_TARGETS
    yield Case(Kind.PLATFORMS, 8, 0.9), TRIALS // 2
    for efficacy in (1.0, 0.7, 0.5, 0.3):
        yield Case(Kind.OUTAGE, 8, efficacy), TRIALS_OF_TARGETS
    for kind in (Kind.NETWORK, Kind.NATION_4):
        for efficacy in (1.0, 0.7):
            for lasts in SHORT:
                yield Case(kind, 8, efficacy, lasts=lasts), TRIALS


def _heaviest_first(job: Job) -> tuple[bool, int]:
    of_a_year = job.case is None or isinstance(job.case, int)
    return (not of_a_year, -job.case.homes if isinstance(job.case, Case | Slow) else 0)


def _done(job: Job) -> Year | SlowYear | list[Trial] | list[Slowed]:
    chance = Random(job.seed)  # noqa: S311 - repeatable is what is wanted
    if job.case is None:
        return lived(lands(), ROUNDS_A_YEAR, job.noise, chance, limits=job.limits)
    if isinstance(job.case, int):
        return slow_year(lands(), ROUNDS_A_YEAR, job.case, job.noise, chance, limits=job.limits)
    # Events have the noise of every round, not the glitches: those are what the years are for.
    quiet = replace(QUIET, p0=job.noise.p0)
    if isinstance(job.case, Slow):
        return list(slowed(job.case, job.trials, quiet, chance, job.limits))
    return list(trials(job.case, job.trials, quiet, chance, job.limits))


def _silent(seed: str, limits: Thresholds) -> list[Quiet]:
    """A year of every land."""
    chance = Random(seed)  # noqa: S311
    return [quiet(land, STUDIED, chance, limits) for land in lands()]


def _shut(seed: str, trials_of_each: int, limits: Thresholds) -> dict[Shutdown, list[float | None]]:
    return {
        case: list(delays(case, trials_of_each, Random(f"{seed} {case}"), limits))  # noqa: S311
        for case in SHUTDOWNS
    }


if __name__ == "__main__":
    sys.exit(main())
