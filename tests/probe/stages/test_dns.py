"""DNS: every way a resolver can answer, by its own name, and only an answer to the question counts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from probe.kept import PLACES
from probe.stages.dns import DohResolver, PlainResolver, resolve
from probe.wire.failure import Failure, Owner
from tests.authority import Authority
from tests.loopback import LoopbackNet, dns_server, doh, says, tcp_server

from .conftest import MakeTurn

SERVER = "203.0.113.53"
X = ("x.com", "A")

CASES: dict[str, tuple[list[str] | str, Failure | None, tuple[str, ...]]] = {
    "an address": (["104.244.42.1"], None, ("104.244.42.1",)),
    "several addresses": (["104.244.42.1", "104.244.42.65"], None, ("104.244.42.1", "104.244.42.65")),
    "a name that does not exist": ("nxdomain", Failure.DNS_NXDOMAIN, ()),
    "no record": ([], Failure.DNS_NO_ANSWER, ()),
    "a failing server": ("servfail", Failure.DNS_SERVFAIL, ()),
    "a refusing server": ("refused", Failure.DNS_REFUSED, ()),
    "another rcode": ("notimp", Failure.DNS_SERVER_MISBEHAVING, ()),
    "silence": ("drop", Failure.DNS_TIMEOUT, ()),
    "garbage": ("garbage", Failure.DNS_SERVER_MISBEHAVING, ()),
    "an answer to another question": ("other_question", Failure.DNS_SERVER_MISBEHAVING, ()),
    "an answer under another id": ("other_id", Failure.DNS_SERVER_MISBEHAVING, ()),
    "a loop of names": ("cname_loop", Failure.DNS_SERVER_MISBEHAVING, ()),
    "a truncated answer, whole over TCP": ("truncated", None, ("104.244.42.1",)),
    "a private address": (["10.10.34.35"], Failure.DNS_BOGON, ("10.10.34.35",)),
    "loopback": (["127.0.0.1"], Failure.DNS_BOGON, ("127.0.0.1",)),
    "no address at all": (["0.0.0.0"], Failure.DNS_BOGON, ("0.0.0.0",)),
    "a bogon among genuine ones": (["10.1.1.1", "104.244.42.1"], None, ("10.1.1.1", "104.244.42.1")),
}


@pytest.mark.parametrize("story", CASES)
async def test_the_systems_resolver_answers_with(story: str, make_turn: MakeTurn) -> None:
    behaviour, failure, answers = CASES[story]
    async with dns_server({X: behaviour}) as port:
        net = LoopbackNet({(SERVER, 53): port})
        seen = await resolve(make_turn(net), PlainResolver((SERVER,)), "A")
    assert seen.dns is not None
    assert (seen.failure, sorted(seen.dns.answers)) == (failure, sorted(answers))
    assert seen.owner == (Owner.RESOLVER if failure else None)
    assert (seen.dns.server, seen.family) == (SERVER, 4)


@pytest.mark.parametrize(
    "story", ["an address", "a name that does not exist", "no record", "a private address"]
)
async def test_the_trusted_resolver_answers_with(
    story: str, make_turn: MakeTurn, authority: Authority, tmp_path: Path
) -> None:
    behaviour, failure, answers = CASES[story]
    async with tcp_server(doh({X: behaviour}), authority.issue(["doh.example"], tmp_path)) as port:
        net = LoopbackNet({("1.1.1.1", 443): port})
        turn = make_turn(net)
        seen = await resolve(turn, DohResolver("https://doh.example/dns-query", ("1.1.1.1",)), "A")
        turn.line.kept.close()
    assert (seen.failure, seen.dns and seen.dns.answers) == (failure, answers)


async def test_the_trusted_resolver_is_asked_again_on_the_same_connection_and_a_closed_one_is_replaced(
    make_turn: MakeTurn, authority: Authority, tmp_path: Path
) -> None:
    pem = authority.issue(["doh.example"], tmp_path)
    resolver = DohResolver("https://doh.example/dns-query", ("1.1.1.1",))
    for questions, dialled in ((3, 1), (1, 2)):
        async with tcp_server(doh({X: ["104.244.42.1"]}, questions=questions), pem) as port:
            net = LoopbackNet({("1.1.1.1", 443): port})
            turn = make_turn(net)
            seen = [await resolve(turn, resolver, "A") for _ in range(2)]
            turn.line.kept.close()
        assert [(o.failure, o.dns and o.dns.answers) for o in seen] == [(None, ("104.244.42.1",))] * 2
        assert len(net.dialled) == dialled


@pytest.mark.slow
async def test_a_silent_trusted_resolver_is_not_waited_for_one_question_after_the_other(
    make_turn: MakeTurn,
) -> None:
    async with tcp_server(says(hang=True)) as port:
        turn = make_turn(LoopbackNet({("1.1.1.1", 443): port}), timeout_s=1.5)
        resolver = DohResolver("https://doh.example/dns-query", ("1.1.1.1",))
        began = turn.line.clock()
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(resolve(turn, resolver, "A")) for _ in range(3 * PLACES)]
        took_s = turn.line.clock() - began
    assert {task.result().failure for task in asked} == {Failure.DNS_TIMEOUT}
    assert took_s < 3, "three after each other would be four and a half"


async def test_a_trusted_resolver_that_cannot_prove_its_name_is_not_trusted(
    make_turn: MakeTurn, authority: Authority, tmp_path: Path
) -> None:
    async with tcp_server(doh({X: ["104.244.42.1"]}), authority.issue(["other.example"], tmp_path)) as port:
        net = LoopbackNet({("1.1.1.1", 443): port})
        seen = await resolve(make_turn(net), DohResolver("https://doh.example/", ("1.1.1.1",)), "A")
    assert seen.failure is Failure.DNS_UNREACHABLE


async def test_the_next_server_is_asked_where_the_first_is_silent(make_turn: MakeTurn) -> None:
    async with dns_server({X: "drop"}) as silent, dns_server({X: ["104.244.42.1"]}) as good:
        net = LoopbackNet({(SERVER, 53): silent, ("203.0.113.54", 53): good})
        seen = await resolve(make_turn(net), PlainResolver((SERVER, "203.0.113.54")), "A")
    assert seen.failure is None
    assert seen.dns is not None
    assert seen.dns.server == "203.0.113.54"


async def test_a_resolver_whose_port_is_closed_is_unreachable_and_one_without_route_is_ours(
    make_turn: MakeTurn,
) -> None:
    async with dns_server({}) as port:
        pass
    closed = await resolve(make_turn(LoopbackNet({(SERVER, 53): port})), PlainResolver((SERVER,)), "A")
    assert closed.failure is Failure.DNS_UNREACHABLE
    unrouted = await resolve(make_turn(LoopbackNet()), PlainResolver((SERVER,)), "A")
    assert (unrouted.failure, unrouted.owner) == (Failure.NO_ROUTE, Owner.LOCAL)


async def test_no_resolver_at_all_is_said_as_such(make_turn: MakeTurn) -> None:
    seen = await resolve(make_turn(LoopbackNet()), PlainResolver(()), "A")
    assert seen.failure is Failure.DNS_UNREACHABLE


async def test_a_second_answer_is_heard_where_it_is_waited_for_and_the_first_stands(
    make_turn: MakeTurn,
) -> None:
    async with dns_server({X: "forged 10.10.34.35 104.244.42.1"}) as port:
        net = LoopbackNet({(SERVER, 53): port})
        hasty = await resolve(make_turn(net), PlainResolver((SERVER,)), "A")
        patient = await resolve(make_turn(net), PlainResolver((SERVER,)), "A", linger_s=0.1)
    assert hasty.dns is not None
    assert patient.dns is not None
    assert (hasty.dns.answers, hasty.dns.late) == (("10.10.34.35",), ())
    assert patient.failure is Failure.DNS_BOGON
    assert [(late.rcode, late.answers) for late in patient.dns.late] == [("NOERROR", ("104.244.42.1",))]
    assert patient.dns.ip_ttl == patient.dns.late[0].ip_ttl is not None


async def test_waiting_in_vain_costs_no_answer(make_turn: MakeTurn) -> None:
    async with dns_server({X: ["104.244.42.1"]}) as port:
        net = LoopbackNet({(SERVER, 53): port})
        seen = await resolve(make_turn(net), PlainResolver((SERVER,)), "A", linger_s=0.05)
    assert seen.dns is not None
    assert (seen.failure, seen.dns.late) == (None, ())
