"""A round on real servers: gate, endpoints, second attempts, redirects, deadlines, cancelling."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import pytest

from probe.config import Timeouts
from probe.doctor import examine
from probe.endpoint import choose
from probe.outcome import document
from probe.routes import ways
from probe.wire.failure import Failure
from probe.wire.observation import GateState, Phase
from probe.wire.stage import Stage
from tests.line import CONFIG, CONTROLS, OWN_HOST, SixToo, a_line
from tests.loopback import response, says, tcp_server
from tests.rounds import X_ADDRESS, dns
from tests.uploads import to


async def test_a_clean_line_is_measured_once_stage_by_stage(tmp_path: Path) -> None:
    async with a_line(tmp_path) as line:
        outcome = await line.round()
    assert outcome.verdicts[0].status == "ok"
    main = [o for o in outcome.round.observations if o.phase is Phase.MAIN]
    in_turn = [o.stage for o in sorted(main, key=lambda o: o.start_s)]
    assert in_turn == [Stage.DNS, Stage.DNS, Stage.TCP, Stage.TLS, Stage.HTTP]
    phases = [o.phase for o in outcome.round.observations]
    assert phases == sorted(phases, key=[Phase.BEFORE, Phase.MAIN, Phase.AFTER].index)
    assert outcome.round.gate.passed_before == outcome.round.gate.passed_after == 3


async def test_a_lie_is_measured_twice_and_its_address_never_dialled(tmp_path: Path) -> None:
    async with a_line(tmp_path) as line:
        line.zone["x.com", "A"] = ["10.10.34.35"]
        outcome = await line.round()
    assert outcome.verdicts[0].status == "blocked"
    lies = [o for o in outcome.round.observations if o.failure is Failure.DNS_BOGON]
    assert [o.attempt for o in lies] == [1, 2]
    assert not any(address.startswith("10.") for address, _ in line.net.dialled)


async def test_a_transient_failure_is_no_failure(tmp_path: Path) -> None:
    tries = 0

    async def at_first_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        if tries > 1:
            await says(response(200))(reader, writer)

    async with a_line(tmp_path, at_first_silent) as line:
        outcome = await line.round()
    assert outcome.verdicts[0].status == "ok"
    walked = [o for o in outcome.round.observations if o.stage is Stage.HTTP and o.host == "x.com"]
    assert [(o.attempt, o.failure) for o in walked] == [(1, Failure.HTTP_EOF), (2, None), (3, None)], (
        "two that disagree are told apart by a third"
    )


async def test_on_a_dead_line_nothing_of_the_platform_is_tried(tmp_path: Path) -> None:
    async with a_line(tmp_path) as line:
        for address in CONTROLS.values():
            del line.net.doors[address, 443]
        outcome = await line.round()
    assert outcome.round.gate.state is GateState.OFFLINE
    assert outcome.verdicts[0].status == "insufficient"
    assert not outcome.could_judge
    assert not any(o.phase is Phase.MAIN for o in outcome.round.observations)


async def test_a_line_that_dies_in_mid_round_proves_nothing(tmp_path: Path) -> None:
    async with a_line(tmp_path) as line:
        line.zone["x.com", "A"] = ["10.10.34.35"]

        async def dies(_seconds: float) -> None:
            for address in CONTROLS.values():
                line.net.doors.pop((address, 443), None)

        line.plan = replace(line.plan, pause=dies)
        outcome = await line.round()
    assert (outcome.round.gate.passed_before, outcome.round.gate.passed_after) == (3, 0)
    assert outcome.verdicts[0].status == "insufficient"


async def test_a_captive_portal_is_told_from_a_dead_line(tmp_path: Path) -> None:
    login = says(response(302, Location="http://login.hotel.example/"))
    async with a_line(tmp_path, also={("9.9.9.5", 80): login}) as line:
        for address in CONTROLS.values():
            del line.net.doors[address, 443]
        async with tcp_server(login) as port:
            line.net.doors["9.9.9.4", 80] = port
            outcome = await line.round()
    assert outcome.round.gate.state is GateState.PORTAL


async def test_a_redirect_is_followed_within_the_platforms_own_hosts_alone(tmp_path: Path) -> None:
    for location, hosts in (
        ("https://www.x.com/home", {"x.com", "www.x.com"}),
        ("https://elsewhere.example/", {"x.com"}),
        ("http://www.x.com/", {"x.com"}),
        ("https://x.com/login", {"x.com"}),
        ("file:///etc/passwd", {"x.com"}),
        ("https://x.com.evil.example/", {"x.com"}),
        ("https://\u00fc.x.com/", {"x.com"}),
        ("https://.x.com/", {"x.com"}),
    ):
        moved = says(response(302, Location=location).replace(b"\xc3\xbc", b"\xfc"))
        async with a_line(tmp_path, moved, {(OWN_HOST, 443): says(response(200))}) as line:
            outcome = await line.round()
        main = [o for o in outcome.round.observations if o.phase is Phase.MAIN]
        assert {o.host for o in main} == hosts, location
        assert outcome.verdicts[0].status == "ok"


async def test_redirects_in_a_circle_end(tmp_path: Path) -> None:
    to_www, back = (says(response(302, Location=f"https://{host}/")) for host in ("www.x.com", "x.com"))
    async with a_line(tmp_path, to_www, {(OWN_HOST, 443): back}) as line:
        outcome = await line.round()
    assert max(o.hop for o in outcome.round.observations) == 2


async def test_a_round_ends_by_its_deadline_and_says_what_was_not_measured(tmp_path: Path) -> None:
    slow = Timeouts(dns_s=30, tcp_s=30, tls_s=30, http_s=30)
    async with a_line(tmp_path, says(hang=True)) as line:
        began = time.monotonic()
        outcome = await line.round(round_deadline_s=1.0, timeouts=slow)
    assert time.monotonic() - began < 3
    assert outcome.round.gate.state is GateState.ONLINE
    assert [reason.rule for reason in outcome.verdicts[0].reasons] == ["round.unfinished"]


async def test_a_cancelled_round_leaves_no_task_and_no_round(tmp_path: Path) -> None:
    async with a_line(tmp_path, says(hang=True)) as line:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.4):
                await line.round(timeouts=Timeouts(http_s=30))
        assert not [t for t in asyncio.all_tasks() if "_endpoint" in repr(t.get_coro())]


async def test_the_document_holds_what_was_promised(tmp_path: Path) -> None:
    async with a_line(tmp_path) as line:
        line.zone["x.com", "A"] = "nxdomain"
        written = document(await line.round())
    assert list(written)[:4] == ["schema", "round_id", "started_at", "duration_s"]
    assert written["schema"] == "reachwatch/1"
    assert written["gate"]["state"] == "online"
    (x,) = written["platforms"]
    assert list(x) == ["platform", "status", "scope", "mechanisms", "reasons"]
    assert x["mechanisms"] == [{"mechanism": "dns", "level": "proven", "families": [4], "roles": ["x/web"]}]
    assert set(x["reasons"][0]) == {"rule", "text"}
    assert {"stage", "target", "start_s", "duration_s", "address", "failure", "owner"} <= set(
        written["observations"][0]
    )


def test_addresses_are_taken_in_turn_from_both_resolvers_and_bogons_never() -> None:
    lookups = [
        dns("x/web", "doh", "1.0.0.1", "1.0.0.2"),
        dns("x/web", "system", "10.1.1.1", "2.0.0.1", "2.0.0.2", "1.0.0.1"),
        dns("x/web", "system", "2a00::1", kind="AAAA"),
    ]
    assert choose(lookups, (4, 6), 3) == ["2.0.0.1", "1.0.0.1", "2.0.0.2", "2a00::1"]
    assert choose(lookups, (4,), 1) == ["2.0.0.1"]
    assert choose([dns("x/web", "system", failure=Failure.DNS_NXDOMAIN)], (4,), 2) == []


async def test_the_families_are_measured_and_named_apart(tmp_path: Path) -> None:
    six, control_six = "2606:1f80:f000::1", "2001:500:88::1"
    doors = {(address, 443): says(response(200)) for address in (six, control_six)}
    async with a_line(tmp_path, also=doors) as line:
        line.zone["one.example", "AAAA"] = [control_six]
        line.zone["x.com", "A"] = ["10.10.34.35"]
        line.zone["x.com", "AAAA"] = [six]
        line.plan = replace(line.plan, net=SixToo(line.net.doors))
        outcome = await line.round()
    (verdict,) = outcome.verdicts
    assert (verdict.status, [m.families for m in verdict.mechanisms]) == ("blocked", [(4,)])
    walked = {(o.family, o.failure) for o in outcome.round.observations if o.address in (six, X_ADDRESS)}
    assert walked == {(4, None), (6, None)}


async def test_broken_ipv6_at_home_is_no_censorship(tmp_path: Path) -> None:
    """What answers nobody over IPv6 is no platform's trouble: it is measured over IPv4 alone."""
    async with a_line(tmp_path) as line:
        line.zone["one.example", "AAAA"] = ["2001:500:88::1"]
        line.zone["x.com", "AAAA"] = ["2606:1f80:f000::1"]
        line.plan = replace(line.plan, net=SixToo(line.net.doors))
        outcome = await line.round()
    assert {(o.target, o.phase) for o in outcome.round.observations if o.failure is Failure.NO_ROUTE} == {
        ("foreign/one.example", Phase.BEFORE)
    }
    assert {o.family for o in outcome.round.observations if o.phase is Phase.MAIN} == {4}
    assert outcome.verdicts[0].status == "ok"


