"""What was simulated, as docs/detection.md shows it. PURE but for the machine's name.

A target is met where the measured value meets it; the interval says how sure that is. Of several cases
that one target covers the worst is shown.
"""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from collector.detect.network import Condition
from collector.detect.thresholds import DEFAULT

from .events import ABROAD, LONGEST, PEERS_WAIT_H, SHORTEST, Case, Kind, Trial
from .figures import Figure, mean, proportion, quantile, rate
from .noise import ROUND_S, ROUNDS_A_YEAR, Noise
from .silence import BYE_SHARE, DROP_MINUTES, DROPS_A_DAY, Quiet, Shutdown
from .speeds import Slow, Slowed, SlowYear
from .years import HOMES, Alarm, Year, lands

MINUTES = ROUND_S / 60
STUDIED = "as studied"


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that was found, and how long it took."""

    years: Mapping[str, Sequence[Year]]
    trials: Mapping[Case, Sequence[Trial]]
    noises: Mapping[str, Noise]
    seed: int
    took_s: float
    throttled: Mapping[Slow, Sequence[Slowed]] = field(default_factory=dict)
    slow_years: Mapping[int, Sequence[SlowYear]] = field(default_factory=dict)
    nights: Sequence[Quiet] = ()
    shutdowns: Mapping[Shutdown, Sequence[float | None]] = field(default_factory=dict)
    others: Sequence[tuple[str, float]] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One target; `why` is for where it is missed."""

    target: str
    wanted: str
    measured: str
    is_met: bool
    why: str = ""


# Why targets are missed where they are, read out of the rounds of such events.
_WHY_LATE = """See above what a delay can be at the least: {rounds}.06 rounds in the median where nine \
homes of ten are taken, but for the chance in who is hit and that of few homes half is sooner reached. What \
exceeds the target is a matter of seconds, of the worst of the cases."""
_WHY_OVER = """An incident is over when in each of its networks less than a fifth failed two rounds in a \
row. Homes that fail by themselves begin the row anew, and the more networks must be quiet, the longer it \
takes: longest for four platforms in four networks each, which are one incident and end with the last."""
_WHY_CALLED = """By chance the outage took many homes of the one country and hardly any abroad: by its votes \
alone it is that country's."""
_WHY_FALSE = """Glitches make them, not chance: a trouble of most homes that covers as many rounds as a \
confirmation needs is one to the detector. The table of short troubles shows how short that is."""

_WHY_SILENT = """A probe is lost when three heartbeats are missing, 180 seconds after its last, which was up \
to a minute before the loss; what decides is the end of a minute. So a loss is seen after 2 to 4 minutes and \
5 seconds, the later the more of a network must be missing before it is half."""
_WHY_SILENCE = """Not chance: bad minutes of whole lines. Where an exchange takes most lines of two \
networks for longer than three minutes, a nation has fallen silent, and whether for six minutes or for a day \
cannot be known when the word must fall after four. Each is over within minutes and told so."""


def written(run: Run) -> str:
    """The whole document."""
    return "\n".join(
        (
            _head(run),
            _targets(run),
            _laws(run),
            _false_alarms(run),
            _delays(run),
            _others(run),
            _troubles(run),
            throttling(run),
            _silence(run),
            _PEER,
            _LIMITS,
        )
    )


def _head(run: Run) -> str:
    total = sum(_land_years(run.years[name]) for name in run.years)
    return f"""# What detection does on simulated years and events

Written by `make bench-detect` on {datetime.now(UTC):%Y-%m-%d}: seed {run.seed}, {run.took_s:.0f} s on \
{os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}.
{total:.0f} country-platform-years in which nobody interferes and {sum(map(len, run.trials.values()))} \
events, decided by the collector's own code (`collector/detect`) with {_thresholds(run)}. The same seed \
gives the same figures.
Intervals in brackets are of 95 %. A round is {MINUTES:g} minutes.
"""


def _thresholds(run: Run) -> str:
    others = ", ".join(f"{name} = {value:g}" for name, value in run.others)
    return f"other thresholds: {others}" if others else f"its shipped thresholds (h = {DEFAULT.h:.1f})"


