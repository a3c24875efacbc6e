"""The ways to a collector, and the order they are tried in: what worked last on this network first.

A route is what the volunteer configures. It becomes several ways: as the system resolves its name, at
each address given for it, and as the trusted resolver answers. PURE: the moment is an argument.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from annotated_types import Len

from .wire.address import is_address, is_name
from .wire.platform import Endpoint
from .wire.platform_file import check_url
from .wire.stage import Text
from .wire.strict import STRICT

# A laptop's: home, work, and a few more. What it knew of others it learns again.
MOST_NETWORKS = 8
# A way that failed is given another chance before a proxy after this.
AGAIN_S = 3600.0
PIN = "sha256/"
MOST_PROXY_WORD_BYTES = 255  # RFC 1929, section 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A collector and how to reach it, where that takes more than a URL."""

    __pydantic_config__ = STRICT
    url: Text
    addresses: Annotated[tuple[Text, ...], Len(0, 8)] = ()
    server_name: Annotated[str, Len(0, 253)] = ""
    pins: Annotated[tuple[Text, ...], Len(0, 8)] = ()
    proxy: Annotated[str, Len(0, 1000)] = ""

    def __post_init__(self) -> None:
        check_url(self.url, ("https", "http"))
        for text in self.addresses:
            place_of(text, 443)
        for pin in self.pins:
            _check_pin(pin)
        if self.pins and not self.endpoint.is_tls:
            raise ValueError(f"pins need an https URL, not {self.url!r}")
        if self.server_name and not is_name(self.server_name):
            raise ValueError(f"server_name: {self.server_name!r} is not a host's name")
        if self.server_name and not self.pins:
            # Else whoever holds a certificate for the borrowed name would be the collector.
            raise ValueError("server_name needs pins")
        if self.proxy:
            Proxy.read(self.proxy)

    @property
    def endpoint(self) -> Endpoint:
        """The URL's parts."""
        return Endpoint(url=self.url)

    @property
    def is_named(self) -> bool:
        """Whether its host has to be resolved."""
        return not is_address(self.endpoint.host)

    @property
    def shown_name(self) -> str:
        """What the ClientHello shows; an address is never shown (RFC 6066, section 3)."""
        return self.server_name or self.endpoint.host


@dataclass(frozen=True, slots=True)
class Proxy:
    """Who connects in our place: SOCKS5 that resolves names itself (``socks5h``), or HTTP CONNECT."""

    scheme: str
    host: str
    port: int
    user: str
    password: str

    @classmethod
    def read(cls, url: str) -> Proxy:
        """From a URL; raises `ValueError`, which never shows it: it may hold a password."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError("proxy: not a URL") from None
        host = parts.hostname or ""
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if parts.scheme not in ("socks5h", "http") or not port or not (is_name(host) or is_address(host)):
            raise ValueError("proxy: not socks5h://HOST:PORT or http://HOST:PORT")
        if max(len(user.encode()), len(password.encode())) > MOST_PROXY_WORD_BYTES:
            raise ValueError(f"proxy: user and password have at most {MOST_PROXY_WORD_BYTES} bytes")
        if bool(user) != bool(password):
            raise ValueError("proxy: a user and a password, or neither")
        return cls(parts.scheme, host, port, user, password)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Way:
    """One way of a route: by the system's resolver, at an address given for it, or `asked` of the
    trusted resolver. Its text is its name in notes, logs and ``status``."""

    route: Route
    at: str = ""
    asked: bool = False

    def __str__(self) -> str:
        words = [self.route.url]
        if self.route.server_name:
            words.append(f"as {self.route.server_name}")
        if self.at:
            words.append(f"at {self.at}")
        if self.asked:
            words.append("by the trusted resolver")
        if self.route.proxy:
            words.append(f"through {Proxy.read(self.route.proxy)}")
        return " ".join(words)


def ways(routes: Iterable[Route]) -> tuple[Way, ...]:
    """Every way, in the order they are tried where nothing is known yet. A proxy resolves names
    itself. Raises `ValueError` for two that look the same."""
    every = tuple(routes)
    found = [Way(route) for route in every]
    found += [Way(route, at=address) for route in every for address in route.addresses]
    found += [Way(route, asked=True) for route in every if route.is_named and not route.proxy]
    names = [str(way) for way in found]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name!r} is named twice")
    return tuple(found)


def place_of(text: str, port: int) -> tuple[str, int]:
    """An address and its port, `port` where it names none: ``192.0.2.7``, ``192.0.2.7:8443``,
    ``2001:db8::7``, ``[2001:db8::7]:8443``. Raises `ValueError`."""
    if is_address(text):
        return text, port
    try:
        parts = urlsplit(f"//{text}")
        host, named = parts.hostname or "", parts.port
    except ValueError:
        host, named = "", None
    if not is_address(host) or not named or parts.netloc != text or "@" in text:
        raise ValueError(f"{text!r} is not an IP address, with or without a port")
    return host, named


def _check_pin(text: str) -> None:
    """A key's pin: the SHA-256 of its SubjectPublicKeyInfo (RFC 7469, section 2.4)."""
    try:
        digest = base64.b64decode(text.removeprefix(PIN), validate=True)
    except binascii.Error:
        digest = b""
    if not text.startswith(PIN) or len(digest) != 32:
        raise ValueError(f"{text!r} is not a pin, as {PIN} and the base64 of 32 bytes")


