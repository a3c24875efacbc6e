"""The agent's configuration: frozen records, complete with defaults, checked where they are read.

``configs/probe.toml`` is the same thing with its reasons; a test holds the two equal.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Len

from .budget import Budget
from .routes import Route, Way, ways
from .wire.address import is_address, is_name
from .wire.observation import Network
from .wire.platform import Endpoint, Name, Platform
from .wire.platform_file import check_target, check_url, read_platform
from .wire.settings import ConfigError, settle
from .wire.stage import Text
from .wire.strict import STRICT

Seconds = Annotated[float, Gt(0), Le(3600)]

KEY_BYTES = 32  # RFC 8032, 5.1.5
MOST_NAMESERVERS = 3  # resolv.conf(5), MAXNS

# Beside this package in a checkout, inside it once installed.
_HERE = Path(__file__).parent
CONFIGS = _HERE / "configs" if (_HERE / "configs").is_dir() else _HERE.parent / "configs"


def _check_name(text: str) -> None:
    if not is_name(text):
        raise ValueError(f"{text!r} is not a host's name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long each stage may take, in seconds."""

    __pydantic_config__ = STRICT
    dns_s: Seconds = 4.0
    tcp_s: Seconds = 8.0
    tls_s: Seconds = 8.0
    http_s: Seconds = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Collectors:
    """Where rounds are pushed and how, and the token that lets a new key in, where one is asked for."""

    __pydantic_config__ = STRICT
    urls: Annotated[tuple[Text, ...], Len(0, 16)] = ()
    routes: Annotated[tuple[Route, ...], Len(0, 16)] = ()
    enrolment_token: Annotated[str, Len(0, 100)] = ""

    def __post_init__(self) -> None:
        self.ways  # noqa: B018 - what cannot be used is said here

    @property
    def ways(self) -> tuple[Way, ...]:
        """Every way to a collector: those by a URL alone, then those that take more."""
        return ways((*(Route(url=url) for url in self.urls), *self.routes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """The keys (Ed25519, base64) whose signed lists of targets are gone by; two, so that one can follow the
    other."""

    __pydantic_config__ = STRICT
    keys: Annotated[tuple[Text, ...], Len(0, 2)] = ()

    def __post_init__(self) -> None:
        for key in self.keys:
            check_public_key(key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolvers:
    """The line's resolver and the trusted one; `system` overrides what `resolv_conf` says. The others
    are asked only where a lie is suspected."""

    __pydantic_config__ = STRICT
    resolv_conf: Text = "/etc/resolv.conf"
    system: Annotated[tuple[Text, ...], Len(0, 8)] = ()
    doh_url: Text = "https://cloudflare-dns.com/dns-query"
    doh_addresses: Annotated[tuple[Text, ...], Len(1, 8)] = ("1.1.1.1", "1.0.0.1")
    public: Annotated[tuple[Text, ...], Len(0, 8)] = ("9.9.9.9", "8.8.8.8")
    provider: Annotated[tuple[Text, ...], Len(0, 8)] = ()
    whoami: Text = "whoami.akamai.net"
    nobody: Text = "192.0.2.53"
    linger_s: Seconds = 1.0

    def __post_init__(self) -> None:
        check_url(self.doh_url, ("https",))
        for text in (*self.system, *self.doh_addresses, *self.public, *self.provider, self.nobody):
            if not is_address(text):
                raise ValueError(f"{text!r} is not an IP address")
        _check_name(self.whoami)


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """Unrelated sites that tell whether this machine is online at all."""

    __pydantic_config__ = STRICT
    foreign: Annotated[tuple[Text, ...], Len(3, 16)] = (
        "https://www.wikipedia.org/robots.txt",
        "https://www.debian.org/robots.txt",
        "https://www.kernel.org/robots.txt",
        "https://www.ietf.org/robots.txt",
    )
    domestic: Annotated[tuple[Text, ...], Len(0, 16)] = ()
    portal_url: Text = "http://detectportal.firefox.com/success.txt"
    portal_body: Text = "success"
    innocuous: Text = "www.example.com"

    def __post_init__(self) -> None:
        for url in (*self.foreign, *self.domestic):
            check_target(url, ("https",))
        check_target(self.portal_url, ("http",))
        _check_name(self.innocuous)
        hosts = [Endpoint(url=url).host for url in self.foreign]
        if len(set(hosts)) < len(hosts):
            raise ValueError("foreign controls must be of different hosts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfers:
    """How fast things come: seldom, or on suspicion, and never for more than a budget of bytes."""

    __pydantic_config__ = STRICT
    every_rounds: Annotated[int, Ge(0), Le(10_000)] = 12
    object_bytes: Annotated[int, Ge(65_536), Le(262_144)] = 65_536
    budget_bytes: Annotated[int, Ge(0), Le(8 << 20)] = 1 << 20
    controls: Annotated[tuple[Text, ...], Len(0, 8)] = (
        "https://www.wikipedia.org/",
        "https://www.debian.org/Pics/debian-logo-1024x576.png",
        "https://www.kernel.org/",
    )

    def __post_init__(self) -> None:
        for url in self.controls:
            check_target(url, ("https",))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """The CA bundle measurements are judged by."""

    __pydantic_config__ = STRICT
    ca_file: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolLimits:
    """How much may wait for a collector, and how long."""

    __pydantic_config__ = STRICT
    max_bytes: Annotated[int, Ge(65_536)] = 64 << 20
    max_age_s: Annotated[int, Ge(60)] = 72 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything the agent can be told."""

    __pydantic_config__ = STRICT
    state_dir: Text = "~/.local/state/reachwatch"
    platforms: Annotated[tuple[Name, ...], Len(1, 16)] = ("x", "facebook", "instagram", "youtube")
    platform_dir: Text = ""
    consent: Literal["", "yes", "no"] = ""
    metered_interfaces: Annotated[tuple[Text, ...], Len(0, 16)] = ()
    interval_s: Annotated[float, Ge(5), Le(86_400)] = 300.0
    round_deadline_s: Seconds = 60.0
    concurrency: Annotated[int, Ge(1), Le(32)] = 4
    residual_s: Annotated[float, Ge(0), Le(120)] = 10.0
    max_addresses: Annotated[int, Ge(1), Le(8)] = 2
    network: Network = field(default_factory=Network)
    collector: Collectors = field(default_factory=Collectors)
    targets: Pinned = field(default_factory=Pinned)
    resolvers: Resolvers = field(default_factory=Resolvers)
    controls: Controls = field(default_factory=Controls)
    timeouts: Timeouts = field(default_factory=Timeouts)
    transfers: Transfers = field(default_factory=Transfers)
    budget: Budget = field(default_factory=Budget)
    tls: Tls = field(default_factory=Tls)
    spool: SpoolLimits = field(default_factory=SpoolLimits)

    @property
    def state_path(self) -> Path:
        """The state folder, with the home folder filled in."""
        return Path(self.state_dir).expanduser()


def check_public_key(text: str) -> None:
    """Raise `ValueError` unless it is the base64 of 32 bytes."""
    try:
        size = len(base64.b64decode(text, validate=True))
    except binascii.Error:
        size = 0
    if size != KEY_BYTES:
        raise ValueError(f"{text!r} is not an Ed25519 public key in base64")


def load(path: Path | None, flags: Mapping[str, object], environ: Mapping[str, str] = os.environ) -> Config:
    """Read the configuration; raises `ConfigError`. No path means defaults, environment and flags."""
    text = _read(path) if path else ""
    return settle(Config, text=text, source=path.name if path else "defaults", environ=environ, flags=flags)


def load_platforms(config: Config) -> tuple[Platform, ...]:
    """Read the file of each platform the configuration names; raises `ConfigError`."""
    folder = Path(config.platform_dir) if config.platform_dir else CONFIGS / "platforms"
    return tuple(_load_platform(folder / f"{name}.toml", name) for name in config.platforms)


def _load_platform(path: Path, name: str) -> Platform:
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.toml"))) or "none"
        raise ConfigError(f"platforms: no file for {name!r} in {path.parent} (there: {known})")
    found = read_platform(_read(path), path.name)
    if found.name != name:
        raise ConfigError(f"{path.name}: name: is {found.name!r}, and the file is named {name!r}")
    return found


def system_resolvers(config: Config) -> tuple[str, ...]:
    """The line's resolvers: those named, else the ``nameserver`` lines of resolv.conf(5) that name an
    address, as many as any program here uses."""
    if config.resolvers.system:
        return config.resolvers.system
    try:
        lines = Path(config.resolvers.resolv_conf).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return ()
    words = [line.split() for line in lines]
    named = [w[1] for w in words if len(w) > 1 and w[0] == "nameserver"]
    return tuple(text for text in named if is_address(text))[:MOST_NAMESERVERS]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8") from None
