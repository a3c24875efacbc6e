"""Every published revision reaches every receiver that wants it: signed, in order, over failures and
restarts; and no receiver stands in another's way."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from collector.alerts import webhooks
from collector.alerts.retries import GIVE_UP_S, Result
from collector.alerts.signing import headers, key_of
from collector.detect.claims import describe
from collector.detect.incidents import WORLD, Phase
from tests.collector.voices import ENGLISH

from .receivers import CONFIRMED, ENDED, NOW, SECRET, SUSPECTED, posting, receiving, revision, webhook


def status(code: int, **extra: str) -> web.Response:
    return web.Response(status=code, headers=extra)


async def test_a_revision_is_posted_as_it_is_described_and_signed() -> None:
    async with receiving() as receiver, posting([webhook(receiver.url)]) as post:
        post.store.publish([revision()])
        await post.deliver(2)
    (got,) = receiver.got
    assert json.loads(got.body) == {
        "type": "incident.confirmed",
        "timestamp": got.data["revision"]["at"],
        "data": describe(revision(), ENGLISH),
    }
    at = int(got.headers["webhook-timestamp"])
    expected = headers(key_of(SECRET), got.headers["webhook-id"], at, got.body)
    assert expected.items() <= got.headers.items()
    assert at == int(NOW + 10), "the attempt's time"
    assert got.headers["content-type"] == "application/json"
    assert post.sample("deliveries_total", result="delivered") == 1


async def test_of_one_incident_a_receiver_hears_in_order_and_other_incidents_do_not_wait() -> None:
    async with receiving(status(503)) as receiver, posting([webhook(receiver.url)]) as post:
        post.store.publish([revision(1), revision(2, ENDED), revision(1, incident="pk-2")])
        await post.deliver(3)
        assert receiver.heard == [("pk-1", 1), ("pk-2", 1)], "the second waits for the first"
        post.clock.at += 60
        await post.deliver(2)
    assert receiver.heard[2:] == [("pk-1", 1), ("pk-1", 2)]
    assert post.sample("deliveries_total", result="retried") == 1


async def test_an_attempt_that_is_repeated_has_its_id_and_a_time_of_its_own() -> None:
    async with receiving(status(500)) as receiver, posting([webhook(receiver.url)]) as post:
        post.store.publish([revision()])
        await post.deliver()
        post.clock.at += 30
        await post.deliver()
    first, second = receiver.got
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 30
    assert first.body == second.body


async def test_what_was_published_before_a_restart_is_delivered_after_it(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}"
    async with receiving(status(503)) as receiver:
        async with posting([webhook(receiver.url)], url) as post:
            post.store.publish([revision(1), revision(2, ENDED)])
            await post.deliver()
        async with posting([webhook(receiver.url)], url) as post:
            await post.deliver()
            assert len(receiver.got) == 1, "the wait outlasts the restart"
            post.clock.at += 60
            await post.deliver(3)
    assert receiver.heard == [("pk-1", 1), ("pk-1", 1), ("pk-1", 2)]


async def test_a_receiver_that_refuses_makes_a_dead_letter_and_the_next_revision_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with receiving(status(410)) as receiver, posting([webhook(receiver.url)]) as post:
        post.store.publish([revision(1), revision(2, ENDED)])
        await post.deliver(3)
        (dead,) = post.store.outbox(dead=True)
        assert post.store.outbox() == []
    assert (dead.number, dead.attempts, dead.error) == (1, 1, "status 410")
    assert receiver.heard == [("pk-1", 1), ("pk-1", 2)]
    assert post.sample("dead_letters") == 1
    assert post.sample("deliveries_total", result="dead") == 1
    assert "webhook_gave_up name=ops incident=pk-1 revision=1 attempts=1 error=status 410" in caplog.text


async def test_dead_letters_are_counted_from_the_start(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}"
    async with receiving(status(404)) as receiver:
        async with posting([webhook(receiver.url)], url) as post:
            assert post.sample("dead_letters") == 0
            post.store.publish([revision()])
            await post.deliver()
        async with posting([webhook(receiver.url)], url) as post:
            assert post.sample("dead_letters") == 1


async def test_after_72_hours_it_is_given_up_but_never_untried() -> None:
    async with receiving(status(503), status(503)) as receiver, posting([webhook(receiver.url)]) as post:
        post.store.publish([revision()])
        post.clock.at += GIVE_UP_S + 60  # the collector was away
        await post.deliver()
        assert len(receiver.got) == 1
        (dead,) = post.store.outbox(dead=True)
    assert dead.error == "status 503"


async def test_what_waits_for_a_receiver_that_is_configured_no_more_is_a_dead_letter(tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}"
    async with posting([webhook("https://example.invalid/")], url) as post:
        post.store.publish([revision()])
    async with posting([], url) as post:
        (dead,) = post.store.outbox(dead=True)
        assert dead.error == "no such webhook is configured"
        assert post.sample("dead_letters") == 1


async def test_a_slow_receiver_delays_no_other() -> None:
    never = asyncio.Event()
    async with receiving(never) as slow, receiving() as quick:
        hooks = [webhook(slow.url, "slow"), webhook(quick.url, "quick")]
        async with posting(hooks) as post, asyncio.TaskGroup() as group:
            post.store.publish([revision()])
            waits, goes = (group.create_task(post.courier.deliver(hook)) for hook in post.courier.hooks)
            await goes
            assert quick.heard == [("pk-1", 1)]
            assert not waits.done()
            never.set()


async def test_a_receiver_that_never_answers_is_left_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "TIMEOUT_S", 0.05)
    never = asyncio.Event()
    async with receiving(never) as receiver, posting([webhook(receiver.url)]) as post:
        post.store.publish([revision()])
        await post.deliver()
        never.set()
        (waiting,) = post.store.outbox()
    assert waiting.error == "timed out"


async def test_redirects_are_not_followed() -> None:
    async with receiving() as elsewhere, receiving(status(307, Location="/other")) as receiver:
        receiver.answers[0] = status(307, Location=elsewhere.url)
        async with posting([webhook(receiver.url)]) as post:
            post.store.publish([revision()])
            await post.deliver()
            (waiting,) = post.store.outbox()
    assert waiting.error == "status 307"
    assert elsewhere.got == []


async def test_of_an_answer_without_end_nothing_is_read() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
                await writer.drain()
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(flood, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, posting([webhook(f"http://127.0.0.1:{port}/")]) as post:
        post.store.publish([revision()])
        async with asyncio.timeout(5):
            await post.deliver()
        assert post.store.outbox() == []


BROKEN = [
    (b"", "hung up"),
    (b"this is no HTTP\r\n\r\n", "no HTTP"),
    (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", "no HTTP"),
]


@pytest.mark.parametrize(("said", "error"), BROKEN)
async def test_what_is_no_answer_is_tried_again(said: bytes, error: str) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        writer.close()

    server = await asyncio.start_server(say, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, posting([webhook(f"http://127.0.0.1:{port}/secret-path")]) as post:
        post.store.publish([revision()])
        await post.deliver()
        (waiting,) = post.store.outbox()
    assert waiting.error == error
    assert not waiting.dead


async def test_a_receiver_that_is_away_is_said_once_and_its_return_once_and_its_url_never(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    async with posting([webhook(f"http://127.0.0.1:{port}/secret-path")]) as post:
        post.store.publish([revision()])
        for _ in range(3):
            await post.deliver()
            post.clock.at += 60
        (waiting,) = post.store.outbox()
        async with receiving() as receiver:
            hook = replace(post.courier.hooks[0], webhook=webhook(receiver.url))
            await post.courier.deliver(hook)
    assert (waiting.attempts, waiting.error) == (3, "cannot connect")
    said = [one.getMessage() for one in caplog.records if one.name == "reachwatch.webhooks"]
    assert said == ["webhook_failed name=ops error=cannot connect", "webhook_recovered name=ops"]
    assert "secret-path" not in caplog.text
    assert SECRET not in repr(post.courier.hooks)


def test_a_receiver_hears_of_its_countries_from_its_phase_on_and_then_to_the_end() -> None:
    ops = webhook("https://example.org/")
    suspected, confirmed, ended = revision(1, SUSPECTED), revision(2), revision(3, ENDED)
    assert not webhooks.is_wanted(ops, [suspected])
    assert webhooks.is_wanted(ops, [suspected, confirmed])
    assert webhooks.is_wanted(ops, [suspected, confirmed, ended])
    taken_back = revision(3, replace(SUSPECTED, phase=Phase.DISMISSED))
    assert webhooks.is_wanted(ops, [suspected, confirmed, taken_back]), "who heard it hears that it was not"
    assert webhooks.is_wanted(replace(ops, phase="suspected"), [suspected])
    there = replace(ops, countries=("TR", "*"))
    assert not webhooks.is_wanted(there, [confirmed])
    assert webhooks.is_wanted(there, [revision(country="TR")])
    assert webhooks.is_wanted(there, [revision(country=WORLD)])


async def test_what_a_receiver_does_not_want_is_not_kept_for_it() -> None:
    async with receiving() as receiver, posting([webhook(receiver.url, countries=("TR",))]) as post:
        post.store.publish([revision(), revision(incident="tr-1", country="TR")])
        await post.deliver(2)
        assert post.store.outbox() == []
    assert receiver.heard == [("tr-1", 1)]
    assert all(post.sample("deliveries_total", result=one) is not None for one in Result)


async def test_nothing_that_is_sent_names_a_small_network() -> None:
    small = replace(CONFIRMED, networks={64_500: replace(CONFIRMED.networks[17557], failing=3, of=4)})
    async with receiving() as receiver, posting([webhook(receiver.url)]) as post:
        post.store.publish([revision(1, small)])
        await post.deliver()
    assert b"64500" not in receiver.got[0].body
