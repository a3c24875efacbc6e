"""The state now, of every country or of one. PURE."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from operator import itemgetter

from collector.detect.ballots import Place
from collector.detect.fold import Network
from collector.detect.fold import State as Detected
from collector.detect.nation import NationWatch
from collector.detect.network import Watch
from collector.detect.silence import Watch as Silence
from collector.detect.slow import Speeds
from collector.detector import Findings
from collector.snapshot import Snapshot, Tally
from probe.wire.codec import rfc3339

from .models import PlatformState, State


def describe(
    snapshot: Snapshot, findings: Findings, min_prefixes: int, only: Collection[str] | None = None
) -> State:
    """The snapshot and the detector's words, of `only` these countries where given. A platform that fewer
    than `min_prefixes` prefixes of a network voted on is left out of it: a number on so few says something
    about somebody's home, however many vote on another platform."""
    places = heard_from(snapshot, findings) if only is None else only
    networks = _networks(snapshot, findings.state, places, min_prefixes)
    return {
        "at": moment(snapshot.at),
        "window_s": snapshot.window_s,
        "until": moment(findings.until) if findings.until else None,
        "countries": {
            place: {
                "probes": snapshot.probes.get(place, 0),
                "silence": findings.state.silences.get(place, Silence()).condition,
                "platforms": _platforms(snapshot, findings.state, place),
                "networks": networks[place],
            }
            for place in sorted(places)
        },
    }


def heard_from(snapshot: Snapshot, findings: Findings) -> set[str]:
    """Every country that there is something to say of: one that fell silent in the middle of an alarm has
    not become nothing."""
    nations = (*findings.state.nations.items(), *findings.state.slow.items())
    alarmed = {country for (country, _), nation in nations if nation.is_alarmed}
    alarmed |= {country for country, silence in findings.state.silences.items() if silence.is_alarmed}
    return alarmed | {country for country, _ in snapshot.countries} | set(snapshot.probes)


def moment(at: float) -> str:
    """Unix seconds as RFC 3339."""
    return rfc3339(datetime.fromtimestamp(at, UTC))


def _platforms(snapshot: Snapshot, said: Detected, country: str) -> dict[str, PlatformState]:
    found = {}
    for platform in snapshot.platforms:
        key = (country, platform)
        reach, speed = said.nations.get(key, NationWatch()), said.slow.get(key, NationWatch())
        found[platform] = _tally(snapshot.countries.get(key, Tally()), reach, speed)
    return found


def _networks(
    snapshot: Snapshot, said: Detected, places: Collection[str], min_prefixes: int
) -> dict[str, dict[str, dict[str, PlatformState]]]:
    """By country and ASN, in one pass: looking once per network would make anybody's GET quadratic."""
    found: dict[str, dict[str, dict[str, PlatformState]]] = {place: {} for place in places}
    for (country, asn, platform), tally in sorted(snapshot.networks.items(), key=itemgetter(0)):
        if country in found and tally.votes >= min_prefixes:
            place = Place(country, asn, platform)
            reach, speed = said.networks.get(place, Network()), said.speeds.get(place, Speeds())
            found[country].setdefault(str(asn), {})[platform] = _tally(tally, reach.watch, speed.watch)
    return found


def _tally(tally: Tally, watch: NationWatch | Watch, speed: NationWatch | Watch) -> PlatformState:
    return {
        "condition": watch.condition,
        "score": round(watch.score, 3),
        "throttling": speed.condition,
        "votes": tally.votes,
        "failing": tally.failing,
        "ratio": tally.ratio,
        "statuses": dict(tally.statuses),
        "mechanisms": dict(tally.mechanisms),
        "stages": {stage: {"succeeded": good, "failed": bad} for stage, (good, bad) in tally.stages.items()},
        # To the minute: a provider that keeps logs could look for the second.
        "newest_at": moment(tally.newest_at // 60 * 60) if tally.newest_at is not None else None,
    }
