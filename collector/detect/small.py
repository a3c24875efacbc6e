"""Small networks out of a bundle: their votes stay, their numbers go. PURE.

Without its votes nobody could make a claim again; but what a network of three homes saw, said under its
number, is what those three homes saw. Such networks are numbered anew from the AS numbers that are nobody's
(RFC 6996, section 5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from .ballots import Ballot, Place
from .cells import UNKNOWN_ASN
from .incidents import Incident
from .saved import Settled
from .spans import Span

FIRST_PRIVATE = 4_200_000_000

Aliases = Mapping[int, int]
T = TypeVar("T")


def aliases(
    start: Settled,
    said: Iterable[tuple[Place, Iterable[Ballot]]],
    spans: Iterable[Span],
    incident: Incident,
    min_prefixes: int,
) -> Aliases:
    """The other number of each network that never has `min_prefixes` homes in any round that was `said`, nor
    among those who were there."""
    homes: dict[int, set[str]] = {}
    for span in spans:
        homes.setdefault(span.asn, set()).add(span.prefix)
    most = {asn: len(prefixes) for asn, prefixes in homes.items()}
    for place, ballots in said:
        most[place.asn] = max(most.get(place.asn, 0), len({ballot.prefix for ballot in ballots}))
    known = {place.asn for place in (*start.state.networks, *start.state.speeds)}
    known |= {asn for watch in start.state.silences.values() for asn in watch.networks}
    known |= {asn for one in (*start.book, incident) for part in one.parts for asn in part.networks}
    small = {asn for asn in known | most.keys() if most.get(asn, 0) < min_prefixes}
    return {asn: FIRST_PRIVATE + n for n, asn in enumerate(sorted(small - {UNKNOWN_ASN}))}


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
