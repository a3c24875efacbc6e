"""The claim of an incident in one language: its title, its sentence, why it was said again. PURE.

Every phrase comes from the catalogue; here is which of them are true. A phrase is whole, so that a language
with another order of words can have it. The rules of what may be said are `claims`'.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from probe.verdict.speed import UNTOLD_BPS

from .cells import CONNECTIVITY
from .incidents import WORLD, Cause, Incident, Part, Phase, Scope
from .revisions import Revision
from .words import Voice, Words

_UNSURE = frozenset({Phase.SUSPECTED, Phase.DISMISSED})
_CLOCK, _DAY = "%H:%M", "%Y-%m-%d"


def title(revision: Revision, words: Words) -> str:
    """What it is about, in a few words."""
    text = _what(revision.incident, words)
    if revision.withdrawn:
        text = words("claim.title_withdrawn", what=text)
    elif revision.incident.ended is not None:
        text = words("claim.title_over", what=text)
    return f"{text[0].upper()}{text[1:]}"


def sentence(revision: Revision, voice: Voice) -> str:
    """The claim in one sentence, with everything that qualifies it."""
    incident, words = revision.incident, voice.words
    round_s = voice.limits.round_s
    clauses = [_counted(incident, words), began(incident, round_s, words)]
    national = national_since(incident)
    if national is not None and national - incident.since > voice.limits.together_rounds:
        grew = datetime.fromtimestamp((national + 1) * round_s, UTC)
        clauses.append(words("claim.national", time=f"{grew:{_CLOCK}}", date=f"{grew:{_DAY}}"))
    if incident.phase is Phase.DISMISSED:
        clauses.append(words("claim.never_confirmed"))
    if incident.ended is not None:
        well = datetime.fromtimestamp((incident.ended + 1) * round_s, UTC)
        is_known = not any(part.unheard for part in incident.parts)
        over = "claim.well" if is_known else "claim.unheard"
        clauses.append(words(over, time=f"{well:{_CLOCK}}", date=f"{well:{_DAY}}"))
    clauses.append(_why(incident, words))
    if revision.release:
        clauses.append(words("claim.release", release=revision.release))
    claim = words.raw("list.clauses").join(clauses)
    if not revision.withdrawn:
        return claim
    return words("claim.withdrawn", reason=reason(revision, words), claim=claim)


def national_since(incident: Incident) -> int | None:
    """The round from which on the nation failed, which may be long after its first network."""
    return min((part.national for part in incident.parts if part.national is not None), default=None)


def reason(revision: Revision, words: Words) -> str:
    """What is new in it. What an earlier release said in its own words stays as it was said."""
    return words.raw("list.clauses").join(_new(one, words) for one in revision.reason.split("; "))


def _new(said: str, words: Words) -> str:
    match said.split(" "):
        case ["scope", scope]:
            return words("reason.scope", scope=words.name("scope", scope))
        case ["joined", platforms]:
            return words("reason.joined", platforms=_platforms(platforms.split(","), words))
        case ["cause", platform, cause]:
            named = words.name("cause", cause)
            return words("reason.cause", platform=_platform(platform, words), cause=named)
        case ["moved" | "nothing" as what, why]:
            return words(f"reason.{what}", why=words.name("reason.why", why))
        case ["see", why, heir]:
            return words("reason.see", why=words.name("reason.why", why), heir=heir)
        case ["counts"]:
            return words("reason.counts")
    return words.name("phase", said) if said in set(Phase) else said


def _what(incident: Incident, words: Words) -> str:
    """ "possible nation-scale disruption of X in Pakistan": which platforms, how sure, how far, where.
    What is less sure than the first of them, or reaches less far, is set apart: no title says more than is
    so."""
    parts = incident.parts
    unsure = all(part.phase in _UNSURE for part in parts)
    sure = [part for part in parts if unsure or part.phase not in _UNSURE]
    how = "possible" if unsure else "sure"
    if incident.country == WORLD:
        named = _set_apart(sure, (), [one for one in parts if one not in sure], words)
        return words(f"claim.{how}.world", platforms=named)
    wide = [part for part in sure if part.scope is not Scope.NETWORK] or sure
    narrow, also = ([one for one in of if one not in but] for of, but in ((sure, wide), (parts, sure)))
    what = "throttling" if all(part.cause is Cause.THROTTLING for part in parts) else "disruption"
    values = {
        "platforms": _set_apart(wide, narrow, also, words),
        "country": words.name("name", incident.country),
    }
    if wide[0].scope is not Scope.NETWORK:
        return words(f"claim.{how}.nation.{what}", **values)
    return words.count(f"claim.{how}.network.{what}", max(1, len(_networks(wide))), **values)


def _networks(parts: Sequence[Part]) -> set[int]:
    """The networks that are spoken of: those confirmed by themselves, or all where none is."""
    seen = [(asn, one.confirmed) for part in parts for asn, one in part.networks.items()]
    return {asn for asn, confirmed in seen if confirmed} or {asn for asn, _ in seen}


def _set_apart(first: Sequence[Part], narrow: Sequence[Part], also: Sequence[Part], words: Words) -> str:
    text = _named(first, words)
    asides = [
        words(key, platforms=_named(parts, words))
        for key, parts in (("claim.narrower", narrow), ("claim.possibly", also))
        if parts
    ]
    comma = words.raw("list.comma")
    return words("claim.aside", platforms=text, asides=comma.join(asides)) if asides else text


def _counted(incident: Incident, words: Words) -> str:
    """How many failed, at each network's worst; the world's rate where it is the world that fails."""
    what = _what(incident, words)
    if incident.country == WORLD:
        rates = [part.world for part in incident.parts if part.world is not None]
        return words("claim.world", what=what, share=f"{max(rates):.0%}") if rates else what
    homes: dict[int, int] = {}
    for part in incident.parts:
        for asn, seen in part.networks.items():
            homes[asn] = max(homes.get(asn, 0), seen.of)
    if not homes:
        return what
    heard = max(len(homes), *(part.networks_heard for part in incident.parts))
    return words(
        "claim.counted",
        what=what,
        counts=_counts(incident.parts, words),
        networks=words.count("claim.networks", heard, of=len(homes)),
        prefixes=words.count("claim.prefixes", sum(homes.values())),
    )


def _counts(parts: Sequence[Part], words: Words) -> str:
    """Said once where it is the same of all platforms."""
    counted = [
        (part, sum(one.failing for one in part.networks.values()), sum(o.of for o in part.networks.values()))
        for part in parts
    ]
    if len({(failing, of) for _, failing, of in counted}) == 1:
        _, failing, of = counted[0]
        return words("claim.probes", failing=failing, of=of)
    return words.listed(
        [
            words("claim.probes_of", failing=failing, of=of, platform=_platform(part.platform, words))
            for part, failing, of in counted
        ]
    )


def began(incident: Incident, round_s: float, words: Words) -> str:
    """Since when, between two moments; `round_s` is what its rounds are seconds of."""
    first, last = ((incident.since + n) * round_s for n in (-1, 1))
    one, other = (datetime.fromtimestamp(at, UTC) for at in (first, last))
    if one.date() == other.date():
        return words("claim.began", first=f"{one:{_CLOCK}}", last=f"{other:{_CLOCK}}", date=f"{one:{_DAY}}")
    form = f"{_DAY} {_CLOCK}"
    return words("claim.began_over_midnight", first=f"{one:{form}}", last=f"{other:{form}}")


def _why(incident: Incident, words: Words) -> str:
    cause = incident.cause
    shown = [part for part in incident.parts if part.cause is cause]
    if cause is Cause.LIKELY_BLOCKING:
        stages = sorted({part.broke.partition(" ")[0].upper() for part in shown})
        return words("claim.likely_blocking", stages=words.listed(stages))
    if cause is Cause.BLOCKING_CONFIRMED:
        found = sorted({one for part in shown for one in part.artefacts})
        named = words.raw("list.comma").join(words.name("mechanism", one) for one in found)
        return words("claim.blocking_confirmed", mechanisms=named)
    if cause is Cause.THROTTLING:
        speeds = [_speed(part, words) for part in shown]
        return words.listed([one for one in speeds if one]) or words("claim.held_back")
    return words.name("cause", cause)


def _speed(part: Part, words: Words) -> str:
    """ "X comes at 140 kbit/s, unrelated sites 57 times as fast (medians)": as a policer shows."""
    if part.slow is None:
        return ""
    key = "claim.slow_extreme" if part.slow.is_extreme else "claim.slow"
    rate, times = _rate(part.slow.bps, words), f"{part.slow.ratio:.3g}"
    return words(key, platform=_platform(part.platform, words), rate=rate, times=times)


def _rate(bps: float, words: Words) -> str:
    """An object that is small for the line is there before its rate can be told."""
    if bps >= UNTOLD_BPS:
        return words("rate.over", mbit=f"{UNTOLD_BPS / 1e6:.0f}")
    if bps >= 1e6:
        return words("rate.mbit", mbit=f"{bps / 1e6:.1f}")
    return words("rate.kbit", kbit=f"{bps / 1000:.0f}")


def _named(parts: Iterable[Part], words: Words) -> str:
    return _platforms([part.platform for part in parts], words)


def _platforms(platforms: Iterable[str], words: Words) -> str:
    return words.listed([_platform(one, words) for one in platforms])


def _platform(platform: str, words: Words) -> str:
    """What it is called in a sentence."""
    return words("claim.lines") if platform == CONNECTIVITY else words.name("platform", platform)