def _targets(run: Run) -> str:
    rows = targets(run)
    lines = "".join(
        f"| {row.target} | {row.wanted} | {row.measured} | {'yes' if row.is_met else '**no**'} |\n"
        for row in rows
    )
    return f"""## Targets

Delays run from the moment the event begins, anywhere within a round, to the end of the round that decided.
Of the cases that a target covers the worst decides; the figure in front is of all of them together.

| target | wanted | measured | met |
|---|---|---|---|
{lines}
Not simulated: the way from a batch to the page.

**What a delay can be at the least.** Homes measure at moments spread over the round, and events begin \
anywhere in it. The round in which one begins is bad, half of its votes fail, only where at least 0.5 / \
efficacy of it is left; else the row of bad rounds begins with the next. A network is confirmed by three \
bad rounds in a row, so half of its events are known after 3 + 0.5 / efficacy - 0.5 rounds or more: 3.00 \
where every home fails and 3.06 where nine of ten do, before any chance: of eight homes four are half, \
and sooner found. "Within three rounds" can mean hardly less than that. A \
nation needs two rounds of evidence and has no such row, but hardly less than half a round is any.
{"" if run.others else _missed(rows)}"""


def _missed(rows: Sequence[Row]) -> str:
    missed: dict[str, list[str]] = {}
    for row in rows:
        if not row.is_met:
            missed.setdefault(row.why, []).append(row.target)
    if not missed:
        return ""
    reasons = "".join(f"- *{'*, *'.join(targets)}*: {why}\n" for why, targets in missed.items())
    return f"\n## What is missed, and why\n\n{reasons}"


def targets(run: Run) -> list[Row]:
    """Every target that the simulation can speak of."""
    return [*_delay_targets(run), *_false_targets(run), *_event_targets(run), *_silence_targets(run)]


def _delay_targets(run: Run) -> Iterator[Row]:
    nation, network = "nation, 4 networks or more of 5 homes or more", "one network of 8 homes or more"
    nations = _cases(run, (Kind.NATION_4, Kind.NATION_7), 5)
    networks = _cases(run, (Kind.NETWORK,), 8)
    for who, cases, delay, rounds in ((nation, nations, _nation, 2), (network, networks, _network, 3)):
        why = _WHY_LATE.format(rounds=rounds)
        title = f"{who}, efficacy 0.9 or more: CONFIRMED"
        yield _late(f"{title}, median", cases, delay, 0.5, rounds, why)
        yield _late(f"{title}, 95th percentile", cases, delay, 0.95, rounds + 1, why)


def _false_targets(run: Run) -> Iterator[Row]:
    years = run.years.get(STUDIED, ())
    nation = _confirmed(years, nation=True)
    # Smaller networks are never confirmed: counting them in would flatter.
    able = [size for land in lands() for size in land.homes if size >= DEFAULT.confirm_votes]
    network_years = sum(y.rounds for y in years) / ROUNDS_A_YEAR * len(able)
    for title, alarms, exposure, most in (
        ("false nation-scale CONFIRMED a country-platform-year", nation, _land_years(years), 0.1),
        (
            "false single-network CONFIRMED a network-platform-year, networks of 8 homes or more",
            _confirmed(years, nation=False),
            network_years,
            1.0,
        ),
    ):
        alone = rate(sum(a.because == "noise" for a in alarms), exposure)
        yield Row(f"{title}, noise alone", f"< {most:g}", alone.shown(4), alone.value < most, _WHY_FALSE)
        every = rate(len(alarms), exposure)
        yield Row(f"{title}, glitches and all", f"< {most:g}", every.shown(3), every.value < most, _WHY_FALSE)


