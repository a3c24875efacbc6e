"""A story as it is written down: who lives where, what happens when, and what is true of it. PURE.

Read from TOML and checked as strictly as any configuration: a key nobody knows, an event at a network
that no country has, an end before its beginning are refused with their place. Times are relative to the
story's beginning: "+2h10m", "-8d". Shares are between 0 and 1; of probes unless said otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from annotated_types import Ge, Gt, Le, Len
from pydantic import BeforeValidator

from collector.detect.incidents import Cause
from probe.wire.codec import validate
from probe.wire.settings import settle
from probe.wire.strict import STRICT

_SPAN = re.compile(r"(?P<sign>[+-])(?:(?P<d>\d+)d)?(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m)?(?:(?P<s>\d+)s)?")
_UNITS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}


def seconds(text: object) -> float:
    """ "+2h10m" in seconds; raises `ValueError`."""
    found = _SPAN.fullmatch(text) if isinstance(text, str) else None
    if found is None or not any(found[unit] for unit in _UNITS):
        raise ValueError(f'{text!r} is no relative time like "+2h10m"')
    total = sum(int(found[unit] or 0) * length for unit, length in _UNITS.items())
    return float(-total if found["sign"] == "-" else total)


Span = Annotated[float, BeforeValidator(seconds)]
Later = Annotated[Span, Ge(0)]
Share = Annotated[float, Ge(0), Le(1)]
Code = Annotated[str, Len(2, 2)]
Asn = Annotated[int, Ge(1), Le(2**32 - 1)]
Platform = Annotated[str, Len(1, 32)]

PLATFORMS = ("x", "facebook", "instagram", "youtube")


class What(StrEnum):
    """What can happen to a probe. `Reach` below says which of them touch one platform alone."""

    TLS_RESET = "tls_reset"
    TLS_TIMEOUT = "tls_timeout"
    DNS_LIE = "dns_lie"
    IP_DROP = "ip_drop"
    THROTTLE = "throttle"
    PLATFORM_DOWN = "platform_down"
    # A failure that is nobody's doing: a lossy line, a point of presence in trouble.
    GLITCH = "glitch"
    # Of everything alike:
    CONTROLS_FAIL = "controls_fail"
    PORTAL = "portal"
    ABROAD_CUT = "abroad_cut"
    # The probe is heard no more. In a silence its line is dead, in the other only the way to the collector.
    SILENCE = "silence"
    COLLECTOR_BLOCKED = "collector_blocked"
    # No event, and what a hostile probe may claim in the face of one.
    OK = "ok"


OF_THE_LINE = frozenset({What.CONTROLS_FAIL, What.PORTAL, What.ABROAD_CUT, What.SILENCE})
UNHEARD = frozenset({What.SILENCE, What.COLLECTOR_BLOCKED})
OF_A_PLATFORM = frozenset(What) - OF_THE_LINE - UNHEARD


class Certainty(StrEnum):
    """How sure the detector may and must be."""

    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """An AS: its share of the country's users, and how many volunteers there are."""

    __pydantic_config__ = STRICT
    asn: Asn
    name: Annotated[str, Len(1, 80)]
    share: Share
    probes: Annotated[int, Ge(0), Le(50_000)]
    mobile: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Country:
    """A country and its networks. `utc_offset` tells when its people sleep."""

    __pydantic_config__ = STRICT
    code: Code
    name: Annotated[str, Len(1, 80)]
    utc_offset: Span
    network: Annotated[tuple[Network, ...], Len(1, 64)]

    def __post_init__(self) -> None:
        if sum(network.share for network in self.network) > 1.001:
            raise ValueError("the shares of its networks are over 1 together")


