"""What a volunteer reads afterwards: one plain sentence per platform, and a line per round.

Readable without colour, by a screen reader, and on a terminal that is not UTF-8. What is shown while
a round runs is `live`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from .outcome import Outcome
from .routes import Seen, Way
from .screen import Screen, cells, clip
from .spool import SpoolFigures
from .verdict import Scope, Status, Verdict
from .verdict.wording import part
from .wire.observation import GateState
from .wire.platform import Platform

# A minute is more than any network's delay, and far less than the ten the collector forgives.
CLOCK_SKEW_S = 60
# Where in a line of `status` what it says begins.
STATUS_INDENT = 13
# Sentences beside the first: who reads more than that reads ``--json``.
MOST_REASONS = 2

# The verdict in a word, which has the colour, and how the sentence goes on.
_OPENING = {
    Status.OK: ("reachable", "."),
    Status.BLOCKED: ("blocked", "{part}."),
    Status.THROTTLED: ("slowed down", "{part}."),
    Status.UNREACHABLE: (
        "not reachable",
        "{part}; only others elsewhere can tell whether it is blocked or down.",
    ),
    Status.INSUFFICIENT: ("could not be judged", "."),
}
_GREEN, _RED, _YELLOW, _DIM = "32", "31", "33", "2"
_COLOURS = {
    Status.OK: _GREEN,
    Status.BLOCKED: _RED,
    Status.THROTTLED: _RED,
    Status.UNREACHABLE: _YELLOW,
    Status.INSUFFICIENT: _DIM,
}
# What to do where a rule says that this machine could not judge.
HINTS = {
    "gate.offline": "Check the router and the cable or Wi-Fi, then run again.",
    "gate.portal": "Log in to it in a browser, then run again.",
    "gate.domestic_only": "There is nothing to mend here; run again later.",
    "gate.local_interception": "Switch that off for this machine, or measure on another line.",
    "gate.clock": "Set the clock, then run again.",
    "local.own_filter": "To measure it, allow it in that filter.",
    "local.trusted_root": "To measure it, switch that off for it.",
    "local.next_door": "To measure it, switch that off for it.",
    "round.unfinished": "Run again; a slow line may need a longer round_deadline_s.",
}


def sentence(platform: Platform, verdict: Verdict) -> str:
    """One platform in plain words: what it is, why, and what to do where it could not be judged."""
    return " ".join([f"{platform.title}: {''.join(_opening(platform, verdict))}", *_reasons(verdict)])


def sentences(outcome: Outcome) -> list[str]:
    """Every platform's sentence; what is wrong with the whole line is explained once."""
    said: dict[tuple[str, ...], str] = {}
    lines = []
    for verdict in outcome.verdicts:
        platform = outcome.platform(verdict)
        why = tuple(_reasons(verdict))
        first = said.setdefault(why, platform.title)
        if verdict.status is Status.INSUFFICIENT and first != platform.title:
            lines.append(f"{platform.title}: {_OPENING[verdict.status][0]}, for the same reason as {first}.")
        else:
            lines.append(sentence(platform, verdict))
    return lines


def show(outcome: Outcome, screen: Screen) -> None:
    """The sentences, the verdict's word coloured where the terminal wants colour."""
    for verdict, line in zip(outcome.verdicts, sentences(outcome), strict=True):
        platform = outcome.platform(verdict)
        word, _ = _opening(platform, verdict)
        screen.print(line, bold=f"{platform.title}: ", word=word, colour=_COLOURS.get(verdict.status, ""))


def _opening(platform: Platform, verdict: Verdict) -> tuple[str, str]:
    word, rest = _OPENING.get(verdict.status, (str(verdict.status), "."))
    return word, rest.format(part=_in_part(platform, verdict) if verdict.scope is Scope.PARTIAL else "")


def _in_part(platform: Platform, verdict: Verdict) -> str:
    """Which part it is, if that can be said: some roles, or all of them over one address family."""
    touched = {target for finding in verdict.mechanisms for target in finding.roles}
    families = {family for finding in verdict.mechanisms for family in finding.families}
    required = {platform.target(role) for role in platform.roles if role.required}
    if required <= touched:
        return f" in part (over IPv{families.pop()})" if len(families) == 1 else " in part"
    parts = [part(platform.target(role)) for role in platform.roles if platform.target(role) in touched]
    return f" in part ({', '.join(parts)})" if parts else " in part"


def _reasons(verdict: Verdict) -> list[str]:
    """Of each kind of reason the first, and no more than a person reads; that a part failed goes
    without saying where it is said how."""
    if verdict.status is Status.OK:
        return []
    first_of_kind: dict[str, str] = {}
    for reason in verdict.reasons:
        first_of_kind.setdefault(reason.rule.partition(".")[0], reason.text)
    if len(first_of_kind) > 1:
        first_of_kind.pop("roles", None)
    hint = HINTS.get(verdict.reasons[0].rule) if verdict.status is Status.INSUFFICIENT else None
    return [*islice(first_of_kind.values(), MOST_REASONS), *([hint] if hint else [])]


