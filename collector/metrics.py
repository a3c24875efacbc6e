"""Every metric, declared once: name, unit, help, bounded labels.

Counters and histograms are moved by ingest; gauges about countries and networks are read from the
last snapshot and the detector's last figures when Prometheus asks, without a query. No label holds
a probe, an address or a URL, and whatever agents send, the number of series stays below
`MAX_SERIES`: countries, networks, platforms, stages, failures and causes all come from closed or
capped sets.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter as Tallied
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    exposition,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from collector.accepting import Crowd
from collector.alerts.retries import Result
from collector.detect.cells import BUCKETS_S, UNKNOWN_COUNTRY, Cell
from collector.detect.cells import Histogram as Durations
from collector.detect.figures import DetectorFigures, PlaceFigure, SilenceFigure, WorldFigure
from collector.detect.incidents import WORLD, Cause
from collector.detect.network import ALARMED, Condition
from collector.ingest.admit import LIVE_S, Code
from collector.snapshot import Snapshot, Tally
from collector.store.base import Ingest, Stored
from probe.verdict import Mechanism, Status
from probe.wire.failure import Failure
from probe.wire.stage import STEPS, Stage

MAX_SERIES = 15_000
# ISO 3166-1 has 249 countries; more than these are somebody's invention and share one label.
MAX_COUNTRIES = 260
# Of `MAX_SERIES`, first what is no gauge of a place: requests, refusals and all that has no platform ...
FLAT_SERIES = 200
# ... then each platform's counters, every stage with every failure, unknown words and success among them
# (the platform `unknown` has them too), and its two gauges of the whole world.
PLATFORM_SERIES = (
    (len(STEPS) + 1) * (len(Failure) + 2 + len(BUCKETS_S) + 3) + len(Status) + len(Mechanism) + 4
)
# ... then the incidents open now. What is left is for countries and networks.
MAX_INCIDENT_SERIES = 300
COUNTRIES_SHARE = 0.8  # of that at most: a crowd of countries leaves no network unseen
OTHER = "other"
UNKNOWN = "unknown"  # what `OpenEnum.label` says of a word it does not know, and we of a platform
# A second series per counter that says when it began doubles their number and is asked by nobody.
disable_created_metrics()  # type: ignore[no-untyped-call]

_ISO_FORM = re.compile(r"[A-Z]{2}")
LEVELS = ", ".join(f"{condition.rank} {condition}" for condition in Condition)
NONE = "none"  # the failure of a stage that succeeded

_LAG_BUCKETS_S = (1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_COMMIT_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Metrics:
    """All metrics of one collector, on a registry of their own."""

    def __init__(
        self, version: str, platforms: Collection[str], wall: Callable[[], float] = time.time
    ) -> None:
        self.registry = CollectorRegistry()
        self._platforms = frozenset(platforms)
        self._declare()
        self._gauges = _Gauges()
        self._written = _Written(self._gauges)
        self.registry.register(_Lag(self._gauges, wall))
        self._certificate = _Certificate()
        self.registry.register(self._certificate)
        self._build.labels(version).set(1)
        self._start_at_zero(platforms)

    def _declare(self) -> None:
        own = self.registry
        self._build = Gauge(
            "reachwatch_build_info", "The release that is running.", ["version"], registry=own
        )
        self._requests = Counter(
            "reachwatch_ingest_requests_total", "Requests from agents.", ["route", "status"], registry=own
        )
        self._refusals = Counter(
            "reachwatch_ingest_refusals_total", "Requests refused, by reason.", ["reason"], registry=own
        )
        self._batches = Counter(
            "reachwatch_ingest_batches_total",
            "Batches with a receipt: new, or sent again.",
            ["result"],
            registry=own,
        )
        self._queue = Gauge("reachwatch_ingest_queue_batches", "Batches waiting to be stored.", registry=own)
        self._lag = Histogram(
            "reachwatch_ingest_lag_seconds",
            "From the start of a live round to its receipt.",
            buckets=_LAG_BUCKETS_S,
            registry=own,
        )
        self._spooled = Counter(
            "reachwatch_ingest_spooled_batches_total",
            "Batches measured before the live window.",
            registry=own,
        )
        self._commit = Histogram(
            "reachwatch_ingest_commit_seconds",
            "Time to make a group durable.",
            buckets=_COMMIT_BUCKETS_S,
            registry=own,
        )
        self._heartbeats = Counter("reachwatch_heartbeats_total", "Heartbeats received.", registry=own)
        self._rounds = Counter(
            "reachwatch_rounds_total", "Rounds by verdict.", ["platform", "status"], registry=own
        )
        self._mechanisms = Counter(
            "reachwatch_mechanisms_total",
            "Rounds naming a mechanism.",
            ["platform", "mechanism"],
            registry=own,
        )
        self._results = Counter(
            "reachwatch_stage_results_total",
            "Observations by stage and failure; none is success.",
            ["platform", "stage", "failure"],
            registry=own,
        )
        self._webhooks = Counter(
            "reachwatch_webhook_deliveries_total",
            "Attempts to deliver, by what became of them.",
            ["result"],
            registry=own,
        )
        self._dead_letters = Gauge(
            "reachwatch_webhook_dead_letters", "Deliveries that were given up and are kept.", registry=own
        )
        self._turned_away = Counter(
            "reachwatch_connections_turned_away_total",
            "Connections ended at once: too many of one prefix, or in all.",
            ["reason"],
            registry=own,
        )
        self._unreadable = Counter(
            "reachwatch_unreadable_requests_total", "Requests that are no HTTP, or too long.", registry=own
        )
        self._durations = _Durations()
        self.registry.register(self._durations)

    def _start_at_zero(self, platforms: Collection[str]) -> None:
        """A counter that appears with its first event hides that event from rate()."""
        for code in Code:
            self._refusals.labels(code)
        for result in Stored:
            self._batches.labels(result)
        for reason in Crowd:
            self._turned_away.labels(reason)
        for delivery in Result:
            self._webhooks.labels(delivery)
        for platform in platforms:
            for status in Status:
                self._rounds.labels(platform, status)
            for mechanism in Mechanism:
                self._mechanisms.labels(platform, mechanism)

    def request(self, route: str, status: int) -> None:
        """One request answered; `route` is one of ours, never a path that was asked for."""
        self._requests.labels(route, str(status)).inc()

    def refused(self, code: Code) -> None:
        """One request refused."""
        self._refusals.labels(code).inc()

    def queue(self, depth: int) -> None:
        """How many batches wait now."""
        self._queue.set(depth)

    def heartbeat(self) -> None:
        """One heartbeat taken."""
        self._heartbeats.inc()

    def webhook(self, result: Result) -> None:
        """One attempt to deliver."""
        self._webhooks.labels(result).inc()

    def dead_letters(self, count: int) -> None:
        """How many deliveries are given up now."""
        self._dead_letters.set(count)

    def turned_away(self, reason: Crowd) -> None:
        """One connection ended as soon as it was made."""
        self._turned_away.labels(reason).inc()

    def unreadable(self) -> None:
        """One request that could not be read, whoever sent it."""
        self._unreadable.inc()

    def certificate(self, not_after: float, *, is_current: bool) -> None:
        """The certificate that is served: when it ends (Unix seconds), and whether the files say the same."""
        self._certificate.served = (not_after, is_current)

    def committed(
        self, seconds: float, group: Sequence[Ingest], answers: Sequence[Stored], now: float
    ) -> None:
        """A group is durable; only what was new is counted as measured. `now` is Unix seconds."""
        self._commit.observe(seconds)
        for answer, n in Tallied(answers).items():
            self._batches.labels(answer).inc(n)
        new = [item for item, answer in zip(group, answers, strict=True) if answer is Stored.NEW]
        for item in new:
            self._timed(item, now)
        self._count((key.platform, cell) for item in new for key, cell in item.cells.items())

    def _timed(self, item: Ingest, now: float) -> None:
        newest_at = max((vote.at for c in item.cells.values() for vote in c.votes.values()), default=None)
        if newest_at is not None:
            if now - newest_at <= LIVE_S:
                self._lag.observe(max(0.0, now - newest_at))
            else:
                self._spooled.inc()

    def _count(self, cells: Iterable[tuple[str, Cell]]) -> None:
        """A group's cells together: a counter costs far more to raise than a number."""
        rounds, mechanisms = Tallied[tuple[str, str]](), Tallied[tuple[str, str]]()
        results = Tallied[tuple[str, str, str]]()
        for name, cell in cells:
            platform = name if name in self._platforms else UNKNOWN
            for status, n in cell.statuses.items():
                rounds[platform, status] += n
            for mechanism, n in cell.mechanisms.items():
                mechanisms[platform, mechanism] += n
            for (stage, failure), n in cell.results.items():
                results[platform, stage, failure] += n
            self._durations.add(platform, cell)
        for (platform, status), n in rounds.items():
            self._rounds.labels(platform, Status(status).label).inc(n)
        for (platform, mechanism), n in mechanisms.items():
            self._mechanisms.labels(platform, Mechanism(mechanism).label).inc(n)
        for (platform, stage, failure), n in results.items():
            word = Failure(failure).label if failure else NONE
            self._results.labels(platform, Stage(stage).label, word).inc(n)

    def snapshot(self, snapshot: Snapshot, *, min_prefixes: int = 5, max_networks: int = 300) -> None:
        """What the gauges show from now on: at most `max_networks`, fewer where that many would
        not fit into `MAX_SERIES`."""
        self._gauges.show(snapshot, min_prefixes, max_networks)

    def detected(self, figures: DetectorFigures) -> None:
        """What the detector found in its last run. Before the first, nothing is shown of it."""
        self._gauges.figures = figures

    def render(self, accept: str) -> tuple[bytes, str]:
        """The exposition and its content type, in the format the client accepts."""
        encoder, content_type = exposition.choose_encoder(accept)
        return self._written.by(encoder, content_type) + encoder(self.registry), content_type


