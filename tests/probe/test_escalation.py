"""Why an endpoint failed: what is asked, in which order, and what is never asked."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from probe.wire.failure import Failure
from probe.wire.observation import Observation, Phase, Purpose
from probe.wire.stage import Resolver, Stage
from tests.authority import Authority
from tests.line import CONTROLS, OWN_HOST, SixToo, a_line, resets
from tests.loopback import dns_server, response, says, tcp_server
from tests.rounds import X_ADDRESS

INNOCUOUS = "www.example.com"
UNRELATED = list(CONTROLS.values())[-1]


def handshakes(seen: Iterable[Observation]) -> list[tuple[str, str, str | None]]:
    """Each handshake of the main phase with a platform's name or address: purpose, address, failure."""
    return [
        (o.purpose, o.address or "", o.failure)
        for o in sorted(seen, key=lambda o: o.start_s)
        if o.phase is Phase.MAIN and o.stage is Stage.TLS and o.purpose is not Purpose.CONTROL
    ]


async def test_the_innocuous_name_goes_first_and_proves_that_the_name_is_why(tmp_path: Path) -> None:
    async with a_line(tmp_path) as line, line.censor(resets("x.com"), X_ADDRESS):
        outcome = await line.round()
    (verdict,) = outcome.verdicts
    assert verdict.reasons[0].rule == "tls.name"
    assert handshakes(outcome.round.observations) == [
        ("endpoint", X_ADDRESS, "tls_reset_error"),
        ("innocuous", X_ADDRESS, None),
        ("endpoint", X_ADDRESS, "tls_reset_error"),
    ], "explained at once, so nothing is asked elsewhere and nothing is waited out"


async def test_an_unrelated_site_is_asked_before_and_after_the_questions(tmp_path: Path) -> None:
    async with a_line(tmp_path) as line, line.censor(resets("x.com"), X_ADDRESS):
        outcome = await line.round()
    main = sorted((o for o in outcome.round.observations if o.phase is Phase.MAIN), key=lambda o: o.start_s)
    asked = [o for o in main if o.attempt > 1 or o.purpose is not Purpose.ENDPOINT]
    assert {asked[0].purpose, asked[-1].purpose} == {Purpose.CONTROL}


async def test_an_address_that_stays_shut_for_a_while_is_waited_out(tmp_path: Path) -> None:
    shut = False

    def act(first: bytes) -> str:
        nonlocal shut
        shut = shut or b"x.com" in first
        return "reset" if shut else "pass"

    async def pause(seconds: float) -> None:
        nonlocal shut
        shut = shut and seconds < 7.5

    async with a_line(tmp_path) as line, line.censor(act, X_ADDRESS):
        line.plan = replace(line.plan, pause=pause)
        outcome = await line.round(residual_s=7.5)
    assert handshakes(outcome.round.observations) == [
        ("endpoint", X_ADDRESS, "tls_reset_error"),
        ("innocuous", X_ADDRESS, "tls_reset_error"),
        ("endpoint", X_ADDRESS, "tls_reset_error"),
        ("innocuous", X_ADDRESS, None),
        ("endpoint", X_ADDRESS, "tls_reset_error"),
    ]
    assert outcome.verdicts[0].reasons[0].rule == "tls.name"


async def test_where_no_name_gets_through_the_platforms_is_tried_where_nobody_runs_it(tmp_path: Path) -> None:
    async with (
        a_line(tmp_path) as line,
        line.censor(resets("x.com", INNOCUOUS), X_ADDRESS),
        line.censor(resets("x.com"), UNRELATED),
    ):
        outcome = await line.round()
    (verdict,) = outcome.verdicts
    elsewhere = [h for h in handshakes(outcome.round.observations) if h[1] == UNRELATED]
    assert elsewhere == [
        ("innocuous", UNRELATED, None),
        ("elsewhere", UNRELATED, "tls_reset_error"),
        ("elsewhere", UNRELATED, "tls_reset_error"),
    ]
    assert "tls.name_elsewhere" in [reason.rule for reason in verdict.reasons]


async def test_a_server_that_resets_everybody_is_no_censor(tmp_path: Path) -> None:
    async with a_line(tmp_path) as line, line.censor(resets("x.com", INNOCUOUS), X_ADDRESS):
        outcome = await line.round()
    assert outcome.verdicts[0].status == "unreachable"


