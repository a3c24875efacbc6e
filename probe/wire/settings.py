"""How both programs read their configuration: a TOML file < environment < flags, into one frozen
record, unknown keys refused with their path. Pure: text and environment are arguments.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import Any, TypeVar

from . import reader
from .codec import DecodeError, Validate

T = TypeVar("T")

PREFIX = "REACHWATCH_"


class ConfigError(Exception):
    """Configuration that cannot be used. The message is one line and names the place."""


def settle(
    kind: type[T],
    *,
    text: str,
    source: str,
    environ: Mapping[str, str],
    flags: Mapping[str, object],
    validate: Validate = reader.validate,
) -> T:
    """Merge a file's text, ``REACHWATCH_…`` variables and flags into one record of `kind`.

    A variable's name is the key in capitals, sections joined by two underscores; its value is
    TOML, and what is no TOML is a string. Flags are given by dotted path; None means not given.
    Raises `ConfigError`.
    """
    try:
        merged: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source}: not TOML: {error}") from None
    origins: dict[str, str] = {}
    for name, value in environ.items():
        if name.startswith(PREFIX):
            path = name.removeprefix(PREFIX).lower().replace("__", ".")
            _put(merged, path, _toml_value(value))
            origins[path] = name
    for path, flag in flags.items():
        if flag is not None:
            _put(merged, path, flag)
            origins[path] = "--" + path.rpartition(".")[2].replace("_", "-")
    try:
        return validate(kind, json.dumps(merged, default=str).encode())
    except DecodeError as error:
        raise _told(error, source, origins) from None


def _told(error: DecodeError, source: str, origins: Mapping[str, str]) -> ConfigError:
    """The same by the place it came from: the file, a variable or a flag."""
    path = error.path.removeprefix("$").removeprefix(".")
    came_from = next((origins[setting] for setting in origins if _concerns(path, setting)), source)
    place = f"{path}: " if path else ""
    return ConfigError(f"{came_from}: {place}{error.message}")


def _concerns(path: str, setting: str) -> bool:
    """Whether an error at `path` may come from the one setting, or from a section it is in."""
    return (
        path == setting or path.startswith((f"{setting}.", f"{setting}[")) or setting.startswith(f"{path}.")
    )


def _put(merged: dict[str, Any], path: str, value: object) -> None:
    *sections, key = path.split(".")
    for section in sections:
        merged = merged.setdefault(section, {})
        if not isinstance(merged, dict):
            raise ConfigError(f"{path}: {section} is set as a value, and is a section")
    merged[key] = value


def _toml_value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
