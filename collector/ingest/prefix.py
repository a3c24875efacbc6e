"""The tag a source prefix votes under: the same prefix, the same tag, and no way back.

One vote per prefix needs to know that two batches came from one /24, not which /24 it was. The tag is an HMAC
under a key that is replaced before it is 72 hours old, as old as what agents may bring, and written over. Who
has the key can try all prefixes; so it is in no store and in no back-up of one, and nothing older can be
searched for an address. It is a file, because a restart in the middle of an incident would otherwise give
every prefix a second tag, and so a second vote, and lose a quarantine ordered by tag. A new key costs that.
"""

from __future__ import annotations

import hmac
import logging
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from probe.wire.address import prefix_of
from probe.wire.settings import ConfigError

log = logging.getLogger("reachwatch.ingest")

KEY_S = 72 * 3600
SLACK_S = 3600  # that a clock may be set back, or have been ahead, without a new key or an older one
_KEY_BYTES, _TIME_BYTES = 32, 8


class Tagger:
    """Tags addresses' prefixes by the key in a file, which is made where there is none; raises `ConfigError`
    where it cannot be. `clock` is Unix seconds."""

    def __init__(self, file: Path, clock: Callable[[], float]) -> None:
        self._file, self._clock = file, clock
        try:
            self._made_at, self._key = self._read()
            if not self._is_good():
                self._replace()
        except OSError as error:
            raise ConfigError(f"prefix_key_file: {file}: {error.strerror or error}") from None

    def tag(self, address: str) -> str:
        """16 hex digits for the prefix of `address`, good for as long as the key is."""
        if not self._is_good():
            try:
                self._replace()
            except OSError as error:
                # Tags are of the new key all the same; the old one is written over by the next start.
                log.error("prefix_key_not_kept error=%s", error.strerror or error)
        return hmac.digest(self._key, prefix_of(address).encode(), "sha256").hex()[:16]

    def _is_good(self) -> bool:
        """Whether it is neither too old nor of a time to come, which would keep it for longer."""
        return -SLACK_S <= self._clock() - self._made_at < KEY_S - SLACK_S

    def _replace(self) -> None:
        """Draw another, and write it where the old one lies."""
        self._made_at, self._key = int(self._clock()), secrets.token_bytes(_KEY_BYTES)
        with open(self._file, "r+b", buffering=0, opener=_private) as file:
            file.write(self._made_at.to_bytes(_TIME_BYTES, "big") + self._key)
            file.truncate()
            os.fsync(file.fileno())

    def _read(self) -> tuple[int, bytes]:
        """What is in the file; a key that is no longer good where that is none."""
        with open(self._file, "rb", opener=_private) as file:
            os.fchmod(file.fileno(), 0o600)
            found = file.read(_TIME_BYTES + _KEY_BYTES + 1)
        if len(found) != _TIME_BYTES + _KEY_BYTES:
            return -KEY_S, b""
        return int.from_bytes(found[:_TIME_BYTES], "big"), found[_TIME_BYTES:]


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW, 0o600)