class _Durations(Collector):
    """Stage durations as a classic histogram, fed with the cells' own buckets: adding a cell's
    histogram is one addition a bucket, where observing each duration again would be a search."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str], Durations] = {}

    def add(self, platform: str, cell: Cell) -> None:
        for stage, histogram in cell.durations.items():
            name = (platform, Stage(stage).label)
            self._sums[name] = self._sums[name].plus(histogram) if name in self._sums else histogram

    def collect(self) -> Iterator[Metric]:
        name = "reachwatch_stage_duration_seconds"
        family = Metric(name, "Duration of stages that succeeded.", "histogram")
        for (platform, stage), (counts, total_us) in sorted(self._sums.items()):
            labels = {"platform": platform, "stage": stage}
            running = 0
            for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), counts, strict=True):
                running += count
                family.add_sample(f"{name}_bucket", {**labels, "le": bound}, running)
            family.add_sample(f"{name}_sum", labels, total_us / 1e6)
            family.add_sample(f"{name}_count", labels, running)
        yield family


Shown = tuple[Snapshot, int, int]  # with `min_prefixes` and `max_networks`


class _Gauges(Collector):
    """What the last snapshot and the detector's last run say, capped."""

    def __init__(self) -> None:
        self.shown: Shown | None = None
        self.figures: DetectorFigures | None = None

    def show(self, snapshot: Snapshot, min_prefixes: int, max_networks: int) -> None:
        self.shown = (snapshot, min_prefixes, max_networks)

    def collect(self) -> Iterator[Metric]:
        if self.shown is None:
            return
        snapshot, min_prefixes, max_networks = self.shown
        figures = self.figures
        yield _gauge(
            "reachwatch_snapshot_timestamp_seconds", "When these gauges were taken.", [], [((), snapshot.at)]
        )
        known = _countries(snapshot, figures)
        probes = Tallied[tuple[str, ...]]()
        for country, count in snapshot.probes.items():
            probes[(known.get(country, OTHER),)] += count
        yield _gauge("reachwatch_probes_reporting", "Probes heard from.", ["country"], probes.items())
        countries = _folded(((known.get(c, OTHER), p), t) for (c, p), t in snapshot.countries.items())
        yield from _votes("reachwatch", "country", ["country", "platform"], countries)
        own = _own_places(snapshot, figures, known, min_prefixes, max_networks)
        networks = _folded(
            ((known.get(c, OTHER), _asn((c, asn, p), tally, own, min_prefixes), p), tally)
            for (c, asn, p), tally in snapshot.networks.items()
        )
        yield from _votes("reachwatch_network", "network", ["country", "asn", "platform"], networks)
        yield from _store(snapshot)
        if figures is not None:
            yield from _detection(_Detection(figures, snapshot.platforms, known, own))