def _event_targets(run: Run) -> Iterator[Row]:
    events = [t for case, ts in run.trials.items() if _is_counted(case) for t in ts if t.incidents]
    told = mean([float(t.incidents) for t in events])
    yield Row("notifications of one event", "≤ 1.2", told.shown(3), told.value <= 1.2)
    cases = [found for case, found in run.trials.items() if _is_counted(case) and case.efficacy >= 0.9]
    ended = [[t for t in found if t.was_open] for found in cases]
    yield _late("end of an event, median", [one for one in ended if one], lambda t: t.over, 0.5, 3, _WHY_OVER)
    outages = [t for case, ts in run.trials.items() if case.kind is Kind.OUTAGE for t in ts]
    called = sum(t.called_blocking for t in outages)
    share = proportion(called, len(outages))
    yield Row(
        "a platform's own outage called blocking",
        "0",
        f"{called} of {len(outages)}: {100 * share.value:.1f} %"
        f" ({100 * share.low:.1f} to {100 * share.high:.1f})",
        not called,
        _WHY_CALLED,
    )


def _silence_targets(run: Run) -> Iterator[Row]:
    cases = [found for case, found in run.shutdowns.items() if case.efficacy >= 0.9]
    for title, share in (("median", 0.5), ("95th percentile", 0.95)):
        every = quantile([one for found in cases for one in found], share)
        worst = max((quantile(found, share) for found in cases), key=lambda one: one.value)
        yield Row(
            f"shutdown, 10 homes or more there, efficacy 0.9 or more: CONFIRMED, {title}",
            "≤ 4 minutes",
            f"{every.shown(2)}; worst {worst.shown(2)}",
            worst.value <= 4,
            _WHY_SILENT,
        )
    for title, causes in (
        ("noise alone", ("noise",)),
        ("bad minutes and all", ("noise", "network", "nation")),
    ):
        found = rate(sum(_silences(run, Condition.CONFIRMED, causes)), len(run.nights))
        yield Row(
            f"false silence of a nation CONFIRMED a country-year, {title}",
            "< 0.1",
            found.shown(3),
            found.value < 0.1,
            _WHY_SILENCE,
        )


def _silences(run: Run, word: Condition, causes: Sequence[str]) -> Iterator[int]:
    yield from (night.alarms.get((cause, word), 0) for night in run.nights for cause in causes)


def _silence(run: Run) -> str:
    rows = "".join(
        f"| {case.networks} x {case.homes} | {case.efficacy:g} | {len(found)}"
        f" | {quantile(found, 0.5).shown(2)} | {quantile(found, 0.95).shown(2)}"
        f" | {100 * proportion(sum(one is None for one in found), len(found)).value:.1f} % |\n"
        for case, found in run.shutdowns.items()
    )
    words = "".join(
        f"| nation {word.name} | {' | '.join(str(sum(_silences(run, word, [c]))) for c in _NIGHTS)}"
        f" | {rate(sum(_silences(run, word, _NIGHTS)), len(run.nights)).shown(3)} |\n"
        for word in (Condition.SUSPECTED, Condition.CONFIRMED)
    )
    return f"""## Silence

Minutes from the second of the loss to the end of the minute that decided and five seconds more; *never* is \
the share in which too few were taken. A heartbeat comes once a minute and three must be missed.

| networks x homes | efficacy | shutdowns | CONFIRMED, median | 95th percentile | never |
|---|---|---|---|---|---|
{rows}
{len(run.nights)} country-years of ordinary coming and going: a line drops {DROPS_A_DAY:g} times a day for \
{DROP_MINUTES:g} minutes in the mean, every home goes off at night and says so in {100 * BYE_SHARE:.0f} % of \
cases, and networks and exchanges have the bad minutes that are described above, here of whole lines. What \
is learnt of hours is left out, which makes for more alarms.

| said | noise | bad minutes of a network | of a nation | all, a year |
|---|---|---|---|---|
{words}"""


_NIGHTS = ("noise", "network", "nation")


def _network(trial: Trial) -> float | None:
    return trial.confirmed


def _nation(trial: Trial) -> float | None:
    return trial.nation_confirmed


def _cases(run: Run, kinds: Iterable[Kind], least: int) -> list[Sequence[Trial]]:
    return [
        found
        for case, found in run.trials.items()
        if case.kind in kinds and case.homes >= least and case.efficacy >= 0.9 and _is_counted(case)
    ]


def _is_counted(case: Case) -> bool:
    """Whether it is a plain event, as targets speak of."""
    plain = case.lasts is None and not case.away and case.kind is not Kind.OUTAGE
    return plain and case.noise == STUDIED


