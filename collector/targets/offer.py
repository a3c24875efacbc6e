"""The signed list that this collector offers: a file, read again when it changes.

The key is not here: who breaks into the collector can withhold a list, and make none.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from probe.wire.codec import DecodeError, decode
from probe.wire.settings import ConfigError
from probe.wire.targets import SignedTargets, TargetList, TargetsRefused, read_targets

log = logging.getLogger("reachwatch.targets")


@dataclass(frozen=True, slots=True)
class Offered:
    """A list as it was signed, and what it says."""

    signed: SignedTargets
    listed: TargetList


class NoTargets(ConfigError):
    """A file that holds no list; the message names it."""


def read(path: Path) -> Offered:
    """The list in a file; raises `NoTargets`. Whether the signature fits only those can say who pin a key."""
    try:
        signed = decode(SignedTargets, path.read_bytes())
        return Offered(signed, read_targets(signed))
    except OSError as error:
        raise NoTargets(f"{path}: {error.strerror or error}") from None
    except (DecodeError, TargetsRefused) as error:
        raise NoTargets(f"{path}: {error}") from None


class Offer:
    """What is offered now: `look` reads the file again where it was changed."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._stamp = self._stamped()
        self.current = read(path) if path else None

    def newer_than(self, version: int | None) -> SignedTargets | None:
        """What a probe that goes by `version` is given; None for one that takes no list."""
        current = self.current
        if version is None or current is None or current.listed.version <= version:
            return None
        return current.signed

    def look(self) -> None:
        """Take what the file holds now. One that cannot be read leaves what was offered before."""
        stamp = self._stamped()
        if self._path is None or stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self.current = read(self._path)
        except NoTargets as error:
            log.error("targets_unreadable error=%s", error)
            return
        log.info("targets_offered version=%d", self.current.listed.version)

    def _stamped(self) -> tuple[int, int] | None:
        """Which file it is: a new one has another time or another number."""
        try:
            stat = self._path.stat() if self._path else None
        except OSError:
            return None
        return (stat.st_mtime_ns, stat.st_ino) if stat else None
