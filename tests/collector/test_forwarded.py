"""Where a request came from: a trusted proxy's word, nobody else's, for votes and limits alike."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.config import Api, Config
from collector.forwarded import Proxies, Unreadable
from tests.batches import batch, signed, someone
from tests.collector.conftest import collecting

PROXIES = Proxies((ip_network("127.0.0.1/32"), ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48")))

SOURCES = {
    "no proxy": ("192.0.2.1", (), "192.0.2.1"),
    "a bare header from elsewhere": ("192.0.2.1", ("198.51.100.1",), "192.0.2.1"),
    "one proxy": ("127.0.0.1", ("198.51.100.1",), "198.51.100.1"),
    "what the client wrote itself": ("127.0.0.1", ("203.0.113.9, 198.51.100.1",), "198.51.100.1"),
    "what the client wrote as a line of its own": (
        "127.0.0.1",
        ("203.0.113.9", "198.51.100.1"),
        "198.51.100.1",
    ),
    "garbage that the client wrote": ("127.0.0.1", ("x" * 99 + ", 198.51.100.1",), "198.51.100.1"),
    "a chain of proxies": ("127.0.0.1", ("203.0.113.9, 198.51.100.1, 10.1.2.3",), "198.51.100.1"),
    "a proxy that speaks for itself": ("127.0.0.1", (), "127.0.0.1"),
    "trusted all the way": ("127.0.0.1", ("10.0.0.1, 10.0.0.2",), "10.0.0.1"),
    "empty elements": ("127.0.0.1", (" , 198.51.100.1 ,, ", ""), "198.51.100.1"),
    "IPv6": ("2001:db8:1::1", ("2001:db8:2::5",), "2001:db8:2::5"),
    "IPv4 on a socket for both": ("::ffff:127.0.0.1", ("::ffff:198.51.100.1",), "198.51.100.1"),
}


@pytest.mark.parametrize("story", SOURCES)
def test_the_source_is_the_right_most_address_that_is_not_trusted(story: str) -> None:
    peer, forwarded, source = SOURCES[story]
    assert PROXIES.source(peer, forwarded) == source


@pytest.mark.parametrize("garbage", ["unknown", "198.51.100.1:4711", "_hidden", "1.2.3", "198.51.100.1, ?"])
def test_a_trusted_proxys_garbage_is_no_source(garbage: str) -> None:
    with pytest.raises(Unreadable):
        PROXIES.source("127.0.0.1", (garbage,))


@given(st.lists(st.text()), st.sampled_from(["127.0.0.1", "192.0.2.1", "::1"]))
def test_any_header_is_an_address_or_unreadable_and_of_a_stranger_never_read(
    lines: list[str], peer: str
) -> None:
    try:
        source = PROXIES.source(peer, lines)
    except Unreadable:
        assert peer == "127.0.0.1"
    else:
        assert str(ip_address(source)) == source
        assert source == peer or peer == "127.0.0.1"


async def test_homes_behind_a_proxy_have_a_vote_each_and_a_limit_each(tmp_path: Path) -> None:
    api = Api(requests_a_minute=1)
    config = Config(data_dir=str(tmp_path), trusted_proxies=("127.0.0.1/32",), api=api)
    async with collecting(config) as collector:
        for seed in (1, 2):
            who = someone(seed)
            home = {"X-Forwarded-For": f"203.0.113.9, 198.51.{seed}.1"}
            await collector.enrol(who)
            assert await collector.post("/v1/batch", signed(who, batch(who)), **home) == 200
            for status in (200, 429):
                async with collector.client.get(collector.url + "/api/v1/state", headers=home) as response:
                    assert response.status == status
        assert len({one.prefix for one in collector.service.committer.store.batches()}) == 2


async def test_a_strangers_header_gives_him_neither_votes_nor_limits(tmp_path: Path) -> None:
    config = Config(data_dir=str(tmp_path), trusted_proxies=("10.0.0.0/8",), api=Api(requests_a_minute=1))
    async with collecting(config) as collector:
        for seed, status in ((1, 200), (2, 429)):
            who = someone(seed)
            home = {"X-Forwarded-For": f"198.51.{seed}.1"}
            await collector.enrol(who)
            assert await collector.post("/v1/batch", signed(who, batch(who)), **home) == 200
            async with collector.client.get(collector.url + "/api/v1/state", headers=home) as response:
                assert response.status == status
        assert len({one.prefix for one in collector.service.committer.store.batches()}) == 1


async def test_a_proxys_garbage_is_refused_for_now_and_counted(tmp_path: Path) -> None:
    config = Config(data_dir=str(tmp_path), trusted_proxies=("127.0.0.1/32",))
    async with collecting(config) as collector:
        who = someone(1)
        assert await collector.post("/v1/batch", signed(who, batch(who)), **{"X-Forwarded-For": "?"}) == 503
        assert collector.answers[-1]["code"] == "bad_forwarded"
        assert 'refusals_total{reason="bad_forwarded"} 1.0' in await collector.get("/metrics")