def _late(
    target: str,
    cases: Sequence[Sequence[Trial]],
    delay: Callable[[Trial], float | None],
    share: float,
    wanted: float,
    why: str,
) -> Row:
    every = quantile([delay(one) for trials in cases for one in trials], share)
    worst = max(
        (quantile([delay(one) for one in trials], share) for trials in cases), key=lambda one: one.value
    )
    measured = f"{every.shown(2)}; worst {worst.shown(2)}"
    return Row(target, f"≤ {wanted:g} rounds", measured, worst.value <= wanted, why)


def _laws(run: Run) -> str:
    noise = run.noises[STUDIED]
    return f"""## The votes that are made up

Committed before the first full run, and not changed after it, but that each event now draws the phases \
of its homes anew (in the first run all events of a case shared them, which moved its medians either way), \
that homes that are away were added, and that of a year's glitches the moments within the round are drawn, \
because the detector now asks who measured last.

- **Every round, every network**: k of n homes fail by a Beta-Binomial with mean {noise.p0:g} and \
correlation {noise.rho:g}, drawn anew each round. These are the figures the detector itself expects; a \
second run has twice the mean, which it does not expect, and twice the glitches.
- **Glitches of a network**: {noise.network_glitches:g} a year. **Of a nation** (an exchange, a point of \
presence): {noise.nation_glitches:g} a year, reaching each network with chance {noise.reach:g}, two at \
least. Both take a share of the homes drawn between {noise.least_efficacy:g} and 1 and last \
{noise.glitch_s / 60:g} minutes in the mean, exponentially; longer than {noise.glitch_most_s / 60:g} \
minutes is an outage and none is drawn.
- **Hiccups of the platform, worldwide**: {noise.hiccups:g} a year, {noise.hiccup_s / 60:g} minutes in \
the mean, {noise.hiccup_most_s / 3600:g} hours at most, taking a share drawn between 0.1 and 1, and of \
each land between half of that and all.
- **{len(lands())} lands**, each other's world: four and seven networks of unequal weight (largest 45 % \
and 35 %), with {", ".join(map(str, HOMES))} homes each, and two mixed.
- **Events** go through the whole fold as ballots: arming after its warm-up, two probes behind the first \
prefix of each network, {ABROAD} countries abroad, a phase per home and a jitter. An event takes each \
home or spares it for as long as it lasts, {SHORTEST * MINUTES:g} minutes to {LONGEST * MINUTES / 60:g} \
hours.

Nobody chose these rates by measuring: how often networks and points of presence falter for minutes is \
not published. The table of short troubles below lets a reader put in other rates.
"""


def _false_alarms(run: Run) -> str:
    return f"""## False alarms

{_by_nation(run)}
By homes of a network, CONFIRMED a network-platform-year, beside what OONI's two detectors say of the \
same votes:

| noise | homes | network-years | noise alone | with glitches | OONI, medians | OONI, counts |
|---|---|---|---|---|---|---|
{"".join(_by_homes(name, years) for name, years in run.years.items())}
"""


def _by_nation(run: Run) -> str:
    head = "| noise | country-years | said | noise | network glitch | nation glitch | world hiccup "
    head += "| all, a year |\n"
    rows = []
    for name, years in run.years.items():
        exposure = _land_years(years)
        for condition in (Condition.SUSPECTED, Condition.CONFIRMED):
            alarms = [a for y in years for a in y.alarms if not a.asn and a.condition is condition]
            why = Counter(a.because for a in alarms)
            rows.append(
                f"| {name} | {exposure:.0f} | nation {condition.name} | {_whys(why)}"
                f" | {rate(len(alarms), exposure).shown(3)} |\n"
            )
        alarms = _confirmed(years, nation=False)
        why = Counter(a.because for a in alarms)
        lines = _network_years(years)
        rows.append(
            f"| {name} | {exposure:.0f} ({lines:.0f} network-years) | network CONFIRMED | {_whys(why)}"
            f" | {rate(len(alarms), lines).shown(3)} a network |\n"
        )
        told = sum(sum(y.told.values()) for y in years)
        rows.append(
            f"| {name} | {exposure:.0f} | incidents notified | | | | | {rate(told, exposure).shown(3)} |\n"
        )
        outages = sum(y.outages for y in years)
        rows.append(f"| {name} | | platform outages said | | | | | {outages} in all |\n")
    return head + "|---|---|---|---|---|---|---|---|\n" + "".join(rows)


