"""Small networks out of a bundle: their votes stay, their numbers go. PURE.

Without its votes nobody could make a claim again; but what a network of three homes saw, said under its
number, is what those three homes saw. Such networks are numbered anew from the AS numbers that are nobody's
(RFC 6996, section 5).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from .ballots import Ballot, Place
from .cells import UNKNOWN_ASN
from .incidents import Incident
from .saved import Settled
from .spans import Span

FIRST_PRIVATE = 4_200_000_000
_LAST = "~"  # after every tag and key

Aliases = Mapping[int, int]
T = TypeVar("T")


def aliases(
    start: Settled,
    said: Sequence[tuple[Place, Sequence[Ballot]]],
    spans: Sequence[Span],
    incident: Incident,
    min_prefixes: int,
) -> Aliases:
    """The other number of each network that never has `min_prefixes` homes in any round that was `said`, nor
    among those who were there at once. They are numbered by the tags and keys of their homes, in which their
    own numbers leave no order."""
    most = _there(spans, min_prefixes)
    firsts: dict[int, str] = {}

    def seen(asn: int, names: Iterable[str]) -> None:
        firsts[asn] = min((*names, firsts.get(asn, _LAST)))

    for span in spans:
        seen(span.asn, [span.prefix])
    for place, ballots in said:
        seen(place.asn, (ballot.prefix for ballot in ballots))
        most[place.asn] = max(most.get(place.asn, 0), len({ballot.prefix for ballot in ballots}))
    for place, network in start.state.networks.items():
        seen(place.asn, network.pasts)
    for place, speeds in start.state.speeds.items():
        seen(place.asn, speeds.paces)
    for watch in start.state.silences.values():
        for asn, dark in watch.networks.items():
            seen(asn, dark.silent)
    for asn in (asn for one in (*start.book, incident) for part in one.parts for asn in part.networks):
        seen(asn, ())
    small = [asn for asn in firsts if most.get(asn, 0) < min_prefixes and asn != UNKNOWN_ASN]
    small.sort(key=lambda asn: (firsts[asn], asn))
    return {asn: FIRST_PRIVATE + n for n, asn in enumerate(small)}


def _there(spans: Iterable[Span], enough: int) -> dict[int, int]:
    """How many homes were there at once, by ASN, or `enough` of them. Not how many there ever were: a home
    has another tag every day."""
    by_asn: dict[int, list[Span]] = {}
    for span in spans:
        by_asn.setdefault(span.asn, []).append(span)
    return {asn: _at_once(some, enough) for asn, some in by_asn.items()}


def _at_once(spans: Sequence[Span], enough: int) -> int:
    most = 0
    for at in (span.first_at for span in spans):
        most = max(most, len({one.prefix for one in spans if one.first_at <= at <= one.last_at}))
        if most >= enough:
            break
    return most


def shares_of(shares: Mapping[int, float], heard: Collection[int], names: Aliases) -> dict[int, float]:
    """The users' shares of the networks that were heard. Small ones weigh alike, as their mean: a share that
    is known of a network is its name."""
    here = {asn: share for asn, share in shares.items() if asn in heard}
    small = [share for asn, share in here.items() if asn in names]
    mean = sum(small) / len(small) if small else 0.0
    return {names.get(asn, asn): mean if asn in names else share for asn, share in sorted(here.items())}


def keyed(by_asn: Mapping[int, T], names: Aliases) -> dict[int, T]:
    """The same by the other numbers."""
    return {names.get(asn, asn): one for asn, one in sorted(by_asn.items())}


def placed(place: Place, names: Aliases) -> Place:
    """The same place by its other number."""
    return replace(place, asn=names.get(place.asn, place.asn))


def renamed(settled: Settled, names: Aliases) -> Settled:
    """A state and its incidents."""
    state = settled.state
    return Settled(
        state=replace(
            state,
            networks={placed(place, names): one for place, one in state.networks.items()},
            speeds={placed(place, names): one for place, one in state.speeds.items()},
            silences={
                country: replace(watch, networks=keyed(watch.networks, names))
                for country, watch in state.silences.items()
            },
        ),
        book=tuple(told(one, names) for one in settled.book),
    )


def told(incident: Incident, names: Aliases) -> Incident:
    """An incident."""
    parts = (replace(part, networks=keyed(part.networks, names)) for part in incident.parts)
    return replace(incident, parts=tuple(parts))
