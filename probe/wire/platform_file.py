"""A platform's TOML file: what ``configs/platforms/`` holds, read the same way by agent and collector.
Pure: the text is an argument."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from annotated_types import Len

from .address import is_address, is_bogon, is_name
from .platform import Endpoint, Name, Needs, Platform, Role
from .settings import ConfigError, settle
from .stage import Text
from .strict import STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleTable:
    """A ``[[role]]`` of a platform file."""

    __pydantic_config__ = STRICT
    name: Name
    urls: Annotated[tuple[Text, ...], Len(1, 8)]
    needs: Needs = Needs.ANY
    required: bool = True
    transfer: Text | None = None

    def __post_init__(self) -> None:
        if not self.needs.is_known:
            raise ValueError(f"needs is any or all, not {self.needs!s}")
        for url in self.urls:
            check_target(url, ("https", "http"))
        if self.transfer is not None:
            check_target(self.transfer, ("https",))
        hosts = {urlsplit(url).hostname for url in self.urls}
        if len(hosts) < len(self.urls):  # an endpoint's observations are told by its host
            raise ValueError("urls of one role must be of different hosts")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformFile:
    """One file of ``configs/platforms/``."""

    __pydantic_config__ = STRICT
    name: Name
    title: Text
    hosts: Annotated[tuple[Text, ...], Len(1, 32)]
    role: Annotated[tuple[RoleTable, ...], Len(1, 16)]

    def __post_init__(self) -> None:
        if not any(role.required for role in self.role):
            raise ValueError("at least one role must be required")

    def platform(self) -> Platform:
        """The same as the wire's record."""
        roles = tuple(
            Role(
                name=role.name,
                endpoints=tuple(Endpoint(url=url) for url in role.urls),
                needs=role.needs,
                required=role.required,
                transfer=Endpoint(url=role.transfer) if role.transfer else None,
            )
            for role in self.role
        )
        return Platform(name=self.name, title=self.title, hosts=self.hosts, roles=roles)


def read_platform(text: str, source: str) -> Platform:
    """Read one platform's file; raises `ConfigError`, which names `source`."""
    found = settle(PlatformFile, text=text, source=source, environ={}, flags={}).platform()
    for role in found.roles:
        for endpoint in (*role.endpoints, *([role.transfer] if role.transfer else [])):
            if not found.owns(endpoint.host):
                raise ConfigError(f"{source}: {endpoint.host} is below none of the platform's own hosts")
    return found


def check_url(url: str, schemes: tuple[str, ...]) -> None:
    """Raise `ValueError` unless `url` is of one of these schemes and names a host."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in schemes and _is_host(parts.hostname or "") and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(f"{url!r} is not a {' or '.join(schemes)} URL")


def _is_host(text: str) -> bool:
    return is_name(text) or is_address(text)


def check_target(url: str, schemes: tuple[str, ...]) -> None:
    """What agents are pointed at is a public name: never an address, least of all a private one."""
    check_url(url, schemes)
    host = urlsplit(url).hostname or ""
    if is_address(host):
        kind = "a private address" if is_bogon(host) else "an address"
        raise ValueError(f"{url!r} names {kind}; targets are measured by name")