def _whys(why: Mapping[str, int]) -> str:
    return " | ".join(str(why.get(one, 0)) for one in ("noise", "network", "nation", "world"))


def _by_homes(name: str, years: Sequence[Year]) -> str:
    rows = []
    for homes in HOMES:
        exposure = sum(y.rounds for y in years) / ROUNDS_A_YEAR
        exposure *= sum(land.homes.count(homes) for land in lands())
        alarms = [a for a in _confirmed(years, nation=False) if a.homes == homes]
        quiet = rate(sum(a.because == "noise" for a in alarms), exposure)
        peers = (
            rate(sum(one.get(homes, 0) for one in said), exposure)
            for said in ([y.medians for y in years], [y.counts for y in years])
        )
        figures = [quiet, rate(len(alarms), exposure), *peers]
        shown = " | ".join(figure.shown(3) for figure in figures)
        rows.append(f"| {name} | {homes} | {exposure:.0f} | {shown} |\n")
    return "".join(rows)


def _confirmed(years: Sequence[Year], *, nation: bool) -> list[Alarm]:
    return [
        a for y in years for a in y.alarms if a.condition is Condition.CONFIRMED and (a.asn == 0) == nation
    ]


def _land_years(years: Sequence[Year]) -> float:
    return sum(y.rounds * len(y.told) for y in years) / ROUNDS_A_YEAR


def _network_years(years: Sequence[Year]) -> float:
    return sum(y.rounds for y in years) / ROUNDS_A_YEAR * sum(len(land.homes) for land in lands())


def _delays(run: Run) -> str:
    parts = [
        "## Delays\n\nIn rounds (minutes in brackets are the median's); *never* is the share not confirmed"
    ]
    parts.append(
        " while the event lasted. OONI's columns are hours, of the same events if they do not end.\n"
    )
    for kind in (Kind.NETWORK, Kind.NATION_4, Kind.NATION_7):
        parts.append(f"\n### {kind.value.capitalize()}\n\n")
        parts.append(
            "| homes a network | efficacy | noise | SUSPECTED median | CONFIRMED median | p95 | never "
        )
        parts.append(
            "| over, median | OONI medians, h | OONI counts, h |\n|---|---|---|---|---|---|---|---|---|---|\n"
        )
        parts += [
            _delay(case, run.trials[case])
            for case in sorted(run.trials, key=_order)
            if case.kind is kind and case.lasts is None and not case.away
        ]
    return "".join(parts)


def _order(case: Case) -> tuple[bool, int, float]:
    return case.noise != STUDIED, case.homes, -case.efficacy


def _delay(case: Case, found: Sequence[Trial]) -> str:
    of_nation = case.kind is not Kind.NETWORK
    suspected = [t.nation_suspected if of_nation else t.suspected for t in found]
    confirmed = [t.nation_confirmed if of_nation else t.confirmed for t in found]
    median = quantile(confirmed, 0.5)
    minutes = f" [{median.value * MINUTES:.0f} min]" if median.value < 1e9 else ""
    late = quantile(confirmed, 0.95)
    never = 100 * sum(one is None for one in confirmed) / len(found)
    over = quantile([t.over for t in found if t.was_open], 0.5)
    peers = (_hours([t.medians_h for t in found]), _hours([t.counts_h for t in found]))
    return (
        f"| {case.homes} | {case.efficacy:g} | {case.noise} | {_short(quantile(suspected, 0.5))}"
        f" | {median.shown(2)}{minutes} | {_short(late)} | {never:.0f} % | {_short(over)}"
        f" | {' | '.join(peers)} |\n"
    )


def _hours(found: Sequence[float | None]) -> str:
    never = 100 * sum(one is None for one in found) / len(found)
    missed = f", never {never:.0f} %" if never else ""
    return f"{_short(quantile(found, 0.5))} (p95 {_short(quantile(found, 0.95))}{missed})"


