"""The key: made once, for its owner's eyes, and refused rather than used when it is not."""

from __future__ import annotations

import hashlib
import hmac
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from probe.identity import IdentityError, Installation


def test_it_is_made_once_readable_by_its_owner_alone(tmp_path: Path) -> None:
    state = tmp_path / "deep" / "state"
    installation = Installation.load_or_create(state)
    assert (state / "identity.key").stat().st_mode & 0o777 == 0o600
    assert state.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in state.iterdir()] == ["identity.key"]
    assert Installation.load_or_create(state) == installation


def test_its_name_follows_from_the_key_and_its_signature_verifies(tmp_path: Path) -> None:
    identity = Installation.load_or_create(tmp_path).at("")
    assert identity.probe_id == hashlib.sha256(identity.public_key).hexdigest()[:32]
    Ed25519PublicKey.from_public_bytes(identity.public_key).verify(identity.sign(b"body"), b"body")


def test_two_installations_differ(tmp_path: Path) -> None:
    one, two = (Installation.load_or_create(tmp_path / name) for name in ("a", "b"))
    assert one.at("").probe_id != two.at("").probe_id


def test_each_network_has_a_key_of_its_own_and_the_same_each_time() -> None:
    seed = Installation(bytes(range(32)))
    names = [seed.at(place).probe_id for place in ("", "a" * 64, "b" * 64)]
    assert len(set(names)) == 3
    assert names == [Installation(bytes(range(32))).at(place).probe_id for place in ("", "a" * 64, "b" * 64)]
    derived = HKDFExpand(SHA256(), 32, b"reachwatch pseudonym ").derive(
        hmac.digest(bytes(32), bytes(range(32)), "sha256")  # RFC 5869, 2.2: no salt is a salt of zeros
    )
    assert (
        Ed25519PrivateKey.from_private_bytes(derived).public_key().public_bytes_raw()
        == seed.at("").public_key
    )


def test_a_key_others_may_read_is_refused(tmp_path: Path) -> None:
    Installation.load_or_create(tmp_path)
    (tmp_path / "identity.key").chmod(0o640)
    with pytest.raises(IdentityError, match=r"identity\.key: others may read this key \(mode 0640\)"):
        Installation.load_or_create(tmp_path)


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_damaged_key_is_refused_by_its_path(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "identity.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(IdentityError, match=r"identity\.key: \d+ bytes where a key has 32"):
        Installation.load_or_create(tmp_path)


def test_a_folder_that_cannot_be_made_is_refused_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(IdentityError, match="file"):
        Installation.load_or_create(tmp_path / "file" / "state")


def test_a_draft_left_by_a_power_cut_does_not_stand_in_the_way(tmp_path: Path) -> None:
    (tmp_path / f"identity.key.{os.getpid()}").write_bytes(b"half")
    assert Installation.load_or_create(tmp_path).at("").probe_id


def test_of_two_that_start_at_once_both_end_with_the_same_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        names = set(pool.map(lambda _: Installation.load_or_create(tmp_path).at("").probe_id, range(32)))
    assert len(names) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["identity.key"]
