"""Signed rounds as requests, and the same as series for a Pushgateway."""

from __future__ import annotations

import base64
import gzip
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from probe.identity import Identity
from probe.wire.codec import encode
from probe.wire.exchange import PROBE_HEADER, SIGNATURE_HEADER
from probe.wire.observation import SCHEMA, Batch, Network, Round
from tests import golden
from tests.batches import CLEAN
from tests.nation.chance import secret

HOMES = 2000
NETWORKS = 50
# By name: how much was measured.
ROUNDS = {
    "one role, as simulated": CLEAN,
    "two platforms and the controls over IPv4, as measured": replace(
        golden.read("clean"),
        observations=tuple(o for o in golden.read("clean").observations if o.family == 4),
    ),
}


def homes() -> list[Identity]:
    """Keys, the same every time."""
    return [Identity(Ed25519PrivateKey.from_private_bytes(secret("ingest", str(n)))) for n in range(HOMES)]


def body(who: Identity, home: int, rnd: Round, sequence: int) -> bytes:
    """A batch of one round, measured now."""
    mine = replace(
        rnd,
        round_id=uuid.uuid4().hex,
        started_at=datetime.now(UTC),
        network=Network(country="PK", asn=64_512 + home % NETWORKS),
    )
    return encode(Batch(schema=SCHEMA, probe=who.probe_id, sequence=sequence, agent="bench", rounds=(mine,)))


def posts(rnd: Round, people: list[Identity], first: int, count: int) -> Iterator[bytes]:
    """So many batches, of each home in turn, with sequence numbers from `first` on."""
    for n in range(count):
        home, turn = n % len(people), first + n // len(people)
        who = people[home]
        plain = body(who, home, rnd, turn)
        yield _post(who, plain)


def _post(who: Identity, plain: bytes) -> bytes:
    packed = gzip.compress(plain, compresslevel=6, mtime=0)
    signature = base64.b64encode(who.sign(plain)).decode()
    head = (
        "POST /v1/batch HTTP/1.1\r\nHost: collector\r\nContent-Type: application/json\r\n"
        f"Content-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n"
        f"{PROBE_HEADER}: {who.probe_id}\r\n{SIGNATURE_HEADER}: {signature}\r\n\r\n"
    )
    return head.encode() + packed


def pushes(rnd: Round, groups: int, count: int) -> Iterator[bytes]:
    """The same round's stages as series, a group for each home."""
    series = {
        f'{{target="{o.target}",stage="{o.stage}",address="{o.address or ""}",n="{n}"}}': o
        for n, o in enumerate(rnd.observations)
    }
    lines = ["# TYPE stage_duration_seconds gauge"]
    lines += [f"stage_duration_seconds{labels} {o.duration_s}" for labels, o in series.items()]
    lines += ["# TYPE stage_failed gauge"]
    lines += [f"stage_failed{labels} {int(o.failure is not None)}" for labels, o in series.items()]
    text = ("\n".join(lines) + "\n").encode()
    for n in range(count):
        head = (
            f"PUT /metrics/job/reachwatch/instance/{n % groups} HTTP/1.1\r\nHost: pushgateway\r\n"
            f"Content-Length: {len(text)}\r\n\r\n"
        )
        yield head.encode() + text