def _short(figure: Figure) -> str:
    return figure.shown(2).partition(" ")[0]


def _others(run: Run) -> str:
    events = {case: found for case, found in run.trials.items() if _is_counted(case)}
    confirmed = [t for found in events.values() for t in found if t.incidents]
    dated = Counter(t.dated for t in confirmed if t.dated is not None)
    near = 100 * sum(n for off, n in dated.items() if off in (0, 1)) / max(1, dated.total())
    overs = [t.over for t in confirmed if t.was_open]
    told = Counter(t.incidents for t in confirmed)
    several = [
        t for case, found in events.items() if case.kind is Kind.PLATFORMS for t in found if t.incidents
    ]
    alone = [t for case, found in events.items() if case.kind is Kind.NETWORK for t in found]
    outages = [
        f"| {case.efficacy:g} | {len(found)} | {sum(bool(t.incidents) for t in found)} |"
        f" {sum(t.called_blocking for t in found)} |\n"
        for case, found in sorted(run.trials.items(), key=lambda one: -one[0].efficacy)
        if case.kind is Kind.OUTAGE
    ]
    return f"""
## Ends, notifications, dates, outages

- Over: median {quantile(overs, 0.5).shown(2)} rounds after the event's end, 95th percentile \
{quantile(overs, 0.95).shown(2)}. Rounds that are wholly well are the proof, and the one in which it \
ended is none of them.
- Notifications: of {len(confirmed)} events that were confirmed, by number of incidents: \
{", ".join(f"{n}: {count}" for n, count in sorted(told.items()))}. Of {len(several)} events of four \
platforms within {MINUTES * 2:g} minutes: {mean([float(t.incidents) for t in several]).shown(2)} each.
- Dated: {near:.0f} % of the incidents begin in the round in which the event began, or the next.
- A single network's event was called a nation's in {sum(t.nation_confirmed is not None for t in alone)} \
of {len(alone)}.

A platform's own outage, in all countries alike up to a factor of two:

| share of homes at the most | outages | a country's alarm besides | called blocking |
|---|---|---|---|
{"".join(outages)}"""


def _troubles(run: Run) -> str:
    rows = []
    for case in sorted(run.trials, key=lambda one: (one.kind, -one.efficacy, one.lasts or 0)):
        if case.lasts is None:
            continue
        found = run.trials[case]
        of_nation = case.kind is not Kind.NETWORK
        sure = sum((t.nation_confirmed if of_nation else t.confirmed) is not None for t in found)
        chance = proportion(sure, len(found))
        rows.append(
            f"| {case.kind.value} | {case.efficacy:g} | {case.lasts * MINUTES:g} | {100 * chance.value:.0f} %"
            f" ({100 * chance.low:.0f} to {100 * chance.high:.0f}) |\n"
        )
    return f"""
## What a short trouble does, and what cannot be told

The chance that a trouble of so many minutes, of 8 homes a network, is CONFIRMED while it lasts (for the \
nation: as the nation's). Times its rate a year this is the false alarms it makes.

| who | share of homes | minutes | CONFIRMED |
|---|---|---|---|
{"".join(rows)}
A trouble of six minutes touches two rounds, as an event does of which a nation hears in two. What tells \
them apart is the end of the second round: the third of the homes that measured last is well again, or \
is not, and only then is it confirmed (in the third round that fails it is no glitch, and nobody is \
asked). Before this was asked, 27 % of the troubles of six minutes that took every home were. Whatever \
lasts nine minutes or more may still go on at that moment: no detector that is to speak within two \
rounds can tell it from an event, and it is over, in its incident, two rounds after.

## Homes that are away

One network of 8 homes, each of which says nothing in one round of ten: seven votes or fewer in more than \
half of the rounds. As many must fail as of eight, and the network have had eight within a day.

| share of homes | events | CONFIRMED median | p95 | never |
|---|---|---|---|---|
{"".join(_away(case, found) for case, found in run.trials.items() if case.away)}"""


