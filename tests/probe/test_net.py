"""The seam to the network: what went wrong in words, and nothing left open."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
import sys
import time

import pytest

from probe.icmp import IcmpError, IcmpKind
from probe.net import AsyncioNet, SocketStream, _peer, in_words
from tests.loopback import says, tcp_server

WORDS: list[tuple[Exception, str]] = [
    (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "connection refused"),
    (OSError(errno.ENETUNREACH, "x"), "network is unreachable"),
    (TimeoutError(), "no answer in time"),
    (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "its name does not resolve"),
    (ssl.SSLEOFError(8, "EOF occurred"), "TLS failed (the connection ended)"),
    (ssl.SSLZeroReturnError(6, "closed"), "TLS failed (the connection ended)"),
    (ValueError(), "ValueError"),
]


@pytest.mark.parametrize(("error", "words"), WORDS)
def test_an_error_is_said_in_words_without_a_number(error: Exception, words: str) -> None:
    assert in_words(error) == words


async def test_a_server_that_speaks_no_tls_is_said_to_and_is_no_missing_permission() -> None:
    async with tcp_server(_not_tls) as port:
        with pytest.raises(ssl.SSLError) as caught:
            await asyncio.open_connection("127.0.0.1", port, ssl=ssl.create_default_context())
    assert in_words(caught.value) == "TLS failed (wrong version number)"


async def _not_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.write(b"220 smtp.example ESMTP\r\n")
    await writer.drain()


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels stamp nothing")
async def test_what_lay_unread_while_this_process_was_busy_is_told_and_what_was_waited_for_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        stream = await AsyncioNet().connect(*server.getsockname())
        other, _ = server.accept()
        asyncio.get_running_loop().call_later(0.1, other.send, b"in time")
        assert await stream.read() == b"in time"
        assert stream.overslept_s < 0.05
        other.send(b"late")
        time.sleep(0.1)  # busy: nothing else in this process goes on
        assert await stream.read() == b"late"
        assert 0.05 < stream.overslept_s < 0.2
        stream.close()
        other.close()


async def test_a_reset_is_not_an_end_of_file() -> None:
    async with tcp_server(says(b"part", reset=True)) as port:
        stream = await AsyncioNet().connect("127.0.0.1", port)
        await stream.write(b"GET / HTTP/1.1\r\n\r\n")

        async def read_all() -> None:
            while await stream.read():
                pass

        with pytest.raises(ConnectionResetError):
            await read_all()
        stream.close()
        stream.close()


async def test_the_kernel_tells_the_round_trip_time() -> None:
    async with tcp_server(says()) as port:
        stream = await AsyncioNet().connect("127.0.0.1", port)
        rtt_s = stream.state().rtt_s
        stream.close()
    assert rtt_s is not None
    assert 0 < rtt_s < 1


async def test_a_cancelled_connect_leaves_no_socket_behind() -> None:
    """Left open, it would be a ResourceWarning, which is an error here."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(AsyncioNet().connect("127.0.0.1", 1))
        task.cancel()
    assert task.cancelled()


async def test_a_dial_knows_its_port_before_it_connects_and_ends_in_a_reset() -> None:
    seen = asyncio.get_running_loop().create_future()

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = writer.get_extra_info("peername")[1]
        try:
            await reader.read()
        except ConnectionResetError:
            seen.set_result(port)

    async with tcp_server(keep) as port, asyncio.timeout(5):
        dial = AsyncioNet().dial("127.0.0.1", port)
        own_port = dial.own_port
        await (await dial.connect()).write(b"hello")
        dial.close()
        assert await seen == own_port


async def test_what_nobody_acknowledged_is_not_sent_again_after_the_end() -> None:
    """The kernel would go on for a minute and more, on a line where every byte is somebody's."""
    ended, said = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await ended.wait()
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        try:
            await reader.read()
        except ConnectionResetError as error:
            said.set_result(error)

    async with tcp_server(deaf) as port, asyncio.timeout(5):
        stream = await AsyncioNet().connect("127.0.0.1", port)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await stream.write(bytes(32 << 20))
        stream.close()
        ended.set()
        await said


async def test_where_the_system_refuses_the_reset_the_socket_is_closed_all_the_same() -> None:
    class Refusing(socket.socket):
        def setsockopt(self, *_: object) -> None:
            raise OSError(errno.EINVAL, "as macOS says where the other side is gone")

    with socket.create_server(("127.0.0.1", 0)) as server, Refusing() as sock:
        sock.connect(server.getsockname())
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                sock.send(bytes(1 << 20))
        SocketStream(sock).close()
        assert sock.fileno() == -1


async def test_who_refuses_a_udp_packet_is_told() -> None:
    async with asyncio.timeout(5):
        said = await AsyncioNet().trace("127.0.0.1", 9, ttl=1)
    assert said == IcmpError(IcmpKind.UNREACHABLE, 3, "127.0.0.1")


def test_asking_for_the_own_address_sends_nothing_and_may_have_no_answer() -> None:
    net = AsyncioNet()
    assert net.source_address("127.0.0.1") == "127.0.0.1"
    assert net.source_address("::ffff:0:0:1") is None or ":" in str(net.source_address("::ffff:0:0:1"))


async def test_a_link_local_resolver_is_asked_on_its_interface() -> None:
    """As resolv.conf names a home's router where it was found by IPv6 alone."""
    with pytest.raises(OSError, match="interface"):
        AsyncioNet().datagram("fe80::1%nowhere0", 53)
    assert _peer("fe80::1%lo", 53) == ("fe80::1", 53, 0, socket.if_nametoindex("lo"))
    assert _peer("192.0.2.1", 53) == ("192.0.2.1", 53)
