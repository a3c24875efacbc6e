"""The collector's configuration: frozen records, complete with defaults.

``configs/collector.toml`` is the same thing with its reasons; a test holds the two equal.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

from annotated_types import Ge, Gt, Le, Len, MultipleOf
from pydantic import StringConstraints

from probe.wire.codec import validate
from probe.wire.platform import Name
from probe.wire.settings import ConfigError, settle
from probe.wire.stage import Text
from probe.wire.strict import STRICT
from probe.wire.work import MOST_BITS

from .alerts.signing import key_of
from .detect.cells import CONNECTIVITY
from .forwarded import Proxies
from .language import LANGUAGE, languages

# Agents bring what they measured for 72 hours, and detection folds again from a state at most a day older.
# What is dropped before is taken for new when it comes again, or read as rounds in which nobody measured.
Days = Annotated[float, Ge(4), Le(36_500)]
Country = Annotated[str, StringConstraints(pattern=r"^([A-Z]{2}|\*)$")]
OneCountry = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
WebhookName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
Asn = Annotated[int, Ge(1), Le(4_294_967_294)]  # RFC 6793; the last is reserved by RFC 7300
Share = Annotated[float, Gt(0), Le(1)]
PREFIX_KEY = "prefix.key"  # in the data folder
# What shares may sum up to: published ones are rounded.
WHOLE = 1.01
_HOME = re.compile(r"https?://[^/?#@\s]+/?")
_LISTEN = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<host>[^:\[\]]+)):(?P<port>[0-9]{1,5})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """The certificate chain and its key, in PEM; both empty where TLS is not served here."""

    __pydantic_config__ = STRICT
    certificate_file: Text = ""
    key_file: Text = ""

    def __post_init__(self) -> None:
        if bool(self.certificate_file) != bool(self.key_file):
            raise ValueError("needs both certificate_file and key_file, or neither")


@dataclass(frozen=True, slots=True, kw_only=True)
class Geo:
    """Databases that tell country and AS from an address; each empty when there is none."""

    __pydantic_config__ = STRICT
    country_file: Text = ""
    country6_file: Text = ""
    asn_file: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long signed rounds and cells are kept, in days."""

    __pydantic_config__ = STRICT
    batches_days: Days = 90.0
    cells_days: Days = 400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """How detection is set. `round_s` is as often as its agents measure, in seconds."""

    __pydantic_config__ = STRICT
    round_s: Annotated[int, Ge(60), Le(3600), MultipleOf(60)] = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """What page and metrics say. `window_s` is how long a vote counts, in seconds. `language` is that of
    everything people read, here and in feeds and webhooks. `public_url` is this collector as readers find
    it, for links from elsewhere; empty where it is not known. `replay`, where it is not empty, says on every
    page that what is shown is not happening now."""

    __pydantic_config__ = STRICT
    window_s: Annotated[float, Ge(60), Le(86_400)] = 600.0
    min_prefixes: Annotated[int, Ge(1)] = 5
    max_networks: Annotated[int, Ge(1), Le(1000)] = 300
    language: Text = LANGUAGE
    public_url: Annotated[str, Len(0, 200)] = ""
    replay: Text = ""

    def __post_init__(self) -> None:
        spoken = languages()
        if self.language not in spoken:
            raise ValueError(f"language: {self.language!r} is none of {', '.join(spoken)}")
        if self.public_url:
            _refuse_bad_home(self.public_url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Who may bring a key beside those with a token: everybody, nobody, or who has done so much work."""

    __pydantic_config__ = STRICT
    mode: Literal["open", "token", "work"] = "open"
    work_bits: Annotated[int, Ge(1), Le(MOST_BITS)] = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """What the public API gives. `requests_a_minute` from one address, feeds included, 0 for no limit by
    address, of open pages' streams neither; `rounds` whether raw rounds too."""

    __pydantic_config__ = STRICT
    requests_a_minute: Annotated[int, Ge(0), Le(100_000)] = 60
    rounds: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Whom every published revision is sent to: of these countries, or of all where none is named (``*`` is
    what is so everywhere), and from this phase on. One of `secret` and `secret_file` signs it."""

    __pydantic_config__ = STRICT
    name: WebhookName
    url: Annotated[str, Len(1, 2000)]
    secret: Annotated[str, Len(0, 255)] = field(default="", repr=False)
    secret_file: Text = ""
    countries: Annotated[tuple[Country, ...], Len(0, 300)] = ()
    phase: Literal["suspected", "confirmed"] = "confirmed"

    def __post_init__(self) -> None:
        _refuse_bad_url(self.url)
        if bool(self.secret) == bool(self.secret_file):
            raise ValueError(f"webhook {self.name}: needs one of secret and secret_file")
        if self.secret:
            key_of(self.secret)

    def key(self) -> bytes:
        """The key that signs; raises `ConfigError` where it cannot be read."""
        if self.secret:
            return key_of(self.secret)
        place = f"webhook {self.name}: secret_file"
        try:
            return key_of(Path(self.secret_file).expanduser().read_text(encoding="ascii").strip())
        except OSError as error:
            raise ConfigError(f"{place}: {self.secret_file}: {error.strerror or error}") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{place}: {self.secret_file}: not a secret") from None
        except ValueError as error:
            raise ConfigError(f"{place}: {self.secret_file}: {error}") from None


def _refuse_bad_home(url: str) -> None:
    """Raises `ValueError`. Pages link to each other from the root on: no path comes before them."""
    parts = _parsed(url)
    if parts is None or not _HOME.fullmatch(url):
        raise ValueError("public_url: is https://host, without a path")
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise ValueError("public_url: is https, except of this machine itself")


def _parsed(url: str) -> SplitResult | None:
    """A URL of the web; None where it is none."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    is_web = parts.scheme in ("http", "https") and url.isascii() and url.isprintable()
    return parts if host and is_web else None


def _refuse_bad_url(url: str) -> None:
    """Raises `ValueError`, which does not repeat the URL: receivers put secrets into them."""
    parts = _parsed(url)
    if parts is None:
        raise ValueError("a webhook's url is https://host/…")
    if parts.username is not None or parts.fragment:
        raise ValueError("a webhook's url has neither user nor fragment")
    if parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise ValueError("a webhook's url is https, except to this machine itself")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything the collector can be told. `trusted_proxies` are networks, as ``address/length``; `shares`
    are users' shares of networks, by country and ASN; `mobile_networks` are AS numbers;
    `targets_file` is a signed list that agents are offered."""

    __pydantic_config__ = STRICT
    listen: Text = "127.0.0.1:8460"
    metrics_listen: Text = "127.0.0.1:8461"
    trusted_proxies: Annotated[tuple[Text, ...], Len(0, 64)] = ()
    data_dir: Text = "~/.local/share/reachwatch"
    prefix_key_file: Text = ""
    platforms: Annotated[tuple[Name, ...], Len(1, 16)] = ("x", "facebook", "instagram", "youtube")
    targets_file: Text = ""
    mobile_networks: tuple[Asn, ...] = (24499, 45669, 56167, 59257)
    tls: Tls = field(default_factory=Tls)
    geo: Geo = field(default_factory=Geo)
    enrolment: Door = field(default_factory=Door)
    retention: Retention = field(default_factory=Retention)
    detection: Detection = field(default_factory=Detection)
    shares: Mapping[OneCountry, Mapping[Asn, Share]] = field(default_factory=dict)
    display: Display = field(default_factory=Display)
    api: Api = field(default_factory=Api)
    webhooks: Annotated[tuple[Webhook, ...], Len(0, 32)] = ()

    def __post_init__(self) -> None:
        names = [webhook.name for webhook in self.webhooks]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"webhook {name}: named twice")
        for country, networks in self.shares.items():
            if sum(networks.values()) > WHOLE:
                raise ValueError(f"shares.{country}: more than the whole: {sum(networks.values()):g}")
        for text in (self.listen, self.metrics_listen):
            address_of(text)
        for text in self.trusted_proxies:
            _network(text)
        if CONNECTIVITY in self.platforms:
            raise ValueError(f"platforms: {CONNECTIVITY!r} is what no platform may be called")

    @property
    def targets_path(self) -> Path | None:
        """The signed list of targets to offer; None where there is none."""
        return Path(self.targets_file).expanduser() if self.targets_file else None

    @property
    def proxies(self) -> Proxies:
        """Whose word is taken for where a request came from."""
        return Proxies(tuple(_network(text) for text in self.trusted_proxies))

    @property
    def prefix_key_path(self) -> Path:
        """Where the key of prefixes' tags is."""
        return (
            Path(self.prefix_key_file).expanduser() if self.prefix_key_file else self.data_path / PREFIX_KEY
        )

    @property
    def data_path(self) -> Path:
        """The data folder, with the home folder filled in."""
        return Path(self.data_dir).expanduser()


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(text)
    except ValueError as error:
        raise ValueError(f"trusted_proxies: {error}") from None
    if network.prefixlen == 0:
        raise ValueError(f"trusted_proxies: {text} is everybody")
    return network


def address_of(text: str) -> tuple[str, int]:
    """``host:port`` or ``[v6]:port`` as host and port; raises `ValueError`."""
    match = _LISTEN.fullmatch(text)
    if match is None or int(match["port"]) > 65_535:
        raise ValueError(f"{text!r} is not host:port")
    return match["six"] or match["host"], int(match["port"])


def moment_of(text: str, flag: str) -> float:
    """A time with its zone (RFC 3339) as Unix seconds; raises `ConfigError`."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        pass
    raise ConfigError(f"{flag}: {text!r} is not a time with its zone, such as 2026-11-24T12:00:00Z")


def load(path: Path | None, flags: Mapping[str, object], environ: Mapping[str, str] = os.environ) -> Config:
    """Read the configuration; raises `ConfigError`. No path means defaults, environment and flags."""
    text = ""
    if path is not None:
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror or error}") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{path}: not UTF-8") from None
    source = path.name if path else "defaults"
    return settle(Config, text=text, source=source, environ=environ, flags=flags, validate=validate)
