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


def posts(rnd: Round, people: list[Identity], first: int, count: int) -> Iterator[bytes]:
    """So many batches, measured now, of each home in turn, with sequence numbers from `first` on."""
    text = _template(rnd)
    for n in range(count):
        home, turn = n % len(people), first + n // len(people)
        who = people[home]
        mine = (
            text.replace(_NOBODY.encode(), who.probe_id.encode(), 1)
            .replace(_NO_ROUND.encode(), uuid.uuid4().hex.encode(), 1)
            .replace(b"%d" % _NEVER, b"%d" % turn, 1)
            .replace(b"%d" % _NOWHERE, b"%d" % (64_512 + home % NETWORKS), 1)
        )
        yield _post(who, mine)


# What stands in the one batch that is encoded, and is written over in each that is sent.
_NOBODY, _NO_ROUND, _NEVER, _NOWHERE = "0" * 32, "f" * 32, 8_888_888_888, 4_222_222_222


def _template(rnd: Round) -> bytes:
    network = Network(country="PK", asn=_NOWHERE)
    here = replace(rnd, round_id=_NO_ROUND, started_at=datetime.now(UTC), network=network)
    return encode(Batch(schema=SCHEMA, probe=_NOBODY, sequence=_NEVER, agent="bench", rounds=(here,)))


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
