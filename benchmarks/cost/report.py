"""The figures of the benchmark as docs/costs.md shows them."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median, quantiles

from tests.lab.measured import MOST_BYTES, MOST_S

from .interfered import Met
from .line import ROUND_TRIP_S
from .rivals import AGENT, BESIDE, HTTP, STAGES, Spent

MOST_KB = MOST_BYTES / 1000
ORDER = (AGENT, BESIDE, HTTP, STAGES)

BEYOND = """What is above what we ask of it, and why:

- *CPU.* A third of it is OpenSSL's: 15 handshakes of the round and four of the trusted resolver at 1.5 ms \
each in Python's `ssl`, which alone is half of what the exporter spends. The rest is Python: asyncio, h11, \
and an answer of the trusted resolver for every name, which the exporter does not ask for.
- *The line.* What the exporter has no part in: four handshakes and a question for each name with the \
trusted resolver (16 KB), and the push (5 KB). Without the trusted resolver's answer in every round a lie \
of the line's resolver would show only where it breaks something.
- *The endpoints' wall time.* They go four at a time. Started as fast as the line takes them they were \
through in 229 ms, and a censor who goes on blocking an address for a while was then called `unreachable` \
in the lab, where he is `blocked` now: the questions came before the while was over.
- *The whole round's wall time.* The gate opens and closes a round, four round-trips each, and neither may \
overlap with what it vouches for.
- *Memory.* `cryptography` signs and reads certificates, and brings an OpenSSL of its own."""


@dataclass(frozen=True, slots=True)
class Aged:
    """What the agent weighs after so many rounds."""

    rounds: int
    resident_mib: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: what it is of a round, and how many times a rival's it may be."""

    title: str
    digits: int
    of: Callable[[Spent], float]
    limits: str
    last: bool = False  # what counts is the last round's, not the median


_FIGURES = (
    Figure("wall, the endpoints' part, ms", 0, lambda one: one.endpoints_s * 1000, "240 ms"),
    Figure("wall, the whole round, ms", 0, lambda one: one.wall_s * 1000, ""),
    Figure("CPU, ms", 1, lambda one: one.cpu_s * 1000, "0.9 of the 16, 0.45 of the 64"),
    Figure("the line, both ways, KB", 1, lambda one: one.carried_kb, "1.1 of the 16"),
    Figure("resident after the last, MiB", 1, lambda one: one.resident_mib, "1.25 of the 64", last=True),
)


def written(
    spent: Mapping[str, Sequence[Spent]],
    pushed: Mapping[str, int],
    aged: Sequence[Aged],
    imports: Mapping[str, float],
    met: Sequence[Met],
) -> str:
    """The whole document."""
    rounds = len(spent[AGENT])
    grown = aged[-1].resident_mib - aged[0].resident_mib if aged else 0.0
    return f"""# What a round costs

Written by `make bench` on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores, Linux {platform.release()}, \
Python {platform.python_version()}, Debian's prometheus-blackbox-exporter. Ratios hold elsewhere, absolutes \
do not: run it again for your own.

## A clean round, beside blackbox_exporter

A home at the end of a line of {ROUND_TRIP_S * 1000:g} ms there and back, IPv4 alone, everything else a real \
program at its far end; {rounds} rounds of each in turns, in long-running processes. Each connection is \
DNS → TCP → TLS 1.3 → HTTP, answered by a 204.

- *agent, 16 in all*: as many connections as the exporter's: 9 endpoints, and the gate, which no verdict \
goes without: three unrelated sites before and after, and the portal's page. Beyond them it asks every name \
of a trusted resolver over HTTPS, judges, signs, spools on disk and pushes; all of that is counted.
- *agent, 16 and the gate*: 16 endpoints and the gate beside them, 23 connections.
- *16 http*: the exporter's `http` probe of 16 hosts at once. *64*: `dns`, `tcp`, `tls` and `http` of each.

Medians, in brackets the quartiles. What asks the exporter, as Prometheus would, is not counted.

| | agent, 16 in all | agent, 16 and the gate | 16 http | 64 | ÷ 16 | ÷ 64 | at most |
|---|---|---|---|---|---|---|---|
{"".join(_row(figure, spent) for figure in _FIGURES)}{_tls_row(spent)}\
| pushed, compressed, KB | {pushed[AGENT] / 1000:.2f} | {pushed[BESIDE] / 1000:.2f} | | | | | 2.5 |

The ratios are those of *16 in all*. {_growth(aged, grown)}

What the agent's imports weigh, in this order, MiB:

| import | more | in all |
|---|---|---|
{_weights(imports)}
{BEYOND}

## A round in which all four platforms are interfered with

One round each, in the test lab, where the network takes no time: the shipped platforms and timeouts, both \
families. The limits are {MOST_S:g} s and {MOST_KB / 1000:g} MB.

| scenario | said | wall, s | the line, KB | packets | CPU, s | observations | within |
|---|---|---|---|---|---|---|---|
{"".join(map(_met, met))}"""


def _weights(imports: Mapping[str, float]) -> str:
    """Each import by what the process is larger for it; the first is Python itself."""
    sizes = list(imports.values())
    more = [now - before for before, now in pairwise([0.0, *sizes])]
    rows = zip(imports, more, sizes, strict=True)
    return "".join(f"| `{name}` | {added:.1f} | {size:.1f} |\n" for name, added, size in rows)


def _row(figure: Figure, spent: Mapping[str, Sequence[Spent]]) -> str:
    values = {name: [figure.of(one) for one in spent[name]] for name in ORDER}
    told = {name: (one[-1] if figure.last else median(one)) for name, one in values.items()}
    cells = [
        f"{told[n]:.{figure.digits}f}" if figure.last else _spread(values[n], figure.digits) for n in ORDER
    ]
    ratios = (f"{told[AGENT] / told[rival]:.2f}" for rival in (HTTP, STAGES))
    return f"| {' | '.join((figure.title, *cells, *ratios, figure.limits))} |\n"


def _tls_row(spent: Mapping[str, Sequence[Spent]]) -> str:
    """How far the handshakes' times are from the line's, at the most of 95 in 100."""
    cells = (f"{_late_ms(spent[name]):.1f}" for name in ORDER)
    return f"| error of the TLS time, p95, ms | {' | '.join(cells)} | | | 20 ms |\n"


def _late_ms(spent: Iterable[Spent]) -> float:
    late = [abs(tls_s - ROUND_TRIP_S) * 1000 for one in spent for tls_s in one.tls_s]
    return quantiles(late, n=20, method="inclusive")[-1]


def _growth(aged: Sequence[Aged], grown: float) -> str:
    if not aged:
        return ""
    weights = ", ".join(f"{one.resident_mib:.1f} after {one.rounds}" for one in aged)
    return f"The agent's size in MiB as rounds go by: {weights}; it grew by {grown:.2f} (at most 0.5)."


def _spread(values: Sequence[float], digits: int) -> str:
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _met(one: Met) -> str:
    within = "yes" if one.wall_s < MOST_S and one.carried_kb < MOST_KB else "**no**"
    figures = f"{one.wall_s:.1f} | {one.carried_kb:.0f} | {one.packets} | {one.cpu_s:.2f}"
    said = ", ".join(one.statuses)
    return f"| `{one.scenario}` | {said} | {figures} | {one.observations} | {within} |\n"
