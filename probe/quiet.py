"""When the agent is to keep still: paused by its volunteer, or on a line that costs by the byte.

A pause is a file in the state folder, so that it outlives a restart; a running agent sees it within
seconds. PURE but for what reads and writes that file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from math import inf, isnan
from pathlib import Path

_UNITS = {"m": 60.0, "h": 3600.0, "d": 86_400.0}


def duration_s(text: str) -> float:
    """Seconds of ``30m``, ``2h`` or ``1d``; raises `ValueError`."""
    found = re.fullmatch(r"([1-9][0-9]{0,4})([mhd])", text)
    if not found:
        raise ValueError(f"{text!r} is no duration such as 30m, 2h or 1d")
    return int(found[1]) * _UNITS[found[2]]


def reason(paused: float | None, now: float, interface: str | None, metered: Sequence[str]) -> str:
    """Why to keep still, empty where nothing says so. `paused` is until when (Unix seconds), `metered` are
    patterns of interfaces' names."""
    if paused is not None and now < paused:
        return "paused" if paused == inf else f"paused until {datetime.fromtimestamp(paused, UTC):%F %H:%M}Z"
    if interface is not None and any(fnmatchcase(interface, pattern) for pattern in metered):
        return f"{interface} is metered"
    return ""


def paused_until(state_dir: Path) -> float | None:
    """Until when the agent is paused, None where it is not. What cannot be read is a pause without an
    end: somebody wanted one."""
    try:
        until = float((state_dir / "paused").read_text(encoding="ascii"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return inf
    return inf if isnan(until) or until > datetime.max.replace(tzinfo=UTC).timestamp() else until


def pause(state_dir: Path, until: float) -> None:
    """Pause until then; raises `OSError`."""
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = state_dir / "paused.draft"
    draft.write_text(repr(until), encoding="ascii")
    draft.replace(state_dir / "paused")


def resume(state_dir: Path) -> bool:
    """End a pause; whether there was one. Raises `OSError`."""
    was_paused = (state_dir / "paused").exists()
    (state_dir / "paused").unlink(missing_ok=True)
    return was_paused
