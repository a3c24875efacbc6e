"""An auditor with everything that a collector has after a day: no home's address is in it, in any form."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from random import Random

import pytest

from collector.config import Api, Config, Geo
from collector.store.upkeep import back_up
from probe.identity import Identity
from probe.wire.address import prefix_of
from probe.wire.exchange import Presence
from tests.batches import CLEAN, batch, enrolment, heartbeat, signed, someone
from tests.collector.conftest import Running, all_told, collecting

HOMES, HOURS = 24, 24
PROXY = "127.0.0.1/32"
ASKED = ("/", "/country/PK", "/api/v1/state", "/api/v1/series/PK", "/feeds/all.json", "/nothing")
GARBAGE = (b"{", b"\x00\xff", b"[" * 5000)


def addresses() -> list[IPv4Address | IPv6Address]:
    """One a home, of both families, that stand nowhere else in the tests."""
    rng = Random(1)
    fours = [
        ip_address(f"100.{rng.randrange(1, 255)}.{rng.randrange(1, 255)}.{rng.randrange(100, 255)}")
        for _ in range(HOMES // 2)
    ]
    sixes = [ip_address((0x2A02 << 112) + rng.getrandbits(100)) for _ in range(HOMES // 2)]
    return [*fours, *sixes]


def forms(address: IPv4Address | IPv6Address) -> Iterator[bytes]:
    """How it, or its prefix, could be spelt, packed or hashed without a key. IPv4's four bytes by themselves
    are left out: among so many others they are met by chance."""
    prefix = prefix_of(str(address))
    texts = [str(address), address.exploded, address.reverse_pointer, prefix, prefix.partition("/")[0]]
    if address.version == 4:
        texts += [str(address).rpartition(".")[0] + ".", f"::ffff:{address}", f"::ffff:{int(address):x}"]
    texts += [str(int(address)), f"{int(address):x}", address.packed.hex()]
    yield from (text.encode() for text in texts)
    yield from (text.upper().encode() for text in texts)
    if address.version == 6:
        yield address.packed
        yield base64.b64encode(address.packed).rstrip(b"=")[:-1]
    for text in (str(address).encode(), prefix.encode(), address.packed):
        for algorithm in ("md5", "sha1", "sha256"):
            digest = hashlib.new(algorithm, text).digest()
            yield digest[:8]
            yield digest.hex()[:16].encode()


@asynccontextmanager
async def a_day(folder: Path) -> AsyncIterator[Running]:
    """A collector behind a proxy, that many homes have sent to and many readers have asked for a day."""
    config = Config(
        data_dir=str(folder), geo=Geo(), trusted_proxies=(PROXY,), api=Api(requests_a_minute=5, rounds=True)
    )
    async with collecting(config) as running:
        people = [(someone(n + 1), address) for n, address in enumerate(addresses())]
        for who, address in people:
            assert await _post(running, address, "enrol", who, enrolment(who)) == 200
        for hour in range(1, HOURS + 1):
            running.clock.now += 3600.0
            for who, address in people:
                await _hour(running, who, address, hour)
        yield running


async def _hour(running: Running, who: Identity, address: IPv4Address | IPv6Address, hour: int) -> None:
    now = datetime.fromtimestamp(running.clock.now, UTC)
    state = Presence.BYE if hour == HOURS else Presence.ALIVE
    body = batch(who, replace(CLEAN, started_at=now), sequence=hour)
    assert await _post(running, address, "batch", who, body) == 200
    assert await _post(running, address, "heartbeat", who, heartbeat(who, state, now)) == 200
    if hour % 6 == 0:
        for garbage in GARBAGE:
            assert await _post(running, address, "batch", who, garbage) == 400
        for path in ASKED:
            async with running.client.get(running.url + path, headers=_from(address)) as answer:
                assert answer.status in (200, 404, 429)


async def _post(
    running: Running, address: IPv4Address | IPv6Address, what: str, who: Identity, body: bytes
) -> int:
    return await running.post(f"/v1/{what}", signed(who, body), **_from(address))


def _from(address: IPv4Address | IPv6Address) -> dict[str, str]:
    return {"X-Forwarded-For": f"10.9.8.7, {address}"}


@pytest.mark.slow
async def test_no_form_of_an_address_is_in_store_logs_pages_metrics_or_a_back_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0, "reachwatch")
    folder = tmp_path / "data"
    async with a_day(folder) as running:
        store = running.service.committer.store
        shown = [await running.get(path) for path in (*ASKED, "/metrics")]
        told = all_told(store)
        back_up(folder, tmp_path / "copy", lambda _done, _of: None)
        tags = {seen.prefix for seen in store.seen(0.0)}
    assert len(tags) == HOMES, "each home was told from the others by where it is"
    files = {file.name: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    places = {**files, "what the store tells": told.encode(), "log": caplog.text.encode()}
    places |= {f"page {n}": text.encode() for n, text in enumerate(shown)}
    assert {"copy", "prefix.key"} <= files.keys()
    assert len(told) > 100_000
    for address in addresses():
        for form in forms(address):
            assert [name for name, content in places.items() if form in content] == [], (address, form)


def test_an_auditor_who_can_find_nothing_would_find_this() -> None:
    """Each form is one that a careless line of code would leave."""
    four, six = addresses()[0], addresses()[-1]
    left = f"peer={four} id={hashlib.sha256(str(six).encode()).hexdigest()}".encode()
    assert any(form in left for form in forms(four))
    assert any(form in left for form in forms(six))