class _Written:
    """The gauges as they were last written, for everybody who asks until there is something newer: they are
    nearly all of the series."""

    def __init__(self, gauges: _Gauges) -> None:
        self._gauges = gauges
        self._registry = CollectorRegistry()
        self._registry.register(gauges)
        self._last: tuple[str, Shown | None, DetectorFigures | None, bytes] = ("", None, None, b"")

    def by(self, encoder: Callable[[Collector], bytes], content_type: str) -> bytes:
        """In that format, without its end: the rest is to follow."""
        shown, figures = self._gauges.shown, self._gauges.figures
        kind, last_shown, last_figures, text = self._last
        if kind != content_type or last_shown is not shown or last_figures is not figures:
            text = encoder(self._registry).removesuffix(b"# EOF\n")
            self._last = (content_type, shown, figures, text)
        return text


class _Lag(Collector):
    """How far the detector is behind, which no snapshot says: it grows where nothing comes any more."""

    def __init__(self, gauges: _Gauges, wall: Callable[[], float]) -> None:
        self._gauges = gauges
        self._wall = wall

    def collect(self) -> Iterator[Metric]:
        figures = self._gauges.figures
        if figures is None:
            return
        lag_s = max(0.0, self._wall() - figures.newest_bin_end_at)
        text = "Since the end of the newest bin detected."
        yield _gauge("reachwatch_detector_lag_seconds", text, [], [((), lag_s)])


