"""Who this installation is: a seed made on first use, and an Ed25519 key (RFC 8032) derived from it for each
network.

A key is a pseudonym, and two of one seed have nothing in common for whoever has not the seed. That is worth
protecting because whoever has it can speak in this volunteer's name, so a file that others could read is
refused rather than used.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
_PURPOSE = b"reachwatch pseudonym "


class IdentityError(Exception):
    """The key cannot be made or must not be used; the message names the path."""


@dataclass(frozen=True)
class Identity:
    """The key and the name that follows from it."""

    _key: Ed25519PrivateKey

    @property
    def public_key(self) -> bytes:
        """The raw public key, 32 bytes."""
        return self._key.public_key().public_bytes_raw()

    @property
    def probe_id(self) -> str:
        """The first 32 hex digits of the SHA-256 of the public key."""
        return hashlib.sha256(self.public_key).hexdigest()[:32]

    def sign(self, body: bytes) -> bytes:
        """The signature over a body, 64 bytes."""
        return self._key.sign(body)


@dataclass(frozen=True)
class Installation:
    """The seed of all its pseudonyms."""

    _seed: bytes

    @classmethod
    def load_or_create(cls, state_dir: Path) -> Installation:
        """The seed in ``identity.key``, made there if there is none. Raises `IdentityError`."""
        path = state_dir / "identity.key"
        try:
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not path.exists():
                _create(path)
            return cls(_read(path))
        except OSError as error:
            raise IdentityError(f"{error.filename or path}: {error.strerror or error}") from None

    def at(self, place: str) -> Identity:
        """Who it is on one network: HKDF with SHA-256 (RFC 5869), the place in the info (section 3.2)."""
        derived = HKDF(SHA256(), KEY_BYTES, salt=None, info=_PURPOSE + place.encode()).derive(self._seed)
        return Identity(Ed25519PrivateKey.from_private_bytes(derived))


def _create(path: Path) -> None:
    """Write the key whole or not at all; if another process was first, its key stands."""
    import tempfile

    seed = secrets.token_bytes(KEY_BYTES)
    # O_EXCL and mode 0600. A name by process id would not do: in a container it is the same each
    # time, and a draft left by a power cut would stand in the way for ever.
    descriptor, draft = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(seed)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        _sync(path.parent)
    finally:
        Path(draft).unlink()


def _sync(folder: Path) -> None:
    """A new name is on disk only once its folder is (fsync(2))."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise IdentityError(
                f"{path}: others may read this key (mode {mode:04o}); chmod 600 it, or remove it"
            )
        seed = file.read(KEY_BYTES + 1)
    if len(seed) != KEY_BYTES:
        raise IdentityError(
            f"{path}: {len(seed)} bytes where a key has {KEY_BYTES}; remove it to make a new one"
        )
    return seed
