"""What was seen round by round, as rows. PURE.

A network has a row of its own in a round in which it had votes of so many prefixes, and is counted under
`other` in every other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from collector.detect.chronicle import CountryRound, NationRound, NetworkRound, SpeedRound

from .models import SeriesRow
from .state import moment


def rows(
    rounds: Iterable[CountryRound], round_s: float, min_prefixes: int, platform: str | None
) -> Iterator[list[SeriesRow]]:
    """Each round's rows, of all platforms or of one. What had no votes has none."""
    for one in rounds:
        at = moment(one.number * round_s)
        told: list[SeriesRow] = []
        for nation in one.nations:
            here = [seen for seen in one.networks if seen.platform == nation.platform]
            if here and platform in (None, nation.platform):
                told += _of(at, nation, here, min_prefixes)
        measured = {seen.platform for seen in one.speeds}
        for name in sorted(measured if platform is None else measured & {platform}):
            told += _speeds(at, [seen for seen in one.speeds if seen.platform == name], min_prefixes)
        yield told


def _of(at: str, nation: NationRound, here: Sequence[NetworkRound], min_prefixes: int) -> Iterator[SeriesRow]:
    yield _country(at, nation, here)
    yield from (_network(at, seen) for seen in here if seen.prefixes >= min_prefixes)
    small = [seen for seen in here if seen.prefixes < min_prefixes]
    if small:
        yield _other(at, small)


def _speeds(at: str, here: Sequence[SpeedRound], min_prefixes: int) -> Iterator[SeriesRow]:
    yield {**_other(at, here), "scope": "country"}
    for seen in here:
        if seen.prefixes >= min_prefixes:
            yield {
                **_other(at, [seen]),
                "scope": "network",
                "asn": seen.asn,
                "condition": seen.condition,
                "networks": None,
                "times_slower": None if seen.ratio is None else round(seen.ratio, 2),
            }
    small = [seen for seen in here if seen.prefixes < min_prefixes]
    if small:
        yield _other(at, small)


def _country(at: str, nation: NationRound, here: Sequence[NetworkRound]) -> SeriesRow:
    return {
        **_other(at, here),
        "scope": "country",
        "condition": nation.condition,
        "score": nation.score,
        # Where no network had votes enough, the share is an earlier round's.
        "failing_ratio": round(nation.share, 4) if nation.networks else None,
        "networks": nation.networks,
        "world_failing_ratio": None if nation.world is None else round(nation.world, 4),
    }


def _network(at: str, seen: NetworkRound) -> SeriesRow:
    return {
        **_other(at, [seen]),
        "scope": "network",
        "asn": seen.asn,
        "condition": seen.condition,
        "score": seen.score,
        "networks": None,
    }


def _other(at: str, seen: Sequence[NetworkRound] | Sequence[SpeedRound]) -> SeriesRow:
    reach = [one.failing_prefixes for one in seen if isinstance(one, NetworkRound)]
    weight, failing = sum(one.votes for one in seen), sum(one.failing for one in seen)
    return {
        "at": at,
        "measure": "reach" if reach else "speed",
        "platform": seen[0].platform,
        "scope": "other",
        "asn": None,
        "condition": None,
        "score": None,
        "prefixes": sum(one.prefixes for one in seen),
        "failing": sum(reach) if reach else None,
        "weight": round(weight, 3),
        "failing_weight": round(failing, 3),
        "failing_ratio": round(failing / weight, 4) if weight else None,
        "networks": len(seen),
        "world_failing_ratio": None,
        "times_slower": None,
    }