async def nowhere(_host: str) -> Sequence[str]:
    return []


async def test_the_doctor_finds_nothing_wrong_with_a_good_line(tmp_path: Path) -> None:
    date = format_datetime(datetime.now(UTC), usegmt=True)
    page = says(response(200, b"success\n", Date=date))
    async with (
        a_line(tmp_path) as line,
        tcp_server(page) as portal,
        tcp_server(says(response(200))) as health,
    ):
        line.net.doors["9.9.9.4", 80] = portal
        line.net.doors["198.51.100.10", 8460] = health
        found = [
            finding async for finding in examine(line.plan, nowhere, ways(to("http://198.51.100.10:8460")))
        ]
    told = {f.subject: f for f in found[:4]}
    assert [told[s].health for s in ("resolver", "trusted resolver", "IPv6", "clock")] == [
        "ok",
        "ok",
        "note",
        "ok",
    ]
    assert found[-1].health == "ok"
    assert found[-1].text.startswith("http://198.51.100.10:8460 answered in ")


async def test_the_doctor_tells_of_each_route_and_one_that_works_is_enough(tmp_path: Path) -> None:
    gone = to("http://gone.example")
    async with a_line(tmp_path) as line, tcp_server(says(response(200))) as health:
        line.net.doors["198.51.100.10", 8460] = health
        routes = ways((*gone, *to("http://198.51.100.10:8460")))
        some = [f async for f in examine(line.plan, nowhere, routes) if f.subject == "collector"]
        none = [f async for f in examine(line.plan, nowhere, ways(gone)) if f.subject == "collector"]
    assert [str(f.health) for f in some] == ["note", "ok", "note"]
    assert some[0].text == "http://gone.example: its name does not resolve; rounds go another way"
    assert [str(f.health) for f in none] == ["FAIL", "FAIL"]
    assert none[1].text == (
        "http://gone.example by the trusted resolver: its name does not resolve (dns_nxdomain_error);"
        " rounds wait on this machine until it can be reached"
    )


