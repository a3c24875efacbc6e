"""Signed lists of targets: what an agent goes by, and what a stolen key cannot make it do."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from probe.config import Config, load_platforms
from probe.wire.codec import decode, encode
from probe.wire.platform import Endpoint, Platform, Role
from probe.wire.targets import (
    DOMAIN,
    ENDPOINTS,
    SCHEMA,
    SignedTargets,
    TargetList,
    TargetsRefused,
    proven,
    read_targets,
    signed,
    vetted,
)

NOW = datetime(2026, 12, 1, tzinfo=UTC)
KEY, NEXT, THIEF = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2, 3))
SHIPPED = load_platforms(Config())
X = SHIPPED[0]


def raw(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def listing(*platforms: Platform, version: int = 2) -> TargetList:
    return TargetList(
        schema=SCHEMA,
        version=version,
        issued_at=NOW - timedelta(days=1),
        expires_at=NOW + timedelta(days=30),
        platforms=platforms or SHIPPED,
    )


def by_a_thief(listed: TargetList, *keys: Ed25519PrivateKey) -> SignedTargets:
    """What a stolen key signs: no tool of ours has looked at it first."""
    blank = signed(listing(), keys or [KEY])
    document = encode(listed).decode()
    made = tuple(b64encode(key.sign(DOMAIN + document.encode())).decode() for key in keys or [KEY])
    return replace(blank, document=document, signatures=made)


def role(*urls: str, **more: object) -> Role:
    return Role(name="web", endpoints=tuple(Endpoint(url=url) for url in urls), **more)  # type: ignore[arg-type]


def test_what_is_shipped_may_be_signed_and_is_gone_by() -> None:
    offered = decode(SignedTargets, encode(signed(listing(), [KEY])))
    assert vetted(offered, [raw(KEY)], held=1, now=NOW).platforms == SHIPPED


@pytest.mark.parametrize("pinned", [[KEY], [NEXT], [THIEF, NEXT], [KEY, THIEF]])
def test_while_keys_are_changed_either_is_enough(pinned: list[Ed25519PrivateKey]) -> None:
    both = signed(listing(), [KEY, NEXT])
    assert proven(both, [raw(key) for key in pinned]).version == 2


REFUSED: dict[str, tuple[Callable[[], SignedTargets], str]] = {
    "signed by somebody else": (lambda: signed(listing(), [THIEF]), "none of the pinned keys"),
    "changed after it was signed": (
        lambda: replace(signed(listing(), [KEY]), document=encode(listing(version=9)).decode()),
        "none of the pinned keys",
    ),
    "a signature that is none": (
        lambda: replace(signed(listing(), [KEY]), signatures=("=" * 88,)),
        "none of the pinned keys",
    ),
    "an old one again": (lambda: signed(listing(version=1), [KEY]), "1 was seen already"),
    "over": (
        lambda: signed(replace(listing(), expires_at=NOW), [KEY]),
        "expired",
    ),
    "not yet": (lambda: signed(replace(listing(), issued_at=NOW + timedelta(hours=1)), [KEY]), "future"),
    "no list": (lambda: by_a_thief(replace(listing(), schema="reachwatch-targets/9")), "$.schema"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("story", REFUSED)
def test_refused(story: str) -> None:
    make, why = REFUSED[story]
    with pytest.raises(TargetsRefused, match=why.replace("$", r"\$")):
        vetted(make(), [raw(KEY)], held=1, now=NOW)


STRANGERS: dict[str, Platform] = {
    "a stranger's host": replace(X, roles=(role("https://victim.example/"),)),
    "a stranger who is called the platform's own": replace(
        X, hosts=(*X.hosts, "victim.example"), roles=(role("https://victim.example/"),)
    ),
    "a name that only ends alike": replace(X, roles=(role("https://notx.com/"),)),
    "another platform's host": replace(X, roles=(role("https://www.youtube.com/"),)),
    "an address": replace(X, roles=(role("https://192.0.2.7/"),)),
    "an address at home": replace(X, roles=(role("http://192.168.1.1/"),)),
    "another port": replace(X, roles=(role("https://x.com:25/"),)),
    "a question": replace(X, roles=(role("https://x.com/search?q=something"),)),
    "a user": replace(X, roles=(role("https://me@x.com/"),)),
    "a file": replace(X, roles=(role("file:///etc/passwd"),)),
    "a stranger's object": replace(
        X, roles=(role("https://x.com/", transfer=Endpoint(url="https://victim.example/large")),)
    ),
    "others' sites below a redirect's domain": replace(
        SHIPPED[3], roles=(role("https://storage.googleapis.com/victim/"),)
    ),
    "one door knocked at by many roles": replace(
        X, roles=tuple(replace(role("https://x.com/"), name=f"r{n}") for n in range(5))
    ),
    "one door twice in a role": replace(X, roles=(role("https://x.com/a", "https://x.com/b"),)),
    "a platform that nobody agreed to": replace(X, name="victim"),
    "nothing that is required": replace(X, roles=(role("https://x.com/", required=False),)),
}


@pytest.mark.parametrize("story", STRANGERS)
def test_a_stolen_key_points_at_no_stranger(story: str) -> None:
    with pytest.raises(TargetsRefused, match=r"platforms\[0\]"):
        vetted(by_a_thief(listing(STRANGERS[story])), [raw(KEY)], held=1, now=NOW)
    with pytest.raises(TargetsRefused):
        signed(listing(STRANGERS[story]), [KEY])


def test_a_list_holds_for_a_year_at_most() -> None:
    with pytest.raises(TargetsRefused, match="400 days"):
        signed(replace(listing(), expires_at=NOW + timedelta(days=400)), [KEY])


LABELS = st.lists(st.text("abcdefx.-", min_size=1, max_size=12), min_size=1, max_size=3)


@given(LABELS, st.sampled_from([d for domains in ENDPOINTS.values() for d in domains]), st.booleans())
def test_whatever_is_gone_by_lies_below_the_platforms_own_domains(
    labels: list[str], domain: str, dotted: bool
) -> None:
    host = ".".join(labels) + ("." if dotted else "") + domain
    listed = listing(replace(X, roles=(role(f"https://{host}/"),)))
    try:
        taken = read_targets(by_a_thief(listed))
    except TargetsRefused:
        return
    for platform in taken.platforms:
        for one in platform.roles[0].endpoints:
            assert any(one.host == d or one.host.endswith("." + d) for d in ENDPOINTS[platform.name])
