"""Who broke a connection: shown on three hops of our own, with censors on them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from probe import capture, icmp
from probe.capture import HELPER, PacketLimits, packets
from probe.config import Timeouts
from probe.icmp import IcmpError, IcmpKind
from probe.locate import Fate, PathLimits, describe, locate_hello, locate_syn
from probe.stages.line import Line, Turn
from probe.trust import Trust
from probe.wire.platform import Endpoint
from probe.wire.stage import Hop, Met
from tests.authority import Authority
from tests.loopback import LoopbackNet, says, tcp_server

from .hops import injector
from .hops.network import FAR, NEAR, SERVER, Hops, missing

NO_RAW = ("setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw")
FAMILIES = pytest.mark.parametrize("family", [4, 6])
HELLO = "-p tcp -m string --string x.com --algo bm"
PROHIBITED = {4: ("icmp-admin-prohibited", 13), 6: ("icmp6-adm-prohibited", 1)}


@pytest.fixture(scope="module")
def hops(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hops]:
    if reason := missing():
        pytest.skip(reason)
    made = Hops(Authority("test CA").issue(["x.com"], tmp_path_factory.mktemp("hops")))
    with contextlib.closing(made):
        yield made


def path(said: Any) -> list[tuple[int, str, str | None, str]]:
    """TTL, what the packet met, the router there, and what the packet beside it met."""
    return [(h["ttl"], h["met"], h["router"], h["router_met"]) for h in said["seen"]["path"]["hops"]]


@pytest.mark.lab
@FAMILIES
@pytest.mark.parametrize("question", ["hello", "syn"])
def test_on_an_open_way_every_router_is_named_and_the_server_answers(
    hops: Hops, family: int, question: str
) -> None:
    assert path(hops.ask(question, family))[:3] == [
        (1, "expired", NEAR[family], "expired"),
        (2, "expired", FAR[family], "expired"),
        (3, "answered", SERVER[family], "answered"),
    ]


@pytest.mark.lab
@FAMILIES
def test_a_reset_from_the_way_begins_before_the_server_is_reached(hops: Hops, family: int) -> None:
    """The router passes a UDP packet of the same TTL on, to where it expires: the server is far."""
    with hops.rules("near", f"{family} -A FORWARD {HELLO} -j REJECT --reject-with tcp-reset"):
        assert path(hops.ask("hello", family))[:3] == [
            (1, "expired", NEAR[family], "expired"),
            (2, "reset", FAR[family], "expired"),
            (3, "reset", SERVER[family], "answered"),
        ]


@pytest.mark.lab
@FAMILIES
def test_the_hop_of_silence(hops: Hops, family: int) -> None:
    with hops.rules("near", f"{family} -A FORWARD {HELLO} -j DROP"):
        assert path(hops.ask("hello", family))[:3] == [
            (1, "expired", NEAR[family], "expired"),
            (2, "silence", FAR[family], "expired"),
            (3, "silence", SERVER[family], "answered"),
        ]


@pytest.mark.lab
@FAMILIES
def test_an_injector_that_lets_the_packet_pass_is_found_where_it_stands(hops: Hops, family: int) -> None:
    """The packet expires further on *and* is reset: what is first heard does not decide."""
    with hops.running("near", "tests.probe.hops.injector", "x.com", "80", "0.05"):
        first, second, *_ = path(hops.ask("hello", family))
    assert first == (1, "reset", NEAR[family], "expired")
    assert second == (2, "reset", FAR[family], "expired")


@pytest.mark.lab
@FAMILIES
@pytest.mark.parametrize(
    ("target", "met"), [("DROP", "silence"), ("REJECT --reject-with tcp-reset", "reset")]
)
def test_where_a_syn_ends(hops: Hops, family: int, target: str, met: str) -> None:
    with hops.rules("near", f"{family} -A FORWARD -p tcp --dport 443 -j {target}"):
        assert path(hops.ask("syn", family))[:3] == [
            (1, "expired", NEAR[family], "expired"),
            (2, met, FAR[family], "expired"),
            (3, met, SERVER[family], "answered"),
        ]


@pytest.mark.lab
@FAMILIES
def test_a_refusal_is_told_from_a_router_too_far_with_its_code_and_sender(hops: Hops, family: int) -> None:
    """Linux calls both "host unreachable"."""
    how, code = PROHIBITED[family]
    with hops.rules("near", f"{family} -A FORWARD -j REJECT --reject-with {how}"):
        said = hops.ask("syn", family)
    assert path(said)[:2] == [
        (1, "expired", NEAR[family], "expired"),
        (2, "rejected", NEAR[family], "rejected"),
    ]
    assert said["seen"]["path"]["hops"][1]["icmp_code"] == code


@pytest.mark.lab
@FAMILIES
def test_a_refusal_of_tcp_alone_shows_beside_a_packet_that_is_passed_on(hops: Hops, family: int) -> None:
    how, code = PROHIBITED[family]
    with hops.rules("near", f"{family} -A FORWARD -p tcp --dport 443 -j REJECT --reject-with {how}"):
        said = hops.ask("syn", family)
    assert path(said)[1] == (2, "rejected", FAR[family], "expired")
    assert said["seen"]["path"]["hops"][1]["icmp_code"] == code


@pytest.mark.lab
def test_what_did_not_arrive_is_not_sent_after_and_the_server_is_told_of_every_end(hops: Hops) -> None:
    """Of five connections the packets of two end on the way: three hellos arrive, and five resets."""
    with hops.rules("server", f"4 -A INPUT {HELLO}", "4 -A INPUT -p tcp --tcp-flags RST,ACK RST,ACK"):
        hops.ask("hello", 4)
        time.sleep(0.5)  # longer than a retransmission takes
        hellos, resets = hops.counts("server", "iptables")
    assert (hellos, resets) == (3, 5)


@pytest.mark.lab
def test_this_machines_own_address_is_never_named(hops: Hops) -> None:
    with hops.rules("client", "4 -A OUTPUT -p tcp --syn -j REJECT --reject-with icmp-admin-prohibited"):
        said = hops.ask("syn", 4)
    assert [hop["met"] for hop in said["seen"]["path"]["hops"]] == ["rejected"] * 5
    assert "192.168.7.10" not in str(said)


@pytest.mark.lab
@FAMILIES
def test_forged_resets_differ_from_the_host_in_ttl_and_come_in_threes(hops: Hops, family: int) -> None:
    with hops.running("near", "tests.probe.hops.injector", "x.com", "80", "0"):
        seen = hops.ask("packets", family)["seen"]["packets"]
    assert seen["genuine_ttls"] == [62]
    assert [reset["ip_ttl"] for reset in seen["resets"]] == [80] * 3
    assert {reset["ip_id"] for reset in seen["resets"]} == {injector.IP_ID if family == 4 else None}
    assert all(0 < reset["after_s"] < 0.5 for reset in seen["resets"])


@pytest.mark.lab
def test_a_reset_that_overtakes_the_hosts_own_acknowledgement(hops: Hops) -> None:
    with hops.rules(
        "near",
        f"4 -A FORWARD {HELLO} -j REJECT --reject-with tcp-reset",
        "4 -t mangle -A OUTPUT -p tcp --tcp-flags RST RST -j TTL --ttl-set 47",
    ):
        seen = hops.ask("packets", 4)["seen"]["packets"]
    (reset,) = seen["resets"]
    assert (seen["genuine_ttls"], reset["ip_ttl"], reset["before_ack"]) == ([62], 47, True)


@pytest.mark.lab
@FAMILIES
def test_a_host_that_answers_has_sent_no_reset(hops: Hops, family: int) -> None:
    assert hops.ask("packets", family)["seen"]["packets"] == {"genuine_ttls": [62], "resets": []}


@pytest.mark.lab
def test_without_the_capability_the_way_is_found_all_the_same(hops: Hops) -> None:
    assert path(hops.ask("hello", 4, without=NO_RAW)) == path(hops.ask("hello", 4))
    said = hops.ask("packets", 4, without=NO_RAW)
    assert said == {"why_not": "not permitted (CAP_NET_RAW)", "seen": None}


@contextlib.contextmanager
def helper(port: int, own_port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The helper as the agent starts it, listening."""
    argv = [*HELPER, "127.0.0.1", str(port), str(own_port)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process


@pytest.mark.lab
@pytest.mark.skipif(os.geteuid() != 0, reason="the lab needs root")
def test_the_helper_has_no_privilege_left_when_the_first_packet_comes() -> None:
    with helper(9, 10) as process:
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.communicate()
    kept = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert kept["Uid"].split() == ["65534"] * 4
    assert {int(kept[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    assert kept["NoNewPrivs"] == "1"


@pytest.mark.lab
@pytest.mark.skipif(os.geteuid() != 0, reason="the lab needs root")
def test_the_helper_sees_one_connection_and_no_other_to_the_same_place() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as ours:
        ours.bind(("127.0.0.1", 0))
        port, own_port = server.getsockname()[1], ours.getsockname()[1]
        with helper(port, own_port) as process:
            socket.create_connection(("127.0.0.1", port)).close()
            alien, _ = process.communicate()
        with helper(port, own_port) as process:
            ours.connect(("127.0.0.1", port))
            own, _ = process.communicate()
    assert alien == b""
    assert len(own.splitlines()) == 6  # a handshake's three, on loopback seen going and coming


# What a helper may do that is none of ours, and how it is called in the log.
SHORT = PacketLimits(ready_s=1.5, connect_s=0.3, hello_s=0.3, linger_s=0.0, end_s=0.7)
READY = "print('ready', flush=True); sys.stdin.read(); "
MISBEHAVING = {
    "crashes at once": ("sys.exit(1)", "no word of being ready"),
    "hangs at once": ("time.sleep(60)", "late"),
    "floods at once": ("[print('x' * 9999) for _ in iter(int, 1)]", "too much"),
    "crashes later": (READY + "sys.exit(1)", "broke off"),
    "hangs later": (READY + "time.sleep(60)", "late"),
    "floods later": (READY + "[print('x' * 999) for _ in iter(int, 1)]", "too much"),
    "says garbage": (READY + r"sys.stdout.buffer.write(b'\xff\x00{}\n')", "no JSON"),
    "says nested garbage": (READY + "print('[' * 500)", "no JSON"),
    "says something else": (READY + "print('{\"at_us\": 1}')", "no packet"),
}


def turn_at(net: LoopbackNet) -> Turn:
    line = Line(net, time.monotonic, time.monotonic(), Timeouts(), Trust(), lambda _: None)
    return Turn(line, "x/web", Endpoint(url="https://x.com/"))


async def watched(command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> str | None:
    """What is said of a handshake with that helper; it never gives evidence, and is never long."""
    reasons: list[str] = []
    monkeypatch.setattr(capture, "why_not", lambda: None)
    monkeypatch.setattr(capture, "_leave_out", reasons.append)
    async with tcp_server(says(hang=True)) as port:
        net = LoopbackNet({(SERVER[4], 443): port})
        async with asyncio.timeout(6):
            assert await packets(turn_at(net), SERVER[4], SHORT, command) is None
    (reason,) = reasons
    return reason


@pytest.mark.parametrize("story", MISBEHAVING)
async def test_a_helper_disturbs_nothing_when_it(story: str, monkeypatch: pytest.MonkeyPatch) -> None:
    does, said = MISBEHAVING[story]
    reason = await watched((sys.executable, "-c", f"import sys, time; {does}"), monkeypatch)
    assert said in str(reason)


async def test_a_helper_that_is_not_there_disturbs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reason = await watched(("/nowhere/python",), monkeypatch)
    assert reason == "the helper cannot be run (No such file or directory)"


async def test_a_helper_without_scapy_disturbs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    python, *rest = HELPER
    assert "no word of being ready" in str(await watched((python, "-S", *rest), monkeypatch))


async def test_a_place_with_no_way_to_it_is_no_evidence_and_no_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(capture, "why_not", lambda: None)
    assert await packets(turn_at(LoopbackNet()), SERVER[4], SHORT) is None
    assert (await locate_hello(turn_at(LoopbackNet()), SERVER[4])).path is not None


async def test_a_reason_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "reachwatch.capture")
    for _ in range(3):
        capture._leave_out("this test wants it")
    assert caplog.messages == ["packets_left_out reason='this test wants it'"]


def test_why_not_says_what_is_missing_and_imports_no_scapy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "find_spec", lambda _: None)
    monkeypatch.setattr(socket, "socket", lambda *_: SimpleNamespace(close=lambda: None))
    assert capture.why_not() == "scapy is not installed (reachwatch[capture])"
    code = "import sys, probe.capture as c; c.why_not(); sys.exit('scapy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=20).returncode == 0


async def test_where_the_system_tells_of_no_hops_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(icmp, "sys", SimpleNamespace(platform="darwin", byteorder="little"))
    net = LoopbackNet()
    for locate in (locate_hello, locate_syn):
        seen = await locate(turn_at(net), SERVER[4])
        assert seen.path is not None
        assert seen.path.hops == ()
    assert net.dialled == []


async def test_where_no_connection_comes_about_there_is_no_hop() -> None:
    limits = PathLimits(most_ttl=3, at_once=2, connect_s=0.1, wait_s=0.1)
    seen = await locate_hello(turn_at(LoopbackNet()), SERVER[4], limits)
    assert seen.path is not None
    assert seen.path.hops == ()


EXPIRED = IcmpError(IcmpKind.EXPIRED, 0, "198.18.1.2")
REFUSED = IcmpError(IcmpKind.UNREACHABLE, 13, "198.18.1.2")
ARRIVED = IcmpError(IcmpKind.UNREACHABLE, 3, SERVER[4])
OWN = IcmpError(IcmpKind.UNREACHABLE, 13, "192.168.7.10")
R, E, J, A, S = Met.RESET, Met.EXPIRED, Met.REJECTED, Met.ANSWERED, Met.SILENCE
DESCRIBED = [
    (Fate(R), EXPIRED, Hop(ttl=4, met=R, router="198.18.1.2", router_met=E)),
    (Fate(S), None, Hop(ttl=4, met=S)),
    (Fate(R), ARRIVED, Hop(ttl=4, met=R, router=SERVER[4], router_met=A)),
    (Fate(S), REFUSED, Hop(ttl=4, met=S, router="198.18.1.2", router_met=J, icmp_code=13)),
    (Fate(E, EXPIRED), None, Hop(ttl=4, met=E, router="198.18.1.2", router_met=E)),
    (Fate(J, REFUSED), EXPIRED, Hop(ttl=4, met=J, router="198.18.1.2", router_met=E, icmp_code=13)),
    (Fate(S), OWN, Hop(ttl=4, met=S, router_met=J, icmp_code=13)),
]


@pytest.mark.parametrize(("fate", "beside", "hop"), DESCRIBED)
def test_a_hop_on_the_record(fate: Fate, beside: IcmpError | None, hop: Hop) -> None:
    assert describe(4, fate, beside, SERVER[4], "192.168.7.10") == hop
