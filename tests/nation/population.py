"""Who takes part: a story and a seed give every probe its key, its home, its network and its ways. PURE."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from probe.identity import Identity, Installation
from probe.whereabouts import NAMELESS
from probe.wire.observation import Network as Place

from .chance import draw, secret
from .story import Country, Hostile, Network, Story

# 127.0.0.0/24 is left to this machine's own programs; each home has one of the other /24s of 127/8.
_OWN, MOST_HOMES = 256, 65_536


@dataclass(frozen=True, slots=True)
class Probe:
    """One volunteer's probe. `home` is the address it calls from, in a /24 of its own. `sleepiness` is
    compared with the share that is online: who has little is up the longest."""

    name: str
    identity: Identity
    probe_id: str
    home: str
    country: str
    utc_offset: float
    network: Network
    place: Place
    phase_s: float
    sleepiness: float
    enrolled: float
    is_flaky: bool = False
    has_broken_controls: bool = False
    late_s: float = 0.0
    skew_s: float = 0.0
    lie: Hostile | None = None


def populate(story: Story, seed: int, scale: float = 1.0) -> tuple[Probe, ...]:
    """Everybody, in a lasting order. `scale` multiplies each network's probes. Raises `ValueError` where
    there are more homes than this machine has addresses for."""
    places = [(country, network) for country in story.country for network in country.network]
    counts = [round(network.probes * scale) for _, network in places]
    if sum(counts) > MOST_HOMES - _OWN:
        raise ValueError(f"{sum(counts)} homes, and only {MOST_HOMES - _OWN} prefixes in 127.0.0.0/8")
    everybody = [
        _somebody(story, seed, country, network, index)
        for (country, network), count in zip(places, counts, strict=True)
        for index in range(count)
    ]
    probes = [replace(one, home=_home(index)) for index, one in enumerate(everybody)]
    _give_ways(story, seed, probes)
    for index, hostile in enumerate(story.hostile):
        _turn(hostile, f"{seed}/hostile/{index}", probes)
    return tuple(probes)


def _somebody(story: Story, seed: int, country: Country, network: Network, index: int) -> Probe:
    name = f"{country.code}/{network.asn}/{index}"
    identity = Installation(secret(seed, name)).at(NAMELESS)
    return Probe(
        name=name,
        identity=identity,
        probe_id=identity.probe_id,
        home="",
        country=country.code,
        utc_offset=country.utc_offset,
        network=network,
        place=Place(country=country.code, asn=network.asn),
        phase_s=round(draw(seed, name, "phase") * story.probes.interval_s, 3),
        sleepiness=draw(seed, name, "sleepiness"),
        enrolled=story.probes.enrolled,
    )


def _home(index: int) -> str:
    at = index + _OWN
    return f"127.{at >> 8}.{at & 255}.1"


def _give_ways(story: Story, seed: int, probes: list[Probe]) -> None:
    """Traits are dealt to exact shares; which probes have them is chance."""
    ways = story.probes
    for at in _dealt(probes, ways.flaky_share, f"{seed}/flaky"):
        probes[at] = replace(probes[at], is_flaky=True)
    for at in _dealt(probes, ways.broken_controls_share, f"{seed}/controls"):
        probes[at] = replace(probes[at], has_broken_controls=True)
    for at in _dealt(probes, ways.late_share, f"{seed}/late"):
        probes[at] = replace(probes[at], late_s=_between(ways.late, seed, probes[at].name, "late"))
    for at in _dealt(probes, ways.skew_share, f"{seed}/skew"):
        probes[at] = replace(probes[at], skew_s=_between(ways.skew_s, seed, probes[at].name, "skew"))


def _turn(hostile: Hostile, words: str, probes: list[Probe]) -> None:
    """Make liars of a share of those it names."""
    honest = [i for i, one in enumerate(probes) if one.lie is None and _is_named(hostile, one)]
    theirs = list(_dealt([probes[i] for i in honest], hostile.share, words))
    homes = [probes[honest[at]].home for at in theirs[: hostile.homes]]
    for order, at in enumerate(theirs):
        one = probes[honest[at]]
        home = homes[order % len(homes)] if homes else one.home
        probes[honest[at]] = replace(one, lie=hostile, home=home, enrolled=hostile.enrolled)


def _is_named(hostile: Hostile, one: Probe) -> bool:
    by_country = not hostile.countries or one.country in hostile.countries
    return by_country and (not hostile.networks or one.network.asn in hostile.networks)


def _dealt(probes: Sequence[Probe], share: float, words: str) -> Iterator[int]:
    """The places of those a share falls to: so many exactly, in an order of chance."""
    order: Iterable[int] = sorted(range(len(probes)), key=lambda at: draw(words, probes[at].name))
    yield from list(order)[: round(share * len(probes))]


def _between(bounds: tuple[float, float], *words: object) -> float:
    return round(bounds[0] + draw(*words) * (bounds[1] - bounds[0]), 3)
