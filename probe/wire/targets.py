"""What an operator says is to be measured: a list of platforms, signed, with a version and an end.

The key that signs is worth stealing: whoever has it points thousands of homes somewhere. So a
signature is not enough. What a list may name is compiled in here, platform by platform, and all else
is refused: with a stolen key one can leave out what belongs to a platform, and reach nobody else.
"""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from annotated_types import Ge, Le, Len
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from . import reader
from .codec import DecodeError, decode, encode
from .platform import Endpoint, Platform
from .platform_file import check_target
from .strict import STRICT

SCHEMA: Final = "reachwatch-targets/1"
# What is signed begins with it, so that no signature over anything else can pass for one over a list.
DOMAIN = b"reachwatch-targets/1\n"
# A receipt of 64 KB carries it; sixteen platforms as large as the shipped ones are half of that.
MOST_CHARACTERS = 32_768
MOST_DAYS = 400
AHEAD = timedelta(minutes=10)  # so far a clock may be wrong
# What stands in many roles would be knocked at as often in every round.
MOST_PER_HOST = 4

# The domains at or below which a platform's endpoints lie.
ENDPOINTS: Mapping[str, tuple[str, ...]] = {
    "x": ("x.com", "twitter.com", "twimg.com", "t.co"),
    "facebook": ("facebook.com", "facebook.net", "fb.com", "fbcdn.net", "fbsbx.com", "messenger.com"),
    "instagram": ("instagram.com", "cdninstagram.com", "fbcdn.net"),
    "youtube": (
        "youtube.com",
        "youtu.be",
        "youtube-nocookie.com",
        "ytimg.com",
        "ggpht.com",
        "googlevideo.com",
        "youtubei.googleapis.com",
    ),
}
# Where their own redirects may lead besides. Others' sites live below these too, so none is an endpoint.
_REDIRECTS: Mapping[str, tuple[str, ...]] = {
    "facebook": ("meta.com",),
    "instagram": ("facebook.com", "meta.com"),
    "youtube": ("google.com", "googleapis.com"),
}


class TargetsRefused(ValueError):
    """A list that no agent may go by; the message is one line and names the place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetList:
    """What is to be measured from now on, in place of what an agent came with. Versions rise."""

    __pydantic_config__ = STRICT
    schema: Literal["reachwatch-targets/1"]
    version: Annotated[int, Ge(1), Le(2**53)]
    issued_at: datetime
    expires_at: datetime
    platforms: Annotated[tuple[Platform, ...], Len(1, 16)]

    def __post_init__(self) -> None:
        if self.issued_at.tzinfo is None or self.expires_at.tzinfo is None:
            raise ValueError("a time needs its zone")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedTargets:
    """A list as it was signed, byte by byte, and signatures in base64 (Ed25519, RFC 8032), one of which
    has to fit: with two, agents that pin either key go by it while keys are changed."""

    __pydantic_config__ = STRICT
    document: Annotated[str, Len(1, MOST_CHARACTERS)]
    signatures: Annotated[tuple[Annotated[str, Len(88, 88)], ...], Len(1, 2)]


def signed(listed: TargetList, keys: Collection[Ed25519PrivateKey]) -> SignedTargets:
    """A list, signed with each key. Raises `TargetsRefused` for what no agent would go by."""
    refuse_strangers(listed)
    document = encode(listed).decode()
    if len(document) > MOST_CHARACTERS:
        raise TargetsRefused(f"{len(document)} characters, and {MOST_CHARACTERS} are the most")
    signatures = [base64.b64encode(key.sign(DOMAIN + document.encode())).decode() for key in keys]
    return SignedTargets(document=document, signatures=tuple(signatures))


def read_targets(signed_list: SignedTargets) -> TargetList:
    """The list, whoever signed it. Raises `TargetsRefused` where it names what it may not."""
    try:
        listed = decode(TargetList, signed_list.document.encode(), reader.validate)
    except DecodeError as error:
        raise TargetsRefused(f"{error.path}: {error.message}") from None
    refuse_strangers(listed)
    return listed


def proven(signed_list: SignedTargets, keys: Collection[bytes]) -> TargetList:
    """The list, if one of `keys` (raw, 32 bytes each) has signed it. Raises `TargetsRefused`."""
    if not any(_fits(signed_list, key) for key in keys):
        raise TargetsRefused("signed by none of the pinned keys")
    return read_targets(signed_list)


def vetted(signed_list: SignedTargets, keys: Collection[bytes], held: int, now: datetime) -> TargetList:
    """The list, if an agent that pins `keys` and has gone by version `held` may go by it at `now`. Raises
    `TargetsRefused`."""
    listed = proven(signed_list, keys)
    if listed.version <= held:
        raise TargetsRefused(f"version {listed.version}, and {held} was seen already")
    if listed.issued_at > now + AHEAD:
        raise TargetsRefused("issued in the future")
    if listed.expires_at <= now:
        raise TargetsRefused(f"expired at {listed.expires_at.isoformat()}")
    return listed


def refuse_strangers(listed: TargetList) -> None:
    """Raise `TargetsRefused` for whatever is not below the platforms' own domains, or comes too often."""
    if listed.expires_at - listed.issued_at > timedelta(days=MOST_DAYS):
        raise TargetsRefused(f"expires_at: more than {MOST_DAYS} days after issued_at")
    if len({platform.name for platform in listed.platforms}) < len(listed.platforms):
        raise TargetsRefused("platforms: one is named twice")
    for index, platform in enumerate(listed.platforms):
        _refuse_platform(platform, f"platforms[{index}]")


