"""Judging in a process of its own: nothing is lost where it ends, and it ends with the collector."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from io import BytesIO
from unittest.mock import patch

import pytest

from collector.beside import Beside
from collector.ingest import docket, judge
from collector.ingest.admit import Code, Refusal
from collector.ingest.commit import Overloaded
from collector.ingest.docket import Docket
from collector.ingest.judging import Arrival, Judged, judged
from collector.ingest.place import Found
from collector.piped import LENGTH_BYTES, framed
from tests.batches import NOW, batch, signed, someone

ME = someone(1)
JUDGE = (sys.executable, "-m", docket.JUDGE)
PLATFORMS = frozenset({"x", "youtube"})


def arrival(sequence: int = 1, body: bytes | None = None) -> Arrival:
    return Arrival(
        request=signed(ME, batch(ME, sequence=sequence) if body is None else body),
        key=ME.public_key,
        at=NOW,
        found=Found(country="PK", asn=17557),
        prefix="a home",
        platforms=PLATFORMS,
    )


@asynccontextmanager
async def working(*command: str) -> AsyncIterator[Docket]:
    one = Docket(Beside(*command)) if command else Docket()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(one.run())
        yield one
        task.cancel()


async def test_what_is_found_beside_is_what_is_found_here() -> None:
    arrivals = [arrival(1), arrival(2, b"{"), arrival(3)]
    async with working() as one:
        found = await asyncio.gather(*map(one.judged, arrivals))
    assert list(found) == [judged(each) for each in arrivals]
    assert [isinstance(each, Judged) for each in found] == [True, False, True]


async def test_who_came_while_the_judge_died_is_told_to_come_back_and_the_next_is_judged() -> None:
    async with working() as one:
        assert isinstance(await one.judged(arrival(1)), Judged)
        assert one.judge.pid
        os.kill(one.judge.pid, signal.SIGKILL)
        with pytest.raises(Overloaded):
            await one.judged(arrival(2))
        assert isinstance(await one.judged(arrival(2)), Judged)


async def test_a_judge_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docket, "ANSWER_S", 0.05)
    async with working("sleep", "600") as one:
        with pytest.raises(Overloaded):
            await one.judged(arrival())


@pytest.mark.parametrize("command", [("/nowhere/judge",), ("true",), ("echo", "this is no answer at all")])
async def test_a_judge_that_is_none_refuses_for_now(command: Sequence[str]) -> None:
    async with working(*command) as one:
        with pytest.raises(Overloaded):
            await asyncio.wait_for(one.judged(arrival()), 10)


async def test_more_than_may_wait_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Docket()  # at which nobody works
    waiting = [asyncio.ensure_future(one.judged(arrival())) for _ in range(docket.QUEUE_BATCHES)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await one.judged(arrival())
    for each in waiting:
        each.cancel()


async def test_a_client_that_hangs_up_takes_nobody_with_it() -> None:
    async with working() as one:
        gone, stays = (asyncio.ensure_future(one.judged(arrival(n))) for n in (1, 2))
        await asyncio.sleep(0)
        gone.cancel()
        assert isinstance(await stays, Judged)


def test_a_batch_that_breaks_the_rules_code_is_alone_in_that() -> None:
    real = judged

    def breaking(one: Arrival) -> Judged | Refusal:
        if one.request.body == b"poison":
            raise KeyError("what nobody thought of")
        return real(one)

    group = [arrival(1), arrival(2, b"poison"), arrival(3)]
    sink = BytesIO()
    with patch.object(judge, "judged", breaking):
        judge.main(BytesIO(framed(group)), sink)
    first, second, third = pickle.loads(sink.getvalue()[LENGTH_BYTES:])
    assert (first, third) == (judged(group[0]), judged(group[2]))
    assert isinstance(second, RuntimeError)
    assert "KeyError: 'what nobody thought of'" in str(second)


def test_signals_for_the_collector_do_not_end_it_and_the_other_end_does() -> None:
    frame = framed([arrival(1, b"{")])
    with subprocess.Popen(JUDGE, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        for _ in range(2):
            process.stdin.write(frame)
            process.stdin.flush()
            length = int.from_bytes(process.stdout.read(LENGTH_BYTES))
            (answer,) = pickle.loads(process.stdout.read(length))
            assert isinstance(answer, Refusal)
            assert answer.code is Code.MALFORMED
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGINT)
        process.stdin.write(frame[:20])  # whoever wrote was killed in the middle of it
        process.stdin.close()
        assert process.wait(10) == 0


def test_nobody_who_listens_any_more_is_no_trouble() -> None:
    ours, its = os.pipe()
    os.close(ours)
    frame = framed([arrival()])
    done = subprocess.run(JUDGE, input=frame, stdout=its, stderr=subprocess.PIPE, check=False)
    os.close(its)
    assert (done.returncode, done.stderr) == (0, b"")


def test_it_needs_nothing_of_the_server() -> None:
    loaded = "import sys, collector.ingest.judge; print({'aiohttp', 'asyncio', 'PIL'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