class _Certificate(Collector):
    """What TLS is served with, where it is served here: a zero would be a certificate long over."""

    def __init__(self) -> None:
        self.served: tuple[float, bool] | None = None

    def collect(self) -> Iterator[Metric]:
        if self.served is None:
            return
        not_after, is_current = self.served
        text = "When the first certificate of the chain that is served ends."
        yield _gauge("reachwatch_tls_certificate_expiry_timestamp_seconds", text, [], [((), not_after)])
        text = "1 where the newest certificate and key could be used, 0 while older ones are kept."
        yield _gauge("reachwatch_tls_certificate_last_reload_successful", text, [], [((), is_current)])


Rows = Iterable[tuple[tuple[str, ...], float]]
Votes = Mapping[tuple[str, ...], tuple[int, int]]


def _gauge(name: str, text: str, labels: list[str], rows: Rows) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in rows:
        family.add_metric(list(values), value)
    return family


def _room(platforms: int) -> int:
    """The series that are left for countries and networks, after what all the smallest share."""
    rest = 6 * platforms + 1  # the countries too many to name: their votes, those by network, their probes
    return MAX_SERIES - FLAT_SERIES - MAX_INCIDENT_SERIES - (platforms + 1) * PLATFORM_SERIES - rest


def _country_series(platforms: int) -> int:
    """What one country takes: three gauges a platform of its own and three of its small networks, five
    of the detector's; its probes, those lost, and its silence."""
    return 11 * platforms + 3


def _network_series(platforms: int) -> int:
    """What one network takes: three gauges a platform and two of the detector's."""
    return 5 * platforms


