"""All that parses outside bytes: it parses, or it says so in our own words. Nothing else comes out."""

from __future__ import annotations

import asyncio
import contextlib

import dns.exception
import dns.message
from hypothesis import given
from hypothesis import strategies as st

from probe.config import Config
from probe.http1 import ClosedEarly, Exchange, InvalidResponse
from probe.net import TcpState
from probe.stages.certificate import describe
from probe.stages.dns import _checked, read_answer
from probe.wire.failure import Failure
from probe.wire.settings import ConfigError, settle

QUERY = dns.message.make_query("x.com", "A", id=7)


@given(st.binary(max_size=300))
def test_any_bytes_are_an_answer_or_a_dns_error(wire: bytes) -> None:
    with contextlib.suppress(dns.exception.DNSException):
        read_answer(_checked(QUERY, wire))


@given(st.binary(max_size=120), st.integers(0, 11), st.integers(0, 255))
def test_any_change_of_a_good_answer_is_an_answer_or_a_dns_error(tail: bytes, place: int, value: int) -> None:
    wire = bytearray(dns.message.make_response(QUERY).to_wire() + tail)
    wire[place] = value
    with contextlib.suppress(dns.exception.DNSException):
        addresses, _, failure = read_answer(_checked(QUERY, bytes(wire)))
        assert bool(addresses) == (failure in (None, Failure.DNS_BOGON))


class _Canned:
    """A stream that gives what it was given, in pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    async def read(self) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    async def write(self, data: bytes) -> None:
        pass

    def state(self) -> TcpState:
        return TcpState()

    def close(self) -> None:
        pass


WORDS = [
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 302\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"Location: http://[\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"\r\n",
]
HTTPISH = st.lists(st.sampled_from(WORDS) | st.binary(min_size=1, max_size=40), max_size=8)


@given(HTTPISH)
def test_any_bytes_are_a_response_or_one_of_two_errors(pieces: list[bytes]) -> None:
    exchange = Exchange(_Canned(pieces), max_body_bytes=100)
    with contextlib.suppress(InvalidResponse, ClosedEarly):
        asyncio.run(exchange.run("GET", "x.com", "/"))
        assert exchange.status is not None
        assert 200 <= exchange.status <= 599


@given(st.binary(max_size=400))
def test_any_bytes_are_a_certificate_or_none(der: bytes) -> None:
    assert describe(der) is None


@given(st.text(max_size=200))
def test_any_text_is_a_configuration_or_a_configuration_error(text: str) -> None:
    with contextlib.suppress(ConfigError):
        assert isinstance(settle(Config, text=text, source="x", environ={}, flags={}), Config)


@given(
    st.dictionaries(
        st.sampled_from([*Config.__dataclass_fields__, "nonsense"]), st.text(max_size=30), max_size=3
    )
)
def test_any_environment_is_a_configuration_or_a_configuration_error(values: dict[str, str]) -> None:
    environ = {f"REACHWATCH_{key.upper()}": value for key, value in values.items()}
    with contextlib.suppress(ConfigError):
        assert isinstance(settle(Config, text="", source="x", environ=environ, flags={}), Config)
