"""A hundred thousand probes, what they measured until now, and what they are about to send. PURE.

Networks are of very different sizes, as on the internet: countries and the networks in them fall off by
rank. A probe measures every five minutes at a moment of its own, so that requests come evenly.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from string import ascii_uppercase

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from collector.detect.cells import CONNECTIVITY, Cell, CellKey, Histogram, Vote, cells_of_batch
from probe.identity import Identity
from probe.wire.codec import decode
from probe.wire.exchange import PROBE_HEADER, SIGNATURE_HEADER
from probe.wire.observation import Batch
from probe.wire.observation import Network as Place
from tests.nation.chance import draw, secret
from tests.nation.population import Probe
from tests.nation.story import PLATFORMS, Network, read
from tests.nation.world import World

INTERVAL_S = 300.0
COUNTRIES, NETWORKS = 50, 8
# ISO 3166-1 leaves QM to QZ to its users: where the probes live whose coming is watched for.
MARKED = Place(country="QM", asn=64_496)
# 127.0.0.0/16 is this machine's own; of what is left each /24 is a home, and beyond 65 280 they are shared.
_FIRST_HOME, _HOMES = 256, 65_280


@dataclass(frozen=True, slots=True)
class Request:
    """One batch ready to be sent at `at` (Unix seconds), from `home`; `heartbeat` follows its receipt."""

    at: float
    home: str
    batch: bytes
    heartbeat: bytes = b""


def crowd(count: int) -> list[Probe]:
    """So many probes, in the order of the moments at which they measure; the same every time."""
    places = [place for place, share in _shares() for _ in range(round(share * count))]
    places += [MARKED] * (count - len(places))  # what rounding leaves
    order = sorted(range(count), key=lambda at: draw("turn", at))
    return [
        _probe(f"{at}", places[of], _FIRST_HOME + at % _HOMES, at * INTERVAL_S / count)
        for at, of in enumerate(order[:count])
    ]


def marked(count: int) -> list[Probe]:
    """Probes of a country of their own."""
    return [_probe(f"marked/{at}", MARKED, _FIRST_HOME + at, 0.0) for at in range(count)]


def _shares() -> Iterator[tuple[Place, float]]:
    codes = ["".join(pair) for pair in product(ascii_uppercase[:13], repeat=2)][:COUNTRIES]
    weights = {
        Place(country=code, asn=1000 * (c + 1) + a): (c + 1) ** -0.7 / (a + 1)
        for c, code in enumerate(codes)
        for a in range(NETWORKS)
    }
    total = sum(weights.values())
    return ((place, weight / total) for place, weight in weights.items())


def _probe(name: str, place: Place, home: int, phase_s: float) -> Probe:
    identity = Identity(Ed25519PrivateKey.from_private_bytes(secret("freshness", name)))
    return Probe(
        name=name,
        identity=identity,
        probe_id=identity.probe_id,
        home=f"127.{home >> 8}.{home & 255}.1",
        country=str(place.country),
        utc_offset=0.0,
        network=Network(asn=place.asn or 0, name=name, share=0.0, probes=1),
        place=place,
        phase_s=phase_s,
        sleepiness=0.0,
        enrolled=0.0,
    )


def a_world(probes: Sequence[Probe]) -> World:
    """A day on which nothing happens, for these probes; it begins in 1970, so that its times are Unix's."""
    story = read(_NOTHING, "freshness")
    return World(story, 1, tuple(probes), {one.name: () for one in probes})


_NOTHING = """
title = "Nothing"
start = 1970-01-01T00:00:00Z
length = "+1m"
[[country]]
code = "AA"
name = "Anywhere"
utc_offset = "+0h"
network = [{ asn = 1, name = "One", share = 1.0, probes = 1 }]
"""


def request(world: World, probe: Probe, at: float, sequence: int, *, with_heartbeat: bool = False) -> Request:
    """The batch of a round that ended just before `at`, signed and packed as an agent does."""
    body = world.body(probe, at - 3.0, sequence, sequence)
    beat = _signed(probe, "/v1/heartbeat", world.heartbeat(probe, at)) if with_heartbeat else b""
    return Request(at, probe.home, _signed(probe, "/v1/batch", body), beat)


def _signed(probe: Probe, route: str, body: bytes) -> bytes:
    packed = gzip.compress(body, compresslevel=6, mtime=0)
    signature = base64.b64encode(probe.identity.sign(body)).decode()
    head = (
        f"POST {route} HTTP/1.1\r\nHost: collector\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n"
        f"{PROBE_HEADER}: {probe.probe_id}\r\n{SIGNATURE_HEADER}: {signature}\r\n\r\n"
    )
    return head.encode() + packed


def history(
    world: World, probes: Sequence[Probe], first: float, last: float
) -> Iterator[dict[CellKey, Cell]]:
    """The cells of everything measured from `first` until before `last` (Unix seconds, `first` on a whole
    round), a minute at a time: all was well."""
    by_minute: dict[int, list[Probe]] = {}
    for probe in probes:
        by_minute.setdefault(int(probe.phase_s // 60), []).append(probe)
    of_one = _cells_of_one(world, probes[0], last)
    for minute in range(int(first // 60), -int(-last // 60)):
        began = minute * 60 // INTERVAL_S * INTERVAL_S
        votes: dict[tuple[str, int], dict[str, Vote]] = {}
        for probe in by_minute.get(int(minute * 60 % INTERVAL_S // 60), ()):
            if began + probe.phase_s < last:
                vote = Vote(began + probe.phase_s, "ok", tag_of(probe))
                votes.setdefault((probe.country, probe.network.asn), {})[probe.probe_id] = vote
        yield {
            CellKey(minute, *place, platform): _times(of_one[platform], voted)
            for place, voted in votes.items()
            for platform in (*PLATFORMS, CONNECTIVITY)
        }


def _cells_of_one(world: World, probe: Probe, at: float) -> Mapping[str, Cell]:
    body = world.body(probe, at, 0, 1)
    cells = cells_of_batch(decode(Batch, body), PLATFORMS, country="AA", asn=1, prefix="")
    return {key.platform: cell for key, cell in cells.items()}


def _times(one: Cell, votes: Mapping[str, Vote]) -> Cell:
    n = len(votes)
    return Cell(
        statuses={status: times * n for status, times in one.statuses.items()},
        mechanisms={},
        results={key: times * n for key, times in one.results.items()},
        durations={
            stage: Histogram(tuple(times * n for times in h.counts), h.total_us * n)
            for stage, h in one.durations.items()
        },
        votes=votes,
    )


def tag_of(probe: Probe) -> str:
    """As long as a real one, and as blind: a home's requests and its past have different tags anyway, as
    after any restart."""
    return hashlib.sha256(probe.home.encode()).hexdigest()[:16]
