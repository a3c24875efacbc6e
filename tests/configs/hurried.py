"""The shipped configuration for a world that runs many times as fast as ours: every duration is divided
by one factor, where Prometheus and Alertmanager look is replaced, and nothing else is touched."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from tests.configs.shipped import PROMETHEUS

_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
# A whole value of a key that is one ("for: 2m"), or a range in an expression ("[10m]").
_DURATION = re.compile(
    r"(?P<before>^ *(?:- )?\w+: |\[)(?P<count>\d+)(?P<unit>ms|s|m|h|d)(?P<after>(?: *#.*)?$|\])", re.M
)
# README: who has no blackbox_exporter leaves this job out. It is the last one.
_OF_BLACKBOX = re.compile(r"\n# The public address.*", re.S)


def hurried(text: str, factor: int) -> str:
    """The text with each duration divided."""

    def divided(found: re.Match[str]) -> str:
        length_ms = int(found["count"]) * _MS[found["unit"]] // factor
        return f"{found['before']}{length_ms}ms{found['after']}"

    return _DURATION.sub(divided, text)


def copied(folder: Path, factor: int, addresses: Mapping[str, str]) -> None:
    """`prometheus.yml`, its rules and `alertmanager.yml` into a folder, hurried. `addresses` maps those
    that are shipped to the test's own; raises `KeyError` for one that is shipped nowhere."""
    found = set()
    for source in sorted(PROMETHEUS.rglob("*.yml")):
        text = hurried(_OF_BLACKBOX.sub("\n", source.read_text()), factor)
        for shipped, own in addresses.items():
            found |= {shipped} if shipped in text else set()
            text = text.replace(shipped, own)
        place = folder / source.relative_to(PROMETHEUS)
        place.parent.mkdir(exist_ok=True)
        place.write_text(text)
    for shipped in addresses.keys() - found:
        raise KeyError(shipped)
