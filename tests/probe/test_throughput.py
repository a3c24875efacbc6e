"""When how fast things come is asked, of whom, and for how many bytes at most."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from probe.config import Transfers
from probe.throughput import DRAINED_S
from probe.turnstile import Turnstile
from probe.wire.failure import Failure
from probe.wire.observation import Observation, Purpose
from probe.wire.platform import Endpoint
from probe.wire.stage import Stage
from tests.line import CONTROLS, OWN_HOST, Line, X, a_line
from tests.loopback import Handler, response, says

OBJECT = response(200, b"x" * 65_536)
WITH_OBJECT = replace(X, roles=(replace(X.roles[0], transfer=Endpoint(url="https://x.com/object")),))


def throttled(pieces: int = 3) -> Handler:
    """The object record by record, each of them late."""
    head = len(OBJECT) - 65_536
    return says(*(OBJECT[at : at + 16_384] for at in range(0, head + 16_384 * pieces, 16_384)), pause_s=0.35)


def transfers(seen: tuple[Observation, ...], purpose: Purpose) -> list[Observation]:
    return [o for o in seen if o.stage is Stage.TRANSFER and o.purpose is purpose]


async def measured(line: Line, *, due: bool, **config: object) -> tuple[Observation, ...]:
    line.plan = replace(line.plan, platforms=(WITH_OBJECT,))
    return (await line.round(due=due, **config)).round.observations


async def test_where_it_is_not_due_and_nothing_seems_slow_nothing_is_transferred(
    tmp_path: Path,
) -> None:
    async with a_line(tmp_path, says(OBJECT)) as line:
        seen = await measured(line, due=False)
    assert not [o for o in seen if o.stage is Stage.TRANSFER]


async def test_where_it_is_due_and_nobody_is_behind_once_is_enough(tmp_path: Path) -> None:
    async with a_line(tmp_path, says(OBJECT)) as line:
        for address in CONTROLS.values():
            line.net.doors[address, 443] = line.net.doors["104.244.42.1", 443]
        seen = await measured(line, due=True)
    assert len(transfers(seen, Purpose.TRANSFER)) == len(transfers(seen, Purpose.CONTROL)) == 1


async def test_whoever_is_behind_is_asked_again_in_turn_with_unrelated_sites(
    tmp_path: Path,
) -> None:
    also = {(address, 443): says(OBJECT) for address in CONTROLS.values()}
    async with a_line(tmp_path, throttled(), also) as line:
        line.plan = replace(line.plan, platforms=(WITH_OBJECT,))
        timeouts = replace(line.plan.config.timeouts, http_s=3.0)
        outcome = await line.round(due=True, timeouts=timeouts, round_deadline_s=30.0)
    seen = sorted(outcome.round.observations, key=lambda o: o.start_s)
    turns = [str(o.purpose) for o in seen if o.stage is Stage.TRANSFER]
    assert turns == ["control", "transfer"] * 3
    hosts = {o.host for o in transfers(outcome.round.observations, Purpose.CONTROL)}
    assert len(hosts) == 3, "not one site's own slowness"
    assert outcome.verdicts[0].status == "throttled"
    at = {o.purpose: (o.start_s, o.start_s + o.duration_s) for o in seen if o.stage is Stage.TRANSFER}
    assert at[Purpose.CONTROL][1] <= at[Purpose.TRANSFER][0], "one at a time"


async def test_the_budget_of_bytes_is_kept(tmp_path: Path) -> None:
    also = {(address, 443): says(OBJECT) for address in CONTROLS.values()}
    urls = tuple(f"https://{host}/" for host in CONTROLS)
    async with a_line(tmp_path, says(OBJECT), also) as line:
        seen = await measured(line, due=True, transfers=Transfers(budget_bytes=100_000, controls=urls))
    assert sum(o.transfer.body_bytes for o in seen if o.transfer) <= 100_000
    assert len([o for o in seen if o.stage is Stage.TRANSFER]) == 1


async def test_what_is_cut_off_is_not_asked_how_fast_it_comes(tmp_path: Path) -> None:
    async with a_line(tmp_path) as line, line.censor(lambda _: "reset", "104.244.42.1"):
        seen = await measured(line, due=True)
    assert not transfers(seen, Purpose.TRANSFER)


async def test_a_place_at_the_turnstile_is_free_again_when_left_or_after_a_while() -> None:
    turnstile = Turnstile(asyncio.Semaphore(1), held_s=0.05)
    left = asyncio.Event()

    async def waits() -> None:
        async with turnstile.through():
            await left.wait()

    async with asyncio.timeout(2), asyncio.TaskGroup() as group:
        group.create_task(waits())
        async with turnstile.through():
            assert not left.is_set(), "the first still waits, and holds nobody up"
        async with turnstile.through():
            left.set()
    assert not turnstile.places.locked(), "given back once, not twice"
    await turnstile.places.acquire()
    assert turnstile.places.locked()


async def test_one_more_part_of_a_platform_that_is_behind_is_tried_once_what_is_queued_has_run_out(
    tmp_path: Path,
) -> None:
    also = {(address, 443): says(OBJECT) for address in CONTROLS.values()}
    web = WITH_OBJECT.roles[0]
    async with a_line(tmp_path, throttled(), also) as line:
        line.plan = replace(line.plan, platforms=(replace(X, roles=(web, replace(web, name="media"))),))
        timeouts = replace(line.plan.config.timeouts, http_s=3.0)
        outcome = await line.round(due=True, timeouts=timeouts, round_deadline_s=30.0)
    tried = [o.target for o in transfers(outcome.round.observations, Purpose.TRANSFER)]
    assert tried == ["x/web"] * 3 + ["x/media"]
    assert DRAINED_S in line.pauses
    assert outcome.verdicts[0].scope == "full"


@pytest.mark.parametrize("due", [True, False])
async def test_where_part_of_a_platform_fails_for_want_of_time_its_speed_is_due_in_every_round(
    tmp_path: Path, *, due: bool
) -> None:
    """A pipe too narrow for all its connections lets some of them run out of time. Where nobody asks
    how fast the rest comes, the platform is called fine beside them."""
    media = Endpoint(url="https://media.x.com/")
    other = replace(X.roles[0], name="media", endpoints=(media,), transfer=None)
    async with a_line(tmp_path, says(OBJECT)) as line:
        line.zone["media.x.com", "A"] = ["104.244.42.9"]
        line.net.doors["104.244.42.9", 443] = line.net.doors["104.244.42.1", 443]
        line.plan = replace(line.plan, platforms=(replace(X, roles=(*WITH_OBJECT.roles, other)),))
        async with line.censor(lambda _: "drop", "104.244.42.9"):
            seen = (await line.round(due=due)).round.observations
    assert any(o.failure is Failure.TLS_TIMEOUT for o in seen)
    assert transfers(seen, Purpose.TRANSFER)


async def test_a_part_that_trickles_and_has_nothing_to_transfer_makes_the_others_speed_due(
    tmp_path: Path,
) -> None:
    """Handshakes under two names, which it is asked for itself, show nothing of who slows by address."""
    api = Endpoint(url="https://www.x.com/")
    other = replace(X.roles[0], name="api", endpoints=(api,))
    drip = says(*(response(200, b"x" * 40)[at : at + 4] for at in range(0, 40, 4)), pause_s=0.2)
    async with a_line(tmp_path, says(OBJECT), {(OWN_HOST, 443): drip}) as line:
        line.plan = replace(line.plan, platforms=(replace(X, roles=(*WITH_OBJECT.roles, other)),))
        seen = (await line.round(due=False)).round.observations
    assert [o.target for o in seen if o.failure is Failure.HTTP_TIMEOUT] == ["x/api"]
    assert [o.target for o in transfers(seen, Purpose.TRANSFER)] == ["x/web"]


async def test_where_a_platform_fails_its_speed_is_not_due_whatever_else_of_it_comes(tmp_path: Path) -> None:
    async with a_line(tmp_path, says(OBJECT)) as line:
        line.zone["x.com", "A"] = "nxdomain"
        seen = await measured(line, due=True)
    assert any(o.stage is Stage.TLS and o.host == "x.com" and o.failure is None for o in seen)
    assert not transfers(seen, Purpose.TRANSFER)
