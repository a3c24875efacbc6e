"""``reachwatch-collector targets``: make a key, sign a list with it, look at one. None of it needs a
collector: it is done where the key is, which is best a machine without a network."""

from __future__ import annotations

import argparse
import base64
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from probe.wire.codec import encode
from probe.wire.platform import Platform
from probe.wire.platform_file import read_platform
from probe.wire.settings import ConfigError
from probe.wire.targets import MOST_DAYS, SCHEMA, TargetList, TargetsRefused, signed

from .offer import read

FINE = 0
KEY_BYTES = 32


def add_commands(commands: Any) -> None:
    """Add `targets` to the subcommands (argparse has no public name for their type)."""
    targets = commands.add_parser("targets", help="sign what agents are to measure")
    under = targets.add_subparsers(required=True, metavar="COMMAND")
    key = under.add_parser("key", help="make a signing key in a new file, and show what agents pin")
    key.add_argument("file", type=Path, metavar="FILE")
    key.set_defaults(run=_key)
    sign = under.add_parser("sign", help="sign platforms' files as one list")
    sign.add_argument("platforms", nargs="+", type=Path, metavar="PLATFORM.toml")
    sign.add_argument("--key", action="append", required=True, type=Path, metavar="FILE", help="two at most")
    sign.add_argument("--version", required=True, type=int, metavar="N", help="above every one before")
    sign.add_argument("--days", type=int, default=90, metavar="D", help="how long it holds (default 90)")
    sign.add_argument("--out", required=True, type=Path, metavar="FILE", help="what a collector offers")
    sign.set_defaults(run=_sign)
    show = under.add_parser("show", help="what a signed list says")
    show.add_argument("file", type=Path, metavar="FILE")
    show.set_defaults(run=_show)


def _key(arguments: argparse.Namespace) -> int:
    key = Ed25519PrivateKey.generate()
    try:
        descriptor = os.open(arguments.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(key.private_bytes_raw())
    except OSError as error:
        raise ConfigError(f"{arguments.file}: {error.strerror}") from None
    print(base64.b64encode(key.public_key().public_bytes_raw()).decode())
    print("agents pin it as targets.keys; keep the file where no collector is", file=sys.stderr)
    return FINE


def _sign(arguments: argparse.Namespace) -> int:
    if len(arguments.key) > 2:
        raise ConfigError("--key: two at most")
    if not 1 <= arguments.days <= MOST_DAYS:
        raise ConfigError(f"--days: from 1 to {MOST_DAYS}")
    if arguments.version < 1:
        raise ConfigError("--version: from 1 on")
    now = datetime.now(UTC).replace(microsecond=0)
    listed = TargetList(
        schema=SCHEMA,
        version=arguments.version,
        issued_at=now,
        expires_at=now + timedelta(days=arguments.days),
        platforms=_platforms(arguments.platforms),
    )
    try:
        arguments.out.write_bytes(encode(signed(listed, [_read_key(path) for path in arguments.key])) + b"\n")
    except TargetsRefused as error:
        raise ConfigError(str(error)) from None
    except OSError as error:
        raise ConfigError(f"{arguments.out}: {error.strerror}") from None
    print(_in_words(listed))
    return FINE


def _platforms(files: Sequence[Path]) -> tuple[Platform, ...]:
    return tuple(read_platform(_text(path), path.name) for path in files)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8") from None


def _read_key(path: Path) -> Ed25519PrivateKey:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    if len(raw) != KEY_BYTES:
        raise ConfigError(f"{path}: {len(raw)} bytes where a key has {KEY_BYTES}")
    return Ed25519PrivateKey.from_private_bytes(raw)


def _show(arguments: argparse.Namespace) -> int:
    listed = read(arguments.file).listed
    print(_in_words(listed))
    for platform in listed.platforms:
        for role in platform.roles:
            print(f"{platform.target(role):<20} {' '.join(one.url for one in role.endpoints)}")
    return FINE


def _in_words(listed: TargetList) -> str:
    endpoints = sum(len(role.endpoints) for platform in listed.platforms for role in platform.roles)
    names = ", ".join(platform.name for platform in listed.platforms)
    until = listed.expires_at.isoformat().replace("+00:00", "Z")
    return f"version {listed.version}, until {until}: {endpoints} endpoints of {names}"