def status(
    running: bool,
    figures: SpoolFigures,
    notes: Mapping[str, str],
    ways: Sequence[tuple[Way, Seen | None]],
    rounds: Sequence[Mapping[str, Any]],
    now: float,
    width: int | None = None,
    away: int = 0,
) -> list[str]:
    """What ``status`` prints, the round in a line no longer than `width`; `now` is Unix seconds, and `away`
    of what waits were measured on other networks."""
    lines = [f"agent        {'running' if running else 'not running'}"]
    room = max(width - STATUS_INDENT, 1) if width else None
    lines += [f"last round   {line}" for line in (history(rounds, room) if rounds else ["none yet"])]
    waiting = f"{figures.pending} rounds, {figures.size_bytes / 1024:.0f} KiB"
    if figures.oldest_at is not None:
        waiting += f", the oldest from {_ago(now - figures.oldest_at)}"
    lines.append(f"waiting      {waiting}")
    if away:
        lines.append(f"away         {away} of them wait for the network they were measured on")
    uploaded = notes.get("last_upload_at")
    if uploaded:
        lines.append(f"last upload  {_ago(now - float(uploaded))}, to {notes.get('last_route', '?')}")
    if notes.get("elsewhere"):
        lines.append(f"elsewhere    {notes['elsewhere']}")
    skew_s = float(notes.get("clock_skew_s", 0))
    if abs(skew_s) > CLOCK_SKEW_S:
        way = "ahead of" if skew_s > 0 else "behind"
        lines.append(f"clock        {abs(skew_s):.0f} s {way} the collector's: set it, or turn on NTP")
    if notes.get("last_obstacle"):
        gate = rounds[0]["gate"] if rounds else ""
        lines.append(f"obstacle     {obstacle(ways, notes['last_obstacle'], gate)}")
    lines += [f"route        {way}: {_did(seen, now)}" for way, seen in ways]
    if figures.dropped:
        lines.append(
            f"dropped      {figures.dropped} rounds, because the spool was full or they were too old"
        )
    for code, count in figures.refused.items():
        lines.append(f"refused      {count} rounds, by the collector: {code}")
    return lines


def obstacle(ways: Sequence[tuple[Way, Seen | None]], said: str, gate: str) -> str:
    """Why rounds wait: what was `said` where a way leads to a collector (or none is configured here, because
    the agent has it from a flag); else that none can be reached, and whether that is the whole line's
    trouble, as the round's controls have it."""
    if not ways or any(seen and not seen.word for _, seen in ways):
        return said
    if gate == GateState.ONLINE:
        return "the collector is unreachable, though this line is online"
    return "the collector is unreachable" + (f", and this line is not well ({gate})" if gate else "")


def _did(seen: Seen | None, now: float) -> str:
    if seen is None:
        return "not tried on this network"
    worked = "" if seen.worked_at is None else f"worked {_ago(now - seen.worked_at)}"
    if not seen.word:
        return worked
    return f"failed {_ago(now - seen.tried_at)} ({seen.word})" + (f"; {worked}" if worked else "")


def history(rounds: Sequence[Mapping[str, Any]], width: int | None = None) -> list[str]:
    """One line a round, newest first; no longer than `width`, at the cost of what is least missed."""
    return [_line(entry, width) for entry in rounds] or ["no rounds yet"]


def _line(entry: Mapping[str, Any], width: int | None) -> str:
    """The round with all there is to say; else without the seconds and what goes without saying; else
    without the year and who is well; else cut."""
    seen = {name: _in_short(one) for name, one in entry["platforms"].items()}
    minute = f"{entry['started_at'][:16].replace('T', ' ')}Z"
    gate = "" if entry["gate"] == "online" else f"{entry['gate']}  "
    forms = [
        f"{entry['started_at']}  {entry['gate']:<8} {_listed(seen)}",
        f"{minute}  {gate}{_listed(seen)}",
        f"{minute[5:]}  {gate}{_unwell(seen)}",
    ]
    fitting = (form for form in forms if width is None or cells(form) <= width)
    return next(fitting, None) or clip(forms[-1], width or 0, "...")


def _listed(seen: Mapping[str, str]) -> str:
    return "  ".join(f"{name} {short}" for name, short in seen.items())


def _unwell(seen: Mapping[str, str]) -> str:
    """The same, those that are well in one word."""
    if len(set(seen.values())) == 1:
        return f"all {next(iter(seen.values()))}"
    unwell = {name: short for name, short in seen.items() if short != Status.OK}
    return _listed(unwell) + ("  others ok" if len(unwell) < len(seen) else "")


def _in_short(seen: Mapping[str, Any]) -> str:
    how = ",".join(seen["mechanisms"])
    return f"{seen['status']}({how})" if how else str(seen["status"])


def _ago(seconds: float) -> str:
    if seconds < 120:
        return f"{max(0, seconds):.0f} s ago"
    return f"{seconds / 60:.0f} min ago" if seconds < 7200 else f"{seconds / 3600:.0f} h ago"
