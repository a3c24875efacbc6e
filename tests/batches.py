"""Signed batches as an agent makes them, for tests of the collector."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from collector.detect.cells import Cell, CellKey, cells_of
from collector.ingest.admit import Request, probe_id
from collector.store.base import Ingest, SignedBatch
from probe.identity import Identity
from probe.verdict import judge
from probe.wire.codec import encode
from probe.wire.exchange import Enrolment, Heartbeat, Presence
from probe.wire.observation import SCHEMA, Batch, Network, Round
from tests.rounds import a_round, fine

NOW = 1_795_500_000.0
CLEAN = a_round(*fine("x/web"), *fine("x/media"))
HERE = Network(country="PK", asn=17557)


def at(seconds: float) -> datetime:
    """`NOW` plus seconds."""
    return datetime.fromtimestamp(NOW + seconds, UTC)


def someone(seed: int = 1) -> Identity:
    """A probe with a key of its own."""
    return Identity(Ed25519PrivateKey.from_private_bytes(seed.to_bytes(32, "big")))


def batch(who: Identity, *rounds: Round, sequence: int = 1) -> bytes:
    """A batch's body; without rounds, one clean round of this moment."""
    whole = rounds or (replace(CLEAN, started_at=at(-5)),)
    return encode(Batch(schema=SCHEMA, probe=who.probe_id, sequence=sequence, agent="test", rounds=whole))


def heartbeat(who: Identity, state: Presence = Presence.ALIVE, sent_at: datetime | None = None) -> bytes:
    """A heartbeat's body."""
    when = sent_at or at(0)
    return encode(Heartbeat(schema=SCHEMA, probe=who.probe_id, state=state, sent_at=when, network=HERE))


def enrolment(who: Identity, token: str | None = None) -> bytes:
    """An enrolment's body."""
    key = base64.b64encode(who.public_key).decode()
    return encode(Enrolment(schema=SCHEMA, public_key=key, agent="test", network=HERE, token=token))


def signed(who: Identity, body: bytes, *, by: Identity | None = None) -> Request:
    """A request as the collector reads it."""
    signature = base64.b64encode((by or who).sign(body)).decode()
    return Request(body, who.probe_id, signature)


def ingest(
    who: Identity, sequence: int = 1, rnd: Round = CLEAN, prefix: str = "aa", received_at: float = NOW
) -> Ingest:
    """What admission makes of a batch of one round."""
    body = batch(who, rnd, sequence=sequence)
    assert probe_id(who.public_key) == who.probe_id
    stored = SignedBatch(
        probe=who.probe_id,
        sequence=sequence,
        received_at=received_at,
        country="PK",
        asn=17557,
        located_by="declared",
        prefix=prefix,
        signature=who.sign(body),
        body=body,
    )
    return Ingest(batch=stored, cells=cells(rnd, prefix=prefix, probe=who.probe_id))


def cells(
    rnd: Round, country: str = "PK", asn: int = 17557, prefix: str = "aa", probe: str = "p"
) -> dict[CellKey, Cell]:
    """The cells a round of a probe adds."""
    return cells_of(rnd, judge(rnd), country=country, asn=asn, prefix=prefix, probe=probe)
