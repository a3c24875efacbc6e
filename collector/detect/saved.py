"""Detection's state as bytes and back, so that a restart goes on where it stopped. PURE.

JSON with sorted keys: the same state, the same bytes. Whoever has changed what a state is made of
changes `FORM`, and the next start folds again from the cells.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from . import silence
from .ballots import Place
from .fold import Network, State
from .incidents import Incident
from .nation import NationWatch
from .revisions import Revision
from .slow import Speeds
from .world import WorldWatch

FORM = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The state after a round that nothing can change any more, and the incidents then."""

    state: State
    book: tuple[Incident, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flat:
    """JSON has no keys but strings."""

    form: int
    number: int
    networks: tuple[tuple[Place, Network], ...]
    nations: tuple[tuple[str, str, NationWatch], ...]
    worlds: tuple[tuple[str, WorldWatch], ...]
    speeds: tuple[tuple[Place, Speeds], ...]
    slow: tuple[tuple[str, str, NationWatch], ...]
    elsewhere: tuple[tuple[str, str, WorldWatch], ...]
    minute: int
    silences: tuple[tuple[str, silence.Watch], ...]
    book: tuple[Incident, ...]


_FLAT = TypeAdapter(_Flat)
_REVISION = TypeAdapter(Revision)


def pack(settled: Settled) -> bytes:
    """The bytes."""
    state = settled.state
    flat = _Flat(
        form=FORM,
        number=state.number,
        networks=tuple(sorted(state.networks.items(), key=lambda item: item[0])),
        nations=tuple((*key, watch) for key, watch in sorted(state.nations.items())),
        worlds=tuple(sorted(state.worlds.items())),
        speeds=tuple(sorted(state.speeds.items(), key=lambda item: item[0])),
        slow=tuple((*key, watch) for key, watch in sorted(state.slow.items())),
        elsewhere=tuple((*key, watch) for key, watch in sorted(state.elsewhere.items())),
        minute=state.minute,
        silences=tuple(sorted(state.silences.items(), key=lambda item: item[0])),
        book=settled.book,
    )
    return _canonical(_FLAT.dump_python(flat, mode="json"))


def unpack(data: bytes) -> Settled | None:
    """What was packed; None where it is of another form or damaged."""
    try:
        flat = _FLAT.validate_json(data)
    except ValidationError:
        return None
    if flat.form != FORM:
        return None
    state = State(
        number=flat.number,
        networks=dict(flat.networks),
        nations={(country, platform): watch for country, platform, watch in flat.nations},
        worlds=dict(flat.worlds),
        speeds=dict(flat.speeds),
        slow={(country, platform): watch for country, platform, watch in flat.slow},
        elsewhere={(country, platform): watch for country, platform, watch in flat.elsewhere},
        minute=flat.minute,
        silences=dict(flat.silences),
    )
    return Settled(state=state, book=flat.book)


def pack_revision(revision: Revision) -> bytes:
    """One published word: the same claim, the same bytes."""
    return _canonical(_REVISION.dump_python(revision, mode="json"))


def unpack_revision(data: bytes) -> Revision:
    """The revision; raises `ValueError` for bytes that are none."""
    return _REVISION.validate_json(data)


def _canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