async def test_somebody_elses_certificate_explains_itself_and_no_other_name_is_shown(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    theirs = Authority("national CA").issue(["x.com"], tmp_path / "theirs")
    async with a_line(tmp_path) as line, tcp_server(says(response(200)), theirs) as port:
        line.net.doors[X_ADDRESS, 443] = port
        outcome = await line.round()
    asked = handshakes(outcome.round.observations)
    assert asked == [("endpoint", X_ADDRESS, "ssl_unknown_authority")] * 2
    dialled = line.net.dialled.count((X_ADDRESS, 443))
    assert dialled == 3 + 2, "to record the chain; this machine's own store is asked for its word once"
    assert [m.mechanism for m in outcome.verdicts[0].mechanisms] == ["mitm"]


async def test_where_a_lie_is_suspected_everybody_is_asked_and_who_tells_the_truth_is_dialled(
    tmp_path: Path,
) -> None:
    async with (
        a_line(tmp_path, also={(OWN_HOST, 443): says(response(200))}) as line,
        dns_server({("x.com", "A"): [OWN_HOST]}) as abroad,
        dns_server({("x.com", "A"): "nxdomain", ("one.example", "A"): "drop"}) as nobody,
    ):
        line.zone["x.com", "A"] = "nxdomain"
        line.net.doors["9.9.9.9", 53], line.net.doors["192.0.2.53", 53] = abroad, nobody
        outcome = await line.round()
    asked = [o for o in outcome.round.observations if o.dns and o.target == "x/web"]
    by_resolver = {o.dns.resolver: o.failure for o in asked if o.dns and o.attempt == 2}
    assert by_resolver[Resolver.PUBLIC] is None
    assert by_resolver[Resolver.NOBODY] is Failure.DNS_NXDOMAIN
    assert OWN_HOST in {o.address for o in outcome.round.observations if o.purpose is Purpose.ENDPOINT}
    assert outcome.verdicts[0].status == "blocked"


async def test_a_line_of_ipv6_alone_is_asked_the_same_questions(tmp_path: Path) -> None:
    """Every control passes over IPv6, so over IPv6 the unrelated site stands in for the others."""
    six = {host: f"2001:500:88::{n}" for n, host in enumerate(CONTROLS, 1)}
    x = "2606:1f80:f000::1"
    also = {(address, 443): says(response(200)) for address in (*six.values(), x)}
    async with a_line(tmp_path, also=also) as line:
        for host, address in six.items():
            line.zone[host, "AAAA"] = [address]
            del line.zone[host, "A"], line.net.doors[CONTROLS[host], 443]
        line.zone["x.com", "AAAA"] = [x]
        line.net = SixToo(line.net.doors)
        line.plan = replace(line.plan, net=line.net)
        async with line.censor(lambda first: "reset" if b"one.example" not in first else "pass", x):
            outcome = await line.round()
        line.zone["x.com", "AAAA"] = "refused"
        refused = await line.round()
    purposes = {o.purpose for o in outcome.round.observations if o.phase is Phase.MAIN}
    assert {Purpose.CONTROL, Purpose.ELSEWHERE, Purpose.INNOCUOUS} <= purposes
    asked = [o for o in refused.round.observations if o.dns and o.target == "x/web"]
    assert {o.dns.resolver for o in asked if o.dns and o.attempt == 2} > {Resolver.PUBLIC}


async def test_a_clean_round_asks_nobody_else(tmp_path: Path) -> None:
    async with a_line(tmp_path) as line:
        await line.round()
    assert {port for _, port in line.net.dialled} == {53, 80, 443}
    assert {address for address, port in line.net.dialled if port == 53} == {"203.0.113.53"}


async def test_the_providers_resolver_is_found_by_asking_who_asks_and_is_in_no_record(tmp_path: Path) -> None:
    """It may be the volunteer's own address that answers there."""
    found = "203.99.163.240"
    async with (
        a_line(tmp_path) as line,
        dns_server({("x.com", "A"): "nxdomain", ("one.example", "A"): ["9.9.9.1"]}) as provider,
    ):
        line.net.doors["192.168.1.1", 53] = line.net.doors["203.0.113.53", 53]
        line.net.doors[found, 53] = provider
        line.zone["x.com", "A"] = "nxdomain"
        line.zone["whoami.akamai.net", "A"] = [found]
        system = replace(line.plan.system, servers=("192.168.1.1",))
        line.plan = replace(line.plan, system=system)
        outcome = await line.round()
    assert (found, 53) in line.net.dialled
    assert [o for o in outcome.round.observations if o.dns and found in o.dns.answers] == []
    assert {o.dns.resolver for o in outcome.round.observations if o.dns and o.dns.server == found} == {
        Resolver.PROVIDER
    }, "scrubbing takes that out"


async def test_a_private_address_is_no_providers_resolver_whoever_says_so(tmp_path: Path) -> None:
    """Else any resolver could make agents ask around in their neighbourhood."""
    async with a_line(tmp_path) as line:
        line.net.doors["192.168.1.1", 53] = line.net.doors["203.0.113.53", 53]
        line.zone["x.com", "A"] = "nxdomain"
        line.zone["whoami.akamai.net", "A"] = ["203.99.163.240", "192.168.1.77", "127.0.0.1"]
        line.plan = replace(line.plan, system=replace(line.plan.system, servers=("192.168.1.1",)))
        await line.round()
    asked = {address for address, port in line.net.dialled if port == 53}
    assert "203.99.163.240" in asked
    assert not {"192.168.1.77", "127.0.0.1"} & asked


async def test_what_fails_for_want_of_time_and_then_comes_alone_is_not_asked_further(tmp_path: Path) -> None:
    firsts: list[bytes] = []

    def act(first: bytes) -> str:
        firsts.append(first)
        return "drop" if len(firsts) == 1 else "pass"

    async with a_line(tmp_path) as line, line.censor(act, X_ADDRESS):
        outcome = await line.round()
    assert handshakes(outcome.round.observations) == [
        ("endpoint", X_ADDRESS, "tls_timeout_error"),
        ("endpoint", X_ADDRESS, None),
    ]
    assert outcome.verdicts[0].status == "ok"


async def test_what_comes_late_on_one_address_excuses_no_other(tmp_path: Path) -> None:
    tries = 0

    async def at_first_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        await says(*([] if tries == 1 else [response(200)]), hang=tries == 1)(reader, writer)

    other = {(OWN_HOST, 443): says(response(200))}
    async with a_line(tmp_path, at_first_silent, also=other) as line:
        line.zone["x.com", "A"] = [X_ADDRESS, OWN_HOST]
        async with line.censor(resets("x.com"), OWN_HOST):
            outcome = await line.round()
    resets_seen = [o for o in outcome.round.observations if o.failure is Failure.TLS_RESET]
    assert {o.attempt for o in resets_seen if o.purpose is Purpose.ENDPOINT} > {1}


async def test_what_never_lets_a_name_through_is_told_from_what_is_slow(tmp_path: Path) -> None:
    def act(first: bytes) -> str:
        return "drop" if b"x.com" in first else "pass"

    async with a_line(tmp_path) as line, line.censor(act, X_ADDRESS):
        outcome = await line.round()
    (verdict,) = outcome.verdicts
    assert verdict.reasons[0].text == (
        "The network lets nothing more through as soon as the name x.com is seen; the same server answers "
        "under another name."
    )


async def test_of_addresses_that_end_alike_in_the_handshake_one_is_asked_again(tmp_path: Path) -> None:
    """Handshakes are most of what a failure costs a line that is paid for by the megabyte."""
    third = "104.244.42.3"
    also = {(address, 443): says(response(200)) for address in (OWN_HOST, third)}
    async with a_line(tmp_path, also=also) as line:
        line.zone["x.com", "A"] = [X_ADDRESS, OWN_HOST, third]
        async with line.censor(resets("x.com"), X_ADDRESS, OWN_HOST, third):
            outcome = await line.round()
    tried = Counter(h[1] for h in handshakes(outcome.round.observations) if h[0] == "endpoint")
    assert tried == {X_ADDRESS: 2, OWN_HOST: 1, third: 1}, "and the one not tried before comes with it"
    assert outcome.verdicts[0].reasons[0].rule == "tls.name"


async def test_addresses_that_do_not_even_connect_are_all_asked_again(tmp_path: Path) -> None:
    """They cost nothing, and that all of an endpoint's addresses fail is what its rule asks."""
    async with a_line(tmp_path) as line:
        line.zone["x.com", "A"] = [X_ADDRESS, OWN_HOST]
        line.net.doors.pop((X_ADDRESS, 443))
        await line.round()
    dialled = Counter(address for address, port in line.net.dialled if port == 443)
    assert min(dialled[X_ADDRESS], dialled[OWN_HOST]) >= 2
