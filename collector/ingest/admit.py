"""PURE: accept what was sent, or say why not, with a code and the place in it.

Everything a signature cannot vouch for is checked here: the key is known, the signature is over
these very bytes, the sender is who the body says, the times are ones a probe could have measured.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from collector.tokens import Entry
from probe.wire.codec import DecodeError, decode
from probe.wire.exchange import Enrolment, Heartbeat
from probe.wire.observation import Batch, Network
from probe.wire.work import Wanted, Work

T = TypeVar("T")

LIVE_S = 600.0  # so far a clock may be wrong
SPOOLED_S = 72 * 3600.0  # what a spool may hold; detection looks back no further


class Code(StrEnum):
    """Every reason for a refusal. Closed: it is a metric's label."""

    MALFORMED = "malformed"
    BAD_COUNTRY = "bad_country"
    UNKNOWN_PROBE = "unknown_probe"
    BAD_SIGNATURE = "bad_signature"
    WRONG_PROBE = "wrong_probe"
    FUTURE = "future"
    TOO_OLD = "too_old"
    TOO_LARGE = "too_large"
    UNSUPPORTED_ENCODING = "unsupported_encoding"
    BAD_ENCODING = "bad_encoding"
    TOO_SLOW = "too_slow"
    CROWDED = "crowded"
    TOO_OFTEN = "too_often"
    WORK_REQUIRED = "work_required"
    ENTRY_CLOSED = "token_required"
    ENTRY_UNKNOWN = "token_unknown"
    ENTRY_REVOKED = "token_revoked"
    ENTRY_EXPIRED = "token_expired"
    ENTRY_USED_UP = "token_used_up"
    OVERLOADED = "overloaded"
    STORE_FAILED = "store_failed"
    BAD_FORWARDED = "bad_forwarded"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why not. `path` is a JSON path into the body, or the header's name; `work` what to do for it."""

    code: Code
    path: str
    message: str
    work: Wanted | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What arrived: the body as it was signed, the probe's name and the signature in base64."""

    body: bytes
    probe: str
    signature: str


@dataclass(frozen=True, slots=True)
class Admitted:
    """A batch that may be stored."""

    batch: Batch
    signature: bytes


def probe_id(public_key: bytes) -> str:
    """The name that follows from a key: the first 32 hex digits of its SHA-256."""
    return hashlib.sha256(public_key).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A key that may be enrolled, and the token or work that came with it."""

    key: bytes
    token: str | None = None
    work: Work | None = None


def admit_enrolment(request: Request) -> Newcomer | Refusal:
    """The public key of a well-formed enrolment signed with it, and what came with it."""
    record = _decoded(Enrolment, request.body)
    if isinstance(record, Refusal):
        return record
    try:
        key = base64.b64decode(record.public_key, validate=True)
        signature = _verified(request, key)
    except (binascii.Error, ValueError):
        return Refusal(Code.MALFORMED, "$.public_key", "not an Ed25519 public key in base64")
    if isinstance(signature, Refusal):
        return signature
    if probe_id(key) != request.probe:
        return Refusal(Code.WRONG_PROBE, "$.public_key", "the probe's name does not follow from this key")
    return Newcomer(key, record.token, record.work)


def entry_refused(entry: Entry) -> Refusal | None:
    """What a key that was not let in is told."""
    words = _ENTRY.get(entry)
    return Refusal(Code(entry), "$.token", words) if words else None


_ENTRY: Mapping[Entry, str] = {
    Entry.UNKNOWN: "no such token was issued here",
    Entry.REVOKED: "this token was revoked",
    Entry.EXPIRED: "this token has expired",
    Entry.USED_UP: "this token was used as often as it may be",
}


def key_of(request: Request, keys: Mapping[str, bytes]) -> bytes | Refusal:
    """The key of who says to have signed."""
    key = keys.get(request.probe)
    return key or Refusal(Code.UNKNOWN_PROBE, "Reachwatch-Probe", "this key is not enrolled here")


def admit_heartbeat(request: Request, key: bytes, now: float) -> Heartbeat | Refusal:
    """A heartbeat that is signed, its sender's own, and of this moment. `now` is Unix seconds."""
    signature = _verified(request, key)
    if isinstance(signature, Refusal):
        return signature
    record = _decoded(Heartbeat, request.body)
    if isinstance(record, Refusal):
        return record
    if record.probe != request.probe:
        return Refusal(Code.WRONG_PROBE, "$.probe", "not the probe that signed")
    if abs(record.sent_at.timestamp() - now) > LIVE_S:
        return _out_of_time(record.sent_at, now, "$.sent_at")
    return _country_refused(record.network, "$.network.country") or record


def admit_batch(request: Request, key: bytes, now: float) -> Admitted | Refusal:
    """A batch that is signed, its sender's own, and of the last 72 hours. `now` is Unix seconds."""
    signature = _verified(request, key)
    if isinstance(signature, Refusal):
        return signature
    batch = _decoded(Batch, request.body)
    if isinstance(batch, Refusal):
        return batch
    if batch.probe != request.probe:
        return Refusal(Code.WRONG_PROBE, "$.probe", "not the probe that signed")
    for index, rnd in enumerate(batch.rounds):
        place = f"$.rounds[{index}]"
        age_s = now - rnd.started_at.timestamp()
        if not -LIVE_S <= age_s <= SPOOLED_S:
            return _out_of_time(rnd.started_at, now, f"{place}.started_at")
        if refused := _country_refused(rnd.network, f"{place}.network.country"):
            return refused
    return Admitted(batch, signature)


def _decoded(kind: type[T], body: bytes) -> T | Refusal:
    try:
        return decode(kind, body)
    except DecodeError as error:
        return Refusal(Code.MALFORMED, error.path, error.message)


def _verified(request: Request, key: bytes) -> bytes | Refusal:
    """The signature, if it is one over this body (RFC 8032). Raises `ValueError` for a bad key."""
    verifier = Ed25519PublicKey.from_public_bytes(key)
    try:
        signature = base64.b64decode(request.signature, validate=True)
        verifier.verify(signature, request.body)
    except (binascii.Error, InvalidSignature, ValueError):
        return Refusal(Code.BAD_SIGNATURE, "Reachwatch-Signature", "does not fit this body and this key")
    return signature


def _out_of_time(moment: datetime, now: float, path: str) -> Refusal:
    ahead_s = moment.timestamp() - now
    if ahead_s > 0:
        return Refusal(Code.FUTURE, path, f"{ahead_s:.0f} s ahead of this collector's clock")
    return Refusal(Code.TOO_OLD, path, f"{-ahead_s:.0f} s old")


def _country_refused(network: Network, path: str) -> Refusal | None:
    """A country becomes a label, so it must be one (ISO 3166-1 alpha-2 by its shape)."""
    country = network.country
    if country is None or (country.isascii() and country.isalpha() and country.isupper()):
        return None
    return Refusal(Code.BAD_COUNTRY, path, "not two capital letters")
