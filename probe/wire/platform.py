"""What is measured: platforms, the roles a person would miss, and the URLs that stand for them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated
from urllib.parse import quote, urlsplit

from annotated_types import Len

from .openenum import OpenEnum
from .stage import Text, check_readable
from .strict import STRICT

Name = Annotated[str, Len(1, 32)]


class Needs(OpenEnum):
    """How the endpoints of one role combine."""

    ANY = "any"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One URL standing for a role."""

    __pydantic_config__ = STRICT
    url: Text

    def __post_init__(self) -> None:
        check_readable(self.url)

    @property
    def host(self) -> str:
        """The name to resolve and to show in the TLS handshake, in lower case."""
        return _host(self.url)

    @property
    def path(self) -> str:
        """What to ask the host for, query included (RFC 9112's origin-form)."""
        parts = urlsplit(self.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        # Redirects carry bare spaces and letters of any alphabet; a request line may not.
        return quote(target, safe="/?%:@!$&'()*+,;=~")

    @property
    def authority(self) -> str:
        """The Host field (RFC 9110, section 7.2): brackets for IPv6, a port that is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}"

    @property
    def is_tls(self) -> bool:
        """Whether the endpoint is reached over TLS."""
        return urlsplit(self.url).scheme == "https"

    @property
    def port(self) -> int:
        """The port the URL names, or its scheme's own."""
        return urlsplit(self.url).port or (443 if self.is_tls else 80)


# Asked for by every rule of every round, of the few dozen names that all probes measure.
@lru_cache(maxsize=1024)
def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A part of the service a person would miss; not `required` ones only add evidence. `transfer`
    is an object large enough to tell how fast this part of the service comes."""

    __pydantic_config__ = STRICT
    name: Name
    endpoints: Annotated[tuple[Endpoint, ...], Len(1, 8)]
    needs: Needs = Needs.ANY
    required: bool = True
    transfer: Endpoint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """A service made of roles. `hosts` are the domains that are its own, for judging redirects."""

    __pydantic_config__ = STRICT
    name: Name
    title: Text
    hosts: Annotated[tuple[Text, ...], Len(1, 32)]
    roles: Annotated[tuple[Role, ...], Len(1, 16)]

    def owns(self, host: str) -> bool:
        """Whether `host` is one of the platform's own domains or below one."""
        host = host.lower().rstrip(".")
        return any(host == own or host.endswith("." + own) for own in self.hosts)

    def target(self, role: Role) -> str:
        """The role's name across platforms, such as ``x/web``."""
        return f"{self.name}/{role.name}"
