"""Metrics: bounded whatever is thrown at them, counted once, and clean by promtool's word."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from collector.config import Config
from collector.detect.cells import Cell, CellKey, Histogram, Vote
from collector.detect.figures import DetectorFigures, PlaceFigure, SilenceFigure, WorldFigure
from collector.detect.incidents import WORLD, Cause
from collector.detect.network import Condition
from collector.metrics import MAX_SERIES, Metrics
from collector.snapshot import Snapshot, take
from collector.store.base import Ingest, Seen, Stored, StoreFigures
from probe.wire.exchange import Presence
from probe.wire.failure import Failure
from probe.wire.stage import STEPS
from tests.batches import NOW, ingest, someone
from tests.collector.conftest import Running

PLATFORMS = Config().platforms
MINUTE = int(NOW // 60)
PLAIN, OPEN = "text/plain; version=0.0.4", "application/openmetrics-text; version=1.0.0"
COUNTRIES = [chr(65 + a) + chr(65 + b) for a in range(26) for b in range(26)]


def samples(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    body, _ = metrics.render("")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def voting(country: str, asn: int, platform: str, ok: int, failing: int) -> tuple[CellKey, Cell]:
    votes = {f"{country}{asn}ok{n}": Vote(NOW - 5, "ok", f"{asn}ok{n}") for n in range(ok)}
    votes |= {f"{country}{asn}no{n}": Vote(NOW - 5, "blocked", f"{asn}no{n}") for n in range(failing)}
    return CellKey(MINUTE, country, asn, platform), Cell(statuses={"ok": ok}, votes=votes)


def taken(*cells: tuple[CellKey, Cell], seen: list[Seen] | None = None) -> Snapshot:
    figures = StoreFigures(size_bytes=1, oldest_batch_at=NOW)
    return take(dict(cells), seen or [], now=NOW, window_s=600, platforms=PLATFORMS, store=figures)


def shown(*cells: tuple[CellKey, Cell], seen: list[Seen] | None = None, **limits: int) -> Metrics:
    metrics = Metrics("test", PLATFORMS, lambda: NOW)
    metrics.snapshot(taken(*cells, seen=seen), **limits)
    return metrics


def test_the_ratio_is_the_share_of_prefixes_and_absent_without_votes() -> None:
    found = samples(shown(voting("PK", 1, "x", 1, 3), voting("PK", 1, "youtube", 0, 0)))
    pk_x = (("country", "PK"), ("platform", "x"))
    assert found["reachwatch_reachability_ratio", pk_x] == 0.25
    assert found["reachwatch_votes", pk_x] == 4
    assert found["reachwatch_votes_failing", pk_x] == 3
    assert ("reachwatch_reachability_ratio", (("country", "PK"), ("platform", "youtube"))) not in found


def test_a_small_network_is_not_shown_on_its_own() -> None:
    found = samples(
        shown(voting("PK", 111, "x", 5, 0), voting("PK", 222, "x", 4, 0), voting("PK", 333, "x", 0, 2))
    )
    ratios = {
        dict(labels)["asn"]: value
        for (name, labels), value in found.items()
        if name == "reachwatch_network_reachability_ratio"
    }
    assert ratios == {"111": 1.0, "other": pytest.approx(4 / 6)}


def test_a_platform_that_few_of_a_large_network_voted_on_is_not_shown_alone() -> None:
    cells = [voting("PK", 1, "x", 5, 0), voting("PK", 1, "youtube", 0, 1), voting("PK", 2, "youtube", 1, 0)]
    metrics = shown(*cells)
    conditions = {
        ("PK", 1, "x"): figured(Condition.OK),
        ("PK", 1, "youtube"): figured(Condition.OK, votes=1, failing=1),
    }
    metrics.detected(DetectorFigures(newest_bin_end_at=NOW, duration_s=1.0, networks=conditions))
    votes = {
        (labels["asn"], labels["platform"]): value
        for (name, key), value in samples(metrics).items()
        if name == "reachwatch_network_votes" and (labels := dict(key))
    }
    assert votes == {("1", "x"): 5, ("other", "youtube"): 2}
    states = [dict(key)["platform"] for name, key in samples(metrics) if name == "reachwatch_network_state"]
    assert states == ["x"]
    counted = {("PK", 1, "youtube"): figured(Condition.OK, votes=8)}
    metrics.detected(DetectorFigures(newest_bin_end_at=NOW, duration_s=1.0, networks=counted))
    alone = [key for name, key in samples(metrics) if name == "reachwatch_network_votes_failing"]
    assert ("youtube", "1") not in {(dict(key)["platform"], dict(key)["asn"]) for key in alone}


def test_no_more_networks_than_the_cap() -> None:
    found = samples(shown(*(voting("PK", asn, "x", 5 + asn % 3, 0) for asn in range(1, 50)), max_networks=10))
    asns = {dict(labels)["asn"] for (name, labels) in found if name == "reachwatch_network_votes"}
    assert len(asns) == 11
    assert "other" in asns


def figured(condition: Condition, *, score: float = 20.0, votes: int = 8, failing: int = 7) -> PlaceFigure:
    return PlaceFigure(condition=condition, score=score, votes=votes, failing=failing)


def detected(countries: list[str], platforms: tuple[str, ...], asns: int) -> DetectorFigures:
    """Trouble everywhere, by every cause, said of more than there are labels for."""
    condition = Condition.CONFIRMED
    return DetectorFigures(
        newest_bin_end_at=NOW - 42,
        duration_s=0.5,
        nations={(c, p): figured(condition) for c in countries for p in (*platforms, "invented")},
        networks={(c, a, p): figured(condition) for c in countries for a in range(asns) for p in platforms},
        worlds={p: WorldFigure(failing_ratio=0.4, is_out=True) for p in (*platforms, "invented")},
        throttling={(c, p): condition for c in countries for p in (*platforms, "invented")},
        silence={c: SilenceFigure(condition=condition, lost=3) for c in countries},
        incidents_open={(c, cause): 1 for c in (*countries, WORLD) for cause in Cause},
        incidents_confirmed=dict.fromkeys(Cause, 2),
    )


def test_nothing_is_said_of_detection_before_the_detector_ran() -> None:
    names = {name for name, _ in samples(shown(voting("PK", 1, "x", 8, 0)))}
    about = ("nation", "network_state", "network_score", "world", "platform_outage", "throttle", "silence")
    starts = tuple(f"reachwatch_{word}" for word in (*about, "probes_lost", "incidents", "detector"))
    assert not [name for name in names if name.startswith(starts)]


def test_what_the_detector_found_is_shown_as_it_said_it() -> None:
    metrics = shown(voting("PK", 17557, "x", 1, 7))
    pk_x = ("PK", "x")
    metrics.detected(
        DetectorFigures(
            newest_bin_end_at=NOW - 42,
            duration_s=0.5,
            nations={
                pk_x: figured(Condition.CONFIRMED),
                ("PK", "youtube"): figured(Condition.INSUFFICIENT, votes=0),
            },
            networks={("PK", 17557, "x"): figured(Condition.SUSPECTED, score=9.5)},
            worlds={"x": WorldFigure(failing_ratio=None, is_out=False)},
            throttling={pk_x: Condition.OK},
            silence={"PK": SilenceFigure(condition=Condition.OK, lost=2)},
            incidents_open={("PK", Cause.LIKELY_BLOCKING): 1, (WORLD, Cause.PLATFORM_OUTAGE): 1},
            incidents_confirmed={Cause.LIKELY_BLOCKING: 3},
        )
    )
    found = samples(metrics)
    place = (("country", "PK"), ("platform", "x"))
    assert found["reachwatch_nation_state", place] == 3
    assert found["reachwatch_nation_score", place] == 20
    assert found["reachwatch_nation_votes", place] == 8
    assert found["reachwatch_nation_failing_ratio", place] == 7 / 8
    quiet = (("country", "PK"), ("platform", "youtube"))
    assert found["reachwatch_nation_state", quiet] == 0
    assert ("reachwatch_nation_failing_ratio", quiet) not in found, "no votes, no share"
    network = (("asn", "17557"), ("country", "PK"), ("platform", "x"))
    assert found["reachwatch_network_state", network] == 2
    assert found["reachwatch_network_score", network] == 9.5
    assert ("reachwatch_world_failing_ratio", (("platform", "x"),)) not in found, "not measured is not 0"
    assert found["reachwatch_platform_outage", (("platform", "x"),)] == 0
    assert found["reachwatch_throttle_state", place] == 1
    assert found["reachwatch_silence_state", (("country", "PK"),)] == 1
    assert found["reachwatch_probes_lost", (("country", "PK"),)] == 2
    assert found["reachwatch_incidents_open", (("cause", "likely_blocking"), ("country", "PK"))] == 1
    assert found["reachwatch_incidents_open", (("cause", "platform_outage"), ("country", "*"))] == 1
    assert found["reachwatch_incidents_total", (("cause", "likely_blocking"),)] == 3
    assert found["reachwatch_incidents_total", (("cause", "shutdown"),)] == 0
    assert found["reachwatch_detector_lag_seconds", ()] == 42
    assert found["reachwatch_detector_duration_seconds", ()] == 0.5


def test_every_format_is_whole_and_of_the_newest_snapshot_and_run() -> None:
    """The gauges are written once for all who ask, until there is something newer."""
    metrics = shown(voting("PK", 1, "x", 1, 3))
    ratio, place = "reachwatch_reachability_ratio", {"country": "PK", "platform": "x"}

    def asked(accept: str) -> dict[str, float]:
        body, content_type = metrics.render(accept)
        assert body.count(b"# EOF\n") == body.endswith(b"# EOF\n") == ("openmetrics" in content_type)
        parse = openmetrics_families if "openmetrics" in content_type else text_string_to_metric_families
        samples = [sample for family in parse(body.decode()) for sample in family.samples]
        assert len({(one.name, *sorted(one.labels.items())) for one in samples}) == len(samples)
        return {one.name: one.value for one in samples if one.labels in ({}, place)}

    for accept in (PLAIN, OPEN, PLAIN):
        assert asked(accept)[ratio] == 0.25
        assert "reachwatch_detector_duration_seconds" not in asked(accept)
    metrics.snapshot(taken(voting("PK", 1, "x", 3, 1)))
    metrics.detected(DetectorFigures(newest_bin_end_at=NOW, duration_s=0.5))
    for accept in (PLAIN, OPEN, PLAIN):
        assert asked(accept)[ratio] == 0.75
        assert asked(accept)["reachwatch_detector_duration_seconds"] == 0.5


async def test_each_run_of_the_detector_is_shown(collector: Running) -> None:
    """A lag without samples is an alert that somebody gets up for."""
    lag = "\nreachwatch_detector_lag_seconds "
    await collector.service.detector.start()
    assert lag not in await collector.get("/metrics")
    await collector.service.detect()
    first = float((await collector.get("/metrics")).partition(lag)[2].split("\n")[0])
    assert 0 < first < 600
    collector.clock.now += 900
    await collector.service.detect()
    later = float((await collector.get("/metrics")).partition(lag)[2].split("\n")[0])
    assert later == first, "three more rounds were examined"


def test_a_country_that_fell_silent_keeps_its_label_before_all_that_are_well() -> None:
    crowd = [voting(country, 1, "x", 9, 0) for country in COUNTRIES if country != "PK"]
    metrics = shown(*crowd)
    silent = SilenceFigure(condition=Condition.CONFIRMED, lost=40)
    metrics.detected(DetectorFigures(newest_bin_end_at=NOW, duration_s=0.1, silence={"PK": silent}))
    assert samples(metrics)["reachwatch_silence_state", (("country", "PK"),)] == 3


def test_a_network_too_small_for_a_label_is_not_shown_by_the_detector_either() -> None:
    metrics = shown(voting("PK", 1, "x", 1, 3))
    networks = {("PK", 1, "x"): figured(Condition.SUSPECTED, votes=4, failing=3)}
    metrics.detected(DetectorFigures(newest_bin_end_at=NOW, duration_s=0.1, networks=networks))
    assert not [name for name, _ in samples(metrics) if name == "reachwatch_network_state"]


def hostile(count: int) -> list[Ingest]:
    """Batches whose every word is invented."""
    template = ingest(someone()).batch
    items = []
    for n in range(count):
        word = f"w{n}"
        platform = PLATFORMS[n % 4]
        cell = Cell(
            statuses={word: 1},
            mechanisms={word: 1},
            results={(word, word): 1, ("tcp", word): 1},
            durations={word: Histogram()},
            votes={word: Vote(NOW, word, word)},
        )
        country = chr(65 + n % 26) + chr(65 + n // 26 % 26)
        items.append(Ingest(batch=template, cells={CellKey(MINUTE, country, n, platform): cell}))
    return items


def test_under_the_limit_of_series_whatever_is_thrown_at_it() -> None:
    items = hostile(20_000)
    cells = [voting(c, asn, p, 6, 1) for c in COUNTRIES for asn in range(3) for p in PLATFORMS]
    seen = [Seen(probe=c, at=NOW, state=Presence.ALIVE, country=c, asn=1, prefix="p") for c in COUNTRIES]
    metrics = shown(
        *cells, *((k, c) for i in items for k, c in i.cells.items()), seen=seen, max_networks=1000
    )
    metrics.committed(0.01, items, [Stored.NEW] * len(items), NOW)
    metrics.detected(detected([*COUNTRIES, "<i", "pk"], PLATFORMS, 3))
    found = samples(metrics)
    assert 5_000 < len(found) < MAX_SERIES
    values = {value for _, labels in found for _, value in labels}
    assert not any(value.startswith("w") and value[1:].isdigit() for value in values)
    assert "unknown" in values


@pytest.mark.parametrize(("platforms", "networks"), [(4, 300), (4, 1000), (16, 300), (16, 1000)])
def test_under_the_limit_at_every_setting_when_all_of_a_crowded_world_votes(
    platforms: int, networks: int
) -> None:
    names = tuple(f"p{n}" for n in range(platforms))
    cell = Cell(votes={f"v{n}": Vote(NOW, "ok", f"v{n}") for n in range(5)})
    few = Cell(votes={"v": Vote(NOW, "ok", "v")})
    cells = {
        CellKey(MINUTE, country, asn, name): few if asn == 0 else cell
        for country in COUNTRIES
        for asn in range(4)
        for name in names
    }
    metrics = Metrics("test", names)
    every: dict[tuple[str, str], int] = {
        (stage, failure): 1 for stage in STEPS for failure in ["", "new_word", *Failure]
    }
    durations: dict[str, Histogram] = dict.fromkeys([*STEPS, "new_word"], Histogram())
    rounds = Cell(statuses={"new_word": 1}, mechanisms={"new_word": 1}, results=every, durations=durations)
    items = [
        replace(ingest(someone()), cells={CellKey(MINUTE, "PK", 1, name): rounds for name in (*names, "new")})
    ]
    metrics.committed(0.01, items, [Stored.NEW], NOW)
    probes = [Seen(probe=c, at=NOW, state=Presence.ALIVE, country=c, asn=1, prefix="p") for c in COUNTRIES]
    whole = take(cells, probes, now=NOW, window_s=600, platforms=names)
    metrics.snapshot(whole, max_networks=networks)
    metrics.detected(detected([*COUNTRIES, "<i", "pk"], names, 4))
    for status in range(200, 240):
        metrics.request("batch", status)
    found = samples(metrics)
    assert len(found) < MAX_SERIES
    assert not any("invented" in value for _, labels in found for _, value in labels)
    states = {name for name, _ in found if name.endswith("_state")}
    assert states == {f"reachwatch_{what}_state" for what in ("nation", "network", "throttle", "silence")}
    shown_votes = sum(v for (name, _), v in found.items() if name == "reachwatch_network_votes")
    assert shown_votes == sum(tally.votes for tally in whole.networks.values()), "folding loses no vote"


def test_a_platform_that_is_not_ours_is_counted_as_unknown() -> None:
    metrics = Metrics("test", PLATFORMS)
    cells = {CellKey(MINUTE, "PK", 1, f"invented{n}"): Cell(statuses={"ok": 1}) for n in range(2_000)}
    metrics.committed(0.01, [replace(ingest(someone()), cells=cells)], [Stored.NEW], NOW)
    found = samples(metrics)
    assert found["reachwatch_rounds_total", (("platform", "unknown"), ("status", "ok"))] == 2_000
    assert not any("invented" in value for _, labels in found for _, value in labels)


def test_a_country_that_is_not_of_iso_3166s_form_is_zz() -> None:
    seen = [
        Seen(probe=c, at=NOW, state=Presence.ALIVE, country=c, asn=1, prefix="p") for c in ("PK", "pk", "<i")
    ]
    found = samples(shown(voting("PK", 1, "x", 1, 0), voting("é!", 1, "x", 2, 1), seen=seen))
    assert found["reachwatch_probes_reporting", (("country", "ZZ"),)] == 2
    assert found["reachwatch_votes", (("country", "ZZ"), ("platform", "x"))] == 3
    assert {v for _, labels in found for k, v in labels if k == "country"} == {"PK", "ZZ"}


def test_a_duplicate_is_counted_as_such_and_as_nothing_else() -> None:
    metrics = Metrics("test", PLATFORMS)
    item = ingest(someone())
    metrics.committed(0.01, [item, item], [Stored.NEW, Stored.DUPLICATE], NOW)
    found = samples(metrics)
    assert found["reachwatch_rounds_total", (("platform", "x"), ("status", "ok"))] == 1
    assert found["reachwatch_ingest_batches_total", (("result", "duplicate"),)] == 1
    tls = (("platform", "x"), ("stage", "tls"))
    assert found["reachwatch_stage_duration_seconds_count", tls] == 2
    assert found["reachwatch_stage_duration_seconds_sum", tls] == pytest.approx(0.1)


def test_counters_stand_at_zero_before_their_first_event() -> None:
    found = samples(Metrics("test", PLATFORMS))
    assert found["reachwatch_rounds_total", (("platform", "youtube"), ("status", "blocked"))] == 0
    assert found["reachwatch_ingest_refusals_total", (("reason", "too_old"),)] == 0


def test_no_label_names_a_probe_an_address_or_a_url() -> None:
    metrics = shown(voting("PK", 1, "x", 5, 0))
    metrics.request("batch", 200)
    allowed = {"country", "asn", "platform", "status", "mechanism", "stage", "failure", "route", "reason"}
    metrics.detected(detected(["PK"], PLATFORMS, 1))
    labels = {name for _, pairs in samples(metrics) for name, _ in pairs}
    assert labels <= allowed | {"result", "version", "le", "cause"}


@pytest.mark.skipif(not shutil.which("promtool"), reason="needs promtool, of Debian's prometheus")
async def test_promtool_finds_nothing_to_say(collector: Running) -> None:
    collector.service.metrics.committed(0.01, [ingest(someone())], [Stored.NEW], NOW)
    collector.service.metrics.detected(detected(["PK"], PLATFORMS, 1))
    text = await collector.get("/metrics")
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