def _refuse_platform(platform: Platform, place: str) -> None:
    allowed = ENDPOINTS.get(platform.name)
    if allowed is None:
        raise TargetsRefused(f"{place}.name: {platform.name!r} is none of {', '.join(ENDPOINTS)}")
    for host in platform.hosts:
        if not _is_below(host, (*allowed, *_REDIRECTS.get(platform.name, ()))):
            raise TargetsRefused(f"{place}.hosts: {host} is not {platform.name}'s own")
    if not any(role.required for role in platform.roles):
        raise TargetsRefused(f"{place}.roles: at least one must be required")
    for endpoint in _endpoints(platform):
        _refuse_endpoint(endpoint, platform, allowed, f"{place}.roles")
    for host, times in Counter(endpoint.host for endpoint in _endpoints(platform)).items():
        if times > MOST_PER_HOST:
            raise TargetsRefused(f"{place}.roles: {host} is named {times} times")
    for role in platform.roles:
        if len({endpoint.host for endpoint in role.endpoints}) < len(role.endpoints):
            raise TargetsRefused(f"{place}.roles: {role.name} names a host twice")


def _endpoints(platform: Platform) -> Iterator[Endpoint]:
    for role in platform.roles:
        yield from role.endpoints
        if role.transfer is not None:
            yield role.transfer


def _refuse_endpoint(endpoint: Endpoint, platform: Platform, allowed: Collection[str], place: str) -> None:
    try:
        check_target(endpoint.url, ("https", "http"))
    except ValueError as error:
        raise TargetsRefused(f"{place}: {error}") from None
    parts = urlsplit(endpoint.url)
    if not _is_below(endpoint.host, allowed) or not platform.owns(endpoint.host):
        raise TargetsRefused(f"{place}: {endpoint.host} is not {platform.name}'s own")
    # A question to a search engine or another port is nothing that tells whether a platform is reached.
    if parts.query or parts.fragment or "@" in parts.netloc or endpoint.port not in (80, 443):
        raise TargetsRefused(f"{place}: {endpoint.url!r} has a query, a user or a port of its own")


def _is_below(host: str, domains: Collection[str]) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def _fits(signed_list: SignedTargets, key: bytes) -> bool:
    verifier = Ed25519PublicKey.from_public_bytes(key)
    for signature in signed_list.signatures:
        try:
            verifier.verify(
                base64.b64decode(signature, validate=True), DOMAIN + signed_list.document.encode()
            )
        except (binascii.Error, InvalidSignature, ValueError):
            continue
        return True
    return False