def _away(case: Case, found: Sequence[Trial]) -> str:
    confirmed = [t.confirmed for t in found]
    never = 100 * sum(one is None for one in confirmed) / len(found)
    median, late = quantile(confirmed, 0.5), quantile(confirmed, 0.95)
    return f"| {case.efficacy:g} | {len(found)} | {median.shown(2)} | {_short(late)} | {never:.0f} % |\n"


def throttling(run: Run) -> str:
    """The part of it on speeds."""
    rows = [
        f"| {case.networks} x {case.homes} | {case.every} | {_hours([t.confirmed for t in found])} |"
        f" {_hours([t.over for t in found if t.confirmed is not None])} |"
        f" {_within([t.dated for t in found], 1)} | {_within([t.ended for t in found], 3)} |"
        f" {mean([float(t.incidents) for t in found if t.incidents]).shown(2)} |\n"
        for case, found in sorted(run.throttled.items())
    ]
    false = [
        f"| {every} | {exposure:.0f} | {sum(y.nation_confirmed for y in years)}:"
        f" {rate(sum(y.nation_confirmed for y in years), exposure).shown(3)} |"
        f" {sum(y.network_confirmed for y in years)}:"
        f" {rate(sum(y.network_confirmed for y in years), networks).shown(3)} |\n"
        for every, years in sorted(run.slow_years.items())
        if (exposure := sum(y.lands * y.rounds for y in years) / ROUNDS_A_YEAR)
        if (networks := sum(y.networks * y.rounds for y in years) / ROUNDS_A_YEAR)
    ]
    return f"""
## Throttling

A home compares speeds once in so many rounds: agents do so once in 12, and in every round where they \
suspect slowness. An event holds 9 homes of 10 to 140 kbit/s beside 8 Mbit/s, for 1 to 4 hours; besides, 2 % \
of all words are of a busy line. Delays in rounds, the nation's.

| homes | a word in rounds | CONFIRMED | over | dated within a round | end dated within three | incidents |
|---|---|---|---|---|---|---|
{"".join(rows)}
In years without any, a home is slow where by the laws above it would fail, in a round in which it measures:

| a word in rounds | country-years | nation CONFIRMED, a year | network CONFIRMED, a year and network |
|---|---|---|---|
{"".join(false)}
What this leaves out is a way that is full every evening for all homes of a provider: what a home's own \
week has seen does not count as slow, and until then it does.
"""


def _within(off: Sequence[int | None], most: int) -> str:
    known = [one for one in off if one is not None]
    return f"{100 * sum(abs(one) <= most for one in known) / max(1, len(known)):.0f} %"


_PEER = f"""
## The peer

OONI's event detectors, read in the public repository ooni/data and written anew from what they do:

- *medians*: `oonipipeline/analysis/detector.py` at 03a397b. An hour's median per country, network and \
domain; CUSUM with mu0 = 0, mu1 = 0.7 and h = edd x v ÷ 2 = 3.5, for edd = 10 as `run_detector` has it.
- *counts*: `oonipipeline/analysis/detectorV2.py` at 60e5efc, its successor in the same repository. An \
hour's counts as independent votes; p0 = 0.05, p1 = 0.5, h = 30, which its authors mark as yet to be chosen.
- Both are run at half past each hour on the hour before (`dags/pipeline.py` at 085e27e); what that takes \
is not counted.

Assumed in their favour: as many measurements as our homes make, where a real network often has none in \
an hour; a failing measurement is scored 1, the most there is; they start in the state OK; their DNS, TCP \
and TLS series are one; for a nation, their first network's word is theirs for the nation; and an event \
that is slower to be seen than it lasts goes on for {PEERS_WAIT_H} hours. They have no world rate, no \
arming, no nation, and were made for sparser data than this: the table compares delays on equal votes, \
not the worth of either project.
"""

_LIMITS = """## What this does not show

- Real noise. The rates above are assumptions until quiet data of a running collector are there to fit them.
- The way of a round to the collector: a batch that comes late adds its lateness to every delay.
- In the years every home is armed and has its full vote, one measurement a round; events go through arming.
- The events of a case go out from one quiet past, three rounds apart: a home disarmed in it is so for \
several of them, and the intervals of *never* are a little too narrow.
- Homes that fail by themselves for hours: arming is what answers them, in the stories of \
tests/collector/detect.
"""
