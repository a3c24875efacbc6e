"""Whatever answered, what the agent makes of it is a record a collector takes: one that refuses it
loses the whole round, and a censor could silence a probe so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import cast

import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from probe.config import Timeouts
from probe.http1 import Exchange
from probe.icmp import IcmpError, IcmpKind
from probe.locate import Fate, describe
from probe.net import Datagram
from probe.packets import Packet, read_evidence
from probe.stages import http
from probe.stages.dns import PlainResolver, resolve
from probe.stages.line import Detail, Line, Turn
from probe.trust import Trust
from probe.wire.codec import decode, encode
from probe.wire.observation import Observation, Round
from probe.wire.platform import Endpoint
from probe.wire.scrub import scrub
from probe.wire.stage import Met, PathDetail, Sent, Stage
from tests.loopback import LoopbackNet
from tests.rounds import X_ADDRESS, a_round

OWN = ["192.0.2.7", "2001:db8::7"]
TRUST = Trust()


class Answers:
    """Answers every question with these messages."""

    def __init__(self, replies: Sequence[dns.message.Message]) -> None:
        self._replies = list(replies)
        self._waiting: list[bytes] = []

    async def send(self, data: bytes) -> None:
        query = dns.message.from_wire(data)
        for reply in self._replies:
            reply.id = query.id
            self._waiting.append(reply.to_wire(max_size=65_535))
        self._replies.clear()

    async def receive(self) -> tuple[bytes, int | None]:
        if not self._waiting:
            raise TimeoutError
        return self._waiting.pop(0), 64

    def close(self) -> None:
        pass


class AnsweringNet(LoopbackNet):
    def __init__(self, replies: Sequence[dns.message.Message]) -> None:
        super().__init__()
        self._replies = replies

    def datagram(self, address: str, port: int) -> Datagram:
        return Answers(self._replies)


def a_turn(net: LoopbackNet, seen: list[Observation], url: str = "http://x.com/") -> Turn:
    line = Line(net, time.monotonic, time.monotonic(), Timeouts(), TRUST, seen.append)
    return Turn(line, "x/web", Endpoint(url=url))


def leaves_whole(*seen: Observation) -> None:
    """Before and after the volunteer's addresses are taken out, known ones and none."""
    rnd = a_round(*seen)
    for whole in (rnd, scrub(rnd, OWN), scrub(rnd, [])):
        assert len(decode(Round, encode(whole)).observations) == len(whole.observations)


NAMES = st.lists(st.binary(min_size=1, max_size=63), min_size=1, max_size=3).map(
    lambda labels: dns.name.Name([*labels, b""])
)
ADDRESSES = {
    "A": st.ip_addresses(v=4).map(str),
    "AAAA": st.ip_addresses(v=6).map(str),
}
LONGEST = dns.name.Name([b"\x01" * 63, b"\x01" * 63, b"\x01" * 63, b"\x01" * 61, b""])


def chained(
    kind: str, through: Sequence[dns.name.Name], to: Sequence[str], rcode: int
) -> dns.message.Message:
    """An answer that leads from name to name and then to addresses."""
    reply = dns.message.make_response(dns.message.make_query("x.com", kind))
    reply.set_rcode(dns.rcode.Rcode.make(rcode))
    name = dns.name.from_text("x.com")
    for following in dict.fromkeys(through):
        reply.answer.append(dns.rrset.from_text(name, 1, "IN", "CNAME", following.to_text()))
        name = following
    if to:
        reply.answer.append(dns.rrset.from_text(name, 1, "IN", kind, *to))
    return reply


@st.composite
def messages(draw: st.DrawFn, kind: str) -> dns.message.Message:
    through = draw(st.lists(NAMES, max_size=20))
    rcode = draw(st.just(0) | st.integers(0, 4095))
    return chained(kind, through, draw(st.lists(ADDRESSES[kind], max_size=40)), rcode)


@pytest.mark.parametrize("kind", ["A", "AAAA"])
@given(data=st.data())
def test_any_answers_to_a_question(kind: str, data: st.DataObject) -> None:
    replies = data.draw(st.lists(messages(kind), max_size=7))
    seen: list[Observation] = []
    turn = a_turn(AnsweringNet(replies), seen)
    asyncio.run(resolve(turn, PlainResolver(("203.0.113.53",)), kind, linger_s=1.0))
    leaves_whole(*seen)


def test_a_name_whose_bytes_are_written_as_digits() -> None:
    seen: list[Observation] = []
    turn = a_turn(AnsweringNet([chained("A", [LONGEST], ["192.0.2.1"], 0)]), seen)
    found = asyncio.run(resolve(turn, PlainResolver(("203.0.113.53",)), "A"))
    assert found.dns is not None
    assert len(found.dns.cnames) == 1
    leaves_whole(*seen)


class Answered:
    """As much of an exchange as is described."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body


LINKS = st.text(max_size=400) | st.builds(
    "{}://{}{}".format,
    st.sampled_from(["http", "https", "HTTP", "mailto", ""]),
    st.sampled_from(["x.com", "[2001:db8::7]", "192.0.2.7", "[", "a:99999", "ä.example", "1-2-3-4.example"]),
    st.text(max_size=300) | st.just("/192.0.2.7" * 40) | st.just("/2001:db8::7" * 40),
)


@given(status=st.sampled_from([200, 302, 307, 999]), link=LINKS, body=st.binary(max_size=100))
@example(302, "http://" + "a" * 260 + ".example/", b"")
def test_any_answer_over_http(status: int, link: str, body: bytes) -> None:
    page = b'<meta http-equiv=refresh content="0;url=' + link.encode("utf-8", "replace") + b'">' + body
    exchange = cast(Exchange, Answered(status, {"location": link}, page))
    seen: list[Observation] = []
    turn = a_turn(LoopbackNet(), seen)
    turn.observe(Stage.HTTP, 0.0, address=X_ADDRESS, detail=http.describe(turn, exchange))
    leaves_whole(*seen)


ERRORS = st.none() | st.builds(
    IcmpError, st.sampled_from(IcmpKind), st.integers(0, 255), st.ip_addresses().map(str)
)


@given(st.lists(st.builds(Fate, st.sampled_from(list(Met)), ERRORS), max_size=15), st.data())
def test_any_words_of_routers(fates: list[Fate], data: st.DataObject) -> None:
    hops = [
        describe(ttl, fate, data.draw(ERRORS), X_ADDRESS, OWN[0]) for ttl, fate in enumerate(fates, start=1)
    ]
    leaves_whole(_told(Stage.PATH, PathDetail(sent=Sent.SYN, hops=tuple(hops))))


PACKETS = st.builds(
    Packet,
    at_us=st.integers(0, 2**60),
    sent=st.integers(0, 1),
    ttl=st.integers(0, 255),
    ip_id=st.integers(-1, 65_535),
    flags=st.integers(0, 511),
    window=st.integers(0, 65_535),
    seq=st.integers(0, 2**32 - 1),
    ack=st.integers(0, 2**32 - 1),
    payload=st.integers(0, 2**20),
)


@given(st.lists(PACKETS, max_size=40))
def test_any_packets(packets: list[Packet]) -> None:
    detail = read_evidence(sorted(packets, key=lambda packet: packet.at_us))
    leaves_whole(_told(Stage.PACKETS, detail))


def _told(stage: Stage, detail: Detail) -> Observation:
    return a_turn(LoopbackNet(), []).observe(stage, 0.0, address=X_ADDRESS, detail=detail)
