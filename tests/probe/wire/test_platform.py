"""Endpoints and platforms: what a URL stands for, and whose a host is."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.wire.codec import DecodeError, decode, encode
from probe.wire.observation import Round
from probe.wire.platform import Endpoint
from tests.rounds import X, a_round, fine

PARTS = [
    ("https://X.com/robots.txt", "x.com", "x.com", 443, "/robots.txt"),
    ("http://x.com", "x.com", "x.com", 80, "/"),
    ("http://x.com:8080/a?b=c&d=%20", "x.com", "x.com:8080", 8080, "/a?b=c&d=%20"),
    ("https://[2001:db8::1]:8443/", "2001:db8::1", "[2001:db8::1]:8443", 8443, "/"),
    ("https://x.com/a b/\u00fc#part", "x.com", "x.com", 443, "/a%20b/%C3%BC"),
]


@pytest.mark.parametrize(("url", "host", "authority", "port", "path"), PARTS)
def test_what_a_url_stands_for(url: str, host: str, authority: str, port: int, path: str) -> None:
    endpoint = Endpoint(url=url)
    assert (endpoint.host, endpoint.authority, endpoint.port, endpoint.path) == (host, authority, port, path)


@given(st.text(max_size=40))
def test_any_path_makes_a_request_line_that_may_be_sent(path: str) -> None:
    try:
        endpoint = Endpoint(url=f"https://x.com/{path}")
    except ValueError:
        return
    h11.Request(method="GET", target=endpoint.path, headers=[("Host", "x.com")])


@pytest.mark.parametrize("url", ["http://[", "https://[x]/", "https://x.com:99999/", "https://x.com:port/"])
def test_a_target_whose_host_cannot_be_read_is_refused_with_its_place(url: str) -> None:
    """A collector reads every target it is sent: what would fail there must not get so far."""
    sent = encode(a_round(*fine("x/web"))).replace(
        b'"url":"https://x.com/robots.txt"', b'"url":"%s"' % url.encode(), 1
    )
    with pytest.raises(DecodeError, match=r"^\$\.targets\[0\]\.roles\[0\]\.endpoints\[0\]: a URL whose host"):
        decode(Round, sent)


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("x.com", True),
        ("API.X.com.", True),
        ("pbs.twimg.com", True),
        ("notx.com", False),
        ("x.com.evil.example", False),
        ("", False),
    ],
)
def test_a_platform_owns_its_domains_and_what_is_below_them(host: str, is_own: bool) -> None:
    assert X.owns(host) is is_own