async def test_the_doctor_says_when_the_clock_is_hours_off(tmp_path: Path) -> None:
    page = says(response(200, b"success\n", Date="Sun, 17 Dec 2023 15:04:00 GMT"))
    async with a_line(tmp_path) as line, tcp_server(page) as portal:
        line.net.doors["9.9.9.4", 80] = portal
        (clock,) = [f async for f in examine(line.plan, nowhere, []) if f.subject == "clock"]
    assert clock.health == "FAIL"
    assert "turn on NTP" in clock.text


async def test_the_doctor_knocks_at_no_private_address(tmp_path: Path) -> None:
    async with a_line(tmp_path) as line:
        line.zone["portal.example", "A"] = ["192.168.1.1"]
        (clock,) = [f async for f in examine(line.plan, nowhere, []) if f.subject == "clock"]
    assert clock.health == "note"
    assert "192.168.1.1" not in {address for address, _ in line.net.dialled}


async def test_when_only_domestic_sites_answer_the_way_abroad_is_what_is_cut(tmp_path: Path) -> None:
    async with a_line(tmp_path) as line:
        pem = line.authority.issue(["site.pk"], tmp_path)
        line.zone["site.pk", "A"] = ["9.9.9.8"]
        for address in CONTROLS.values():
            del line.net.doors[address, 443]
        controls = replace(CONFIG.controls, domestic=("https://site.pk/",))
        async with tcp_server(says(response(200)), pem) as port:
            line.net.doors["9.9.9.8", 443] = port
            outcome = await line.round(controls=controls)
    assert outcome.round.gate.state is GateState.DOMESTIC_ONLY
    assert outcome.verdicts[0].reasons[0].rule == "gate.domestic_only"