@dataclass(frozen=True, slots=True)
class Seen:
    """How a way did when it was last tried on a network, in Unix seconds. `word` is why it failed, empty
    where it led to a collector; `worked_at` is None where it never did."""

    tried_at: float
    worked_at: float | None
    word: str


class Routes:
    """The ways, and how each did on the last few networks. What worked last goes first, what failed last
    goes last: no way is starved by one that hangs. To a collector who comes through a proxy is where the
    proxy is, so that a proxy that works goes behind every other way that may work again."""

    def __init__(
        self, ways: Iterable[Way], *, kept: str = "", network: Callable[[], str] = lambda: ""
    ) -> None:
        self._ways = {str(way): way for way in ways}
        self._network = network
        self._networks = _read(kept)  # of each the ways in the order to try them; the last is this one

    def in_order(self, now: float) -> list[Way]:
        """The ways as they are to be tried here and now (Unix seconds)."""
        return [way for way, _ in self.seen(now)]

    def seen(self, now: float) -> list[tuple[Way, Seen | None]]:
        """The same, each with how it did on this network."""
        here = self._networks.get(self._network(), {})
        known = [(self._ways[name], here[name]) for name in here if name in self._ways]
        new = [(way, None) for name, way in self._ways.items() if name not in here]
        return sorted([*known, *new], key=lambda one: _rank(one[0], one[1], now))

    def worked(self, way: Way, now: float) -> None:
        """It led to a collector."""
        here = self._taken()
        here.pop(str(way), None)
        self._keep({str(way): Seen(now, now, ""), **here})

    def failed(self, way: Way, now: float, word: str) -> None:
        """It did not, and why."""
        here = self._taken()
        before = here.pop(str(way), None)
        self._keep({**here, str(way): Seen(now, before.worked_at if before else None, word)})

    def text(self) -> str:
        """What `kept` takes."""
        return json.dumps(
            {
                network: {name: asdict(seen) for name, seen in there.items()}
                for network, there in self._networks.items()
            }
        )

    def _taken(self) -> dict[str, Seen]:
        here = self._networks.pop(self._network(), {})
        return {name: seen for name, seen in here.items() if name in self._ways}

    def _keep(self, here: dict[str, Seen]) -> None:
        self._networks[self._network()] = here
        for oldest in list(self._networks)[:-MOST_NETWORKS]:
            del self._networks[oldest]


def _rank(way: Way, seen: Seen | None, now: float) -> tuple[bool, bool, bool]:
    """Less is sooner. Within a rank the order stays: of those that worked the last first, of those that
    failed the last last."""
    if seen is None:
        return False, bool(way.route.proxy), True
    has_failed = bool(seen.word)
    return has_failed and abs(now - seen.tried_at) < AGAIN_S, bool(way.route.proxy), has_failed


def _read(kept: str) -> dict[str, dict[str, Seen]]:
    """What an earlier process wrote. It is a memory and no more: a damaged one is forgotten."""
    try:
        return {
            network: {name: _seen(entry) for name, entry in there.items()}
            for network, there in json.loads(kept or "{}").items()
        }
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError):
        return {}


def _seen(entry: Mapping[str, Any]) -> Seen:
    worked_at = entry["worked_at"]
    return Seen(float(entry["tried_at"]), None if worked_at is None else float(worked_at), str(entry["word"]))
