"""The signed list of targets an agent goes by: kept in a file, checked each time it is read.

Where there is none, or its time is over, what came with the agent is measured. A list replaces
platforms that the volunteer measures anyway, and adds none: what was not agreed to stays out.
"""

from __future__ import annotations

import base64
import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from .wire import reader
from .wire.codec import DecodeError, decode, encode
from .wire.platform import Platform
from .wire.targets import SignedTargets, TargetList, TargetsRefused, proven, vetted

log = logging.getLogger("reachwatch.targets")

# What was refused is offered again with every heartbeat; for so long none is asked for, in seconds.
REFUSED_S = 3600.0


class Targets:
    """What one installation goes by. `keys` are the pinned ones, in base64; without any, no list is taken.
    `wall` is Unix seconds."""

    def __init__(self, path: Path, keys: Sequence[str], wall: Callable[[], float]) -> None:
        self._path = path
        self._keys = [base64.b64decode(key) for key in keys]
        self._wall = wall
        self._held = self._kept() if keys else None
        self._asks_from = 0.0

    @property
    def version(self) -> int | None:
        """What a heartbeat says: the newest version gone by so far, None where no list is taken now."""
        if not self._keys or self._wall() < self._asks_from:
            return None
        return self._held.version if self._held else 0

    @property
    def current(self) -> TargetList | None:
        """The list in force, None where there is none."""
        held = self._held
        return held if held is not None and held.expires_at > self._now() else None

    def in_words(self) -> str:
        """What is gone by now, for a person."""
        current = self.current
        if current is None:
            return "those that came with the agent"
        return f"version {current.version}, until {current.expires_at:%Y-%m-%d %H:%M}Z"

    def platforms(self, own: Sequence[Platform]) -> tuple[Platform, ...]:
        """`own` with each platform as the list has it, where it does."""
        current = self.current
        listed = {platform.name: platform for platform in current.platforms} if current else {}
        return tuple(listed.get(platform.name, platform) for platform in own)

    def take(self, offered: SignedTargets) -> bool:
        """Go by a newer list from now on, if it may be gone by and can be kept; whether that is so."""
        try:
            listed = vetted(offered, self._keys, self._held.version if self._held else 0, self._now())
            _write(self._path, encode(offered))
        except (TargetsRefused, OSError) as error:
            self._asks_from = self._wall() + REFUSED_S
            log.warning("targets_refused reason=%r", str(error))
            return False
        self._held = listed
        log.info("targets_taken version=%d expires_at=%s", listed.version, listed.expires_at.isoformat())
        return True

    def _kept(self) -> TargetList | None:
        """What the file holds. One that is over still says which versions are old."""
        try:
            kept = decode(SignedTargets, self._path.read_bytes(), reader.validate)
            return proven(kept, self._keys)
        except FileNotFoundError:
            return None
        except (OSError, DecodeError, TargetsRefused) as error:
            log.warning("targets_unreadable path=%s reason=%r", self._path, str(error))
            return None

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._wall(), UTC)


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all: a power cut leaves the list before it."""
    descriptor, draft = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink()
        raise