@dataclass(frozen=True, slots=True, kw_only=True)
class Probes:
    """How volunteers' probes behave. `online` is the share that is up at each hour of the country's day.

    Who goes to bed says goodbye in `bye_share` of cases. `noise` is every round's chance to fail for one
    platform and no reason; a flaky probe's is `flaky_rate`. Every `speed_every` rounds the speed is
    compared as well (0: never). `late` is how long the late ones keep what they measured; `skew_s`
    between which seconds a skewed clock is off, ahead being positive.
    """

    __pydantic_config__ = STRICT
    interval_s: Annotated[float, Ge(30), Le(3600)] = 300.0
    enrolled: Span = -8 * 86_400.0
    online: Annotated[tuple[Share, ...], Len(24, 24)] = (1.0,) * 24
    bye_share: Share = 0.7
    noise: Share = 0.003
    flaky_share: Share = 0.04
    flaky_rate: Share = 0.2
    broken_controls_share: Share = 0.02
    speed_every: Annotated[int, Ge(0)] = 12
    late_share: Share = 0.0
    late: tuple[Later, Later] = (0.0, 0.0)
    skew_share: Share = 0.0
    skew_s: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        for name, (least, most) in (("late", self.late), ("skew_s", self.skew_s)):
            if least > most:
                raise ValueError(f"{name}: from the least to the most")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    """Probes that lie: of the networks (all of the countries where none is listed), this share claims
    `claims` for the platforms from `begins` to `ends`, whatever is true. `homes` is how many homes they
    sit in together; 0 gives each its own. `enrolled` is when their keys were made."""

    __pydantic_config__ = STRICT
    share: Annotated[float, Gt(0), Le(1)]
    claims: What
    begins: Later
    ends: Later
    enrolled: Span
    countries: tuple[Code, ...] = ()
    networks: tuple[Asn, ...] = ()
    platforms: tuple[Platform, ...] = ()
    homes: Annotated[int, Ge(0)] = 0

    def __post_init__(self) -> None:
        _in_order(self.begins, self.ends)
        if self.claims not in OF_A_PLATFORM or self.claims is What.THROTTLE:
            raise ValueError(f"claims: {self.claims} cannot be claimed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happens, from `begins` to `ends`; what is not listed is touched whole. `efficacy`
    is the share of probes it touches, the same ones throughout; `leaks` how often it lets a round of
    theirs pass all the same. A `stagger` lets each network begin so much later than the one before it.
    """

    __pydantic_config__ = STRICT
    what: What
    begins: Later
    ends: Later
    countries: tuple[Code, ...] = ()
    networks: tuple[Asn, ...] = ()
    mobile_only: bool = False
    platforms: tuple[Platform, ...] = ()
    efficacy: Annotated[float, Gt(0), Le(1)] = 1.0
    leaks: Share = 0.0
    stagger: Later = 0.0
    rate_kbps: Annotated[float, Gt(0)] | None = None

    def __post_init__(self) -> None:
        _in_order(self.begins, self.ends)
        if self.what is What.OK:
            raise ValueError("what: ok is no event")
        if (self.what is What.THROTTLE) != (self.rate_kbps is not None):
            raise ValueError("rate_kbps: goes with throttle")
        if self.platforms and self.what not in OF_A_PLATFORM:
            raise ValueError(f"platforms: {self.what} touches all alike")


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """The collector is stopped at `at` and started again after `down`."""

    __pydantic_config__ = STRICT
    at: Later
    down: Later = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What an honest detector says: within which span it must have begun and ended by its own
    account. No country means the whole world, no networks the whole country, no platforms all of it."""

    __pydantic_config__ = STRICT
    cause: Cause
    certainty: Certainty
    onset: tuple[Later, Later]
    end: tuple[Later, Later] | None = None
    country: Code | None = None
    networks: tuple[Asn, ...] = ()
    platforms: tuple[Platform, ...] = ()

    def __post_init__(self) -> None:
        _in_order(*self.onset)
        if self.end is not None:
            _in_order(*self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expect:
    """The truth. What is not listed must not be claimed; `may` be claimed is what is left open.
    `refused` says that some requests are rightly refused."""

    __pydantic_config__ = STRICT
    incident: tuple[Incident, ...] = ()
    may: tuple[Incident, ...] = ()
    refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A story whole."""

    __pydantic_config__ = STRICT
    title: Annotated[str, Len(1, 200)]
    start: datetime
    length: Annotated[Span, Gt(0)]
    country: Annotated[tuple[Country, ...], Len(1, 64)]
    platforms: Annotated[tuple[Platform, ...], Len(1, 4)] = PLATFORMS
    probes: Probes = field(default_factory=Probes)
    hostile: tuple[Hostile, ...] = ()
    event: tuple[Event, ...] = ()
    restart: tuple[Restart, ...] = ()
    expect: Expect = field(default_factory=Expect)

    def __post_init__(self) -> None:
        if self.start.tzinfo is None:
            raise ValueError("start: a time needs its zone")
        complaint = next(_complaints(self), None)
        if complaint is not None:
            raise ValueError(complaint)

    @property
    def began(self) -> float:
        """When it begins, in Unix seconds."""
        return self.start.astimezone(UTC).timestamp()

    @property
    def mobile(self) -> frozenset[int]:
        """The AS numbers of its mobile networks."""
        return frozenset(n.asn for country in self.country for n in country.network if n.mobile)

    def size(self) -> int:
        """How many probes it has."""
        return sum(network.probes for country in self.country for network in country.network)


def read(text: str, source: str) -> Story:
    """The story a TOML text tells; raises `ConfigError`, which names `source` and the place in it."""
    return settle(Story, text=text, source=source, environ={}, flags={}, validate=validate)


def _in_order(begins: float, ends: float) -> None:
    if begins > ends:
        raise ValueError("ends before it begins")


def _complaints(story: Story) -> Iterator[str]:
    """What one table says that no other bears out."""
    codes = [country.code for country in story.country]
    asns = [network.asn for country in story.country for network in country.network]
    if len(set(codes)) < len(codes):
        yield "country: one code twice"
    if len(set(asns)) < len(asns):
        yield "country: one asn twice"
    yield from (f"platforms: no such platform: {name}" for name in story.platforms if name not in PLATFORMS)
    touching: list[tuple[str, tuple[str, ...], tuple[int, ...], tuple[str, ...], float]] = [
        *((f"event[{i}]", e.countries, e.networks, e.platforms, e.ends) for i, e in enumerate(story.event)),
        *((f"hostile[{i}]", h.countries, h.networks, h.platforms, 0) for i, h in enumerate(story.hostile)),
        *((f"restart[{i}]", (), (), (), r.at + r.down) for i, r in enumerate(story.restart)),
        *(
            (f"expect.incident[{i}]", (n.country,) if n.country else (), n.networks, n.platforms, n.onset[1])
            for i, n in enumerate(story.expect.incident)
        ),
    ]
    for place, countries, networks, platforms, ends in touching:
        yield from (f"{place}.countries: no such country: {c}" for c in countries if c not in codes)
        yield from (f"{place}.networks: no such network: {a}" for a in networks if a not in asns)
        yield from (
            f"{place}.platforms: no such platform: {p}" for p in platforms if p not in story.platforms
        )
        if ends > story.length:
            yield f"{place}: ends after the story does"
