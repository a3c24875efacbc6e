"""A reading in its two written forms: a line for a person, a JSON document for a program. PURE."""

from __future__ import annotations

import json
from typing import Any

from probe.verdict import Verdict
from probe.wire.codec import plain

from .suppose import Reading


def line(reading: Reading) -> str:
    """One aligned line: when and where, what OONI says, what our rules say and on what supposition."""
    rnd, ooni = reading.round, reading.ooni
    asn = f"AS{rnd.network.asn}" if rnd.network.asn else "AS?"
    theirs = f"blocking={_word(ooni.blocking)} accessible={_word(ooni.accessible)}"
    return (
        f"{rnd.started_at:%Y-%m-%dT%H:%M:%SZ} {rnd.network.country or '??'} {asn:<10} {reading.host:<24}  "
        f"ooni: {theirs:<38}  reachwatch: {_ours(reading)}"
    )


def document(reading: Reading) -> str:
    """One JSON document. `round` is a record of ours, `verdict` rests on it as the flags say."""
    whole: dict[str, Any] = {
        "source": "ooni",
        "host": reading.host,
        "verdict": plain(reading.verdict, whole=True),
        "gate_assumed": reading.gate_assumed,
        "line_up_by": reading.line_up_by,
        "repetition_assumed": reading.repetition_assumed,
        "ooni": plain(reading.ooni, whole=True),
        "round": plain(reading.round),
    }
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"))


def _word(value: str | bool | None) -> str:
    """As JSON writes it, but a word without its quotes. OONI's words are printed, so they are checked."""
    if isinstance(value, str):
        return value if value.isprintable() and len(value) < 20 else "?"
    return json.dumps(value)


def _ours(reading: Reading) -> str:
    if not reading.gate_assumed:
        return f"{reading.verdict.status} (nothing in it shows that the line was up)"
    supposed = "if online and repeated" if reading.repetition_assumed else "if online"
    reason = reading.verdict.reasons[0].text if reading.verdict.reasons else ""
    return " ".join(filter(None, (_conclusion(reading.verdict), f"({supposed})", reason)))


def _conclusion(verdict: Verdict) -> str:
    found = " ".join(f"{finding.mechanism}({finding.level})" for finding in verdict.mechanisms)
    return f"{verdict.status} {found}".rstrip()
