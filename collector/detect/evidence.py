"""An incident's evidence: all that a claim rests on, in one file. PURE.

A bundle holds the votes of one country round by round, what the rest of the world saw in the same
rounds, the state before them, every threshold, and some whole rounds. `bundling` makes it, `verifying`
makes the claim again from it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NoReturn

from pydantic import TypeAdapter, ValidationError

from probe.wire.observation import Round

from .ballots import Ballot, Place, Standing
from .incidents import Incident
from .quarantine import Quarantine
from .revisions import Revision
from .spans import Span
from .thresholds import Thresholds
from .world import Rates

SCHEMA: Literal["reachwatch-evidence/1"] = "reachwatch-evidence/1"


class NoEvidence(ValueError):
    """Bytes that are no bundle; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One round: the country's ballots, and the failing shares `abroad` by platform and country, and those
    of homes held back there. `heard_abroad` has for each of its minutes the shares of other countries'
    probes that were heard just then; none where the claim is not about silence."""

    number: int
    ballots: tuple[tuple[Place, tuple[Ballot, ...]], ...] = ()
    abroad: Rates = field(default_factory=dict)
    slow_abroad: Rates = field(default_factory=dict)
    heard_abroad: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One whole round of a probe in `place`, as measured. `signed_sha256` is the digest of the signed
    batch it came in, which the collector keeps: shown together they prove that nothing was made up."""

    probe: str
    country: str
    asn: int
    signed_sha256: str
    round: Round


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything. `release` made it; `start` is the state before the first of `rounds`, as `saved.pack`
    writes it; `revision` is what was last published, `claim` the incident as these facts give it. `spans`
    say when the country's probes were there, as far as the claim is about silence, and `orders` whom of
    them detection does not listen to."""

    release: str
    limits: Thresholds
    shares: Mapping[int, float]
    mobile: tuple[int, ...]
    standings: Mapping[str, Standing]
    start: Mapping[str, Any]
    rounds: tuple[Facts, ...]
    spans: tuple[Span, ...]
    orders: tuple[Quarantine, ...]
    samples: tuple[Sample, ...]
    revision: Revision
    claim: Incident


_EVIDENCE = TypeAdapter(Evidence)


def written(evidence: Evidence) -> bytes:
    """The bundle: canonical JSON, the digest of its content beside it."""
    content = _EVIDENCE.dump_python(evidence, mode="json")
    whole = {"schema": SCHEMA, "sha256": _digest(content), "evidence": content}
    return canonical(whole)


def read(data: bytes) -> Evidence:
    """The evidence in a bundle; raises `NoEvidence`."""
    try:
        whole = json.loads(data, parse_constant=_no_number)
        schema, digest, content = whole["schema"], whole["sha256"], whole["evidence"]
    except (ValueError, RecursionError, KeyError, TypeError):
        raise NoEvidence("not an evidence bundle") from None
    if schema != SCHEMA:
        raise NoEvidence(f"of the form {str(schema)[:40]!r}, this release reads {SCHEMA!r}")
    if digest != _digest(content):
        raise NoEvidence("changed since it was made: its content has another SHA-256 than it says")
    try:
        return _EVIDENCE.validate_json(canonical(content))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise NoEvidence(f"evidence.{where}: {first['msg']}") from None


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def configuration(evidence: Evidence) -> str:
    """SHA-256 of everything that was set and not measured."""
    shares = {str(asn): share for asn, share in sorted(evidence.shares.items())}
    return _digest([asdict(evidence.limits), shares, evidence.mobile])


def _digest(value: object) -> str:
    return hashlib.sha256(canonical(value)).hexdigest()


def canonical(value: object) -> bytes:
    """The same value, the same bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
