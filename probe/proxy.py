"""Through a proxy to a host: SOCKS5 (RFC 1928) or HTTP CONNECT (RFC 9110, section 9.3.6).

The host's name goes to the proxy as it is: nobody here resolves it. The SOCKS messages are written by
hand, because the library there is (socksio) takes each read for a whole message, and TCP keeps no such
promise. Whatever the proxy sends is bounded by its form; callers put `asyncio.timeout` around it.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address

import h11

from .http1 import MAX_HEAD_BYTES
from .net import Stream, in_words
from .routes import Proxy
from .wire.address import is_address

_SOCKS, _CONNECT = 5, 1
_NO_AUTH, _USER_PASSWORD = 0, 2
_IPV4, _NAME, _IPV6 = 1, 3, 4
# RFC 1928, section 6. What else there is, Tor's own codes included, goes by its number.
_REPLIES = {
    1: "the proxy failed",
    2: "the proxy does not allow it",
    3: "the proxy: network unreachable",
    4: "the proxy: host unreachable",
    5: "the proxy: connection refused",
    6: "the proxy: no answer in time",
}


class ProxyError(OSError):
    """The proxy will not, or it is none. The message is for a person."""


@contextmanager
def said_of_proxy() -> Iterator[None]:
    """What fails in here is the proxy's, and not the collector's behind it."""
    try:
        yield
    except ProxyError:
        raise
    except OSError as error:
        raise ProxyError(f"the proxy: {in_words(error)}") from None


async def tunnel(stream: Stream, proxy: Proxy, host: str, port: int) -> None:
    """Have the proxy at the other end of `stream` connect to `host`; then the stream is the host's.
    Raises `ProxyError`, and what the stream raises."""
    if proxy.scheme == "http":
        await _connect(stream, proxy, host, port)
    else:
        await _socks(_Socks(stream), proxy, host, port)


class _Socks:
    """Messages of known length on a stream."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._left = b""

    async def ask(self, data: bytes, answer_bytes: int) -> bytes:
        """Send, and read so many bytes."""
        await self._stream.write(data)
        return await self.read(answer_bytes)

    async def read(self, size: int) -> bytes:
        while len(self._left) < size:
            more = await self._stream.read()
            if not more:
                raise ProxyError("the proxy hung up")
            self._left += more
        data, self._left = self._left[:size], self._left[size:]
        return data

    def ended(self) -> None:
        """Who sends more than was asked for speaks another protocol."""
        if self._left:
            raise ProxyError("the proxy speaks no SOCKS5")


async def _socks(socks: _Socks, proxy: Proxy, host: str, port: int) -> None:
    method = _USER_PASSWORD if proxy.user else _NO_AUTH
    version, chosen = await socks.ask(bytes((_SOCKS, 1, method)), 2)
    if version != _SOCKS:
        raise ProxyError("the proxy speaks no SOCKS5")
    if chosen != method:
        raise ProxyError("the proxy wants a user" if method == _NO_AUTH else "the proxy takes no user")
    if proxy.user:
        _, status = await socks.ask(b"\1" + _counted(proxy.user) + _counted(proxy.password), 2)
        if status != 0:  # RFC 1929, section 2
            raise ProxyError("the proxy refused the user")
    request = bytes((_SOCKS, _CONNECT, 0)) + _destination(host) + struct.pack("!H", port)
    version, reply, _, kind = await socks.ask(request, 4)
    if version != _SOCKS:
        raise ProxyError("the proxy speaks no SOCKS5")
    if reply != 0:
        raise ProxyError(_REPLIES.get(reply, f"the proxy refused with code {reply}"))
    await _skip_bound_address(socks, kind)
    socks.ended()


async def _skip_bound_address(socks: _Socks, kind: int) -> None:
    """Where the proxy's own end is: of no use to us."""
    sizes = {_IPV4: 4, _IPV6: 16}
    if kind not in (*sizes, _NAME):
        raise ProxyError("the proxy speaks no SOCKS5")
    size = sizes[kind] if kind in sizes else (await socks.read(1))[0]
    await socks.read(size + 2)


def _destination(host: str) -> bytes:
    if not is_address(host):
        return bytes((_NAME,)) + _counted(host)
    address = ip_address(host)
    return bytes((_IPV4 if address.version == 4 else _IPV6,)) + address.packed


def _counted(text: str) -> bytes:
    data = text.encode()
    return bytes((len(data),)) + data


async def _connect(stream: Stream, proxy: Proxy, host: str, port: int) -> None:
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    headers = [("Host", target)]
    if proxy.user:
        words = base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()
        headers.append(("Proxy-Authorization", f"Basic {words}"))
    machine = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
    request = machine.send(h11.Request(method="CONNECT", target=target, headers=headers))
    machine.send(h11.EndOfMessage())
    await stream.write(request or b"")
    try:
        status = await _status(stream, machine)
    except h11.RemoteProtocolError:
        raise ProxyError("the proxy speaks no HTTP") from None
    if not 200 <= status < 300:
        raise ProxyError(f"the proxy answered {status}")
    if machine.trailing_data[0]:
        raise ProxyError("the proxy sent more than its answer")


async def _status(stream: Stream, machine: h11.Connection) -> int:
    while not isinstance(event := machine.next_event(), h11.Response):
        if event is h11.NEED_DATA:
            data = await stream.read()
            if not data:
                raise ProxyError("the proxy hung up")
            machine.receive_data(data)
    return event.status_code