def _countries(snapshot: Snapshot, figures: DetectorFigures | None) -> dict[str, str]:
    """The label of each country that gets one: those in trouble, then those with most votes, up to the
    cap. A country in trouble may have no votes left, and must not vanish for it. What has not the form
    of ISO 3166-1 is an agent's own word and becomes `UNKNOWN_COUNTRY`."""
    platforms = len(snapshot.platforms)
    most = min(MAX_COUNTRIES, int(_room(platforms) * COUNTRIES_SHARE) // _country_series(platforms))
    counted = [(country, tally.votes) for (country, _), tally in snapshot.countries.items()]
    detected = figures.countries() if figures else ()
    alarmed = figures.alarmed() if figures else ()
    votes = Tallied[str]()
    for country, count in [*counted, *snapshot.probes.items(), *((c, 0) for c in detected)]:
        votes[_label(country)] += count
    shown = set(sorted(votes, key=lambda label: (label not in alarmed, -votes[label], label))[:most])
    labels = {country: _label(country) for country in {*snapshot.probes, *dict(counted), *detected}}
    return {country: label for country, label in labels.items() if label in shown}


def _label(country: str) -> str:
    return country if _ISO_FORM.fullmatch(country) else UNKNOWN_COUNTRY


def _own_places(
    snapshot: Snapshot,
    figures: DetectorFigures | None,
    known: Mapping[str, str],
    min_prefixes: int,
    most: int,
) -> frozenset[tuple[str, int, str]]:
    """Platforms in networks of which so many voted that a number says nothing about one home, networks in
    trouble first; the rest are shown together."""
    platforms = len(snapshot.platforms)
    room = _room(platforms) - len(set(known.values())) * _country_series(platforms)
    most = min(most, room // _network_series(platforms))
    votes = Tallied[tuple[str, int, str]]()
    alarmed = set[tuple[str, int]]()
    for place, tally in snapshot.networks.items():
        votes[place] = tally.votes
    for place, figure in figures.networks.items() if figures else ():
        votes[place] = max(votes[place], figure.votes)
        if figure.condition in ALARMED:
            alarmed.add(place[:2])
    size = Tallied[tuple[str, int]]()
    for (country, asn, _), count in votes.items():
        size[country, asn] = max(size[country, asn], count)
    large = [network for network in size if size[network] >= min_prefixes and network[0] in known]
    ordered = sorted(large, key=lambda network: (network not in alarmed, -size[network], network))
    shown = set(ordered[:most])
    return frozenset(place for place, n in votes.items() if n >= min_prefixes and place[:2] in shown)


def _asn(place: tuple[str, int, str], tally: Tally, own: Collection[tuple[str, int, str]], least: int) -> str:
    """The network's label. Of a platform on which few of its prefixes voted it is that of all small ones,
    however many voted on another platform or by the detector's count."""
    return str(place[1]) if place in own and tally.votes >= least else OTHER


def _folded(tallies: Iterable[tuple[tuple[str, ...], Tally]]) -> Votes:
    votes, failing = Tallied[tuple[str, ...]](), Tallied[tuple[str, ...]]()
    for labels, tally in tallies:
        votes[labels] += tally.votes
        failing[labels] += tally.failing
    return {labels: (votes[labels], failing[labels]) for labels in votes}


def _votes(prefix: str, place: str, labels: list[str], votes: Votes) -> Iterator[Metric]:
    yield _gauge(
        f"{prefix}_votes",
        f"Prefixes that voted, by {place}.",
        labels,
        ((k, v) for k, (v, _) in votes.items()),
    )
    yield _gauge(
        f"{prefix}_votes_failing",
        f"Prefixes whose newest vote is a failure, by {place}.",
        labels,
        ((k, f) for k, (_, f) in votes.items()),
    )
    yield _gauge(
        f"{prefix}_reachability_ratio",
        f"Share of prefixes that reach the platform, by {place}; absent without votes.",
        labels,
        ((k, 1 - f / v) for k, (v, f) in votes.items() if v),
    )


def _store(snapshot: Snapshot) -> Iterator[Metric]:
    figures = snapshot.store
    if figures is None:
        return
    yield _gauge("reachwatch_store_size_bytes", "Size of the store.", [], [((), figures.size_bytes)])
    if figures.free_bytes is not None:
        yield _gauge(
            "reachwatch_store_free_bytes", "Free space beside the store.", [], [((), figures.free_bytes)]
        )
    if figures.oldest_batch_at is not None:
        yield _gauge(
            "reachwatch_store_oldest_batch_timestamp_seconds",
            "When the oldest kept batch was received.",
            [],
            [((), figures.oldest_batch_at)],
        )


@dataclass(frozen=True, slots=True)
class _Detection:
    """The detector's figures, and of what it may speak by name: what has no label of its own is left
    out, because a state of several countries together would say nothing."""

    figures: DetectorFigures
    platforms: tuple[str, ...]
    known: Mapping[str, str]
    own: Collection[tuple[str, int, str]]

    def named(self, country: str, platform: str) -> bool:
        """Whether both have a label; an unknown country's is its own only if it was said so."""
        return self.known.get(country) == country and platform in self.platforms

    def nations(self) -> Iterator[tuple[tuple[str, str], PlaceFigure]]:
        return ((key, figure) for key, figure in self.figures.nations.items() if self.named(*key))

    def networks(self) -> Iterator[tuple[tuple[str, str, str], PlaceFigure]]:
        for (country, asn, platform), figure in self.figures.networks.items():
            if (country, asn, platform) in self.own and self.named(country, platform):
                yield (country, str(asn), platform), figure

    def throttling(self) -> Iterator[tuple[tuple[str, str], Condition]]:
        return ((key, word) for key, word in self.figures.throttling.items() if self.named(*key))

    def silence(self) -> Iterator[tuple[tuple[str], SilenceFigure]]:
        return (((c,), f) for c, f in self.figures.silence.items() if self.known.get(c) == c)

    def worlds(self) -> Iterator[tuple[tuple[str], WorldFigure]]:
        return (((p,), f) for p, f in self.figures.worlds.items() if p in self.platforms)

    def incidents_open(self) -> Mapping[tuple[str, ...], int]:
        """By country and cause, the most first; those past the cap as one of `OTHER` by cause."""
        counts = Tallied[tuple[str, ...]]()
        for (country, cause), count in self.figures.incidents_open.items():
            place = country if country == WORLD else self.known.get(country, OTHER)
            counts[place, cause] += count
        ordered = sorted(counts, key=lambda key: (-counts[key], key))
        folded = Tallied[tuple[str, ...]]()
        for at, (place, why) in enumerate(ordered):
            named = at < MAX_INCIDENT_SERIES - len(Cause) - 1
            folded[place if named else OTHER, why] += counts[place, why]
        return folded

    def incidents_confirmed(self) -> Mapping[str, int]:
        """By cause, zeros included: a counter that appears with its first event hides it from rate()."""
        return {cause: self.figures.incidents_confirmed.get(cause, 0) for cause in Cause}


def _detection(found: _Detection) -> Iterator[Metric]:
    """What the detector says."""
    yield from _in_places(found)
    yield from _signals(found)
    yield from _incidents(found)
    yield _gauge(
        "reachwatch_detector_duration_seconds",
        "What the detector's last run took.",
        [],
        [((), found.figures.duration_s)],
    )


def _in_places(found: _Detection) -> Iterator[Metric]:
    """Each platform in each country, and in each network of its own."""
    labels = ["country", "platform"]
    nations = list(found.nations())
    states = [(k, float(f.condition.rank)) for k, f in nations]
    yield _gauge("reachwatch_nation_state", f"Of a platform in a country: {LEVELS}.", labels, states)
    scores = [(k, f.score) for k, f in nations]
    yield _gauge("reachwatch_nation_score", "CUSUM of a platform in a country, nats.", labels, scores)
    votes = [(k, f.votes) for k, f in nations]
    yield _gauge("reachwatch_nation_votes", "Armed votes in the newest round.", labels, votes)
    ratios = [(k, f.failing_ratio) for k, f in nations if f.failing_ratio is not None]
    yield _gauge(
        "reachwatch_nation_failing_ratio", "Share of armed votes that fail; absent without.", labels, ratios
    )
    labels = ["country", "asn", "platform"]
    networks = list(found.networks())
    levels = [(k, float(f.condition.rank)) for k, f in networks]
    yield _gauge("reachwatch_network_state", f"Of a platform in a network: {LEVELS}.", labels, levels)
    sums = [(k, f.score) for k, f in networks]
    yield _gauge("reachwatch_network_score", "CUSUM of a platform in a network, nats.", labels, sums)


def _signals(found: _Detection) -> Iterator[Metric]:
    """The signals that have no networks: throttling, silence, the world."""
    slow = [(k, float(word.rank)) for k, word in found.throttling()]
    yield _gauge("reachwatch_throttle_state", f"Throttling: {LEVELS}.", ["country", "platform"], slow)
    silence = list(found.silence())
    states = [(k, float(f.condition.rank)) for k, f in silence]
    yield _gauge("reachwatch_silence_state", f"Probes falling silent: {LEVELS}.", ["country"], states)
    lost = [(k, f.lost) for k, f in silence]
    yield _gauge("reachwatch_probes_lost", "Probes silent without a goodbye.", ["country"], lost)
    worlds = list(found.worlds())
    ratios = [(k, f.failing_ratio) for k, f in worlds if f.failing_ratio is not None]
    yield _gauge(
        "reachwatch_world_failing_ratio", "Trimmed mean of countries' failing shares.", ["platform"], ratios
    )
    out = [(k, float(f.is_out)) for k, f in worlds]
    yield _gauge("reachwatch_platform_outage", "1 while a platform fails everywhere.", ["platform"], out)


def _incidents(found: _Detection) -> Iterator[Metric]:
    yield _gauge(
        "reachwatch_incidents_open",
        "Incidents that go on; country * is the whole world.",
        ["country", "cause"],
        found.incidents_open().items(),
    )
    confirmed = CounterMetricFamily("reachwatch_incidents", "Incidents ever confirmed.", labels=["cause"])
    for cause, count in found.incidents_confirmed().items():
        confirmed.add_metric([cause], count)
    yield confirmed


def routes(metrics: Metrics) -> list[web.RouteDef]:
    """``/metrics``, for a listener of its own."""

    async def show(request: web.Request) -> web.Response:
        # In a thread: thousands of series take long enough to hold up a receipt.
        accept = request.headers.get("Accept", "")
        body, content_type = await asyncio.to_thread(metrics.render, accept)
        return web.Response(body=body, headers={"Content-Type": content_type})

    return [web.get("/metrics", show)]
