"""A collector that asks for work gets it, within what a volunteer's machine is to bear."""

from __future__ import annotations

import asyncio

import pytest

from probe import working
from probe.wire.work import MOST_BITS, Wanted, solved
from probe.working import TooMuch, Worker

KEY = b"k" * 32


def wanted(bits: int, challenge: str = "0f" * 16) -> Wanted:
    return Wanted(challenge=challenge, bits=bits)


async def test_the_work_is_done_and_the_same_is_not_done_twice() -> None:
    worker = Worker(KEY, lambda: 0.0)
    work = await worker.work(wanted(12))
    assert work.bits(KEY) >= 12
    assert await worker.work(wanted(12)) == work


async def test_who_asks_for_too_many_bits_gets_not_one_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "solved", None)
    with pytest.raises(TooMuch, match=f"asks for {MOST_BITS + 1} bits of work, and {MOST_BITS} are the most"):
        await Worker(KEY, lambda: 0.0).work(wanted(MOST_BITS + 1))


async def test_whoever_asks_and_however_often_no_more_than_so_much_is_done_in_a_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[range] = []
    monkeypatch.setattr(working, "solved", lambda _wanted, _key, nonces: tried.append(nonces))
    monkeypatch.setattr(working, "MOST_A_DAY", 5 * working.CHUNK)
    now = 0.0
    worker = Worker(KEY, lambda: now)
    for challenge in ("0a" * 16, "0b" * 16):
        with pytest.raises(TooMuch, match="more work than is done in a day"):
            await worker.work(wanted(20, challenge))
    assert len(tried) == 5
    now = 86_400.0
    with pytest.raises(TooMuch):
        await worker.work(wanted(20, "0c" * 16))
    assert len(tried) == 10


async def test_work_that_was_broken_off_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(working, "CHUNK", 1000)
    worker, begun = Worker(KEY, lambda: 0.0), list[int]()

    def noted(what: Wanted, key: bytes, nonces: range) -> object:
        begun.append(nonces.start)
        return solved(what, key, nonces)

    monkeypatch.setattr(working, "solved", noted)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await worker.work(wanted(MOST_BITS))
    before = len(begun)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await worker.work(wanted(MOST_BITS))
    assert before > 1
    assert 0 not in begun[1:]
