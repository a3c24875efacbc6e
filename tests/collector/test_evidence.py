"""An incident's evidence: made of a real store, made again by whoever has it, and telling on nobody."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.cli import main
from collector.detect.cells import cells_of
from collector.detect.evidence import NoEvidence, read
from collector.detect.incidents import Phase
from collector.detect.small import FIRST_PRIVATE
from collector.detect.verifying import checked
from collector.detector import LATE_S, QUIET
from collector.evidence import bundle
from collector.ingest.commit import Committer
from collector.store.base import Ingest, SignedBatch
from collector.store.packing import unpack_segment
from probe.verdict import judge
from probe.wire.observation import Round
from probe.wire.stage import Resolver
from tests import golden
from tests.batches import batch, someone
from tests.collector.detect.homes import FIRST, WARM
from tests.collector.detect.lines import BEGAN
from tests.collector.test_detector import (
    BEATS,
    END,
    EVERYBODY,
    MINUTES,
    PAKISTAN,
    ROUND_S,
    SLOW,
    START,
    WHOLE,
    Clock,
    Watchers,
    in_order,
    listening,
    put_aside,
    said,
    watching,
)

DARK = "pk-20231217T1010Z"
FEW = 5  # homes of a network of which whole rounds are shown


@pytest.fixture(params=["memory", "sqlite"])
def told(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Watchers]:
    """A collector that has seen Pakistan go dark and come back."""
    with watching(f"{request.param}://{tmp_path / 'store'}") as watchers:
        in_order(watchers)
        yield watchers


async def bundled(watchers: Watchers, incident: str, min_prefixes: int) -> bytes:
    """The bundle as the collector makes it."""
    detector = watchers.detector
    head = detector.findings.state.number
    return await bundle(watchers.committer, detector.setting(), head, incident, min_prefixes)


def holds(data: bytes) -> dict[str, bool]:
    return {finding.text: finding.holds for finding in checked(read(data))}


def again(data: bytes, change: Any) -> bytes:
    """The bundle with something changed, and a digest that fits."""
    whole = json.loads(data)
    change(whole["evidence"])
    content = json.dumps(whole["evidence"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    whole["sha256"] = hashlib.sha256(content.encode()).hexdigest()
    return json.dumps(whole).encode()


async def test_the_claim_is_made_again_from_the_bundle_alone(told: Watchers) -> None:
    data = await bundled(told, DARK, FEW)
    assert all(holds(data).values()), holds(data)
    evidence = read(data)
    (incident,) = [one for one in told.detector.findings.book if one.id == DARK]
    assert evidence.claim == incident
    assert evidence.claim.phase is Phase.ENDED
    assert evidence.rounds[0].number < incident.since - QUIET
    assert incident.ended
    assert evidence.rounds[-1].number > incident.ended
    assert await bundled(told, DARK, FEW) == data, "the same incident, the same bytes"


async def test_while_it_goes_on_the_evidence_is_as_far_as_it_has_come(tmp_path: Path) -> None:
    with watching(f"sqlite://{tmp_path / 'store'}") as watchers:
        in_order(watchers, WHOLE[: WARM + 8])
        evidence = read(await bundled(watchers, DARK, FEW))
    assert evidence.claim.phase is Phase.CONFIRMED
    assert evidence.rounds[-1].number == FIRST + 7
    assert all(finding.holds for finding in checked(evidence))


async def test_after_late_data_the_evidence_is_that_of_the_new_claim(tmp_path: Path) -> None:
    late = {home.probe for n, home in enumerate(PAKISTAN) if n % 4 == 0}
    with watching(f"sqlite://{tmp_path / 'store'}") as watchers:
        in_order(watchers, [[i for i in items if i.batch.probe not in late] for items in WHOLE])
        watchers.take([item for items in WHOLE for item in items if item.batch.probe in late])
        watchers.clock.at += LATE_S
        watchers.detector.detect()
        data = await bundled(watchers, DARK, FEW)
    assert all(holds(data).values()), holds(data)
    assert sum(seen.of for seen in read(data).claim.parts[0].networks.values()) == len(PAKISTAN)


async def test_after_a_quarantine_the_evidence_is_without_whom_it_is_about(told: Watchers) -> None:
    put_aside(told, PAKISTAN[::4], START)
    told.detector.detect()
    data = await bundled(told, DARK, FEW)
    assert all(holds(data).values()), holds(data)
    homes = sum(seen.of for seen in read(data).claim.parts[0].networks.values())
    assert homes == len(PAKISTAN) - len(PAKISTAN[::4])


async def test_nobody_can_be_found_by_it(told: Watchers) -> None:
    """Neither a probe nor a prefix by its name, nor a home by the second at which it measured."""
    data = await bundled(told, DARK, FEW)
    for home in EVERYBODY:
        assert home.probe.encode() not in data
    assert b"prefix of" not in data
    moments = {ballot.at for facts in read(data).rounds for _, ballots in facts.ballots for ballot in ballots}
    assert {at % 60 < 1 for at in moments} == {True}
    assert {one.since for one in read(data).standings.values()} == {0.0}


async def test_nothing_of_other_countries_is_in_it_but_their_shares(told: Watchers) -> None:
    evidence = read(await bundled(told, DARK, FEW))
    assert {place.country for facts in evidence.rounds for place, _ in facts.ballots} == {"PK"}
    assert len(evidence.rounds[3].abroad["x"]) == 11


def lie(evidence: dict[str, Any]) -> None:
    for facts in evidence["rounds"]:
        for _, ballots in facts["ballots"]:
            for ballot in ballots:
                ballot["failed"] = False


def leave_out(evidence: dict[str, Any]) -> None:
    del evidence["rounds"][2]


def loosen(evidence: dict[str, Any]) -> None:
    evidence["limits"]["false_alarms_a_year"] = 1e5
    evidence["limits"]["confirm_rounds"] = 1


def overstate(evidence: dict[str, Any]) -> None:
    evidence["claim"]["parts"][0]["networks"]["1"]["of"] = 600


def understate(evidence: dict[str, Any]) -> None:
    evidence["revision"]["incident"]["parts"][0]["cause"] = "platform_outage"


@pytest.mark.parametrize("change", [lie, leave_out, loosen, overstate, understate])
async def test_a_bundle_that_was_changed_does_not_hold_even_with_a_digest_that_fits(
    told: Watchers, change: Any
) -> None:
    data = await bundled(told, DARK, FEW)
    assert not all(holds(again(data, change)).values())


async def test_a_changed_byte_is_a_changed_digest(told: Watchers) -> None:
    data = await bundled(told, DARK, FEW)
    with pytest.raises(NoEvidence, match="changed since it was made"):
        read(data.replace(b'"failed":true', b'"failed":false', 1))


async def test_networks_of_few_homes_are_not_named_and_the_claim_holds(told: Watchers) -> None:
    evidence = read(data := await bundled(told, DARK, 7))
    assert all(holds(data).values()), holds(data)
    named = {place.asn for facts in evidence.rounds for place, _ in facts.ballots}
    named |= {asn for one in (evidence.claim, evidence.revision.incident) for asn in one.parts[0].networks}
    named |= {place["asn"] for place, _ in evidence.start["networks"]}
    assert named == {FIRST_PRIVATE + number for number in range(4)}
    (incident,) = [one for one in told.detector.findings.book if one.id == DARK]
    assert list(evidence.claim.parts[0].networks.values()) == list(incident.parts[0].networks.values())


async def test_of_what_never_was_there_is_no_evidence(told: Watchers) -> None:
    with pytest.raises(NoEvidence):
        await bundled(told, "pk-20240101T0000Z", FEW)


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("minutes", [32, MINUTES])
async def test_a_silence_is_claimed_again_from_the_minutes_in_which_probes_were_there(
    kind: str, minutes: int, tmp_path: Path
) -> None:
    with watching(f"{kind}://{tmp_path / 'store'}", Clock(BEGAN - 1800)) as watchers:
        listening(watchers, BEATS, range(-30, minutes))
        (incident,) = watchers.detector.findings.book
        data = await bundled(watchers, incident.id, FEW)
    assert all(holds(data).values()), holds(data)
    evidence = read(data)
    assert evidence.claim == incident
    assert incident.phase is (Phase.ENDED if minutes == MINUTES else Phase.CONFIRMED)
    assert {span.country for span in evidence.spans} == {"PK"}
    assert {len(facts.heard_abroad) for facts in evidence.rounds} == {5}
    assert {len(shares) for shares in evidence.rounds[-1].heard_abroad} == {11}
    for home in EVERYBODY:
        assert home.probe.encode() not in data
    assert b"prefix of" not in data
    moments = [at for span in evidence.spans for at in (span.first_at, span.last_at)]
    assert {round(at, 1) % 30 for at in moments} == {0.0}

    def be_there(content: dict[str, Any]) -> None:
        for span in content["spans"]:
            span["last_at"] += 3600

    assert not all(holds(again(data, be_there)).values())


async def test_of_a_silence_whose_round_is_not_over_the_evidence_is_yet_to_come(tmp_path: Path) -> None:
    with watching(f"sqlite://{tmp_path / 'store'}", Clock(BEGAN - 1800)) as watchers:
        listening(watchers, BEATS, range(-30, 24))
        (incident,) = watchers.detector.findings.book
        with pytest.raises(NoEvidence, match="its first round is not over yet"):
            await bundled(watchers, incident.id, FEW)


async def test_in_the_evidence_of_a_silence_whoever_is_in_quarantine_is_not_listened_to(
    tmp_path: Path,
) -> None:
    with watching(f"sqlite://{tmp_path / 'store'}", Clock(BEGAN - 1800)) as watchers:
        put_aside(watchers, PAKISTAN[::5], BEGAN)
        listening(watchers, BEATS, range(-30, MINUTES))
        (incident,) = watchers.detector.findings.book
        data = await bundled(watchers, incident.id, FEW)
    assert all(holds(data).values()), holds(data)
    evidence = read(data)
    assert evidence.claim == incident
    assert len(evidence.orders) == len(PAKISTAN[::5])
    assert b'"by":"me"' not in data


@dataclass
class Reading:
    """How many segments were unpacked at all, and in the one call to the store that unpacked most."""

    segments: int = 0
    most: int = 0


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Reading:
    """Of whatever is asked of an embedded store from now on."""
    seen, call = Reading(), Committer.call

    def unpacking(data: bytes) -> list[SignedBatch]:
        seen.segments += 1
        return unpack_segment(data)

    async def calling(committer: Committer, function: Any, *args: Any) -> Any:
        before = seen.segments
        answer = await call(committer, function, *args)
        seen.most = max(seen.most, seen.segments - before)
        return answer

    monkeypatch.setattr("collector.store.segments.unpack_segment", unpacking)
    monkeypatch.setattr(Committer, "call", calling)
    return seen


HOURS_73 = 73 * 3600


async def test_rounds_are_looked_for_where_they_can_be_and_what_comes_in_waits_for_one_segment(
    tmp_path: Path, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    with watching(f"sqlite://{tmp_path / 'store'}") as watchers:
        in_order(watchers)
        await bundled(watchers, DARK, FEW)
        assert (reading.segments > 50, reading.most) == (True, 1)
        store = watchers.store
        for n, home in enumerate(PAKISTAN):
            later = said(home, END + n)
            at = later.batch.received_at + HOURS_73
            store.ingest([replace(later, batch=replace(later.batch, received_at=at))])
        before, reading.segments = reading.segments, 0
        await bundled(watchers, DARK, FEW)
        assert reading.segments == before, "what came later than it can have come is not read"
        store.expire(START + 100 * ROUND_S + HOURS_73, 0, 0)
        monkeypatch.setattr(store, "batches", None)  # of what was dropped nothing is asked
        assert all(holds(await bundled(watchers, DARK, FEW)).values())


async def test_a_damaged_segment_costs_the_rounds_in_it_and_not_the_evidence(tmp_path: Path) -> None:
    with watching(f"sqlite://{tmp_path / 'store'}") as watchers:
        in_order(watchers)
        watchers.store._db.execute("UPDATE segments SET data = x'00'")  # type: ignore[attr-defined]
        data = await bundled(watchers, DARK, FEW)
    assert read(data).samples == ()
    assert all(holds(data).values()), holds(data)


@given(
    st.binary() | st.recursive(st.none() | st.text() | st.floats(), st.lists).map(json.dumps).map(str.encode)
)
def test_bytes_that_are_no_bundle_are_said_to_be_none(data: bytes) -> None:
    with pytest.raises(NoEvidence):
        read(data)


@dataclass
class Measured:
    """Homes whose votes come from real rounds of the lab."""

    clean: Round
    cut: Round

    def says(self, index: int, number: int) -> Ingest:
        home = EVERYBODY[index]
        plain = said(home, number)
        (failed,) = {vote.status != "ok" for cell in plain.cells.values() for vote in cell.votes.values()}
        at = datetime.fromtimestamp(plain.batch.received_at + 17.25, UTC)
        rnd = replace(self.cut if failed else self.clean, started_at=at)
        verdicts = [verdict for verdict in judge(rnd) if verdict.platform == "x"]
        cells = cells_of(
            rnd, verdicts, country=home.country, asn=home.asn, prefix=plain.batch.prefix, probe=home.probe
        )
        body = batch(someone(), rnd, sequence=plain.batch.sequence)
        return Ingest(batch=replace(plain.batch, body=body), cells=cells)


@pytest.mark.slow
async def test_whole_rounds_are_shown_and_judged_again_without_the_second_they_began(tmp_path: Path) -> None:
    measured = Measured(golden.read("clean"), golden.read("sni_reset"))
    with watching(f"sqlite://{tmp_path / 'store'}") as watchers:
        in_order(
            watchers,
            [[measured.says(index, number) for index in range(len(EVERYBODY))] for number in range(-WARM, 8)],
        )
        data = await bundled(watchers, DARK, FEW)
        of_few = await bundled(watchers, DARK, 7)
    assert read(of_few).samples == (), "six homes are few enough to be looked for"
    evidence = read(data)
    assert len(evidence.samples) == 4, "one of each network that failed"
    asked = [o.dns for sample in evidence.samples for o in sample.round.observations if o.dns]
    assert {dns.server for dns in asked if dns.resolver is Resolver.SYSTEM} == {None}
    assert all(holds(data).values()), holds(data)
    assert {one.round.started_at.second for one in evidence.samples} == {0}
    assert {one.round.round_id for one in evidence.samples} == {"0" * 32}

    def swap(content: dict[str, Any]) -> None:
        content["samples"][0]["round"]["observations"] = []

    assert not all(holds(again(data, swap)).values())


async def test_verify_says_that_it_holds_or_what_fails(
    told: Watchers, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad, none = (tmp_path / name for name in ("good.json", "bad.json", "none.json"))
    data = await bundled(told, DARK, FEW)
    good.write_bytes(data)
    bad.write_bytes(again(data, lie))
    none.write_bytes(b"{}")
    assert main(["verify", str(good)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{DARK}, revision ")
    assert [line.split("  ")[0] for line in lines[1:]] == ["holds"] * 4
    assert main(["verify", str(bad)]) == 1
    assert "FAILS" in capsys.readouterr().out
    assert main(["verify", str(none)]) == 1
    assert capsys.readouterr().err == f"reachwatch-collector: {none}: not an evidence bundle\n"
    assert main(["verify", str(tmp_path / "gone")]) == 2
    assert "No such file" in capsys.readouterr().err


async def test_a_throttling_is_claimed_again_from_its_bundle_in_which_nobody_can_be_found(
    tmp_path: Path,
) -> None:
    """The newest words on speed from before the bundle's first round are in its state."""
    with watching(f"sqlite://{tmp_path / 'store'}") as watchers:
        in_order(watchers, SLOW)
        data = await bundled(watchers, DARK, FEW)
        (incident,) = watchers.detector.findings.book
    assert all(holds(data).values()), holds(data)
    evidence = read(data)
    assert evidence.claim == incident
    assert evidence.start["speeds"]
    assert set(evidence.rounds[-1].slow_abroad["x"].values()) == {0.0}
    for home in EVERYBODY:
        assert home.probe.encode() not in data
    assert b"prefix of" not in data
